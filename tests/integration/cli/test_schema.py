"""The schema command, and the schemas that files name for editors."""

from __future__ import annotations

import json
import re
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

import pytest
import yaml
from jsonschema import Draft202012Validator

from tests.integration.cli.harness import SCHEMAS, Desk

COMMITTED = (SCHEMAS / "cutover.schema.json").read_text(encoding="utf-8")
MODELINE = re.compile(r"^# yaml-language-server: \$schema=(.+)$", re.MULTILINE)


def schema_named_in(path: Path) -> Path:
    """The file that an editor would load: a path relative to the YAML file, or a file URL."""
    found = MODELINE.search(path.read_text(encoding="utf-8"))
    assert found is not None
    url = urlsplit(found[1])
    return Path(url2pathname(url.path)) if url.scheme == "file" else path.parent / found[1]


@pytest.mark.parametrize("words", [("schema",), ("schema", "cutover"), ("schema", "--json")])
def test_the_schema_of_cutover_yaml_is_printed(desk: Desk, words: tuple[str, ...]) -> None:
    assert desk.run(*words).out == COMMITTED


def test_every_schema_can_be_printed(desk: Desk) -> None:
    for path in SCHEMAS.iterdir():
        name = path.name.removesuffix(".schema.json")
        assert desk.run("schema", name).out == path.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["deplyo", "../schemas/deploy", ""])
def test_an_unknown_schema_is_refused_with_the_known_names(desk: Desk, name: str) -> None:
    result = desk.run("schema", name)
    result.refused(2, f"no schema {name!r}")
    assert "deploy, deployment, diff" in result.error


def test_init_writes_the_schema_that_its_file_names(desk: Desk) -> None:
    desk.config.unlink()
    ranges = ("--old", "127.0.0.11", "--new", "127.0.0.21")
    assert desk.run("init", *ranges, "--config", "mine.yaml").code == 0
    path = desk.folder / "mine.yaml"
    assert schema_named_in(path) == desk.folder / "cutover.schema.json"
    assert schema_named_in(path).read_text() == COMMITTED
    Draft202012Validator(json.loads(COMMITTED)).validate(yaml.safe_load(path.read_text()))


def test_init_keeps_an_existing_schema_unless_forced(desk: Desk) -> None:
    desk.config.unlink()
    schema = desk.write("cutover.schema.json", "{}")
    assert desk.run("init").code == 0
    assert schema.read_text() == "{}"
    assert desk.run("init", "--force").code == 0
    assert schema.read_text() == COMMITTED


def test_the_file_of_the_emulator_names_the_installed_schema(desk: Desk) -> None:
    process = desk.start("emulator", "--config-file", "local.yaml")
    process.wait_for("ready", "stdout")
    path = desk.folder / "local.yaml"
    assert schema_named_in(path).read_text() == COMMITTED
    Draft202012Validator(json.loads(COMMITTED)).validate(yaml.safe_load(path.read_text()))


def test_a_mistake_does_not_fit_the_schema(desk: Desk) -> None:
    data = yaml.safe_load(desk.config.read_text())
    schema = Draft202012Validator(json.loads(COMMITTED))
    assert schema.is_valid(data)
    assert not schema.is_valid(data | {"split_ranges": "no"})
    assert not schema.is_valid(data | {"newe": ["198.51.100.1"]})
