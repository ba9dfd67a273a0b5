"""The words of a run's events, and its views without a screen: a line or a document an event."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from sfcutover.allowlist.plan import PhaseDocument
from sfcutover.cutover.progress import RunProgress
from sfcutover.cutover.summaries import (
    buckets_of,
    evidence_of,
    finding,
    looks_of,
    rolled_back,
    texts_of,
)
from sfcutover.errors import Command
from sfcutover.output.console import Console, shown
from sfcutover.output.json import print_document
from sfcutover.runs.events import Event, EventDocument

_QUIET = {"deployment-sending", "stage", "redeemed", "probed", "proven", "traffic"}
_SILENT_STEPS = ("page",)  # its own event says it all
_ANNOUNCED = (  # steps that say nothing else for a while
    *("probe", "verify-new", "verify", "restore-old", "check-new", "prove-old", "remove-new"),
)
_ALARMING = ("page", "paused", "rollback-started", "rolling-back")
_FAILED = ("failed", "blocked")
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
    text = _text(event)
    return None if text is None else " ".join(text.splitlines())


def blocked_line(event: Event, progress: RunProgress) -> str:
    """How many redemptions were blocked so far, by address and where."""
    listed = ", ".join(
        f"{progress.traffic[address].get('blocked', 0)} from {address} on {_names(targets)}"
        for address, targets in sorted(progress.blocked_on.items())
    )
    return f"{event.moment:%H:%M:%SZ} BLOCKED redemptions so far, in LoginHistory: {listed}"


def is_alarming(event: Event) -> bool:
    """True for what a person must see, also with --quiet."""
    match event.kind:
        case "step-ended":
            problem = event.data.get("problem")
            failed = isinstance(problem, dict) and problem.get("kind") in _FAILED
            return failed or rolled_back(evidence_of(event)) is not None
        case "traffic":
            return any(bucket.status == "blocked" for bucket in buckets_of(event))
        case _:
            return event.kind in _ALARMING


def _text(event: Event) -> str | None:
    match event.kind:
        case "step-started":
            return "begins" if event.step in _ANNOUNCED else None
        case "step-ended":
            return _ended(event)
        case "planned":
            return _planned(event)
        case "watch-round":
            return _round(event)
        case "watch-begun":
            every = f"{event.number('interval'):g} s"
            return f"redeems every {every} until {_time(event.number('until'))}"
        case "settling":
            return f"waits until {_time(event.number('until'))}, to see that it lasts"
        case kind if kind.startswith("deployment-"):
            return _deployment(event)
        case kind if kind.startswith("run-"):
            return _run(event)
        case _:
            return _decision(event)


def _decision(event: Event) -> str:
    match event.kind:
        case "paused":
            after = f"; {shown(next_)}" if (next_ := event.advice("next")) else ""
            approve, cancel = (shown(Command(word, event.run)) for word in ("approve", "cancel"))
            return (
                f"WAITS FOR A PERSON ({event.text('reason')}): {event.text('message')}{after}; "
                f"go on: {approve}; end it: {cancel}"
            )
        case "approved":
            note = f": {event.text('note')}" if event.text("note") else ""
            return f"approved by {event.text('who')}{note}"
        case "page":
            listed = "; ".join(map(shown, event.commands))
            return f"A PERSON IS NEEDED: {event.text('message')}; run: {listed}"
        case "rollback-started":
            return f"ROLLING BACK: {event.text('reason')}"
        case "rolling-back":
            return f"ROLLING BACK, the old addresses first: {event.text('reason')}"
        case "switching":
            return f"the switch command runs ({event.text('direction')})"
        case "wave":
            return f"wave {event.text('number')}: {_list(event, 'targets')}"
        case "verify-again":
            return f"the new addresses are put on once more: {event.text('message')}"
        case "taken-over":
            return "the process that performed the run is gone; another one goes on with it"
        case _:
            return event.text("text") or event.text("message") or event.kind.replace("-", " ")


def _run(event: Event) -> str:
    match event.kind:
        case "run-started":
            app = f"{event.text('app')} on " if event.text("app") else ""
            lists = [
                f"{name} {_list(event, name)}" for name in ("old", "new") if _list(event, name)
            ]
            places = f"{app}{_list(event, 'targets')}"
            by = [f"started by {event.text('by')}"] if event.text("by") else []
            return "; ".join([f"run {event.run} begins: {places}", *lists, *by])
        case "run-resumed":
            by_whom = f", by {event.text('by')}" if event.text("by") else ""
            return f"the run goes on at {event.text('place')}{by_whom}"
        case _:
            return f"{event.text('outcome')}: {event.text('message')}"


def _deployment(event: Event) -> str:
    match event.kind:
        case "deployment-sent":
            return f"deployment {event.text('id')} ({event.text('phase')}) is on its way"
        case "deployment-never-received":
            return "the package that was about to be sent never reached the org"
        case _:
            total = event.text("total")
            counts = f", {event.text('deployed')} of {total} components" if total != "0" else ""
            return f"deployment {event.text('id')}: {event.text('status')}{counts}"


def _ended(event: Event) -> str:
    problem, evidence = event.data.get("problem"), evidence_of(event)
    if isinstance(problem, dict):
        where = f"{problem['where']}: " if problem.get("where") else ""
        return f"NOT DONE ({problem.get('kind')}): {where}{problem.get('message')}"
    if (reason := rolled_back(evidence)) is not None:
        return f"NOT DONE: {reason}; the old addresses are on the list again"
    if evidence.get("canceled") is True:
        return "NOT DONE: canceled"
    found = finding(evidence)
    return f"done in {event.number('seconds'):.1f} s{f': {found}' if found else ''}"


def _planned(event: Event) -> str:
    phase = PhaseDocument.model_validate(event.data.get("phase"))
    added = [entry.range for each in phase.components for entry in each.added]
    removed = [entry.range for each in phase.components for entry in each.removed]
    parts = [f"+ {', '.join(added)}"] if added else []
    parts += [f"- {', '.join(removed)}"] if removed else []
    return f"to deploy: {'; '.join(parts)}" if parts else "the list holds it already"


def _round(event: Event) -> str:
    done = event.data.get("round")
    looks = done.get("looks") if isinstance(done, dict) else None
    return ", ".join(_look(look) for look in looks or () if isinstance(look, dict))


def _look(look: Mapping[str, object]) -> str:
    detail = "" if look.get("verdict") == "passed" else f" ({look.get('detail')})"
    return f"{look.get('name')} {look.get('verdict')}{detail}"


def _names(targets: Iterable[str]) -> str:
    return ", ".join(sorted(targets))


def _time(moment: float) -> str:
    return f"{datetime.fromtimestamp(moment, UTC):%H:%M:%SZ}"


def _list(event: Event, name: str) -> str:
    return ", ".join(texts_of(event, name))


class LineView:
    """For logs, pipes and CI: a line each on stderr."""

    whole = False

    def __init__(self, console: Console) -> None:
        self._console = console
        self._told: dict[object, tuple[float, object]] = {}  # by subject: when, and what

    def show(self, event: Event, progress: RunProgress) -> None:
        match event.kind:
            case "watch-round":
                if self._is_news(event, event.target, looks_of(event)):
                    self._tell(event, event_line(event))
            case "traffic":
                if is_alarming(event) and self._is_news(event, "blocked", set(progress.blocked_on)):
                    self._tell(event, blocked_line(event, progress))
            case "run-ended" if progress.blocked_on:
                self._console.warn(blocked_line(event, progress))
                self._tell(event, event_line(event))
            case _:
                self._tell(event, event_line(event))

    def tick(self, progress: RunProgress) -> None:
        """Nothing: only events are shown."""

    def _tell(self, event: Event, line: str | None) -> None:
        if line is not None:
            write = self._console.warn if is_alarming(event) else self._console.note
            write(line)

    def _is_news(self, event: Event, about: object, seen: object) -> bool:
        """False for what a line said within the last minute."""
        told, before = self._told.get(about, (0.0, None))
        if seen == before and event.time < told + _REPEAT_SECONDS:
            return False
        self._told[about] = (event.time, seen)
        return True


class JsonView:
    """For programs: a document each on stdout, one a line."""

    whole = False

    def show(self, event: Event, progress: RunProgress) -> None:
        print_document(EventDocument.of(event), one_line=True)

    def tick(self, progress: RunProgress) -> None:
        """Nothing: only events are shown."""
