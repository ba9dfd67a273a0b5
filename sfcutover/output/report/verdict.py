"""How a run stands, for the top of its report."""

from __future__ import annotations

from sfcutover.cutover.progress import Pause, RunProgress
from sfcutover.cutover.rundocument import RunState
from sfcutover.errors import Advice, Command
from sfcutover.output.console import shown
from sfcutover.output.report.rundata import RunData
from sfcutover.output.report.timeline import has_rolled_back
from sfcutover.runs.events import Event, moment_text
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
    if data.approval is not None:
        return f"{message}; {data.approval.who} has approved it", tokens, shown(_CONTINUE)
    approve, cancel = (shown(Command(word, data.run.id)) for word in ("approve", "cancel"))
    first = f"{shown(pause.next)}; " if pause.next else ""
    return message, tokens, f"{first}continue: {approve}; end it: {cancel}"


def _running(progress: RunProgress) -> str:
    steps = dict.fromkeys(each.name for each in progress.running())
    return ", ".join(steps) or "between two steps"
