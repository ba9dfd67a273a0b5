"""The official CLI with a source tree changed by ``sfcutover render --format source``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from sfcutover.cli import cli
from sfcutover.emulator.emulator import Emulator
from tests.interop.packages import PHASES, addresses_of
from tests.interop.salesforce_cli import ALIAS, Cli
from tests.support import SECURITY, SECURITY_NAME, SECURITY_PATH

pytestmark = pytest.mark.interop

FILE = f"force-app/main/default/{SECURITY_PATH}-meta.xml"
BASELINE = Path(SECURITY_PATH).name
OWN = "<!-- proxies a and b, in this order -->"


@pytest.fixture(scope="module")
def tree(sf: Cli, emulator: Emulator) -> Path:
    """The component's file in a project whose package is built from force-app."""
    described = {
        "packageDirectories": [
            {"path": "force-app", "default": True, "package": "Acme", "versionNumber": "1.0.0.NEXT"}
        ],
        "packageAliases": {"Acme": "0Ho000000000001AAA"},
        "sourceApiVersion": "67.0",
    }
    (sf.home / "sfdx-project.json").write_text(json.dumps(described))
    (sf.home / "cutover.yaml").write_text(emulator.config_text())
    path = sf.home / FILE
    path.parent.mkdir(parents=True)
    xml = emulator.component_xml(SECURITY, SECURITY_NAME).decode()
    (sf.home / BASELINE).write_text(xml)
    odd = xml.replace("    <tokenIpRanges>", f"    {OWN}\n    <tokenIpRanges>", 1)
    path.write_bytes(odd.replace("\n", "\r\n").encode())
    return path


def run(sf: Cli, emulator: Emulator, *words: str) -> str:
    """Run one of this project's commands; return its standard error."""
    options = ["--config", str(sf.home / "cutover.yaml")]
    result = CliRunner(env=emulator.environment).invoke(cli, [*options, *words])
    assert result.exit_code == 0, result.output
    return result.stderr


def render(sf: Cli, emulator: Emulator, phase: str) -> None:
    words = ["--format", "source", "--out", str(sf.home / "force-app")]
    run(sf, emulator, "render", phase, *words, "--baseline", str(sf.home / BASELINE))


def starts_in(xml: str) -> list[str]:
    return [part.partition("<")[0] for part in xml.split("<startIpAddress>")[1:]]


@pytest.mark.parametrize("phase", PHASES)
def test_every_phase_is_deployed_from_the_tree(
    sf: Cli, emulator: Emulator, tree: Path, phase: str
) -> None:
    render(sf, emulator, phase)
    answer = sf.run(
        "project", "deploy", "start", "--source-dir", "force-app", "--target-org", ALIAS
    )
    assert answer.code == 0, answer.document
    assert answer.result["numberComponentsDeployed"] == 1
    live = emulator.component_xml(SECURITY, SECURITY_NAME).decode()
    assert sorted(starts_in(live)) == sorted(addresses_of(phase))
    assert "warning" not in run(sf, emulator, "diff", phase)
    assert f"    {OWN}\r\n".encode() in tree.read_bytes()


def test_the_cli_converts_the_changed_tree(sf: Cli, emulator: Emulator, tree: Path) -> None:
    render(sf, emulator, "add-new")
    folders = ("--source-dir", "force-app", "--output-dir", "converted")
    answer = sf.run("project", "convert", "source", *folders)
    assert answer.code == 0, answer.document
    converted = (sf.home / "converted" / SECURITY_PATH).read_text()
    assert sorted(starts_in(converted)) == sorted(addresses_of("add-new"))
    manifest = (sf.home / "converted/package.xml").read_text()
    assert f"<members>{SECURITY_NAME}</members>" in manifest


def test_the_line_that_doctor_suggests_excludes_the_file(
    sf: Cli, emulator: Emulator, tree: Path
) -> None:
    words = ("project", "list", "ignored", "--source-dir", "force-app")
    assert sf.run(*words).result["ignoredFiles"] == []
    advised = CliRunner().invoke(
        cli, ["--config", str(sf.home / "cutover.yaml"), "doctor", "--only", "config"]
    )
    line = advised.stdout.partition("add the line ")[2].partition(" to .forceignore")[0]
    (sf.home / ".forceignore").write_text(f"{line}\n")
    assert sf.run(*words).result["ignoredFiles"] == [FILE]
