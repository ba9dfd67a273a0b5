"""Step 3: the switch command, run once even if the process that requested it is killed.

Started again on the same machine, the step finds how the command ended. On another machine
that is unknown, and the operator is asked before it is run again.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Literal

from pydantic import Field

from sfcutover.config.egress import Switch
from sfcutover.cutover.context import StepContext
from sfcutover.cutover.resources import SHUTDOWN_GUARD
from sfcutover.cutover.stepresult import StepEvidence
from sfcutover.errors import ConfigError, InterruptedRunError
from sfcutover.traffic.switch import (
    SWITCH_IMPACT,
    Direction,
    SwitchNotRunError,
    command_failed,
    command_of,
    facts_of,
    run_in_helper,
)
from sfcutover.traffic.switchhelper import await_end, read_record
from sfcutover.util.childenvironment import child_environment
from sfcutover.util.clock import Clock
from sfcutover.util.document import Document, UtcTime
from sfcutover.util.files import fingerprint, state_folder

_GRACE_SECONDS = 30.0
STARTING_SECONDS = 5.0  # how long a helper may take to start, though its parent died
_DIRECTIONS: tuple[Direction, ...] = ("apply", "revert")
_UNKNOWN = "old and new addresses are on the allowlist: traffic may leave from either"


class SwitchDocument(Document):
    """A switch that was made."""

    schema_: Literal["sfcutover/switch/1"] = Field("sfcutover/switch/1", alias="schema")
    """Name and version of this document's format."""
    cutover: str
    """Name of the cutover."""
    direction: Literal["apply", "revert"]
    """apply: traffic moves to the new addresses; revert: back to the old ones."""
    manual: bool
    """True if the operator has moved it, not a command."""
    started: UtcTime
    """When that started, by the clock of the machine that executed it: UTC, ISO 8601."""
    ended: UtcTime
    """When it ended, by the same clock; the new path was probed after that."""
    seconds: float
    """Seconds that the command, or the operator, took."""
    proof: str
    """What was seen of the path afterwards, in words."""


class SwitchEvidence(StepEvidence):
    """The command has succeeded. seconds: how long it took."""

    direction: Direction
    seconds: float


def switch(context: StepContext, direction: Direction) -> SwitchEvidence:
    """Move the traffic by the command.

    Raises ConfigError, OperationFailedError if it fails, and InterruptedRunError after Ctrl-C,
    which the command gets too, or where it is unknown whether it has ended.
    """
    config = configured_switch(context)
    argv = command_of(config, direction)
    for other in _DIRECTIONS:
        if other != direction:
            _forget(record_of(context, other))
    record = record_of(context, direction)
    if read_record(record) is None and not _is_starting(context, direction, record):
        context.tell("switching", direction=direction, place=context.control.place)
        facts = facts_of(context.cutover, direction)
        environment = child_environment(facts)
        if direction == "apply":
            record_switch(context, direction)
        with SHUTDOWN_GUARD:  # a process that ends starts no command
            context.control.require_lock()
        try:
            run_in_helper(argv, environment, record, timeout=config.timeout, output=context.note)
        except KeyboardInterrupt:
            raise _interrupted(record, argv[0], config.where) from None
    ended = _ended(config, direction, record)
    if direction == "revert":  # the way back waits for no state
        record_switch(context, direction)
    return ended


def switched_at(context: StepContext) -> float | None:
    """When traffic started to move to the new addresses, in seconds since 1970: in this run, or as
    the switch command has recorded; None where it has not, went back, or that is unknown."""
    if (event := context.memory.last("switching")) is not None:
        return event.time if event.text("direction") == "apply" else None
    asked = context.memory.last("paused", "switch")
    if asked is not None and asked.text("reason") == "switch":
        return asked.time  # the operator moves it, from then on
    records = [context.baselines.find_soon(each.name) for each in context.cutover.targets]
    return next((each.switched for each in records if each and each.switched), None)


def record_switch(context: StepContext, direction: Direction) -> None:
    """Record when traffic moves, for a later watch. Raises nothing: where that is not recorded, the
    watch says that it does not know it."""
    switched = time.time() if direction == "apply" else None
    for target in context.cutover.targets:
        context.baselines.note_switch(target.name, switched)


def configured_switch(context: StepContext) -> Switch:
    """What cutover.yaml says of the switch. Raises ConfigError if it says nothing."""
    if context.cutover.switch is None:
        raise ConfigError(
            "switch is not configured",
            where=context.cutover.where,
            hint="add switch: with apply: and revert: [argv], or manual: true",
        )
    return context.cutover.switch


def forget_switches(context: StepContext) -> None:
    """Remove the records of a run, or a command, that has ended."""
    for direction in _DIRECTIONS:
        _forget(record_of(context, direction))


def record_of(context: StepContext, direction: str) -> Path:
    """Where the helper of this run, or command, records how the switch command ended."""
    return state_folder() / f"switch-{fingerprint(context.key)}-{direction}.json"


def _forget(record: Path) -> None:
    record.unlink(missing_ok=True)
    record.with_suffix(".lock").unlink(missing_ok=True)


def _is_starting(context: StepContext, direction: Direction, record: Path) -> bool:
    """True once the helper of a process that died has started; False if there is none.

    Where the record does not appear, it is on another machine, and the operator says whether
    the command may run again: raises InterruptedRunError until they have approved.
    """
    earlier = [e for e in context.memory.all("switching") if e.text("direction") == direction]
    approved = context.memory.last("approved", context.step)
    if not earlier or (approved is not None and approved.seq > earlier[-1].seq):
        return False
    for _ in Clock().polls(STARTING_SECONDS):
        if read_record(record) is not None:
            return True
    raise InterruptedRunError(
        f"the switch command ({direction}) was started at {earlier[-1].text('place')}, and its "
        "result is unknown on this machine",
        hint="find out where traffic leaves now; approving runs the command again on this machine",
        impact=_UNKNOWN,
    )


def _ended(config: Switch, direction: Direction, path: Path) -> SwitchEvidence:
    record = await_end(path, _GRACE_SECONDS + config.timeout)
    if record is not None and record.succeeded:
        return SwitchEvidence(direction=direction, seconds=round(record.seconds, 3))
    path.unlink(missing_ok=True)  # the next try is meant to run it again
    if record is None or record.status is None:
        raise InterruptedRunError(
            f"the switch command ({direction}) was started, and its result is unknown",
            hint="find out where traffic leaves now; approving runs the command again",
            impact=_UNKNOWN,
        )
    program = command_of(config, direction)[0]
    if record.could_not_run:
        raise SwitchNotRunError(
            f"the switch command {program} {record.words}",
            where=config.where,
            hint="check its name, PATH and permissions; it runs without a shell",
        )
    raise command_failed(record.words, program, direction, config.where)


def _interrupted(path: Path, program: str, where: str) -> InterruptedRunError:
    record = await_end(path, _GRACE_SECONDS)
    path.unlink(missing_ok=True)  # the next try is meant to run it again
    words = record.words if record else "the result is unknown"
    return InterruptedRunError(
        f"interrupted; the switch command {program} received the signal and ended: {words}",
        where=where,
        hint="find out where traffic leaves now; then run this again, or move the traffic back",
        impact=SWITCH_IMPACT,
    )
