"""The rounds of a watch: canaries and checks at intervals, until the end or a trigger.

Rounds start on a grid of intervals. In each, the canaries redeem and all checks execute, in
parallel, so that none delays another; what has no answer when the next round is due counts
as an error there and is waited for, not asked twice. A canary that was blocked redeems again
within its round, a second apart, until its block is confirmed or lifted: how fast a mistake is
undone does not depend on the interval.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from datetime import UTC, datetime
from functools import partial
from typing import Protocol

from sfcutover.cutover.watchtrigger import (
    WatchOutcome,
    WatchPlan,
    WatchResult,
    WatchRound,
    WatchState,
    canary_result,
)
from sfcutover.errors import LockLostError, SfcutoverError
from sfcutover.traffic.checks import Checker, CheckResult, Verdict
from sfcutover.traffic.redemption import Redemption
from sfcutover.util.clock import Clock
from sfcutover.util.threads import call_in_thread


class Pool(Protocol):
    """Executes checks in parallel."""

    def submit(self, check: Checker) -> Future[CheckResult]: ...

    def wait(self, running: Collection[Future[CheckResult]], seconds: float) -> None:
        """Return when one of them is done, or after these seconds."""


class Threads:
    """A thread for each check. One that has started runs to its end: it may hold a new token."""

    def submit(self, check: Checker) -> Future[CheckResult]:
        return call_in_thread(check, "watch")

    def wait(self, running: Collection[Future[CheckResult]], seconds: float) -> None:
        wait(running, seconds, FIRST_COMPLETED)


_TICK = 1e-6  # seconds; less is no time to wait for
_Answer = tuple[int, CheckResult]  # of a source


class WatchObserver(Protocol):
    """Receives the events of a watch; at the trigger, what it raises is logged and delays nothing,
    but for LockLostError: another process watches, then."""

    def completed(self, done: WatchRound) -> None:
        """A round is over. What this raises ends the watch."""

    def rolling_back(self, reason: str) -> None:
        """The old addresses are about to be restored."""


def utc_now() -> datetime:
    return datetime.now(UTC)


def watch(
    plan: WatchPlan,
    canaries: Mapping[str, Callable[[], Redemption]],
    checks: Sequence[Checker],
    observer: WatchObserver,
    clock: Clock,
    *,
    wall: Callable[[], datetime] = utc_now,
    pool: Pool | None = None,
) -> WatchResult:
    """Watch for plan.duration, a little longer while a failure stands; ends at the trigger.

    canaries: a redemption through the new egress each, by name. It keeps the rules for tokens
    by itself: after a lost answer it raises rather than present the token again. What it
    or a check raises is an error of that result.
    clock: for all waiting. wall: for the records only.
    """
    redeemed = (partial(_redeemed, name, redeem) for name, redeem in canaries.items())
    sources: list[Checker] = [*redeemed, *checks]
    state = WatchState(plan, tuple(canaries), len(checks))
    watcher = _Watcher(state, sources, observer, clock, wall, pool or Threads())
    watcher.run()
    return watcher.conclude()


def _redeemed(name: str, redeem: Callable[[], Redemption]) -> CheckResult:
    return canary_result(name, redeem())


class _Watcher:
    """The rounds of one watch."""

    def __init__(
        self,
        state: WatchState,
        sources: Sequence[Checker],
        observer: WatchObserver,
        clock: Clock,
        wall: Callable[[], datetime],
        pool: Pool,
    ) -> None:
        self._plan, self._sources, self._observer = state.plan, sources, observer
        self._clock, self._wall, self._pool = clock, wall, pool
        self._state = state
        self._started = clock.now()
        self._running: dict[int, Future[CheckResult]] = {}
        self._asked: dict[int, float] = {}  # by source, when it was started last
        self.rounds: list[WatchRound] = []
        self._told = 0  # of the rounds, to the observer

    def run(self) -> None:
        """Rounds until the trigger, or the end; a block that stands there has its deadline, too."""
        number = 0
        while self._state.trigger is None and number <= self._last():
            self._pause_until(self._time_of(number))
            if self._state.trigger is None:
                self._execute_round(number)
            if self._state.trigger is None:
                self._tell()
                number = self._next(number)
        if self._state.deadline is not None:
            self._pause_until(self._state.deadline)

    def conclude(self) -> WatchResult:
        """The result, once it has run."""
        if (reason := self._state.trigger) is not None:
            try:
                self._tell()
                self._observer.rolling_back(reason)
            except LockLostError:
                raise  # another process decides
            except Exception:
                logging.getLogger(__name__).exception("the trigger was not recorded")
            return self._result(WatchOutcome.ROLLED_BACK, (reason,))
        reasons = self._state.inconclusive_reasons
        outcome = WatchOutcome.INCONCLUSIVE if reasons else WatchOutcome.PASSED
        return self._result(outcome, reasons)

    def _result(self, outcome: WatchOutcome, reasons: tuple[str, ...]) -> WatchResult:
        return WatchResult(outcome, reasons, tuple(self.rounds), self._state.counts)

    def _last(self) -> int:
        more = self._plan.failures if self._state.unsettled else 0
        return self._plan.last_round + more

    def _next(self, number: int) -> int:
        """The next round, or the latest one due: a machine that slept does not catch up."""
        due = math.floor((self._clock.now() - self._started) / self._plan.interval + 1e-9)
        following = max(number + 1, min(due, self._last()))
        self._state.miss(following - number - 1)
        return following

    def _execute_round(self, number: int) -> None:
        started, time = self._clock.now(), self._wall()
        for source in range(len(self._sources)):
            self._ask(source)
        results = self._gather(self._clock.now(), self._time_of(number + 1))
        answered = tuple(result for _, result in sorted(results, key=lambda each: each[0]))
        self.rounds.append(WatchRound(number, time, started - self._started, answered))

    def _ask(self, source: int) -> None:
        """Start a source, unless it is still busy."""
        if source not in self._running:
            self._asked[source] = self._clock.now()
            self._running[source] = self._pool.submit(self._sources[source])

    def _tell(self) -> None:
        """Show the rounds that were not shown yet."""
        while self._told < len(self.rounds):
            self._told += 1
            self._observer.completed(self.rounds[self._told - 1])

    def _gather(self, asked: float, end: float) -> list[_Answer]:
        """What is answered to the end of a round, or to the trigger. asked: when all were; what
        was asked later confirms a block, and has its time."""
        results: list[_Answer] = []
        while self._is_unanswered and self._time_left(end) > _TICK:
            self._confirm()
            self._wait_until(min(end, self._next_confirmation()))
            self._take(results)
        if self._state.trigger is None:
            late = [each for each in self._running if self._asked[each] <= asked]
            for source in late:
                self._record(source, self._no_answer(source), results)
        return results

    @property
    def _is_unanswered(self) -> bool:
        waits = bool(self._running or self._state.blocked)
        return waits and self._state.trigger is None

    def _confirm(self) -> None:
        """Ask the blocked canaries again that are due."""
        now = self._clock.now()
        for source in self._state.blocked:
            if now + _TICK >= self._confirmation_of(source):
                self._ask(source)

    def _next_confirmation(self) -> float:
        idle = (each for each in self._state.blocked if each not in self._running)
        return min(map(self._confirmation_of, idle), default=math.inf)

    def _confirmation_of(self, source: int) -> float:
        return self._asked[source] + self._plan.confirm_interval

    def _wait_until(self, moment: float) -> None:
        """Until that time, or a result."""
        if (left := self._time_left(moment)) <= _TICK:
            return
        if self._running:
            self._pool.wait(list(self._running.values()), left)
        else:
            self._clock.pause(left)

    def _take(self, results: list[_Answer]) -> None:
        for source in sorted(self._running):
            if self._running[source].done():
                result = _result_of(self._running.pop(source), self._state.name_of(source))
                self._record(source, result, results)

    def _record(self, source: int, result: CheckResult, results: list[_Answer]) -> None:
        results.append((source, result))
        self._state.record(source, result, self._clock.now())

    def _no_answer(self, source: int) -> CheckResult:
        detail = f"no answer within {self._plan.interval:g} s"
        return CheckResult(self._state.name_of(source), Verdict.ERROR, detail)

    def _pause_until(self, moment: float) -> None:
        while (left := self._time_left(moment)) > _TICK and self._state.trigger is None:
            self._clock.pause(left)

    def _time_left(self, moment: float) -> float:
        """Seconds to a moment, or to the deadline of a standing block if that is sooner."""
        now = self._clock.now()
        self._state.pass_time(now + _TICK)
        deadline = self._state.deadline
        return (moment if deadline is None else min(moment, deadline)) - now

    def _time_of(self, number: int) -> float:
        """Counted from the beginning, so that nothing adds up."""
        return self._started + number * self._plan.interval


def _result_of(check: Future[CheckResult], name: str) -> CheckResult:
    """What a check returned; what it raised, as an error."""
    error = check.exception()
    if error is None:
        return check.result()
    words = str(error) if isinstance(error, SfcutoverError) else type(error).__name__
    return CheckResult(name, Verdict.ERROR, words)
