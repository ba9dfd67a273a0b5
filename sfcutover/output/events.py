"""The words of a run's events, and its views without a screen: one line or document per event."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import Self

from sfcutover.allowlist.plan import PhaseDocument
from sfcutover.cutover.baseline import SnapshotEvidence, StateEvidence
from sfcutover.cutover.control import CONTROL, ControlEvidence
from sfcutover.cutover.deployevidence import DeployEvidence
from sfcutover.cutover.dispatch import ProbeEvidence
from sfcutover.cutover.evidence import AddressEvidence
from sfcutover.cutover.probe import SeenDocument
from sfcutover.cutover.progress import (
    CANCELED,
    RunProgress,
    buckets_of,
    check_results_of,
    pause_heading,
    result_of,
)
from sfcutover.cutover.redemptionerrors import BLOCKED, REDEEMED
from sfcutover.cutover.sentdeployments import NEVER_RECEIVED, SENDING, SENT
from sfcutover.cutover.stepresult import Canceled, StepEvidence
from sfcutover.cutover.verify import LetInDocument, VerifyEvidence
from sfcutover.cutover.watch import WatchEvidence
from sfcutover.errors import Command, OperationFailedError
from sfcutover.output import cistep
from sfcutover.output.console import Console, shown
from sfcutover.output.json import print_document
from sfcutover.output.text import ACTION_REQUIRED, KEYS
from sfcutover.runs.event import BOUND, IMPORTED, Event, EventDocument

_QUIET = {SENDING, BOUND, REDEEMED, "stage", "redeemed", "probed", "proven", "traffic"}
_SILENT_STEPS = ("page",)  # its own event has the text
_ANNOUNCES = "announce"  # the pause has its text
_ANNOUNCED = (  # steps that show no other line for a while
    *("probe", "control", "verify-new", "verify", "restore-old", "check-new", "prove-old"),
    *("remove-new", "restore-policies"),
)
_WORDS = {  # of events whose text is a sentence with their data
    SENT: "sent deployment {id} ({phase})",
    NEVER_RECEIVED: "the org never received the package",
    "rollback-started": "ROLLING BACK: {reason}",
    "rolling-back": "ROLLING BACK, restoring the old addresses first: {reason}",
    "switching": "running the switch command ({direction})",
    BLOCKED: "a redemption was blocked {rule}: {body}",
    "save-again": "saving each allowlist that refuses a new address again: {message}",
    "checks-failed": "moving traffic back: {reason}",
    "verify-again": "adding the new addresses again: {message}",
    "taken-over": "the process that executed the run has ended; another process resumes it",
    "interrupted": "{message}",
    IMPORTED: "the run continues from export {number} of its state, imported by {by}",
    "run-ended": "{outcome}: {message}",
}
_CONTROLS = {
    "shown": "the allowlist blocks other addresses",
    "inconclusive": "the control did not show whether the allowlist blocks",
    "skipped": "the control was skipped",
    "off": "the control is off",
}
_ALARMING = (
    "checks-failed",
    *("external-change", "page", "paused", "interrupted", "rollback-started", "rolling-back"),
)
_REPEAT_SECONDS = 60.0  # the shortest time between two lines that say the same


def event_line(event: Event) -> str | None:
    """``12:00:03Z packaging add-new: ...``; None for an event that is for programs only."""
    text = event_text(event)
    if text is None:
        return None
    place = " ".join(part for part in (event.target, event.step) if part)
    return f"{event.moment:%H:%M:%SZ} {place + ': ' if place else ''}{text}"


def event_text(event: Event) -> str | None:
    """The same without its time and place."""
    if event.kind in _QUIET or (event.step in _SILENT_STEPS and event.kind != "page"):
        return None
    if event.step == _ANNOUNCES and event.kind == "step-ended" and result_of(event).ok:
        return None
    if event.step == CONTROL and event.kind == BLOCKED:
        return None  # the end of the step states it
    text = _text(event)
    return None if text is None else " ".join(text.splitlines())


def blocked_line(event: Event, progress: RunProgress) -> str:
    """How many redemptions were blocked so far, by address and where."""
    listed = ", ".join(
        f"{progress.traffic[address].get('blocked', 0)} from {address} on {_names(targets)}"
        for address, targets in sorted(progress.blocked_on.items())
    )
    own = f" ({progress.own_blocked} of them by the canary)" if progress.own_blocked else ""
    return f"{event.moment:%H:%M:%SZ} BLOCKED redemptions so far, in LoginHistory: {listed}{own}"


def is_alarming(event: Event) -> bool:
    """True for what the operator must see, also with --quiet."""
    match event.kind:
        case "step-ended":
            result = result_of(event)
            if isinstance(result.evidence, WatchEvidence):
                return result.evidence.is_failed
            return result.problem is not None and result.problem.is_failure
        case "traffic":
            return any(bucket.status == "blocked" for bucket in buckets_of(event))
        case _:
            return event.kind in _ALARMING


def _text(event: Event) -> str | None:
    if (words := _WORDS.get(event.kind)) is not None:
        return words.format_map(event.data)
    match event.kind:
        case "step-started":
            return "started" if event.step in _ANNOUNCED else None
        case "org-time":
            return None
        case "step-ended":
            return _ended(event)
        case "planned":
            return _planned(event)
        case "deployment-progress":
            total = event.text("total")
            counts = f", {event.text('deployed')} of {total} components" if total != "0" else ""
            return f"deployment {event.text('id')}: {event.text('status')}{counts}"
        case "watch-round" | "checked":
            return ", ".join(
                f"{look.name} {look.verdict}"
                + ("" if look.verdict == "passed" else f" ({look.detail})")
                for look in check_results_of(event)
            )
        case "watch-started":
            every = f"{event.number('interval'):g} s"
            return f"redeeming every {every} until {_time(event.number('until'))}"
        case "settling":
            return f"waiting until {_time(event.number('until'))} to confirm that the proof lasts"
        case "wave":
            return f"wave {event.text('number')}: {', '.join(event.texts('targets'))}"
        case _:
            return _of_people(event)


def _of_people(event: Event) -> str:
    """Who started or resumed the run, what it asks of the operator, and the answer."""
    match event.kind:
        case "run-started":
            names = ("targets", "old", "new")
            targets, old, new = (", ".join(event.texts(name)) for name in names)
            by = f"; started by {event.text('by')}" if event.text("by") else ""
            places = f"{event.text('app')} on {targets}"
            return f"run {event.run} started: {places}; old {old}; new {new}{by}"
        case "run-resumed":
            by_whom = f", by {event.text('by')}" if event.text("by") else ""
            version = event.text("started_with")
            other = f"; sfcutover {version} started it" if version else ""
            verb = "is canceled" if event.data.get("cancels") is True else "resumes"
            return f"the run {verb} on host {event.text('place')}{by_whom}{other}"
        case "paused":
            after = f"; {shown(next_)}" if (next_ := event.advice("next")) else ""
            approve, cancel = (shown(Command(word, event.run)) for word in ("approve", "cancel"))
            return (
                f"{pause_heading(event.step or '', event.text('reason'))}: "
                f"{event.text('message')}{after}; approve: {approve}; cancel: {cancel}"
            )
        case "changes-accepted":
            changes = "; ".join(event.texts("changes"))
            return f"{event.text('by')} accepted changes of cutover.yaml: {changes}"
        case "approved":
            note = f": {event.text('note')}" if event.text("note") else ""
            return f"approved by {event.text('who')}{note}"
        case "cancel-requested":
            note = f": {event.text('note')}" if event.text("note") else ""
            return f"{event.text('who')} requested to cancel the run{note}"
        case "page":
            listed = "; ".join(map(shown, event.commands))
            return f"{ACTION_REQUIRED}: {event.text('message')}; run: {listed}"
        case _:
            return event.text("text") or event.text("message") or event.kind.replace("-", " ")


def _ended(event: Event) -> str:
    result = result_of(event)
    if (problem := result.problem) is not None:
        return f"FAILED ({problem.kind}): {problem.text}"
    match result.evidence:
        case Canceled():
            return f"stopped: {CANCELED}"
        case WatchEvidence(is_failed=True, reasons=reasons):
            return f"FAILED: {'; '.join(reasons)}; the old addresses are restored next"
    found = _finding(result.evidence)
    return f"done in {event.number('seconds'):.1f} s{f': {found}' if found else ''}"


def detail_text(event: Event) -> str:
    """The newest detail of a step; empty for an event that has none."""
    match event.kind:
        case "stage":
            return event.text("name")
        case "deployment-progress":
            return f"{event.text('id')} {event.text('status')}"
        case "probed":
            return f"{event.text('count')} probes answered"
        case "redeemed":
            return f"{event.text('count')} redemptions"
        case "note" | "org-busy":
            return event.text("text")
        case "watch-round" | "checked":
            return ", ".join(f"{look.name} {look.verdict}" for look in check_results_of(event))
        case "step-ended":
            return _finding(result_of(event).evidence)
        case _:
            return ""


def _finding(evidence: StepEvidence | None) -> str:
    """What a step found; empty where it found nothing beyond that it is done."""
    match evidence:
        case Canceled():
            return CANCELED
        case ProbeEvidence(tries=tries, seen=seen):
            return f"{tries} probes, answered from {_addresses(seen)}"
        case ControlEvidence(outcome="not-shown", reason=reason):
            return f"WARNING: nothing shows that the allowlist blocks: {reason}"
        case ControlEvidence(outcome=outcome, reason=reason):
            return f"{_CONTROLS[outcome]}: {reason}"
        case VerifyEvidence(proof=proof, let_in=let_in):
            addresses, made = ", ".join(proof.addresses), f"{proof.redemptions} redemptions"
            return f"{addresses} proven by {proof.proven_by}; {made}{_waits(let_in)}"
        case DeployEvidence(changed=False):
            return "nothing to change, read back"
        case DeployEvidence(live=live, clearance=clearance):
            entries = " and ".join(f"{len(each.ranges)} entries" for each in live)
            return f"read back: {entries}" + (f"; allowed by: {clearance}" if clearance else "")
        case WatchEvidence(outcome=outcome, rounds=rounds):
            return f"{outcome} after {rounds} rounds"
        case SnapshotEvidence(state=state) | StateEvidence(state=state):
            return state
        case _:
            return ""


def _waits(let_in: Iterable[LetInDocument]) -> str:
    """How long each new address was waited for."""
    listed = ", ".join(f"{each.address} {each.words}" for each in let_in)
    return f"; allowed after: {listed}" if listed else ""


def _addresses(found: Iterable[AddressEvidence | SeenDocument]) -> str:
    return ", ".join(each.address for each in found)


def _planned(event: Event) -> str:
    phase = PhaseDocument.model_validate(event.data.get("phase"))
    added = [entry.range for each in phase.components for entry in each.added]
    removed = [entry.range for each in phase.components for entry in each.removed]
    parts = [f"+ {', '.join(added)}"] if added else []
    parts += [f"- {', '.join(removed)}"] if removed else []
    return f"to deploy: {'; '.join(parts)}" if parts else "nothing to deploy: already in place"


def _names(targets: Iterable[str]) -> str:
    return ", ".join(sorted(targets))


def _time(moment: float) -> str:
    return f"{datetime.fromtimestamp(moment, UTC):%H:%M:%SZ}"


class LineView:
    """For logs, pipes and CI: one line per event, on stderr.

    The lines of a step fold where the CI system's log supports it; alarming lines never fold.
    takes_keys: True if keys answer a pause. ends_at_pause: True if the command ends at a pause,
    with an error that states it.
    """

    whole = False

    def __init__(
        self, console: Console, *, takes_keys: bool = False, ends_at_pause: bool = False
    ) -> None:
        self._console = console
        self._takes_keys = takes_keys
        self._ends_at_pause = ends_at_pause
        self._step: str | None = None  # that is shown
        self._folded = ExitStack()
        self._told: dict[object, tuple[float, object]] = {}  # by subject: when, and what

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._folded.close()

    def show(self, event: Event, progress: RunProgress) -> None:
        cistep.step().see(event, progress)
        match event.kind:
            case "watch-round" | "checked":
                verdicts = [(look.name, look.verdict) for look in check_results_of(event)]
                if self._is_news(event, event.target, verdicts):
                    self._tell(event, event_line(event))
            case "traffic":
                if (
                    is_alarming(event)
                    and progress.has_blocked_others
                    and self._is_news(event, "blocked", set(progress.blocked_on))
                ):
                    self._tell(event, blocked_line(event, progress))
            case "run-ended" if progress.has_blocked_others:
                self._console.warn(blocked_line(event, progress))
                self._tell(event, event_line(event))
            case "paused" if self._ends_at_pause:
                pass
            case _:
                self._tell(event, event_line(event))
        if event.kind == "paused" and self._takes_keys:
            self._console.note(KEYS)

    def tick(self, progress: RunProgress) -> None:
        """Nothing: only events are shown."""

    def _tell(self, event: Event, line: str | None) -> None:
        if line is None:
            return
        if event.step != self._step:
            self._fold("" if is_alarming(event) else event.step or "")
            self._step = event.step
        write = self._console.warn if is_alarming(event) else self._console.note
        write(line)

    def _fold(self, title: str) -> None:
        """Fold the following lines under another title, or under none."""
        self._folded.close()
        if title:
            self._folded.enter_context(self._console.group(title))

    def _is_news(self, event: Event, about: object, seen: object) -> bool:
        """False for what a line has shown within the last minute."""
        told, before = self._told.get(about, (0.0, None))
        if seen == before and event.time < told + _REPEAT_SECONDS:
            return False
        self._told[about] = (event.time, seen)
        return True


class JsonView:
    """For programs: one JSON document per line and event, on stdout.

    An event that can't be written does not end the run; require_written() raises the error.
    """

    whole = False

    def __init__(self) -> None:
        self._problem: OperationFailedError | None = None

    def show(self, event: Event, progress: RunProgress) -> None:
        cistep.step().see(event, progress)
        if self._problem is None:
            try:
                print_document(EventDocument.of(event), one_line=True)
            except OperationFailedError as error:
                self._problem = error

    def require_written(self) -> None:
        """Raises OperationFailedError if an event was not written, as on a full disk."""
        if self._problem is not None:
            raise self._problem

    def tick(self, progress: RunProgress) -> None:
        """Nothing: only events are shown."""
