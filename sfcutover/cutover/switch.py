"""Step 3 of a run: the switch command, run once, whatever happens to the process that wants it.

Begun again on the same machine, the step finds how the command ended. On another machine
nobody can know, and a person is asked before it is run again.
"""

from __future__ import annotations

from pathlib import Path

from sfcutover.config.values import secret_variables
from sfcutover.cutover.step import Evidence, Work
from sfcutover.errors import ConfigError, InterruptedRunError
from sfcutover.traffic.switch import (
    Direction,
    SwitchFacts,
    await_end,
    command_failed,
    command_of,
    read_record,
    run_kept,
)
from sfcutover.util.files import fingerprint, state_folder
from sfcutover.util.processes import child_environment

_GRACE_SECONDS = 30.0


def switch(work: Work, direction: Direction) -> Evidence:
    """Move the traffic by the command. Raises ConfigError, OperationFailedError if it fails, and
    InterruptedRunError where nobody knows whether it has ended."""
    config = work.cutover.switch
    if config is None:
        raise ConfigError("switch is not configured", where=work.cutover.where, hint="add switch:")
    argv = command_of(config, direction)
    facts = SwitchFacts.of_cutover(work.cutover, direction)
    record = _record(work, direction)
    if read_record(record) is None:
        _require_not_begun_elsewhere(work, direction)
        work.tell("switching", direction=direction, place=work.presence.place)
        environment = child_environment(secret_variables(work.cutover), facts.variables)
        work.require_to_act()
        run_kept(argv, environment, record, timeout=config.timeout, output=work.note)
    return _ended(work, direction, record)


def forget_switches(work: Work) -> None:
    """Remove the records of a run that has ended."""
    for direction in ("apply", "revert"):
        record = _record(work, direction)
        record.unlink(missing_ok=True)
        record.with_suffix(".lock").unlink(missing_ok=True)


def _record(work: Work, direction: str) -> Path:
    return state_folder() / f"switch-{fingerprint(work.key)}-{direction}.json"


def _require_not_begun_elsewhere(work: Work, direction: Direction) -> None:
    """Where the record is on another machine, a person says whether the command may run again.

    Raises InterruptedRunError until they have approved.
    """
    begun = [e for e in work.journal.all("switching") if e.text("direction") == direction]
    approved = work.journal.last("approved", work.step)
    if not begun or (approved is not None and approved.seq > begun[-1].seq):
        return
    raise InterruptedRunError(
        f"the switch command ({direction}) was begun at {begun[-1].text('place')}, and how it "
        "ended is not known here",
        hint="find out where traffic leaves now; approve runs the command again, here",
        tokens="old and new addresses are on the list: traffic may leave by either",
    )


def _ended(work: Work, direction: Direction, path: Path) -> Evidence:
    config = work.cutover.switch
    record = await_end(path, _GRACE_SECONDS + (config.timeout if config else 0))
    if record is not None and record.succeeded:
        return {"direction": direction, "seconds": round(record.seconds, 3)}
    path.unlink(missing_ok=True)  # whoever tries again means to run it again
    if record is None or record.status is None or config is None:
        raise InterruptedRunError(
            f"the switch command ({direction}) was begun, and nobody knows how it ended",
            hint="find out where traffic leaves now; approve runs the command again",
            tokens="old and new addresses are on the list: traffic may leave by either",
        )
    raise command_failed(record.words, command_of(config, direction)[0], direction, config.where)
