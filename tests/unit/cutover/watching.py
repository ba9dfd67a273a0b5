"""A watch whose time advances only on request: measurements with durations, and a script."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from sfcutover.cutover.watchrounds import watch
from sfcutover.cutover.watchtrigger import CANARY, WatchOutcome, WatchPlan, WatchResult, WatchRound
from sfcutover.traffic.checks import Checker, CheckResult, Verdict
from sfcutover.traffic.redemption import Redemption, RedemptionOutcome
from tests.support import FakeTime

T = TypeVar("T")
NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
LETTERS = {
    "R": RedemptionOutcome.REDEEMED,
    "B": RedemptionOutcome.BLOCKED,
    "U": RedemptionOutcome.UNKNOWN,
}
LETTERS |= {
    "N": RedemptionOutcome.NETWORK_FAILURE,
    "L": RedemptionOutcome.RATE_LIMITED,
    "D": RedemptionOutcome.TOKEN_DEAD,
}
VERDICTS = {"P": Verdict.PASSED, "F": Verdict.FAILED}
VERDICTS |= {"I": Verdict.INCONCLUSIVE, "E": Verdict.ERROR}


class FakePool:
    """Measurements that end at their time; each states its own duration."""

    def __init__(self, time: FakeTime) -> None:
        self._time = time
        self._ends: dict[Future[CheckResult], float] = {}
        self._outcomes: dict[Future[CheckResult], Callable[[], None]] = {}
        self.takes = 0.0
        time.on_pause = self._settle

    def submit(self, checker: Checker) -> Future[CheckResult]:
        future: Future[CheckResult] = Future()
        self.takes = 0.0
        try:
            result = checker()
        except Exception as error:  # noqa: BLE001 - what a thread does, too
            raised = error
            self._outcomes[future] = lambda: future.set_exception(raised)
        else:
            self._outcomes[future] = lambda: future.set_result(result)
        self._ends[future] = self._time.seconds + self.takes
        self._settle()
        return future

    def wait(self, looks: Collection[Future[CheckResult]], seconds: float) -> None:
        assert seconds > 0
        if any(look.done() for look in looks):
            return
        first = min(self._ends[look] for look in looks)
        self._time.pause(min(seconds, max(0.0, first - self._time.seconds)))

    def _settle(self) -> None:
        for future, end in list(self._ends.items()):
            if end <= self._time.seconds + 1e-9 and not future.done():
                self._outcomes[future]()


class Script:
    """Results one after the other, the last one repeated; records when it was called.

    takes: seconds for each result, in the same way.
    """

    def __init__(self, pool: FakePool, time: FakeTime, text: str, takes: Iterable[float]) -> None:
        self._pool, self._time = pool, time
        self._letters, self._takes = _lasting(text), _lasting(takes)
        self.asked: list[float] = []
        self.answered: list[tuple[float, str]] = []

    def next(self) -> str:
        letter, self._pool.takes = next(self._letters), next(self._takes)
        self.asked.append(self._time.seconds)
        self.answered.append((self._time.seconds + self._pool.takes, letter))
        return letter


def _lasting(values: Iterable[T]) -> Iterator[T]:
    first, *others = values
    yield first
    yield from others
    while True:
        yield others[-1] if others else first


@dataclass
class Watching:
    """A watch to be run, and everything that was observed of it."""

    plan: WatchPlan = field(default_factory=lambda: WatchPlan(900, 15, 2))
    time: FakeTime = field(default_factory=FakeTime)
    rounds: list[WatchRound] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)
    rolled_back: list[float] = field(default_factory=list)
    wall_jumps: dict[int, float] = field(default_factory=dict)  # by round, seconds

    def __post_init__(self) -> None:
        self.pool = FakePool(self.time)
        self.canary = self.script("R")
        self.checks: list[Checker] = []
        self.redeem: Callable[[], Redemption] = self._redeem

    def script(self, text: str, takes: Iterable[float] = (0.0,)) -> Script:
        return Script(self.pool, self.time, text, takes)

    def check(self, text: str, takes: Iterable[float] = (0.0,), name: str = "errors") -> Script:
        """Add a check that returns the results of this script."""
        script = self.script(text, takes)
        self.checks.append(lambda: CheckResult(name, VERDICTS[script.next()], "as scripted"))
        return script

    def run(self, text: str = "R", takes: Iterable[float] = (0.0,)) -> WatchResult:
        """Watch with a canary that returns the results of this script."""
        self.canary = self.script(text, takes)
        result = watch(
            self.plan,
            {CANARY: lambda: self.redeem()},
            self.checks,
            self,
            self.time.clock,
            wall=self._wall,
            pool=self.pool,
        )
        if result.outcome is WatchOutcome.ROLLED_BACK:
            self.rolled_back.append(self.time.seconds)
        return result

    def completed(self, done: WatchRound) -> None:
        self.rounds.append(done)

    def rolling_back(self, reason: str) -> None:
        self.reasons.append(reason)

    def _redeem(self) -> Redemption:
        return Redemption(LETTERS[self.canary.next()], NOON)

    def _wall(self) -> datetime:
        jump = sum(by for number, by in self.wall_jumps.items() if number <= len(self.rounds))
        return NOON + timedelta(seconds=self.time.seconds + jump)
