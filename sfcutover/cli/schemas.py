"""The JSON Schemas of all data that this tool reads or writes.

``python -m sfcutover.cli.schemas DIR`` writes them; a test holds the committed ones
against the models. The text under a field in a model's source is the field's description.
"""

from __future__ import annotations

import ast
import inspect
import json
import sys
import textwrap
from itertools import pairwise
from pathlib import Path
from typing import Literal

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from sfcutover.allowlist.drift import DriftDocument
from sfcutover.allowlist.plan import DiffDocument, RenderDocument
from sfcutover.allowlist.planfile import PlanDocument
from sfcutover.cli.demo.result import DemoDocument
from sfcutover.cli.doctor import DoctorDocument
from sfcutover.cli.emulator import EmulatorDocument
from sfcutover.cli.init import InitDocument
from sfcutover.cli.state import StateDocument
from sfcutover.config.cutover import Cutover
from sfcutover.cutover.control import ControlDocument
from sfcutover.cutover.evidence import EvidenceFile
from sfcutover.cutover.notification import NotificationDocument
from sfcutover.cutover.probe import ProbeDocument
from sfcutover.cutover.rundocument import RunsDocument
from sfcutover.cutover.stepdocuments import DeployDocument, WatchDocument
from sfcutover.cutover.supportcase import CaseDocument, Confirmation
from sfcutover.cutover.switch import SwitchDocument
from sfcutover.output.json import ErrorDocument
from sfcutover.output.report.report import ReportDocument
from sfcutover.runs.event import EventDocument
from sfcutover.salesforce.results import DeploymentDocument

SCHEMAS: dict[str, type[BaseModel]] = {
    "cutover": Cutover,
    "plan": PlanDocument,
    "diff": DiffDocument,
    "drift": DriftDocument,
    "render": RenderDocument,
    "deploy": DeployDocument,
    "deployment": DeploymentDocument,
    "doctor": DoctorDocument,
    "probe": ProbeDocument,
    "init": InitDocument,
    "emulator": EmulatorDocument,
    "demo": DemoDocument,
    "switch": SwitchDocument,
    "watch": WatchDocument,
    "control": ControlDocument,
    "evidence": EvidenceFile,
    "case": CaseDocument,
    "confirmation": Confirmation,
    "event": EventDocument,
    "notification": NotificationDocument,
    "runs": RunsDocument,
    "state": StateDocument,
    "report": ReportDocument,
    "error": ErrorDocument,
}


class DescribedSchema(GenerateJsonSchema):
    """Takes descriptions from the source, where only a schema needs them.

    pydantic's ``use_attribute_docstrings`` reads the source whenever a model is imported, which
    makes every command slower by a fifth of its imports.
    """

    def model_schema(self, schema: core_schema.ModelSchema) -> JsonSchemaValue:
        written = super().model_schema(schema)
        model: type[BaseModel] = schema["cls"]
        descriptions = _descriptions(model)
        for name, field in model.model_fields.items():
            found = written.get("properties", {}).get(field.alias or name)
            if found is not None and name in descriptions:
                found.setdefault("description", descriptions[name])
        return written


def _descriptions(model: type[BaseModel]) -> dict[str, str]:
    """By field: the text that stands under it, also in the models that it extends."""
    found: dict[str, str] = {}
    for each in reversed(model.__mro__):
        if issubclass(each, BaseModel) and each is not BaseModel:
            found |= _texts_under_fields(each)
    return found


def _texts_under_fields(model: type[BaseModel]) -> dict[str, str]:
    tree = ast.parse(textwrap.dedent(inspect.getsource(model))).body[0]
    found: dict[str, str] = {}
    for field, under in pairwise(tree.body if isinstance(tree, ast.ClassDef) else []):
        match field, under:
            case (
                ast.AnnAssign(target=ast.Name(id=name)),
                ast.Expr(value=ast.Constant(value=str(text))),
            ):
                found[name] = " ".join(text.split())
    return found


def schema_text(name: str) -> str:
    """One schema as its file holds it (JSON Schema 2020-12)."""
    mode: Literal["validation", "serialization"] = (
        "validation" if name == "cutover" else "serialization"
    )
    schema = SCHEMAS[name].model_json_schema(
        by_alias=True, mode=mode, schema_generator=DescribedSchema
    )
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema"}
    return json.dumps({**head, **schema}, indent=2, ensure_ascii=False) + "\n"


def write_schemas(folder: Path) -> None:
    """Write ``<name>.schema.json`` for every schema."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in SCHEMAS:
        (folder / f"{name}.schema.json").write_text(schema_text(name), encoding="utf-8")


if __name__ == "__main__":
    write_schemas(Path(sys.argv[1]))
