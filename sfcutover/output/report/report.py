"""The whole report of a run, put together from its data, with its verdict at the top."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import version
from typing import Literal

from pydantic import Field

from sfcutover.allowlist.diff import RangeDocument
from sfcutover.cutover.progress import Pause, RunProgress
from sfcutover.cutover.rundocument import RunDocument, RunState
from sfcutover.errors import Advice, Command
from sfcutover.output.console import shown
from sfcutover.output.report.limitations import LIMITS, Limitations
from sfcutover.output.report.lists import (
    ReportPhaseDocument,
    ReportTargetDocument,
    phases,
    targets,
)
from sfcutover.output.report.proofs import (
    CanaryDocument,
    ReportDeploymentDocument,
    ReportProofDocument,
    ReportWatchDocument,
    canary,
    deployments,
    proofs,
    watches,
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
    has_rolled_back,
    idle_times,
    steps,
)
from sfcutover.output.report.timescale import IdleTime, TimeScale
from sfcutover.output.report.traffic import AddressDocument, AddressTraffic, seconds, traffic
from sfcutover.runs.event import Event, moment_text
from sfcutover.util.document import Document

_BINS = 200  # of the document; a chart has its own
TITLES: dict[RunState, str] = {
    "done": "Done",
    "failed": "Failed before anything was changed",
    "rolled-back": "Rolled back",
    "canceled": "Canceled",
    "running": "Running",
    "waiting": "Waits for a person",
    "left": "Not finished: no process performs it now",
}
_UNFINISHED = (
    "each list is as the last finished step left it; a deployment that is in progress continues "
    "in the org"
)
_ROLLING_BACK = (
    "a rollback is in progress: until it is complete, old addresses may be missing from a list, "
    "and customers may be locked out"
)
_CONTINUE = Advice("continue it: ", Command("run"))


class PageDocument(Document):
    """A person was alerted. commands: what that person should run."""

    time: str
    message: str
    commands: list[str]


class VerdictDocument(Document):
    """How the run stands. tokens: what that means for the customers' tokens. page: the newest
    alert for a person, null if none is open."""

    state: RunState
    title: str
    message: str
    tokens: str
    next: str
    page: PageDocument | None


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
    said = verdict(data)
    lists, sent, made, watched = targets(data), deployments(data), proofs(data), watches(data)
    return ReportDocument(
        made=moment_text(data.now),
        version=version("sfcutover"),
        verdict=said,
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
        unproven=Limitations(
            data, said.title, lists, changed, sent, made, watched, rows
        ).sentences(),
        limits=list(LIMITS),
    )


def verdict(data: RunData) -> VerdictDocument:
    """The outcome of a run; before it has ended, what it does or waits for."""
    message, tokens, next_ = _words(data)
    return VerdictDocument(
        state=data.state,
        title=TITLES[data.state],
        message=message,
        tokens=tokens,
        next=next_,
        page=_page(data.progress.page),
    )


def _page(event: Event | None) -> PageDocument | None:
    if event is None:
        return None
    return PageDocument(
        time=moment_text(event.time),
        message=event.text("message"),
        commands=list(map(shown, event.commands)),
    )


def _words(data: RunData) -> tuple[str, str, str]:
    """Message, tokens, next."""
    progress = data.progress
    if (ended := progress.ended) is not None:
        done = ended.text("outcome") == "done"
        next_ = "keep this report with the change record" if done else shown(ended.advice("next"))
        return ended.text("message"), ended.text("tokens"), next_
    if progress.pause is not None:
        return _waiting(data, progress.pause)
    tokens = _ROLLING_BACK if has_rolled_back(data) else _UNFINISHED
    if data.place is None:
        return f"it stopped at: {_running(progress)}", tokens, shown(_CONTINUE)
    follow = shown(Command("runs", data.run.id, "--follow"))
    return f"{_running(progress)}, at {data.place}", tokens, f"follow it: {follow}"


def _waiting(data: RunData, pause: Pause) -> tuple[str, str, str]:
    message = f"{pause.step}: {pause.message}" if pause.step else pause.message
    tokens = "the lists stay as they are while it waits"
    approve, cancel = (shown(Command(word, data.run.id)) for word in ("approve", "cancel"))
    first = f"{shown(pause.next)}; " if pause.next else ""
    return message, tokens, f"{first}continue: {approve}; end it: {cancel}"


def _running(progress: RunProgress) -> str:
    steps = dict.fromkeys(each.name for each in progress.running())
    return ", ".join(steps) or "between two steps"
