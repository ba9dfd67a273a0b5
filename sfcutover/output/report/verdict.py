"""How a run stands, for the top of its report. Pure."""

from __future__ import annotations

from sfcutover.output.report.rundata import RunData
from sfcutover.output.report.timeline import has_rolled_back
from sfcutover.runs.documents import RunState, moment_text
from sfcutover.runs.journal import Event
from sfcutover.runs.progress import Pause, RunProgress
from sfcutover.util.document import Document

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
_CONTINUE = "continue it: sfcutover run"


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
    commands = event.data.get("commands")
    return PageDocument(
        time=moment_text(event.time),
        message=event.text("message"),
        commands=list(map(str, commands)) if isinstance(commands, list) else [],
    )


def _words(data: RunData) -> tuple[str, str, str]:
    """Message, tokens, next."""
    progress = data.progress
    if (ended := progress.ended) is not None:
        done = ended.text("outcome") == "done"
        next_ = "keep this report with the change record" if done else ended.text("next")
        return ended.text("message"), ended.text("tokens"), next_
    if progress.pause is not None:
        return _waiting(data, progress.pause)
    tokens = _ROLLING_BACK if has_rolled_back(data) else _UNFINISHED
    if data.place is None:
        return f"it stopped at: {_running(progress)}", tokens, _CONTINUE
    message = f"{_running(progress)}, at {data.place}"
    return message, tokens, f"follow it: sfcutover runs {data.run.id} --follow"


def _waiting(data: RunData, pause: Pause) -> tuple[str, str, str]:
    run = data.run.id
    where = f"{pause.step}: " if pause.step else ""
    tokens = "the lists stay as they are while it waits"
    if data.approval is not None:
        return f"{where}{pause.message}; {data.approval.who} has approved it", tokens, _CONTINUE
    commands = f"continue: sfcutover approve {run}; end it: sfcutover cancel {run}"
    next_ = f"{pause.next}; {commands}" if pause.next else commands
    return f"{where}{pause.message}", tokens, next_


def _running(progress: RunProgress) -> str:
    steps = dict.fromkeys(each.name for each in progress.running())
    return ", ".join(steps) or "between two steps"
