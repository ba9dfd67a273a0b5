"""CumulusCI deploys, polls, retrieves and lists; it has no command that cancels a deployment.

Its deploy task polls checkDeployStatus; there is no other status command either.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from sfcutover.emulator.emulator import Emulator
from sfcutover.emulator.grants import CLI_CLIENT_ID
from sfcutover.emulator.scenario import Scenario
from tests.interop import install
from tests.interop.packages import FULL_NAMES, addresses_of, packages, unknown_app_package
from tests.support import SECURITY, SECURITY_NAME, operations

pytestmark = pytest.mark.interop

_TIMEOUT = 240.0  # seconds; it takes ten to start
_PROJECT = """
minimum_cumulusci_version: "4.0.0"
project:
  name: Acme
  package: {name: Acme, api_version: "67.0"}
"""


class CumulusCi:
    """Runs tasks in its own project, with the emulator as the org ``emu``."""

    def __init__(self, folder: Path, emulator: Emulator) -> None:
        self.project = folder / "project"
        self._emulator = emulator
        self._home = folder / "home"
        (self._home / ".cumulusci").mkdir(parents=True)
        # or it asks its registry for a newer version
        (self._home / ".cumulusci" / "cumulus_timestamp").write_text(str(time.time()))
        self.project.mkdir()
        (self.project / "cumulusci.yml").write_text(_PROJECT)
        git = ["git", "-C", str(self.project)]
        subprocess.run([*git, "init", "--quiet"], check=True)
        remote = "https://github.com/Acme/Acme.git"  # never reached
        subprocess.run([*git, "remote", "add", "origin", remote], check=True)

    def run(self, task: str, **options: object) -> tuple[int, str]:
        """Run a task on the org; return its exit code and its output."""
        words = [word for name, value in options.items() for word in ("-o", name, str(value))]
        command = [str(install.cumulusci_python()), "-m", "cumulusci", "task", "run", task]
        done = subprocess.run(
            [*command, "--org", "emu", *words],
            cwd=self.project,
            env=self._environment(),
            timeout=_TIMEOUT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        return done.returncode, " ".join(done.stdout.split())

    def _environment(self) -> dict[str, str]:
        return {
            "HOME": str(self._home),
            "PATH": os.environ["PATH"],
            "COLUMNS": "200",
            "CUMULUSCI_KEY": "0123456789abcdef",  # encrypts the org's file in that home
            "CUMULUSCI_ORG_emu": json.dumps(self._org()),
            "REQUESTS_CA_BUNDLE": self._emulator.environment["REQUESTS_CA_BUNDLE"],
        }

    def _org(self) -> dict[str, str]:
        """A login as CumulusCI keeps it; CumulusCI renews the access token before each task."""
        environment = self._emulator.environment
        token = environment["SF_ACCESS_TOKEN"]
        return {
            "access_token": token,
            "instance_url": self._emulator.url,
            "id": identity_of(self._emulator),
            "client_id": CLI_CLIENT_ID,
            "client_secret": "",
            "refresh_token": self._emulator.auth_url.partition("::")[2].partition("@")[0],
        }


def identity_of(emulator: Emulator) -> str:
    """The identity URL of the org's user."""
    identity = requests.get(
        f"{emulator.url}/services/oauth2/userinfo",
        headers={"Authorization": f"Bearer {emulator.environment['SF_ACCESS_TOKEN']}"},
        verify=emulator.environment["REQUESTS_CA_BUNDLE"],
        timeout=10,
    ).json()
    return str(identity["sub"])


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    """An emulator with TLS: CumulusCI reads REST by https only."""
    with Emulator(Scenario(deploy_seconds=2)) as started:
        yield started


@pytest.fixture(scope="module")
def cci(
    installed_cumulusci: None, emulator: Emulator, tmp_path_factory: pytest.TempPathFactory
) -> CumulusCi:
    return CumulusCi(tmp_path_factory.mktemp("cumulusci"), emulator)


def test_a_phase_is_deployed_and_polled(cci: CumulusCi, emulator: Emulator, tmp_path: Path) -> None:
    folder = packages(tmp_path, "token-ip-ranges")["add-new"]
    code, said = cci.run("deploy", path=folder)
    assert code == 0, said
    assert "[Success]: Succeeded" in said
    assert len(operations(emulator, "checkDeployStatus")) > 1
    text = emulator.component_xml(SECURITY, SECURITY_NAME).decode()
    assert all(f">{address}<" in text for address in addresses_of("add-new"))


def test_a_validation_changes_nothing(cci: CumulusCi, emulator: Emulator, tmp_path: Path) -> None:
    before = emulator.component_xml(SECURITY, SECURITY_NAME)
    folder = packages(tmp_path, "token-ip-ranges")["remove-old"]
    code, said = cci.run("deploy", path=folder, check_only=True)
    assert (code, emulator.component_xml(SECURITY, SECURITY_NAME)) == (0, before), said
    assert emulator.deployments[-1].check_only


def test_a_component_failure_is_reported(cci: CumulusCi, tmp_path: Path) -> None:
    code, said = cci.run("deploy", path=unknown_app_package(tmp_path / "package"))
    assert code == 1
    assert f"Update of {SECURITY} {SECURITY_NAME}: Error on line" in said
    assert "INVALID_CROSS_REFERENCE_KEY" in said


def test_a_manifest_is_retrieved(cci: CumulusCi, emulator: Emulator, tmp_path: Path) -> None:
    folder = packages(tmp_path, "token-ip-ranges")["add-new"]
    (cci.project / "wanted.xml").write_bytes((folder / "package.xml").read_bytes())
    code, said = cci.run("retrieve_unpackaged", path="got", package_xml="wanted.xml")
    assert code == 0, said
    (path,) = (cci.project / "got").glob("*/*.ecaOauthSecurity")
    assert path.read_bytes() == emulator.component_xml(SECURITY, SECURITY_NAME)


def test_an_unknown_package_is_reported(cci: CumulusCi) -> None:
    (cci.project / "packaged").mkdir()
    code, said = cci.run("retrieve_packaged", path="packaged", package="Abacus")
    assert code == 1
    assert "No package found in org with name: Abacus" in said


def test_components_are_listed(cci: CumulusCi) -> None:
    types = f"{SECURITY},ConnectedApp"
    code, said = cci.run("list_nonsource_trackable_components", metadata_types=types)
    assert code == 0, said
    assert f"{SECURITY}: {SECURITY_NAME}" in said
    assert f"ConnectedApp: {FULL_NAMES['connected-app']}" in said


def test_types_are_described(cci: CumulusCi, emulator: Emulator) -> None:
    code, said = cci.run("describe_metadatatypes")
    assert code == 0, said
    assert operations(emulator, "describeMetadata")[-1]["status"] == 200
