"""The checks between the switch and the removal: old and new addresses are on the list, and traffic
can move back immediately.

They execute in a thread of the process that executes the run. What they find stands in the
journal, which the run reads before its next step, while it waits, and while it asks.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from functools import partial

from sqlalchemy.exc import SQLAlchemyError

from sfcutover.allowlist.phases import Phase
from sfcutover.config.checks import Check, Watch
from sfcutover.cutover.context import Memory, StepContext
from sfcutover.cutover.sentdeployments import SENDING
from sfcutover.cutover.stepresult import StepEvidence
from sfcutover.cutover.switch import switched_at
from sfcutover.cutover.watchtrigger import CheckResultDocument
from sfcutover.errors import Advice, Command, GateError, SfcutoverError
from sfcutover.traffic.checks import Checker, CheckResult, Verdict, checker_for

CHECKED, CHECKS_FAILED = "checked", "checks-failed"  # events, of the step CHECKS
_END_SECONDS = 5.0


class ChecksEvidence(StepEvidence):
    """No check has failed since the switch, as often in a row as reverts it. rounds: so far."""

    rounds: int


def require_checks(context: StepContext) -> ChecksEvidence:
    """Raises GateError where a check has failed since the switch."""
    if (reason := failed_checks(context.memory)) is not None:
        raise GateError(
            f"after traffic moved, {reason}",
            hint=Advice(
                "find the cause while traffic uses the old addresses; then ", Command("run")
            ),
            impact="old and new addresses are on the allowlist; traffic moves back to the old ones",
        )
    return ChecksEvidence(rounds=len(context.memory.all(CHECKED)))


def failed_checks(memory: Memory) -> str | None:
    """What has failed since the switch; None where nothing has, traffic goes back already, or a
    removal was sent, which has its own watch."""
    failed, back = memory.last(CHECKS_FAILED), memory.last("rollback-started")
    if failed is None or (back is not None and back.seq > failed.seq) or _is_removing(memory):
        return None
    return failed.text("reason")


def _is_removing(memory: Memory) -> bool:
    sending = (each.text("phase") for each in memory.all(SENDING))
    return Phase.REMOVE_OLD.value in sending


class SwitchMonitor:
    """Executes the checks at the watch's interval, from the switch until a removal is sent.

    wake: wakes a run that waits for an answer, so that it reads its journal.
    """

    def __init__(self, context: StepContext, wake: Callable[[], None]) -> None:
        self._context = context
        self._wake = wake
        self._watch = context.cutover.watch or Watch()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._execute, name="checks", daemon=True)
        self._in_row: dict[int, int] = {}  # failures by the check's place: names may be the same
        self._checkers: Sequence[Checker] = ()

    def start(self) -> None:
        if _of_switch(self._context):
            self._thread.start()

    def finish(self) -> None:
        """End; a check that has started is not waited for long."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(_END_SECONDS)

    def _execute(self) -> None:
        while not self._stopping.wait(self._watch.interval):
            try:
                if self._is_due():
                    self._look()
            except (SfcutoverError, SQLAlchemyError) as error:
                logging.getLogger(__name__).info("no checks: %s", error)

    def _is_due(self) -> bool:
        memory = self._context.memory
        is_over = any(memory.last(kind) for kind in ("rollback-started", CHECKS_FAILED))
        return not is_over and switched_at(self._context) is not None and not _is_removing(memory)

    def _look(self) -> None:
        """Execute each check once."""
        if not self._checkers:
            at = partial(switched_at, self._context)
            self._checkers = [checker_for(each, at) for each in _of_switch(self._context)]
        results = [checker() for checker in self._checkers]
        documents = [CheckResultDocument.of(each).model_dump(mode="json") for each in results]
        self._context.tell(CHECKED, results=documents)
        for place, each in enumerate(results):
            self._count(place, each)

    def _count(self, place: int, result: CheckResult) -> None:
        """A result that does not tell neither adds to the failures in a row nor ends them."""
        if result.verdict is Verdict.PASSED:
            self._in_row[place] = 0
        elif result.verdict is Verdict.FAILED:
            self._in_row[place] = self._in_row.get(place, 0) + 1
        if self._in_row.get(place) == self._watch.failures:
            times = f", {self._watch.failures} times in a row" if self._watch.failures > 1 else ""
            self._context.tell(
                CHECKS_FAILED, reason=f'the check "{result.name}" failed{times}: {result.detail}'
            )
            self._wake()


def _of_switch(context: StepContext) -> list[Check]:
    return [each for each in context.cutover.checks if "switch" in each.during]
