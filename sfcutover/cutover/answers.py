"""A run's questions to the operator, and the answers, which are in its journal."""

from __future__ import annotations

from sfcutover.cutover.context import StepContext
from sfcutover.cutover.monitor import require_checks
from sfcutover.cutover.operator import notify
from sfcutover.cutover.progress import Pause, pause_heading
from sfcutover.cutover.resources import SHUTDOWN_GUARD
from sfcutover.cutover.stepresult import Problem
from sfcutover.cutover.steprunner import Approval, Question
from sfcutover.errors import Advice, Command, GateError
from sfcutover.runs.event import CANCEL_REQUESTED, Event
from sfcutover.runs.store import RunStore, config_text
from sfcutover.util.files import fingerprint

APPROVED = "approved"  # an event


def ask(context: StepContext, number: int, question: Question) -> None:
    """Tell the operator once what the run waits for.

    number: of the pause within the run, so that one that is started again is the same pause.
    """
    if _asked(context, number) is not None:
        return
    announced = question.announcement
    with SHUTDOWN_GUARD:
        context.tell(
            "paused",
            pause=number,
            reason=question.reason,
            message=question.message,
            next=question.next,
            config=_config_of(context),
            digest=announced.digest if announced else None,
            announcement=announced.model_dump(mode="json") if announced else None,
        )
        approve = Advice(Command("approve", context.memory.run))
        message = (
            f"{pause_heading(question.step, question.reason)} ({question.step}): {question.message}"
        )
        notify(context, "waiting", message, approve)


def answer_to(context: StepContext, number: int, question: Question) -> Approval | None:
    """What the operator has said of a pause; None while the run waits.

    An announcement ends the wait where another cutover.yaml was accepted since.
    """
    asked = _asked(context, number)
    is_current = (
        question.announcement is None
        or asked is None
        or asked.text("config") == _config_of(context)
    )
    approvals = context.memory.all(APPROVED)
    for each in approvals:
        if each.number("pause") == number:
            return Approval(
                approved=True,
                who=each.text("who"),
                time=each.time,
                note=each.text("note") or None,
                pause=number,
                is_current=is_current,
            )
    if (problem := _failure(context)) is not None:
        return Approval(approved=False, pause=number, failed=problem)
    if not is_current or context.control.is_canceled():
        return Approval(approved=False, pause=number, is_current=is_current)
    return None


def _failure(context: StepContext) -> Problem | None:
    """What the checks have found since the switch, while no list has lost an address."""
    try:
        require_checks(context)
    except GateError as error:
        return Problem.of(error)
    return None


def approve(store: RunStore, run: str, pause: Pause, who: str, note: str | None) -> None:
    """Answer what a run waits for; the first answer counts."""
    data = {"pause": pause.number, "digest": pause.digest or None, "who": who, "note": note}
    store.journal(run).write(APPROVED, pause.step, None, data)
    _wake(store, run)


def cancel(store: RunStore, run: str, who: str, note: str | None) -> None:
    """Cancel a run at its next safe point."""
    store.journal(run).write(CANCEL_REQUESTED, None, None, {"who": who, "note": note})
    _wake(store, run)


def _wake(store: RunStore, run: str) -> None:
    from sfcutover.cutover.engine.client import EngineClient  # DBOS: only where it is needed

    EngineClient(store.database).wake(run)


def _asked(context: StepContext, number: int) -> Event | None:
    earlier = [each for each in context.memory.all("paused") if each.number("pause") == number]
    return earlier[0] if earlier else None


def _config_of(context: StepContext) -> str:
    return fingerprint(config_text(context.cutover, context.templates))
