"""What a watch has seen so far, and whether that is enough to roll back. Pure.

Each source (the canary, every check) is counted by itself, and failed, inconclusive and
error apart, as Flagger and Argo Rollouts do: only failures roll back. A look that was
inconclusive or an error neither adds to the failures in a row nor ends them.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from sfcutover.errors import Advice, Command, GateError, InterruptedRunError
from sfcutover.traffic.checks import CheckResult, Verdict
from sfcutover.traffic.oauth import Outcome, Redemption

if TYPE_CHECKING:
    from sfcutover.config.traffic import Watch


CANARY = "canary redemption"
GRACE_SECONDS = 2.0  # for the redemption that could still lift a block
_GRACE_SHARE = 0.2  # of the interval, if that is less

_VERDICTS = {
    Outcome.REDEEMED: Verdict.PASSED,
    Outcome.BLOCKED: Verdict.FAILED,
    Outcome.RATE_LIMITED: Verdict.INCONCLUSIVE,
    Outcome.UNKNOWN: Verdict.INCONCLUSIVE,
}


@dataclass(frozen=True)
class WatchPlan:
    """duration, interval: seconds. failures: in a row, of one source, roll back.

    inconclusive, errors: in a row, of one source, from which on the watch can't pass;
    with roll_back_when_blind they roll back.
    """

    duration: float
    interval: float
    failures: int
    inconclusive: int = 4
    errors: int = 4
    roll_back_when_blind: bool = False

    @classmethod
    def of(cls, config: Watch) -> WatchPlan:
        """The plan that cutover.yaml asks for."""
        return cls(
            config.duration,
            config.interval,
            config.failures,
            config.inconclusive,
            config.errors,
            config.roll_back_when_blind,
        )

    @property
    def last_round(self) -> int:
        """The number of the last round; the first is 0."""
        return int(self.duration / self.interval + 1e-9)

    @property
    def time_to_roll_back(self) -> float:
        """Seconds from the first blocked redemption to the rollback, at most."""
        grace = min(GRACE_SECONDS, self.interval * _GRACE_SHARE)
        return self.failures * self.interval + grace


@dataclass
class Tally:
    """The looks at one source. failing: failures that no success has lifted yet."""

    name: str
    counts: dict[Verdict, int] = field(default_factory=lambda: dict.fromkeys(Verdict, 0))
    failing: int = 0
    passed_in_row: int = 0
    blind_in_row: dict[Verdict, int] = field(default_factory=dict)
    blind: str | None = None  # why nobody can say that it passed

    def add(self, verdict: Verdict, plan: WatchPlan, passes_to_lift: int) -> None:
        """Count one look."""
        self.counts[verdict] += 1
        match verdict:
            case Verdict.PASSED:
                self.passed_in_row += 1
                self.blind_in_row.clear()
                if self.passed_in_row >= passes_to_lift:
                    self.failing = 0
            case Verdict.FAILED:
                self.failing, self.passed_in_row = self.failing + 1, 0
                self.blind_in_row.clear()
            case Verdict.INCONCLUSIVE:
                self._blind(verdict, plan.inconclusive)
            case Verdict.ERROR:
                self._blind(verdict, plan.errors)

    def _blind(self, verdict: Verdict, limit: int) -> None:
        self.blind_in_row[verdict] = self.blind_in_row.get(verdict, 0) + 1
        if self.blind_in_row[verdict] >= limit and self.blind is None:
            self.blind = f"{self.name}: {verdict} {limit} times in a row"


class WatchState:
    """Source 0 is the canary, the others are the checks in their order.

    A blocked redemption stands until ``failures`` redemptions in a row have succeeded
    after it: behind a pair of addresses of which one is refused, every other one does.
    """

    def __init__(self, plan: WatchPlan, checks: int = 0) -> None:
        self.plan = plan
        self.tallies = [Tally(CANARY), *(Tally(f"check {each + 1}") for each in range(checks))]
        self._trigger: str | None = None
        self._blocked_since: float | None = None  # seconds of the watch's clock

    @property
    def trigger(self) -> str | None:
        """Why the old addresses must come back, once they must."""
        return self._trigger

    @property
    def deadline(self) -> float | None:
        """When (seconds of the watch's clock) a standing block rolls back by itself."""
        if self._blocked_since is None:
            return None
        return self._blocked_since + self.plan.time_to_roll_back

    @property
    def unsettled(self) -> bool:
        """True while a failure stands that neither a success nor a rollback has ended."""
        return any(tally.failing for tally in self.tallies)

    @property
    def counts(self) -> dict[Verdict, int]:
        """Looks of all sources by verdict."""
        return {each: sum(tally.counts[each] for tally in self.tallies) for each in Verdict}

    @property
    def doubts(self) -> tuple[str, ...]:
        """Why the watch can't be said to have passed, one sentence for each reason."""
        found = [tally.blind for tally in self.tallies if tally.blind]
        found += [f"{each.name}: never passed" for each in self.tallies if not _has_passed(each)]
        found += [f"{each.name}: failed at the end" for each in self.tallies if each.failing]
        return tuple(found)

    def name_of(self, source: int) -> str:
        return self.tallies[source].name

    def record(self, source: int, result: CheckResult, now: float) -> None:
        """Take one look into account. now: seconds of the watch's clock."""
        tally = self.tallies[source]
        tally.name = result.name
        tally.add(result.verdict, self.plan, self.plan.failures if source == 0 else 1)
        if source == 0:
            self._mind_the_block(tally, now)
        if tally.failing >= self.plan.failures:
            times = "" if self.plan.failures == 1 else f", {tally.failing} times"
            self._pull(f"{tally.name} failed{times}: {result.detail}")
        elif tally.blind and self.plan.roll_back_when_blind:
            self._pull(tally.blind)

    def miss(self, rounds: int) -> None:
        """Rounds in which nobody looked, as the machine slept; the canary can't tell."""
        for _ in range(rounds):
            self.tallies[0].add(Verdict.INCONCLUSIVE, self.plan, self.plan.failures)

    def pass_time(self, now: float) -> None:
        """Roll back if a block has stood until its deadline."""
        if self.deadline is not None and now >= self.deadline:
            self._pull(
                f"{CANARY} was blocked, and no {self.plan.failures} in a row succeeded since"
            )

    def _mind_the_block(self, canary: Tally, now: float) -> None:
        if not canary.failing:
            self._blocked_since = None
        elif self._blocked_since is None:
            self._blocked_since = now

    def _pull(self, reason: str) -> None:
        self._trigger = self._trigger or reason


def canary_result(redemption: Redemption) -> CheckResult:
    """What a redemption says about the allowlist. Only a block is a failure."""
    verdict = _VERDICTS.get(redemption.outcome, Verdict.ERROR)
    words = (redemption.error, redemption.description)
    detail = ": ".join([redemption.outcome, *(each for each in words if each)])
    return CheckResult(CANARY, verdict, detail)


def _has_passed(tally: Tally) -> bool:
    return tally.counts[Verdict.PASSED] > 0


class WatchOutcome(enum.StrEnum):
    """How a watch ended."""

    PASSED = "passed"
    ROLLED_BACK = "rolled-back"
    INCONCLUSIVE = "inconclusive"


@dataclass(frozen=True)
class WatchRound:
    """One round. number: its place on the grid, from 0. time: UTC, this machine's clock.

    elapsed: seconds since the watch began, by a clock nobody sets. results: what had
    been answered, the canary first.
    """

    number: int
    time: datetime
    elapsed: float
    results: tuple[CheckResult, ...]


@dataclass(frozen=True)
class WatchResult:
    """reasons: of a rollback, or of the doubts. counts: looks of all sources by verdict."""

    outcome: WatchOutcome
    reasons: tuple[str, ...]
    rounds: tuple[WatchRound, ...]
    counts: dict[Verdict, int]


def failure_of(result: WatchResult) -> GateError | None:
    """What a watch that did not pass ends with; nothing for one that did."""
    reasons = "; ".join(result.reasons)
    match result.outcome:
        case WatchOutcome.PASSED:
            return None
        case WatchOutcome.ROLLED_BACK:
            return GateError(
                f"the watch rolled back: {reasons}",
                hint=Advice(
                    "find out what failed; ",
                    Command("verify", "--via", "new"),
                    " shows whether each new address redeems",
                ),
                tokens="the old addresses are on the list again; logins refused meanwhile may "
                "have to be made again",
            )
        case WatchOutcome.INCONCLUSIVE:
            return GateError(
                f"the watch could not tell: {reasons}",
                hint=Advice(
                    "correct what kept it from looking, then watch again: ", *_WATCH_OR_ROLLBACK
                ),
                tokens="no redemption was seen to be refused for good; nothing was rolled back",
            )


_WATCH_OR_ROLLBACK = (
    Command("watch"),
    "; ",
    Command("rollback"),
    " restores the old addresses",
)


def interrupted_after(rounds: Sequence[WatchRound]) -> InterruptedRunError:
    return InterruptedRunError(
        f"interrupted: the watch ended after {len(rounds)} rounds",
        hint=Advice("watch again: ", *_WATCH_OR_ROLLBACK),
        tokens="the list stays as it was; from now on nobody looks whether redemptions succeed",
    )
