"""The whole report of a run, put together from its data."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import version
from typing import Literal

from pydantic import Field

from sfcutover.allowlist.diff import RangeDocument
from sfcutover.cutover.rundocument import RunDocument
from sfcutover.output.report.evidence import (
    CanaryDocument,
    ReportDeploymentDocument,
    ReportProofDocument,
    ReportWatchDocument,
    canary,
    deployments,
    proofs,
    watches,
)
from sfcutover.output.report.limitations import LIMITS, Limitations
from sfcutover.output.report.lists import (
    ReportPhaseDocument,
    ReportTargetDocument,
    phases,
    targets,
)
from sfcutover.output.report.rundata import RunData, SettingsDocument
from sfcutover.output.report.timeline import (
    BoundaryDocument,
    DecisionDocument,
    ReportEventDocument,
    ReportStepDocument,
    boundaries,
    decisions,
    events,
    idle_times,
    steps,
)
from sfcutover.output.report.timescale import IdleTime, TimeScale
from sfcutover.output.report.traffic import AddressDocument, AddressTraffic, seconds, traffic
from sfcutover.output.report.verdict import VerdictDocument, verdict
from sfcutover.runs.events import moment_text
from sfcutover.util.document import Document

_BINS = 200  # of the document; a chart has its own


class ReportDocument(Document):
    """What ``report --format json`` prints. Times are UTC, ISO 8601.

    rules: the settings of the run. unproven: what this run leaves open. limits: what no run of
    this tool proves.
    """

    schema_: Literal["sfcutover/report/1"] = Field("sfcutover/report/1", alias="schema")
    made: str
    version: str
    verdict: VerdictDocument
    run: RunDocument
    seconds: float
    app: str
    api_version: str
    carriers: list[str]
    old: list[RangeDocument]
    new: list[RangeDocument]
    rules: SettingsDocument
    targets: list[ReportTargetDocument]
    steps: list[ReportStepDocument]
    decisions: list[DecisionDocument]
    phases: list[ReportPhaseDocument]
    deployments: list[ReportDeploymentDocument]
    proofs: list[ReportProofDocument]
    watches: list[ReportWatchDocument]
    boundaries: list[BoundaryDocument]
    traffic: list[AddressDocument]
    canary: CanaryDocument
    events: list[ReportEventDocument]
    unproven: list[str]
    limits: list[str]


@dataclass(frozen=True)
class Report:
    """The document, and what a chart is drawn from."""

    document: ReportDocument
    traffic: tuple[AddressTraffic, ...]
    idle: tuple[IdleTime, ...]
    scale: TimeScale

    @classmethod
    def of(cls, data: RunData) -> Report:
        rows, changed, idle = traffic(data), phases(data), idle_times(data)
        counted = [second for row in rows for second in seconds(row.counts)]
        start = min([data.run.started, *counted])
        scale = TimeScale.of(start, max([data.end, *(each + 1 for each in counted)]), idle)
        document = _document(data, rows, changed, scale)
        return cls(document, rows, tuple(idle), scale)


def _document(
    data: RunData,
    rows: tuple[AddressTraffic, ...],
    changed: list[ReportPhaseDocument],
    scale: TimeScale,
) -> ReportDocument:
    cutover, bins = data.cutover, scale.bins(_BINS)
    lists, sent, made, watched = targets(data), deployments(data), proofs(data), watches(data)
    return ReportDocument(
        made=moment_text(data.now),
        version=version("sfcutover"),
        verdict=verdict(data),
        run=RunDocument.of(data.run, data.progress, data.place),
        seconds=round(data.end - data.run.started, 3),
        app=cutover.app,
        api_version=cutover.api_version,
        carriers=list(cutover.carriers),
        old=[RangeDocument.model_validate(each) for each in cutover.change.old],
        new=[RangeDocument.model_validate(each) for each in cutover.change.new],
        rules=SettingsDocument.of(cutover, data.run.options.pause_before),
        targets=lists,
        steps=steps(data),
        decisions=decisions(data),
        phases=changed,
        deployments=sent,
        proofs=made,
        watches=watched,
        boundaries=boundaries(data, changed),
        traffic=[each.document(bins) for each in rows],
        canary=canary(data, made),
        events=events(data),
        unproven=Limitations(data, lists, changed, sent, made, watched, rows).sentences(),
        limits=list(LIMITS),
    )
