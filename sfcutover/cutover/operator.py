"""The operator: alerted, notified, told what comes next, and asked for approval."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence

from sfcutover.allowlist.ranges import IpRange
from sfcutover.config.cutover import Cutover
from sfcutover.config.values import secret_variables
from sfcutover.cutover.context import CancelRequested, StepContext
from sfcutover.cutover.resources import SHUTDOWN_GUARD
from sfcutover.cutover.stepresult import StepEvidence
from sfcutover.errors import Advice, Command, Text, written
from sfcutover.runs.store import Requests
from sfcutover.util.processes import child_environment, run_in_group

NOTIFY_SECONDS = 10.0
_POLL_SECONDS = 0.3


class AlertEvidence(StepEvidence):
    """What the operator was told, with the exact commands."""

    message: str
    commands: list[Command]


class Approval(StepEvidence):
    """What the operator said of a pause; who, when and why are empty for a run that is canceled."""

    approved: bool
    who: str = ""
    time: float = 0.0
    note: str | None = None


def alert(context: StepContext, message: str, commands: Sequence[Command]) -> AlertEvidence:
    """Say what is wrong and give the exact commands."""
    parts = [part for command in commands for part in ("; ", command)]
    with SHUTDOWN_GUARD:
        context.tell("page", message=message, commands=list(commands))
        notify(context, "page", message, Advice(*parts[1:]))
    return AlertEvidence(message=message, commands=list(commands))


def notify(context: StepContext, event: str, message: str, next_: Text) -> None:
    """Run cutover.yaml's notify command; if it fails, that is noted, and stops nothing."""
    run, output = context.memory.run, context.note
    if problem := call_notify(context.cutover, run, event, message, next_, output):
        context.note(problem)


def call_notify(
    cutover: Cutover,
    run: str,
    event: str,
    message: str,
    next_: Text,
    output: Callable[[str], None],
) -> str:
    """Run the notify command, if there is one; how it failed, else nothing. run: its id."""
    argv = cutover.notify
    if argv is None:
        return ""
    facts = {
        "SFCUTOVER_RUN": run,
        "SFCUTOVER_EVENT": event,
        "SFCUTOVER_MESSAGE": message,
        "SFCUTOVER_NEXT": written(next_, cutover.file),
    }
    try:
        environment = child_environment(secret_variables(cutover), facts)
        ended = run_in_group(argv, environment, timeout=NOTIFY_SECONDS, output=output)
        failed = str(ended) if ended.cut_short or ended.status else ""
    except OSError as error:
        failed = str(error.strerror)
    return f"the notify command {shlex.join(argv[:1])} failed: {failed}" if failed else ""


def wait_for_approval(
    context: StepContext,
    requests: Requests,
    number: int,
    reason: str,
    message: str,
    next_: Text,
) -> Approval:
    """Wait, for hours if need be, until the operator approves or cancels.

    number: of the pause within the run, so that one that is started again is the same pause.
    """
    earlier = [each for each in context.memory.all("paused") if each.number("pause") == number]
    seq = earlier[0].seq if earlier else 0
    if not earlier:
        with SHUTDOWN_GUARD:
            seq = context.tell("paused", pause=number, reason=reason, message=message, next=next_)
            approve = Advice(Command("approve", context.memory.run))
            notify(context, "paused", message, approve)
    while True:
        if (found := requests.approval_of(seq)) is not None:
            context.tell("approved", pause=number, who=found.who, time=found.time, note=found.note)
            return Approval(approved=True, who=found.who, time=found.time, note=found.note)
        try:
            context.clock.pause(_POLL_SECONDS)
        except CancelRequested:
            return Approval(approved=False)


def announcement(step: str, cutover: Cutover, targets: Sequence[str]) -> str:
    """What a step of a run is going to do, in words, for the approval. targets: their names."""
    new, old = _listed(cutover.change.added), _listed(cutover.change.removed)
    lists = f"the list{'s' if len(targets) > 1 else ''} of {', '.join(targets)}"
    match step:
        case "add-new":
            return f"it puts {new} on {lists}"
        case "switch":
            return f"{_moves(cutover)}; traffic then leaves by {_listed(cutover.change.new)}"
        case "verify":
            return f"it redeems through each of {_listed(cutover.change.new)}"
        case "remove-old":
            return f"it takes {old} off {lists}"
    raise ValueError(step)


def _moves(cutover: Cutover) -> str:
    if cutover.switch is None or not cutover.switch.apply:
        return "a person moves the traffic"
    return f"it runs {shlex.join(cutover.switch.apply)}"


def _listed(ranges: Sequence[IpRange]) -> str:
    return ", ".join(map(str, ranges)) or "nothing"
