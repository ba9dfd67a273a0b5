"""A run, followed as it goes: by the process that performs it, or by one that looks on."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Protocol

from sfcutover.cutover.progress import RunProgress
from sfcutover.errors import (
    Advice,
    Command,
    ExitCode,
    InterruptedRunError,
    OperationFailedError,
    SfcutoverError,
    StillRunningError,
    Text,
)
from sfcutover.runs.database import BackgroundThread
from sfcutover.runs.event import Event
from sfcutover.runs.journal import Journal
from sfcutover.runs.store import ROLLED_BACK, Run, RunStore

GIVE_UP_SECONDS = 600.0  # so long a process keeps trying to put addresses back
_LOOK_SECONDS = 0.1
_LOOKS_FOR_NOBODY = 20


class View(Protocol):
    """Shows a run as it goes.

    whole: True if it also shows what was before this process took part.
    """

    @property
    def whole(self) -> bool:
        """As above."""

    def show(self, event: Event, progress: RunProgress) -> None:
        """One more event."""

    def tick(self, progress: RunProgress) -> None:
        """Time has passed."""


def follow(
    store: RunStore,
    run: str,
    view: View,
    *,
    leave: bool,
    check: Callable[[], None] | None = None,
    nobody: Callable[[], bool] = lambda: False,
    since: int = 0,
) -> RunProgress:
    """Show a run until it has ended, or with leave, until it waits for a person.

    check: of the process that performs it: raises why it can't go on. A database that is away
    then ends nothing, as a list may be watched meanwhile. A rollback that fails is left after
    10 minutes. nobody: of a process that only looks on: True if nobody performs it any more.
    since: the event behind which something is news; a log holds what was before it already.
    Raises what reading raises.
    """
    journal, progress, seq, looks = store.journal(run), RunProgress(), 0, 0
    paged_at: float | None = None
    lane = None if check is None else BackgroundThread("journal")
    while True:
        for event in _read(journal, seq, lane):
            seq = event.seq
            progress.apply(event)
            if event.seq > since or view.whole:
                view.show(event, progress)
            if event.kind == "page" and paged_at is None:
                paged_at = time.monotonic()
        view.tick(progress)
        if check is not None:
            check()
        given_up = paged_at is not None and time.monotonic() > paged_at + GIVE_UP_SECONDS
        if progress.ended or given_up or (leave and _waits(store, run, progress)):
            return progress
        looks += 1
        if looks % _LOOKS_FOR_NOBODY == 0 and nobody():
            return progress
        time.sleep(_LOOK_SECONDS)


def _read(journal: Journal, seq: int, lane: BackgroundThread | None) -> list[Event]:
    """lane: of a process that goes on whatever the database does, and obeys Ctrl-C."""
    if lane is None:
        return journal.read(seq)
    return lane.do(lambda: journal.read(seq)) or []


def _waits(store: RunStore, run: str, progress: RunProgress) -> bool:
    """True if the run waits, and nobody has said anything yet."""
    if progress.pause is None:
        return False
    requests = store.requests(run)
    return requests.approval_of(progress.pause.seq) is None and requests.cancellation() is None


_ENDED = {ROLLED_BACK: "was rolled back", "canceled": "was canceled"}


class RunEndedError(SfcutoverError):
    """A run that ended otherwise than done, with the exit code of what stopped it."""

    def __init__(self, code: int, message: str, *, hint: Text, tokens: str) -> None:
        super().__init__(message, hint=hint, tokens=tokens)
        self.exit_code = ExitCode(code)


def failure_of_run(run: Run, progress: RunProgress) -> SfcutoverError | None:
    """What a run that is not done ends the command with."""
    if progress.ended is not None:
        return _ended(run, progress.ended)
    if progress.pause is not None:
        pause = progress.pause
        return StillRunningError(
            f"the run {run.id} waits for a person ({pause.step}): {pause.message}",
            hint=Advice(
                *((pause.next, "; ") if pause.next else ()),
                "go on: ",
                Command("approve", run.id),
                "; end it: ",
                Command("cancel", run.id),
                *_if_at_risk(progress),
            ),
            tokens=_meanwhile(progress),
        )
    if not progress.pages:
        return StillRunningError(
            f"nobody performs the run {run.id} now",
            hint=Advice("go on: ", Command("run"), *_if_at_risk(progress)),
            tokens=_meanwhile(progress),
        )
    return OperationFailedError(
        f"the run {run.id} was left while it rolls back: putting the old addresses back fails",
        hint=Advice(
            Command("rollback", "--yes"),
            "; ",
            Command("switch", "--revert"),
            "; or go on trying: ",
            Command("run"),
        ),
        tokens="the old addresses may be missing from a list: customers may be locked out",
    )


def lists_at_risk(progress: RunProgress) -> list[str]:
    """The targets whose old addresses are off the list, or may be, and nobody has watched it
    to the end, or put them back."""
    begun = [each.target or "" for each in progress.of_step("remove-old")]
    safe = [*progress.of_step("watch"), *progress.of_step("restore-old")]
    settled = {each.target for each in safe if each.mark == "done"}
    return [name for name in begun if name not in settled]


def _meanwhile(progress: RunProgress) -> str:
    """What it means for the tokens that a run waits."""
    unwatched = lists_at_risk(progress)
    if not unwatched:
        return "the lists stay as they are while it waits"
    return (
        f"the old addresses may be off the list of {', '.join(unwatched)}, and no process watches "
        "while the run waits"
    )


def _if_at_risk(progress: RunProgress) -> Sequence[str | Command]:
    back = ("; ", Command("rollback"), " restores the old addresses")
    return back if lists_at_risk(progress) else ()


def _ended(run: Run, event: Event) -> SfcutoverError | None:
    code = int(event.number("exit_code"))
    if code == 0:
        return None
    outcome = event.text("outcome")
    return RunEndedError(
        code,
        f"the run {run.id} {_ENDED.get(outcome, outcome)}: {event.text('message')}",
        hint=event.advice("next"),
        tokens=event.text("tokens"),
    )


def interruption_of_run(progress: RunProgress | None) -> InterruptedRunError:
    """What Ctrl-C ends the command with. progress: None if the state doesn't answer."""
    at_risk = ["a target, perhaps"] if progress is None else lists_at_risk(progress)
    if not at_risk:
        return InterruptedRunError(
            "interrupted; the run is kept, and nothing of it is lost",
            hint=Advice("go on: ", Command("run"), "; end it: ", Command("cancel")),
            tokens="each list is as the last finished step left it; a deployment that is under "
            "way goes on in the org",
        )
    return InterruptedRunError(
        f"interrupted while the old addresses come off the list of {', '.join(at_risk)}, or are "
        "off it; the run is kept",
        hint=Advice(
            "go on at once, to watch: ",
            Command("run"),
            "; or restore the old addresses: ",
            Command("rollback", "--yes"),
        ),
        tokens="nobody watches now: if a new address is refused, its customers are locked out "
        "until somebody goes on",
    )
