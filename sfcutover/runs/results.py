"""What a command ends with whose run is not done: where it stands, and what that means."""

from __future__ import annotations

from collections.abc import Sequence

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
from sfcutover.runs.events import Event
from sfcutover.runs.progress import RunProgress
from sfcutover.runs.store import ROLLED_BACK, Run

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
