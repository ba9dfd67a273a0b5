"""The course of a run: its events, the approvals, and when it was idle. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Set
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from sfcutover.cutover.deployevidence import DeployEvidence
from sfcutover.cutover.progress import ASKS_ONLY
from sfcutover.cutover.switch import SwitchEvidence
from sfcutover.cutover.verify import VerifyEvidence
from sfcutover.output.events import event_text
from sfcutover.output.report.lists import ReportPhaseDocument, found_phases
from sfcutover.output.report.rundata import Entry, Found, RunData
from sfcutover.output.report.timescale import IdleTime
from sfcutover.runs.event import IMPORTED, Event, moment_text
from sfcutover.util.document import Document, Sha256, UtcTime

BoundaryKind = Literal["phase", "rollback"]
Decision = Literal["approved", "canceled", "open", "void"]
Ends = dict[str, float]  # by target, in seconds since 1970
_NOTABLE = (
    *("run-started", "interrupted", "run-resumed", "taken-over", "changes-accepted", "wave"),
    *("verify-again", "save-again", "checks-failed", "note", "announcement-void"),
    *("deployment-never-received", "rolling-back", "rollback-started", "page", "run-ended"),
    "traffic-moved",
    IMPORTED,
)
_RESUMED = ("run-resumed", "taken-over")
_ROLLBACK = ("rolling-back", "rollback-started")
_NO_PROCESS = "no process executed the run"
_WAVES_SHOWN = 4  # of more, the first and the last
_RESTORED = {  # where the run changed something, and where it had nothing to change
    "restore-old": ("old restored", "old already on the allowlist"),
    "remove-new": ("new removed", "new already off the allowlist"),
    "restore-policies": ("policies restored", "policies already as before"),
}


class ReportEventDocument(Document):
    """An event that the report tells in a line."""

    time: UtcTime
    """When it happened, UTC, ISO 8601."""
    target: str | None
    """Name of the target; null for the whole run."""
    step: str | None
    """Name of the step; null where it belongs to none."""
    text: str
    """What happened."""


class DecisionDocument(Document):
    """A request for approval, and the answer."""

    decision: Decision
    """The answer; open while there is none, void where the step was no longer what was approved."""
    step: str | None
    """Step that was asked about; null where there is none."""
    reason: str | None
    """Why the run asked; null where it did not ask."""
    message: str
    """What was asked, in words."""
    asked: UtcTime | None
    """When it was asked, UTC, ISO 8601; null for a cancellation, which no question precedes."""
    decided: UtcTime | None
    """When it was answered, UTC, ISO 8601; null while it is open."""
    who: str | None
    """Name of the approver, unverified; null while it is open."""
    note: str | None
    """The approver's note; null where there is none."""
    digest: Sha256 | None
    """Digest of what was announced, SHA-256, 64 hexadecimal digits; null where nothing was."""


class BoundaryDocument(Document):
    """A moment at which the purpose of the addresses changes."""

    time: UtcTime
    """When, UTC, ISO 8601."""
    name: str
    """What happens then."""
    kind: BoundaryKind
    """Kind of the moment."""


def events(data: RunData) -> list[ReportEventDocument]:
    """The notable events that are neither the end of a step nor a decision."""
    return [
        ReportEventDocument(
            time=moment_text(event.time),
            target=event.target,
            step=event.step,
            text=event_text(event) or event.kind,
        )
        for event in data.all(*_NOTABLE)
    ]


@dataclass(frozen=True)
class Pause:
    """A pause of the run. approved: the event that ended it, None while there is none."""

    asked: Event
    approved: Event | None


def pauses(data: RunData) -> list[Pause]:
    """Every wait, with its approval, which has the same number. One that was announced again before
    it had an answer is no wait of its own."""
    approvals = {each.number("pause"): each for each in data.all("approved")}
    asked = data.all("paused")
    found = [Pause(each, approvals.get(each.number("pause"))) for each in asked]
    return [each for each in found if each.approved or each.asked is asked[-1]]


def decisions(data: RunData) -> list[DecisionDocument]:
    """Every request with its answer, and a cancellation that no request preceded."""
    found = [_answered(data, each) for each in pauses(data)]
    canceled = any(each.decision == "canceled" for each in found)
    if data.cancellation is not None and not canceled:
        found.append(_decision(None, "canceled", data.cancellation))
    return found


def _answered(data: RunData, pause: Pause) -> DecisionDocument:
    if (said := pause.approved) is not None:
        void = {each.number("pause") for each in data.all("announcement-void")}
        is_void = pause.asked.number("pause") in void
        return _decision(pause.asked, "void" if is_void else "approved", said)
    if data.cancellation is not None:
        return _decision(pause.asked, "canceled", data.cancellation)
    return _decision(pause.asked, "open", None)


def _decision(asked: Event | None, decision: Decision, said: Event | None) -> DecisionDocument:
    return DecisionDocument(
        decision=decision,
        step=asked.step if asked else None,
        reason=asked.text("reason") if asked else None,
        message=asked.text("message") if asked else "cancel the run",
        asked=moment_text(asked.time) if asked else None,
        decided=moment_text(said.time) if said else None,
        who=said.text("who") if said else None,
        note=(said.text("note") or None) if said else None,
        digest=(asked.text("digest") or None) if asked else None,
    )


def idle_times(data: RunData) -> list[IdleTime]:
    """Pauses, and times in which no process executed the run; none within another."""
    waits = [
        IdleTime(
            each.asked.time,
            each.approved.time if each.approved else data.end,
            "waits for approval" if each.asked.text("reason") in ASKS_ONLY else "action required",
        )
        for each in pauses(data)
    ]
    found: list[IdleTime] = []
    for each in sorted((*waits, *_gaps(data)), key=lambda idle: (idle.start, -idle.end)):
        if not found or each.end > found[-1].end:
            found.append(each)
    return found


def _gaps(data: RunData) -> Iterator[IdleTime]:
    for before, after in pairwise(data.events):
        if after.kind in _RESUMED and before.kind not in _RESUMED:
            yield IdleTime(before.time, after.time, _NO_PROCESS)
    if data.state == "interrupted" and data.events:
        yield IdleTime(data.events[-1].time, data.now, _NO_PROCESS)


def boundaries(data: RunData, phases: Iterable[ReportPhaseDocument]) -> list[BoundaryDocument]:
    """In the order of time. phases: of the report; one that the run found is no change."""
    found, added = found_phases(phases), _ends(data.found(DeployEvidence, "add-new"))
    every = [
        *_on_all(data, _phase_name("add-new", added, found), added),
        *_traffic_moved(data, "switch", "switch"),
        *_on_all(data, "verified", _ends(data.found(VerifyEvidence, "verify"))),
        *_removals(data, found),
        *_rollback(data, found),
        *_canceled(data),
    ]
    return sorted(every, key=lambda each: each.time)


def has_rolled_back(data: RunData) -> bool:
    """True from the first sign of a rollback."""
    return bool(data.all(*_ROLLBACK))


def traffic_moves(data: RunData, step: str) -> list[float]:
    """When traffic moved, by the switch command or by an approval. Seconds since 1970."""
    by_hand = (
        each.approved.time
        for each in pauses(data)
        if each.approved and each.asked.step == step and each.asked.text("reason") == "switch"
    )
    return [*(each.time for each in data.found(SwitchEvidence, step)), *by_hand]


def _boundary(time: float, name: str, kind: BoundaryKind = "phase") -> BoundaryDocument:
    return BoundaryDocument(time=moment_text(time), name=name, kind=kind)


def _ends(findings: Iterable[Entry[Found]]) -> Ends:
    """The first of each target."""
    ends: Ends = {}
    for each in findings:
        ends.setdefault(each.target, each.time)
    return ends


def _on_all(data: RunData, name: str, ends: Ends) -> Iterator[BoundaryDocument]:
    """When the last target had it."""
    if ends:
        count, total = len(ends), len(data.targets)
        some = f" on {count} of {total}" if count < total else ""
        yield _boundary(max(ends.values()), f"{name}{some}")


def _traffic_moved(
    data: RunData, step: str, name: str, kind: BoundaryKind = "phase"
) -> Iterator[BoundaryDocument]:
    return (_boundary(time, name, kind) for time in traffic_moves(data, step))


def _removals(data: RunData, found: Set[tuple[str, str]]) -> Iterator[BoundaryDocument]:
    """One for each wave."""
    ends = _ends(data.found(DeployEvidence, "remove-old"))
    waves = [_wave(event, ends) for event in data.all("wave")]
    done = [(number, wave) for number, wave in enumerate(waves, 1) if wave]
    shown = done if len(done) <= _WAVES_SHOWN else [done[0], done[-1]]
    for number, wave in shown:
        which = f", wave {number}" if len(waves) > 1 else ""
        yield _boundary(max(wave.values()), f"{_phase_name('remove-old', wave, found)}{which}")


def _phase_name(phase: str, targets: Iterable[str], found: Set[tuple[str, str]]) -> str:
    """Live where the run changed at least one of the targets."""
    done = all((each, phase) in found for each in targets)
    return f"{phase} {'already done' if done else 'live'}"


def _wave(event: Event, ends: Ends) -> Ends:
    return {name: ends[name] for name in event.texts("targets") if name in ends}


def _rollback(data: RunData, found: Set[tuple[str, str]]) -> Iterator[BoundaryDocument]:
    for event in data.all(*_ROLLBACK)[:1]:
        yield _boundary(event.time, "rollback", "rollback")
    for phase, (changed, already) in _RESTORED.items():
        if ends := _ends(data.found(DeployEvidence, phase)):
            none = all((each, phase) in found for each in ends)
            yield _boundary(max(ends.values()), already if none else changed, "rollback")
    yield from _traffic_moved(data, "switch-back", "switched back", "rollback")


def _canceled(data: RunData) -> Iterator[BoundaryDocument]:
    ended = data.progress.ended
    if ended is not None and ended.text("outcome") == "canceled":
        yield _boundary(ended.time, "canceled", "rollback")
