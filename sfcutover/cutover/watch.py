"""After step 5: look on for a while, and put the old addresses back if redemptions fail.

Rounds start on a grid of intervals. In each, the canary redeems and all checks look, side
by side, so that none delays another; what has no answer when the next round is due counts
as an error there and is waited for, not asked twice.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from datetime import UTC, datetime
from typing import Protocol

from sfcutover.cutover.watchstate import (
    CANARY,
    WatchOutcome,
    WatchPlan,
    WatchResult,
    WatchRound,
    WatchState,
    canary_result,
    failure_of,
    interrupted_after,
)
from sfcutover.errors import SfcutoverError
from sfcutover.traffic.checks import CheckResult, Look, Verdict
from sfcutover.traffic.oauth import Redemption
from sfcutover.util.clock import Clock


class Crew(Protocol):
    """Runs looks side by side."""

    def submit(self, look: Look) -> Future[CheckResult]: ...

    def wait(self, looks: Collection[Future[CheckResult]], seconds: float) -> None:
        """Return when one of the looks is done, or after so many seconds."""

    def dismiss(self) -> None:
        """Start nothing more, wait for nothing."""


class Threads:
    """A crew of threads. A look that has begun runs to its end: it may hold a new token."""

    def __init__(self, size: int) -> None:
        self._pool = ThreadPoolExecutor(size, "watch")

    def submit(self, look: Look) -> Future[CheckResult]:
        return self._pool.submit(look)

    def wait(self, looks: Collection[Future[CheckResult]], seconds: float) -> None:
        wait(looks, seconds, FIRST_COMPLETED)

    def dismiss(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)


__all__ = [
    "CANARY",
    "WatchObserver",
    "WatchOutcome",
    "WatchPlan",
    "WatchResult",
    "WatchRound",
    "WatchState",
    "failure_of",
    "watch",
]

_TICK = 1e-6  # seconds; less is no time to wait for


class WatchObserver(Protocol):
    """Is told what happens; what it raises does not keep the rollback from happening."""

    def looked(self, done: WatchRound) -> None: ...

    def rolling_back(self, reason: str) -> None: ...


def utc_now() -> datetime:
    return datetime.now(UTC)


def watch(
    plan: WatchPlan,
    redeem: Callable[[], Redemption],
    checks: Sequence[Look],
    roll_back: Callable[[], None],
    observer: WatchObserver,
    clock: Clock,
    *,
    wall: Callable[[], datetime] = utc_now,
    crew: Crew | None = None,
) -> WatchResult:
    """Watch for plan.duration, a little longer while a failure stands; roll back at most once.

    redeem: a canary redemption through the new egress. It keeps the rules for tokens by
    itself: after a lost answer it raises rather than present the token again. What it
    or a check raises is an error of that look.
    roll_back: called once, in this thread, at the trigger; what it raises is raised here.
    clock: for all waiting. wall: for the records only.
    Raises InterruptedRunError after Ctrl-C, without a rollback.
    """
    looks = (lambda: canary_result(redeem()), *checks)
    team = crew or Threads(len(looks))
    watcher = _Watcher(plan, looks, observer, clock, wall, team)
    try:
        watcher.run()
    except KeyboardInterrupt:
        raise interrupted_after(watcher.rounds) from None
    finally:
        team.dismiss()
    return watcher.conclude(roll_back)


class _Watcher:
    """The rounds of one watch."""

    def __init__(
        self,
        plan: WatchPlan,
        looks: Sequence[Look],
        observer: WatchObserver,
        clock: Clock,
        wall: Callable[[], datetime],
        crew: Crew,
    ) -> None:
        self._plan, self._looks, self._observer = plan, looks, observer
        self._clock, self._wall, self._crew = clock, wall, crew
        self._state = WatchState(plan, len(looks) - 1)
        self._begun = clock.now()
        self._under_way: dict[int, Future[CheckResult]] = {}
        self.rounds: list[WatchRound] = []
        self._told = 0  # of the rounds, to the observer

    def run(self) -> None:
        """Rounds until the trigger, or the end; a block that stands there has its deadline, too."""
        number = 0
        while self._state.trigger is None and number <= self._last():
            self._pause_until(self._time_of(number))
            if self._state.trigger is None:
                self._look_around(number)
            if self._state.trigger is None:
                self._tell()
                number = self._next(number)
        if self._state.deadline is not None:
            self._pause_until(self._state.deadline)

    def conclude(self, roll_back: Callable[[], None]) -> WatchResult:
        """The result; with the rollback, if there is to be one."""
        if (reason := self._state.trigger) is not None:
            try:
                self._tell()
                self._observer.rolling_back(reason)
            finally:
                roll_back()
            return self._result(WatchOutcome.ROLLED_BACK, (reason,))
        doubts = self._state.doubts
        outcome = WatchOutcome.INCONCLUSIVE if doubts else WatchOutcome.PASSED
        return self._result(outcome, doubts)

    def _result(self, outcome: WatchOutcome, reasons: tuple[str, ...]) -> WatchResult:
        return WatchResult(outcome, reasons, tuple(self.rounds), self._state.counts)

    def _last(self) -> int:
        more = self._plan.failures if self._state.unsettled else 0
        return self._plan.last_round + more

    def _next(self, number: int) -> int:
        """The next round, or the latest one due: a machine that slept does not catch up."""
        due = math.floor((self._clock.now() - self._begun) / self._plan.interval + 1e-9)
        following = max(number + 1, min(due, self._last()))
        self._state.miss(following - number - 1)
        return following

    def _look_around(self, number: int) -> None:
        begun, time = self._clock.now(), self._wall()
        for source, look in enumerate(self._looks):
            if source not in self._under_way:
                self._under_way[source] = self._crew.submit(look)
        results = self._gather(self._time_of(number + 1))
        answered = tuple(results[source] for source in sorted(results))
        self.rounds.append(WatchRound(number, time, begun - self._begun, answered))

    def _tell(self) -> None:
        """Show the rounds that were not shown yet."""
        while self._told < len(self.rounds):
            self._told += 1
            self._observer.looked(self.rounds[self._told - 1])

    def _gather(self, end: float) -> dict[int, CheckResult]:
        """The results that come before the end, or before the trigger."""
        results: dict[int, CheckResult] = {}
        while self._under_way and self._state.trigger is None:
            left = self._time_left(end)
            if left <= _TICK:
                break
            self._crew.wait(list(self._under_way.values()), left)
            self._take(results)
        if self._state.trigger is None:
            for source in self._under_way:
                self._record(source, self._no_answer(source), results)
        return results

    def _take(self, results: dict[int, CheckResult]) -> None:
        for source in sorted(self._under_way):
            if self._under_way[source].done():
                result = _result_of(self._under_way.pop(source), self._state.name_of(source))
                self._record(source, result, results)

    def _record(self, source: int, result: CheckResult, results: dict[int, CheckResult]) -> None:
        results[source] = result
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
        return self._begun + number * self._plan.interval


def _result_of(look: Future[CheckResult], name: str) -> CheckResult:
    """What a look said; what it raised, as an error."""
    error = look.exception()
    if error is None:
        return look.result()
    words = str(error) if isinstance(error, SfcutoverError) else type(error).__name__
    return CheckResult(name, Verdict.ERROR, words)
