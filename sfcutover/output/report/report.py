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
from sfcutover.output.report.attempts import ReportStepDocument, steps
from sfcutover.output.report.limitations import LIMITS, LIMITS_OF_DOCUMENTS, Limitations
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
    boundaries,
    decisions,
    events,
    has_rolled_back,
    idle_times,
)
from sfcutover.output.report.timescale import IdleTime, TimeScale
from sfcutover.output.report.traffic import (
    AddressDocument,
    AddressTraffic,
    collapsed,
    complete_until,
    seconds,
    traffic,
)
from sfcutover.output.text import ACTION_REQUIRED, AWAITING_APPROVAL
from sfcutover.runs.event import Event, moment_text
from sfcutover.util.document import Document, UtcTime

_BINS = 200  # of the document; a chart has its own
TITLES: dict[RunState, str] = {
    "done": "Done",
    "failed": "Failed before anything was changed",
    "rolled-back": "Rolled back",
    "canceled": "Canceled",
    "running": "Running",
    "waiting": ACTION_REQUIRED.capitalize(),
    "interrupted": "Interrupted: no process is executing it",
}
_UNFINISHED = (
    "each allowlist is as the last finished step left it; a deployment that is in progress "
    "continues in the org"
)
_ROLLING_BACK = (
    "a rollback is in progress: until it is complete, old addresses may be missing from an "
    "allowlist, and customers may be locked out"
)
_MORE_DOCUMENTS = "continue the cutover, and add the documents of the missing steps"
_OPEN = "Not finished according to its documents"
_CONTINUE = Advice("resume it: ", Command("run"))


class PageDocument(Document):
    """An alert that calls for the operator."""

    time: UtcTime
    """When, UTC, ISO 8601."""
    message: str
    """Text of the alert."""
    commands: list[str]
    """Commands that the operator should run."""


class VerdictDocument(Document):
    """Outcome of the run, or its state while it has not ended."""

    state: RunState
    """State of the run, in one word."""
    title: str
    """Title of the report."""
    message: str
    """State of the run, in a sentence."""
    impact: str
    """Impact on the allowlists and on customers' refresh tokens."""
    next: str
    """What to do next."""
    page: PageDocument | None
    """The newest open alert; null if none is open."""


class ReportDocument(Document):
    """What ``report --format json`` prints."""

    schema_: Literal["sfcutover/report/1"] = Field("sfcutover/report/1", alias="schema")
    """Name and version of this document's format."""
    made: UtcTime
    """When the report was made, UTC, ISO 8601."""
    sources: list[str]
    """Files of the documents that the report was made from; empty for the report of a run."""
    version: str
    """Version of sfcutover that made it."""
    verdict: VerdictDocument
    """Outcome of the run, or its state."""
    run: RunDocument
    """The run, with its steps."""
    seconds: float
    """How long the run has taken, in seconds."""
    app: str
    """Full name of the app."""
    api_version: str
    """Metadata API version of the packages."""
    carriers: list[str]
    """Kinds of allowlists that the cutover changes."""
    old: list[RangeDocument]
    """Ranges to remove."""
    new: list[RangeDocument]
    """Ranges to add."""
    rules: SettingsDocument
    """Settings of the gates."""
    targets: list[ReportTargetDocument]
    """The targets, with their allowlists before and after."""
    steps: list[ReportStepDocument]
    """The steps, each try over all its targets."""
    decisions: list[DecisionDocument]
    """Approvals and cancellations, with what was asked."""
    phases: list[ReportPhaseDocument]
    """What each phase changes, by target."""
    deployments: list[ReportDeploymentDocument]
    """The deployments."""
    proofs: list[ReportProofDocument]
    """What the gates proved."""
    watches: list[ReportWatchDocument]
    """The watches."""
    boundaries: list[BoundaryDocument]
    """Moments at which the purpose of the addresses changes."""
    traffic: list[AddressDocument]
    """Redemptions by source address; empty where documents of steps are the source."""
    traffic_complete_until: UtcTime | None
    """Until when LoginHistory had shown every row, as far as can be told, UTC, ISO 8601; null where
    it showed none."""
    canary: CanaryDocument
    """The run's own redemptions."""
    events: list[ReportEventDocument]
    """Other notable events."""
    unproven: list[str]
    """What this run leaves open, a sentence each."""
    limits: list[str]
    """What no run of this tool proves, a sentence each."""


@dataclass(frozen=True)
class Report:
    """The document, and what a chart is drawn from.

    rows: of the chart; none where LoginHistory showed no redemption. incomplete_from: seconds since
    1970 from which on LoginHistory may lack rows; None where it showed none.
    """

    document: ReportDocument
    rows: tuple[AddressTraffic, ...]
    idle: tuple[IdleTime, ...]
    scale: TimeScale
    incomplete_from: float | None

    @classmethod
    def of(cls, data: RunData) -> Report:
        addresses = () if data.sources else traffic(data)  # steps' documents hold no LoginHistory
        changed, idle = phases(data), idle_times(data)
        counted = [second for each in addresses for second in seconds(each.counts)]
        start = min([data.run.started, *counted])
        scale = TimeScale.of(start, max([data.end, *(each + 1 for each in counted)]), idle)
        document = _document(data, addresses, changed, scale)
        rows = collapsed(addresses, data.cutover.change) if counted else ()
        return cls(document, rows, tuple(idle), scale, complete_until(data))


def _document(
    data: RunData,
    addresses: tuple[AddressTraffic, ...],
    changed: list[ReportPhaseDocument],
    scale: TimeScale,
) -> ReportDocument:
    cutover, bins = data.cutover, scale.bins(_BINS)
    said, until = verdict(data), complete_until(data)
    lists, sent, made, watched = targets(data), deployments(data), proofs(data), watches(data)
    return ReportDocument(
        made=moment_text(data.now),
        sources=list(data.sources),
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
        traffic=[each.document(bins) for each in addresses],
        traffic_complete_until=None if until is None else moment_text(until),
        canary=canary(data, made),
        events=events(data),
        unproven=Limitations(
            data, said.title, lists, changed, sent, made, watched, addresses
        ).sentences(),
        limits=list(LIMITS_OF_DOCUMENTS if data.sources else LIMITS),
    )


def verdict(data: RunData) -> VerdictDocument:
    """The outcome of a run; before it has ended, what it does or waits for."""
    message, impact, next_ = _words(data)
    return VerdictDocument(
        state=data.state,
        title=_title(data),
        message=message,
        impact=impact,
        next=next_,
        page=_page(data.progress.page),
    )


def _title(data: RunData) -> str:
    if data.sources and data.state == "interrupted":
        return _OPEN
    if data.progress.waits_for_approval:
        return AWAITING_APPROVAL.capitalize()
    return TITLES[data.state]


def _page(event: Event | None) -> PageDocument | None:
    if event is None:
        return None
    return PageDocument(
        time=moment_text(event.time),
        message=event.text("message"),
        commands=list(map(shown, event.commands)),
    )


def _words(data: RunData) -> tuple[str, str, str]:
    """Message, impact, next."""
    progress = data.progress
    if (ended := progress.ended) is not None:
        done = ended.text("outcome") == "done"
        next_ = "keep this report with the change record" if done else shown(ended.advice("next"))
        return ended.text("message"), ended.text("impact"), next_
    if progress.pause is not None:
        return _waiting(data, progress.pause)
    impact = _ROLLING_BACK if has_rolled_back(data) else _UNFINISHED
    if data.sources:
        return "the documents do not show the end of the cutover", impact, _MORE_DOCUMENTS
    if data.place is None:
        return f"the run stopped at: {_running(progress)}", impact, shown(_CONTINUE)
    follow = shown(Command("runs", data.run.id, "--follow"))
    return f"{_running(progress)}, at {data.place}", impact, f"follow it: {follow}"


def _waiting(data: RunData, pause: Pause) -> tuple[str, str, str]:
    message = f"{pause.step}: {pause.message}" if pause.step else pause.message
    impact = "the allowlists stay as they are while the run waits"
    approve, cancel = (shown(Command(word, data.run.id)) for word in ("approve", "cancel"))
    first = f"{shown(pause.next)}; " if pause.next else ""
    return message, impact, f"{first}approve: {approve}; cancel: {cancel}"


def _running(progress: RunProgress) -> str:
    steps = dict.fromkeys(each.name for each in progress.running())
    return ", ".join(steps) or "between two steps"
