"""The operator: alerted, notified, told what comes next, and asked for approval."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence

from sfcutover.config.cutover import Cutover
from sfcutover.config.values import secret_variables
from sfcutover.cutover.context import CancelRequested, StepContext
from sfcutover.cutover.resources import SHUTDOWN_GUARD
from sfcutover.cutover.stepresult import StepEvidence
from sfcutover.cutover.steprunner import Approval, Question
from sfcutover.errors import Advice, Command, Text, written
from sfcutover.runs.store import Requests, config_text, fingerprint
from sfcutover.util.processes import child_environment, run_in_group

NOTIFY_SECONDS = 10.0
_POLL_SECONDS = 0.3


class AlertEvidence(StepEvidence):
    """What the operator was told, with the exact commands."""

    message: str
    commands: list[Command]


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
    context: StepContext, requests: Requests, number: int, question: Question
) -> Approval:
    """Wait, for hours if need be, until the operator approves or cancels.

    number: of the pause within the run, so that one that is started again is the same pause.
    An announcement ends the wait where another cutover.yaml was accepted since.
    """
    config = fingerprint(config_text(context.cutover, context.templates))
    earlier = [each for each in context.memory.all("paused") if each.number("pause") == number]
    is_current = question.announcement is None or not earlier or earlier[0].text("config") == config
    seq = earlier[0].seq if earlier else _ask(context, number, question, config)
    while (found := requests.approval_of(seq)) is None:
        if not is_current:
            return Approval(approved=False, pause=number, is_current=False)
        try:
            context.clock.pause(_POLL_SECONDS)
        except CancelRequested:
            return Approval(approved=False, pause=number)
    said = {"who": found.who, "time": found.time, "note": found.note}
    digest = question.announcement.digest if question.announcement else None
    context.tell("approved", pause=number, digest=digest, **said)
    return Approval(approved=True, pause=number, is_current=is_current, **said)


def _ask(context: StepContext, number: int, question: Question, config: str) -> int:
    """Tell the operator; the journal's number of that. config: fingerprint of cutover.yaml."""
    announced = question.announcement
    with SHUTDOWN_GUARD:
        seq = context.tell(
            "paused",
            pause=number,
            reason=question.reason,
            message=question.message,
            next=question.next,
            config=config,
            digest=announced.digest if announced else None,
            announcement=announced.model_dump(mode="json") if announced else None,
        )
        approve = Advice(Command("approve", context.memory.run))
        notify(context, "paused", question.message, approve)
    return seq
