"""The committed JSON Schemas are the models', and are schemas."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator

from sfcutover.cli.schemas import SCHEMAS, schema_text, write_schemas
from sfcutover.emulator.emulator import Emulator

FOLDER = Path(__file__).parents[1] / "schemas"


def test_the_committed_files_are_what_the_models_say(tmp_path: Path) -> None:
    write_schemas(tmp_path)
    written = {path.name: path.read_text(encoding="utf-8") for path in tmp_path.iterdir()}
    committed = {path.name: path.read_text(encoding="utf-8") for path in FOLDER.iterdir()}
    assert committed == written, "run make schemas"


@pytest.mark.parametrize("name", SCHEMAS)
def test_each_is_a_valid_schema(name: str) -> None:
    schema = json.loads(schema_text(name))
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    Draft202012Validator.check_schema(schema)


@pytest.mark.parametrize("name", [name for name in SCHEMAS if name != "cutover"])
def test_each_document_names_its_schema(name: str) -> None:
    schema = json.loads(schema_text(name))
    assert schema["properties"]["schema"]["const"] == f"sfcutover/{name}/1"
    assert schema["additionalProperties"] is False


def test_the_emulators_cutover_fits_the_schema(emulator: Emulator) -> None:
    schema = json.loads(schema_text("cutover"))
    Draft202012Validator(schema).validate(yaml.safe_load(emulator.config_text()))
