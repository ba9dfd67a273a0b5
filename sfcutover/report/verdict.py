"""How a run stands, for the top of its report. Pure."""

from __future__ import annotations

from sfcutover.documents.reports import PageDocument, VerdictDocument
from sfcutover.report.facts import Facts
from sfcutover.runs.documents import RunState, moment_text
from sfcutover.runs.journal import Event
from sfcutover.runs.progress import Pause, RunProgress

TITLES: dict[RunState, str] = {
    "done": "Done",
    "failed": "Failed before anything was changed",
    "rolled-back": "Rolled back",
    "canceled": "Canceled",
    "running": "Under way",
    "waiting": "Waits for a person",
    "left": "Left under way: nobody performs it now",
}
_AS_LEFT = (
    "each list is as the last finished step left it; a deployment that is under way goes on in "
    "the org"
)
_GOING_BACK = (
    "a rollback is under way: until it is complete, old addresses may be missing from a list, and "
    "customers may be locked out"
)


def verdict(facts: Facts) -> VerdictDocument:
    """Its outcome; of one that has not ended, what it does or waits for."""
    message, tokens, next_ = _words(facts)
    return VerdictDocument(
        state=facts.state,
        title=TITLES[facts.state],
        message=message,
        tokens=tokens,
        next=next_,
        page=_page(facts.progress.page),
    )


def _page(event: Event | None) -> PageDocument | None:
    if event is None:
        return None
    commands = event.data.get("commands")
    return PageDocument(
        time=moment_text(event.time),
        message=event.text("message"),
        commands=list(map(str, commands)) if isinstance(commands, list) else [],
    )


def _words(facts: Facts) -> tuple[str, str, str]:
    """Message, tokens, next."""
    run, progress = facts.run.id, facts.progress
    if (ended := progress.ended) is not None:
        next_ = "keep this report with the change record"
        if ended.text("outcome") != "done":
            next_ = ended.text("next")
        return ended.text("message"), ended.text("tokens"), next_
    if progress.pause is not None:
        return _waiting(facts, progress.pause)
    tokens = _GOING_BACK if _is_going_back(facts) else _AS_LEFT
    if facts.place is None:
        return f"it was left at: {_under_way(progress)}", tokens, "go on with it: sfcutover run"
    message = f"{_under_way(progress)}, at {facts.place}"
    return message, tokens, f"follow it: sfcutover runs {run} --follow"


def _waiting(facts: Facts, pause: Pause) -> tuple[str, str, str]:
    run = facts.run.id
    where = f"{pause.step}: " if pause.step else ""
    tokens = "the lists stay as they are while it waits"
    if facts.approval is not None:
        message = f"{where}{pause.message}; {facts.approval.who} has approved it"
        return message, tokens, "go on with it: sfcutover run"
    commands = f"go on: sfcutover approve {run}; end it: sfcutover cancel {run}"
    next_ = f"{pause.next}; {commands}" if pause.next else commands
    return f"{where}{pause.message}", tokens, next_


def _is_going_back(facts: Facts) -> bool:
    return bool(facts.all("rolling-back", "rollback-started"))


def _under_way(progress: RunProgress) -> str:
    steps = dict.fromkeys(each.name for each in progress.running())
    return ", ".join(steps) or "between two steps"
