"""An event of a run's journal as one line for a person."""

from __future__ import annotations

from sfcutover.documents.phases import PhaseDocument
from sfcutover.runs.journal import Event

_QUIET = {"step-started", "deployment-sending", "stage", "redeemed", "probed", "traffic", "proven"}


def event_line(event: Event) -> str | None:
    """``12:00:03Z packaging add-new: ...``; None for an event that is for programs only."""
    text = event_text(event)
    if text is None:
        return None
    place = " ".join(part for part in (event.target, event.step) if part)
    return f"{event.moment:%H:%M:%SZ} {place + ': ' if place else ''}{text}"


def event_text(event: Event) -> str | None:
    """The same without its time and place."""
    if event.kind in _QUIET:
        return None
    match event.kind:
        case "step-ended":
            return _ended(event)
        case "planned":
            return _planned(event)
        case "deployment-sent":
            return f"deployment {event.text('id')} ({event.text('phase')})"
        case "deployment-progress":
            return f"{event.text('id')} {event.text('status')}"
        case "deployment-unseen":
            return "the package that was about to be sent never reached the org"
        case "watch-round":
            return _round(event)
        case "watch-begun" | "settling":
            return f"until {_time(event.number('until'))}"
        case "paused":
            return f"paused ({event.text('reason')}): {event.text('message')}"
        case "approved":
            note = f": {event.text('note')}" if event.text("note") else ""
            return f"approved by {event.text('who')}{note}"
        case "page":
            commands = event.data.get("commands")
            listed = "; ".join(map(str, commands)) if isinstance(commands, list) else ""
            return f"A PERSON IS NEEDED: {event.text('message')}; run: {listed}"
        case "rollback-started":
            return f"ROLLING BACK: {event.text('reason')}"
        case "rolling-back":
            return f"putting the old addresses back: {event.text('reason')}"
        case "wave":
            return f"wave {event.text('number')}: {_list(event, 'targets')}"
        case "run-started":
            return f"run {event.run} begins: {_list(event, 'targets')}"
        case "run-resumed":
            return f"goes on at {event.text('place')}"
        case "run-ended":
            return f"{event.text('outcome')}: {event.text('message')}"
        case _:
            return event.text("text") or event.text("message") or event.kind.replace("-", " ")


def _ended(event: Event) -> str:
    problem = event.data.get("problem")
    if isinstance(problem, dict):
        return f"NOT DONE ({problem.get('kind')}): {problem.get('message')}"
    return f"done in {event.number('seconds'):.1f} s"


def _planned(event: Event) -> str:
    phase = PhaseDocument.model_validate(event.data.get("phase"))
    added = [entry.range for each in phase.components for entry in each.added]
    removed = [entry.range for each in phase.components for entry in each.removed]
    parts = [f"+ {', '.join(added)}"] if added else []
    parts += [f"- {', '.join(removed)}"] if removed else []
    return "; ".join(parts) or "the list holds it already"


def _round(event: Event) -> str:
    done = event.data.get("round")
    looks = done.get("looks") if isinstance(done, dict) else None
    words = [f"{look['name']} {look['verdict']}" for look in looks or () if isinstance(look, dict)]
    return ", ".join(words)


def _time(moment: float) -> str:
    from datetime import UTC, datetime

    return f"{datetime.fromtimestamp(moment, UTC):%H:%M:%SZ}"


def _list(event: Event, name: str) -> str:
    value = event.data.get(name)
    return ", ".join(map(str, value)) if isinstance(value, list) else ""
