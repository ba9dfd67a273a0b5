"""The official CLI with a project: components in source format, queries, and REST."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sfcutover.emulator.emulator import Emulator
from sfcutover.emulator.scenario import Scenario
from tests.interop.salesforce_cli import ALIAS, Answer, Cli, log_in
from tests.support import SECURITY, SECURITY_NAME, operations

pytestmark = pytest.mark.interop

TARGET = ("--target-org", ALIAS)
SOURCE = ("--source-dir", "force-app", *TARGET)
FOLDER = f"force-app/main/default/extlClntAppOauthSecuritySettings/{SECURITY_NAME}"


@pytest.fixture(autouse=True, scope="module")
def project(sf: Cli) -> None:
    make_project(sf.home)


def make_project(home: Path) -> None:
    """An empty project in the folder where the CLI runs."""
    (home / "force-app").mkdir()
    folders = [{"path": "force-app", "default": True}]
    described = {"packageDirectories": folders, "sourceApiVersion": "67.0"}
    (home / "sfdx-project.json").write_text(json.dumps(described))


def source(cli: Cli, address: str) -> None:
    """The component in the project's source format, with an address in place of 127.0.0.12."""
    path = cli.home / f"{FOLDER}.ecaOauthSecurity-meta.xml"
    path.parent.mkdir(parents=True, exist_ok=True)
    with Emulator(tls=False) as fresh:
        xml = fresh.component_xml(SECURITY, SECURITY_NAME).decode()
    path.write_text(xml.replace("127.0.0.12<", f"{address}<"))


def is_live(emulator: Emulator, address: str) -> bool:
    return f">{address}<".encode() in emulator.component_xml(SECURITY, SECURITY_NAME)


def deployed(answer: Answer) -> str:
    """The id of a successful deployment with its one component."""
    assert answer.code == 0, answer.document
    assert (answer.result["status"], answer.result["success"]) == ("Succeeded", True)
    assert answer.result["numberComponentsDeployed"] == 1
    files = answer.result["files"]
    assert isinstance(files, list)
    assert [one["fullName"] for one in files] == [SECURITY_NAME]
    return str(answer.result["id"])


@pytest.mark.parametrize(
    ("soql", "expected"),
    [
        ("SELECT Id, Name, IsSandbox FROM Organization", "Acme Packaging"),
        ("SELECT Username FROM User WHERE Username = 'release@acme.example'", "release@acme"),
        ("SELECT CreatedBy.Name FROM ExtlClntAppOauthSecuritySettings", "Release Engineer"),
    ],
)
def test_data_is_queried(sf: Cli, soql: str, expected: str) -> None:
    answer = sf.run("data", "query", "--query", soql, *TARGET)
    assert answer.code == 0, answer.document
    assert expected in json.dumps(answer.result["records"])


def test_a_type_is_retrieved_into_the_project(sf: Cli) -> None:
    answer = sf.run("project", "retrieve", "start", "--metadata", SECURITY, *TARGET)
    assert answer.code == 0, answer.document
    assert answer.result["status"] == "Succeeded"
    text = (sf.home / f"{FOLDER}.ecaOauthSecurity-meta.xml").read_text()
    assert "<externalClientApplication>Acme_Connector</externalClientApplication>" in text


def test_an_unknown_package_is_reported(sf: Cli) -> None:
    folder = ("--target-metadata-dir", "packaged")
    answer = sf.run("project", "retrieve", "start", "--package-name", "Abacus", *folder, *TARGET)
    assert answer.result["status"] == "Failed"
    assert "No package named 'Abacus' found" in str(answer.result["errorMessage"])


def test_source_is_deployed_with_the_variables_of_the_emulator(sf: Cli, emulator: Emulator) -> None:
    source(sf, "192.0.2.1")
    deployed(sf.run("project", "deploy", "start", *SOURCE, **emulator.environment))
    assert is_live(emulator, "192.0.2.1")


def test_source_is_validated_and_then_deployed(sf: Cli, emulator: Emulator) -> None:
    source(sf, "192.0.2.2")
    validation = deployed(sf.run("project", "deploy", "validate", *SOURCE))
    assert not is_live(emulator, "192.0.2.2")
    quick = sf.run("project", "deploy", "quick", "--job-id", validation, *TARGET)
    assert quick.code == 0, quick.document
    assert is_live(emulator, "192.0.2.2")


@pytest.mark.parametrize("api", ["soap", "rest"])
def test_a_deployment_is_canceled(installed_cli: None, tmp_path: Path, api: str) -> None:
    with Emulator(Scenario(deploy_seconds=600), tls=False) as slow:
        cli = Cli(tmp_path)
        log_in(cli, slow)
        make_project(cli.home)
        source(cli, "192.0.2.3")
        rest = {"SF_ORG_METADATA_REST_DEPLOY": "true" if api == "rest" else "false"}
        started = cli.run("project", "deploy", "start", "--async", *SOURCE, **rest)
        assert operations(slow, "deploy")[0]["kind"] == api
        job = ("--job-id", started.result["id"], *TARGET)
        canceled = cli.run("project", "deploy", "cancel", *job, **rest)
        assert canceled.result["status"] == "Canceled", canceled.document
        assert not is_live(slow, "192.0.2.3")


def test_source_is_deployed_over_rest(sf: Cli, emulator: Emulator) -> None:
    source(sf, "192.0.2.4")
    assert sf.run("config", "set", "org-metadata-rest-deploy", "true").code == 0
    before = len(operations(emulator, "deploy"))
    deployed(sf.run("project", "deploy", "start", *SOURCE))
    assert [one["kind"] for one in operations(emulator, "deploy")[before:]] == ["rest"]
    assert is_live(emulator, "192.0.2.4")
    validation = deployed(sf.run("project", "deploy", "validate", *SOURCE))
    quick = sf.run("project", "deploy", "quick", "--job-id", validation, *TARGET)
    assert quick.code == 0, quick.document
    assert operations(emulator, "deployRecentValidation")[-1]["kind"] == "rest"
    assert sf.run("config", "unset", "org-metadata-rest-deploy").code == 0


def test_a_refusal_over_rest_is_reported(sf: Cli, emulator: Emulator) -> None:
    source(sf, "256.0.0.1")
    answer = sf.run("project", "deploy", "start", *SOURCE, SF_ORG_METADATA_REST_DEPLOY="true")
    assert (answer.code, answer.result["status"]) == (1, "Failed")
    assert "256.0.0.1" in json.dumps(answer.result["details"])
