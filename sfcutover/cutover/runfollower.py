"""Following a run, in the process that executes it or in another, and what a command ends with."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Protocol

from sfcutover.cutover.progress import ACTION_REQUIRED, AWAITING_APPROVAL, RunProgress
from sfcutover.cutover.stepresult import ProblemKind
from sfcutover.errors import (
    Advice,
    Command,
    ExitCode,
    IdentityError,
    OperationFailedError,
    SfcutoverError,
    StillRunningError,
    Text,
    WaitingForApprovalError,
)
from sfcutover.runs.background import BackgroundThread
from sfcutover.runs.event import Event
from sfcutover.runs.journal import Journal
from sfcutover.runs.store import ROLLED_BACK, Run, RunStore

GIVE_UP_SECONDS = 600.0  # how long a process keeps trying to restore addresses
_POLL_SECONDS = 0.1
_POLLS_PER_CHECK = 20  # whether a process still executes the run


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
    is_left: Callable[[], bool] = lambda: False,
    since: int = 0,
) -> RunProgress:
    """Show a run until it has ended, or with leave, until it waits for the operator.

    check: of the process that executes it: raises why it can't continue. A database that is away
    then ends nothing, as a list may be watched meanwhile. A rollback that fails is left after
    10 minutes. is_left: of another process: True if no process executes the run any more.
    since: the last event that was shown before; a log holds what is older already.
    Raises what reading raises.
    """
    journal, progress, seq, polls = store.journal(run), RunProgress(), 0, 0
    alerted_at: float | None = None
    thread = None if check is None else BackgroundThread("journal")
    while True:
        for event in _read(journal, seq, thread):
            seq = event.seq
            progress.apply(event)
            if event.seq > since or view.whole:
                view.show(event, progress)
            if event.kind == "page" and alerted_at is None:
                alerted_at = time.monotonic()
        view.tick(progress)
        if check is not None:
            check()
        given_up = alerted_at is not None and time.monotonic() > alerted_at + GIVE_UP_SECONDS
        if progress.ended or given_up or (leave and _waits(progress)):
            return progress
        polls += 1
        if polls % _POLLS_PER_CHECK == 0 and is_left():
            return progress
        time.sleep(_POLL_SECONDS)


def _read(journal: Journal, seq: int, thread: BackgroundThread | None) -> list[Event]:
    """thread: of a process that continues without the database, and obeys Ctrl-C."""
    if thread is None:
        return journal.read(seq)
    return thread.do(lambda: journal.read(seq)) or []


def _waits(progress: RunProgress) -> bool:
    """True if the run waits, and neither an approval nor a cancellation has come yet."""
    return progress.pause is not None and not progress.is_cancel_requested


_ENDED = {ROLLED_BACK: "was rolled back", "canceled": "was canceled safely"}


class RunEndedError(SfcutoverError):
    """A run that ended otherwise than done, with the exit code of what stopped it."""

    def __init__(self, code: int, message: str, *, hint: Text, impact: str) -> None:
        super().__init__(message, hint=hint, impact=impact)
        self.exit_code = ExitCode(code)


class RunCanceledEndError(RunEndedError):
    """A run that ended as the operator asked: canceled."""

    heading = "ended"


def failure_of_run(run: Run, progress: RunProgress) -> SfcutoverError | None:
    """What a run that is not done ends the command with."""
    if progress.ended is not None:
        return _ended(run, progress.ended)
    if progress.pause is not None:
        pause = progress.pause
        required = f"{ACTION_REQUIRED} ({pause.step})"
        heading = AWAITING_APPROVAL if progress.waits_for_approval else required
        return _waiting(progress)(
            f"run {run.id}: {heading}: {pause.message}",
            hint=Advice(
                *((pause.next, "; ") if pause.next else ()),
                "approve: ",
                Command("approve", run.id),
                "; cancel: ",
                Command("cancel", run.id),
                *_if_at_risk(progress),
            ),
            impact=_meanwhile(progress),
        )
    if not progress.pages:
        return StillRunningError(
            f"run {run.id} was interrupted: no process is executing it",
            hint=Advice("resume it: ", Command("run"), *_if_at_risk(progress)),
            impact=_meanwhile(progress),
        )
    return OperationFailedError(
        f"run {run.id} stopped during its rollback: restoring the old addresses failed",
        hint=Advice(
            Command("rollback", "--yes"),
            "; ",
            Command("switch", "--revert"),
            "; or keep trying: ",
            Command("run"),
        ),
        impact="the old addresses may be missing from an allowlist: customers may be locked out",
    )


def _waiting(progress: RunProgress) -> type[SfcutoverError]:
    if progress.waits_for_approval:
        return WaitingForApprovalError
    is_identity = progress.pause is not None and progress.pause.reason == ProblemKind.IDENTITY
    return IdentityError if is_identity else StillRunningError


def lists_at_risk(progress: RunProgress) -> list[str]:
    """The targets whose old addresses are off the list, or may be, and which were neither
    watched to the end nor restored."""
    started = [each.target or "" for each in progress.of_step("remove-old")]
    lacking = [name for name in started if progress.may_lack_old(name)]
    safe = [*progress.of_step("watch"), *progress.of_step("restore-old")]
    settled = {each.target for each in safe if each.mark == "done"}
    return [name for name in lacking if name not in settled]


def _meanwhile(progress: RunProgress) -> str:
    """The impact of a run that waits."""
    unwatched = lists_at_risk(progress)
    if not unwatched:
        return "the allowlists do not change while the run is paused"
    return (
        f"the old addresses may be missing from the allowlist of {', '.join(unwatched)}, and no "
        "process monitors it while the run is paused"
    )


def _if_at_risk(progress: RunProgress) -> Sequence[str | Command]:
    back = ("; ", Command("rollback"), " restores the old addresses")
    return back if lists_at_risk(progress) else ()


def _ended(run: Run, event: Event) -> SfcutoverError | None:
    code = int(event.number("exit_code"))
    if code == 0:
        return None
    outcome = event.text("outcome")
    kind = RunCanceledEndError if outcome == "canceled" else RunEndedError
    return kind(
        code,
        f"run {run.id} {_ENDED.get(outcome, outcome)}: {event.text('message')}",
        hint=event.advice("next"),
        impact=event.text("impact"),
    )
