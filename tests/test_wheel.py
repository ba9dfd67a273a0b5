"""A wheel built from the tree works in an empty environment outside of the checkout."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
REPOSITORY = "https://code.example/acme/sfcutover"
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
NAME = "Acme_Connector_oauthSecurity.ecaOauthSecurity"
CONFIG = """\
version: 1
name: outside
app: Acme_Connector
old: [203.0.113.10]
new: [198.51.100.20]
targets: [{name: packaging, org: {alias: acme}}]
"""
BASELINE = """\
<?xml version="1.0" encoding="UTF-8"?>
<ExtlClntAppOauthSecuritySettings xmlns="http://soap.sforce.com/2006/04/metadata">
    <externalClientApplication>Acme_Connector</externalClientApplication>
    <tokenIpRanges>
        <endIpAddress>203.0.113.10</endIpAddress>
        <startIpAddress>203.0.113.10</startIpAddress>
    </tokenIpRanges>
</ExtlClntAppOauthSecuritySettings>
"""

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--wheel", "--outdir", str(folder), str(ROOT)]
    _run(*command, cwd=folder, SFCUTOVER_REPOSITORY_URL=REPOSITORY)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The console script in an environment that holds the wheel and its dependencies."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=True)
    python = str(folder / "bin" / "python")
    _run(python, "-m", "pip", "install", "--quiet", str(wheel), cwd=folder)
    return folder / "bin" / "sfcutover"


def _run(*command: str, cwd: Path, **variables: str) -> str:
    done = subprocess.run(
        command,
        cwd=cwd,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_wheel_contains_templates_and_schemas(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    for folder in ("templates", "schemas"):
        files = [path.name for path in (ROOT / folder).iterdir() if path.is_file()]
        assert files
        assert {f"sfcutover/{folder}/{name}" for name in files} <= names
    assert not [name for name in names if name.startswith(("tests/", "cassettes/"))]


def test_the_description_is_the_readme_with_links_to_the_repository(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        text = archive.read(f"sfcutover-{VERSION}.dist-info/METADATA").decode()
    assert f"]({REPOSITORY}/raw/main/docs/images/demo.svg)" in text
    assert f"]({REPOSITORY}/blob/main/docs/how-to/recover.md)" in text
    assert "](docs/" not in text


def test_the_version_is_that_of_the_project(wheel: Path, installed: Path, tmp_path: Path) -> None:
    assert wheel.name == f"sfcutover-{VERSION}-py3-none-any.whl"
    assert _run(str(installed), "--version", cwd=tmp_path) == f"sfcutover {VERSION}\n"


def test_a_shell_completes_and_an_editor_finds_the_schema(installed: Path, tmp_path: Path) -> None:
    words = "COMP_WORDS='sfcutover deploy --ev' COMP_CWORD=2 _SFCUTOVER_COMPLETE=bash_complete"
    assert _run("sh", "-c", f"{words} {installed}", cwd=tmp_path) == "plain,--evidence\n"
    committed = (ROOT / "schemas" / "cutover.schema.json").read_text(encoding="utf-8")
    assert _run(str(installed), "schema", cwd=tmp_path) == committed


def test_help_works_from_the_wheel(installed: Path, tmp_path: Path) -> None:
    assert "Exit codes:" in _run(str(installed), "--help", cwd=tmp_path)


def test_render_works_offline_from_the_wheel(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "cutover.yaml").write_text(CONFIG)
    (tmp_path / NAME).write_text(BASELINE)
    _run(str(installed), "render", "--out", "out", "--baseline", NAME, cwd=tmp_path)
    overlap = tmp_path / "out" / "add-new" / "extlClntAppOauthSecuritySettings" / NAME
    assert "198.51.100.20" in overlap.read_text()
    assert "203.0.113.10" in overlap.read_text()


def test_demo_works_from_the_wheel(installed: Path, tmp_path: Path) -> None:
    document = json.loads(_run(str(installed), "demo", "--json", cwd=tmp_path))
    assert document["ok"] is True
