"""The JSON Schemas of everything this tool reads or writes as data.

``python -m sfcutover.cli.schemas DIR`` writes them; a test holds the committed ones
against the models.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Literal

from pydantic import BaseModel

from sfcutover.allowlist.plan import DiffDocument, RenderDocument
from sfcutover.allowlist.planfile import PlanDocument
from sfcutover.cli.demo.result import DemoDocument
from sfcutover.cli.doctor import DoctorDocument
from sfcutover.cli.emulator import EmulatorDocument
from sfcutover.cli.init import InitDocument
from sfcutover.config.cutover import Cutover
from sfcutover.cutover.control import ControlDocument
from sfcutover.cutover.evidence import EvidenceFile
from sfcutover.cutover.probe import ProbeDocument
from sfcutover.cutover.rundocument import RunsDocument
from sfcutover.cutover.supportcase import CaseDocument, Confirmation
from sfcutover.cutover.switch import SwitchDocument
from sfcutover.cutover.watchtrigger import WatchDocument
from sfcutover.output.json import ErrorDocument
from sfcutover.output.report.report import ReportDocument
from sfcutover.runs.event import EventDocument
from sfcutover.salesforce.results import DeployDocument, DeploymentDocument

SCHEMAS: dict[str, type[BaseModel]] = {
    "cutover": Cutover,
    "plan": PlanDocument,
    "diff": DiffDocument,
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
    "runs": RunsDocument,
    "report": ReportDocument,
    "error": ErrorDocument,
}


def schema_text(name: str) -> str:
    """One schema as its file holds it (JSON Schema 2020-12)."""
    mode: Literal["validation", "serialization"] = (
        "validation" if name == "cutover" else "serialization"
    )
    schema = SCHEMAS[name].model_json_schema(by_alias=True, mode=mode)
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema"}
    return json.dumps({**head, **schema}, indent=2, ensure_ascii=False) + "\n"


def write_schemas(folder: Path) -> None:
    """Write ``<name>.schema.json`` for every schema."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in SCHEMAS:
        (folder / f"{name}.schema.json").write_text(schema_text(name), encoding="utf-8")


if __name__ == "__main__":
    write_schemas(Path(sys.argv[1]))
