"""The operator: alerted and notified."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence

from sfcutover.config.cutover import Cutover
from sfcutover.cutover.context import StepContext
from sfcutover.cutover.resources import SHUTDOWN_GUARD
from sfcutover.cutover.stepresult import StepEvidence
from sfcutover.errors import Advice, Command, Text, written
from sfcutover.util.childenvironment import child_environment
from sfcutover.util.processes import run_in_group

NOTIFY_SECONDS = 10.0


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
        environment = child_environment(facts)
        ended = run_in_group(argv, environment, timeout=NOTIFY_SECONDS, output=output)
        failed = str(ended) if ended.cut_short or ended.status else ""
    except OSError as error:
        failed = str(error.strerror)
    return f"the notify command {shlex.join(argv[:1])} failed: {failed}" if failed else ""
