"""The committed JSON Schemas are valid and equal those of the models."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator
from pydantic import JsonValue

from sfcutover.cli.schemas import SCHEMAS, schema_text, write_schemas
from sfcutover.emulator.emulator import Emulator

FOLDER = Path(__file__).parents[1] / "schemas"


def test_the_committed_files_are_up_to_date(tmp_path: Path) -> None:
    write_schemas(tmp_path)
    written = {path.name: path.read_text(encoding="utf-8") for path in tmp_path.iterdir()}
    committed = {path.name: path.read_text(encoding="utf-8") for path in FOLDER.iterdir()}
    assert committed == written, "run make schemas"


@pytest.mark.parametrize("name", SCHEMAS)
def test_each_schema_is_valid(name: str) -> None:
    schema = json.loads(schema_text(name))
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    Draft202012Validator.check_schema(schema)


def properties_of(schema: JsonValue, place: str) -> Iterator[tuple[str, JsonValue]]:
    """Every property of a schema, including nested ones, with its place."""
    if isinstance(schema, list):
        for index, each in enumerate(schema):
            yield from properties_of(each, f"{place}/{index}")
    if isinstance(schema, dict):
        for key, value in schema.items():
            if key == "properties" and isinstance(value, dict):
                yield from ((f"{place}/{name}", each) for name, each in value.items())
            yield from properties_of(value, f"{place}/{key}")


@pytest.mark.parametrize("name", SCHEMAS)
def test_each_schema_model_and_property_has_a_description(name: str) -> None:
    schema = json.loads(schema_text(name))
    described = {name: schema, **schema.get("$defs", {}), **dict(properties_of(schema, name))}
    without = [
        place
        for place, each in described.items()
        if not (isinstance(each, dict) and each.get("description"))
    ]
    assert without == []
    assert schema["title"]


@pytest.mark.parametrize("name", SCHEMAS)
def test_every_example_fits_its_schema(name: str) -> None:
    schema = json.loads(schema_text(name))
    for place, each in properties_of(schema, name):
        assert isinstance(each, dict)
        examples = each.get("examples", [])
        assert isinstance(examples, list)
        for example in examples:
            assert Draft202012Validator(schema).evolve(schema=each).is_valid(example), place


@pytest.mark.parametrize("name", [name for name in SCHEMAS if name != "cutover"])
def test_each_document_names_its_schema(name: str) -> None:
    schema = json.loads(schema_text(name))
    assert schema["properties"]["schema"]["const"] == f"sfcutover/{name}/1"
    assert schema["additionalProperties"] is False


def test_the_cutover_of_the_emulator_fits_the_schema(emulator: Emulator) -> None:
    schema = json.loads(schema_text("cutover"))
    Draft202012Validator(schema).validate(yaml.safe_load(emulator.config_text()))
