"""The operator: alerted and notified."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from functools import partial

from sqlalchemy.exc import SQLAlchemyError

from sfcutover.config.cutover import Cutover
from sfcutover.config.notify import EVENTS, Notifier, NotifyEvent
from sfcutover.cutover.context import StepContext
from sfcutover.cutover.notification import NotificationDocument
from sfcutover.cutover.notifiers import NOTIFY_SECONDS, send, send_at_once
from sfcutover.cutover.resources import SHUTDOWN_GUARD
from sfcutover.cutover.stepresult import StepEvidence
from sfcutover.errors import Advice, Command, LockLostError, SfcutoverError, Text


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


def notify(context: StepContext, event: NotifyEvent, message: str, next_: Text) -> None:
    """Notify every receiver of an event. It waits for none of them: a rollback may be due.

    The process does, when it ends. What fails is noted.
    """
    run = context.memory.run
    notification = NotificationDocument.of(context.cutover, run, event, message, next_)
    for each in _hearing(context.cutover, event):
        _in_thread(partial(_send, context, each, notification))


def ending_event(outcome: str) -> NotifyEvent:
    """The event of a run that ends. outcome: done, failed, rolled-back or canceled."""
    return next(event for event in EVENTS if event == outcome)


def notify_and_wait(
    cutover: Cutover,
    run: str,
    event: NotifyEvent,
    message: str,
    next_: Text,
    output: Callable[[str], None],
    seconds: float = NOTIFY_SECONDS,
) -> list[str]:
    """As notify, for a process that ends in these seconds; what failed, in sentences. run: its
    id."""
    notification = NotificationDocument.of(cutover, run, event, message, next_)
    return send_at_once(_hearing(cutover, event), notification, output, seconds)


def _hearing(cutover: Cutover, event: NotifyEvent) -> tuple[Notifier, ...]:
    return tuple(each for each in cutover.notify if event in each.events)


def _send(context: StepContext, notifier: Notifier, notification: NotificationDocument) -> None:
    try:
        if problem := send(notifier, notification, context.note):
            context.note(f"{notifier.where}: {problem}")
    except (SfcutoverError, SQLAlchemyError) as error:  # no database takes the note
        logging.getLogger(__name__).warning("a notification was not noted: %s", error)


def _in_thread(work: Callable[[], None]) -> None:
    """Returns once the thread counts among what the process finishes before it ends."""
    counted = threading.Event()

    def execute() -> None:
        try:
            with SHUTDOWN_GUARD:
                counted.set()
                work()
        except LockLostError:
            logging.getLogger(__name__).warning("the process ended before a notification")
        finally:
            counted.set()

    threading.Thread(target=execute, name="notify", daemon=True).start()
    counted.wait()
