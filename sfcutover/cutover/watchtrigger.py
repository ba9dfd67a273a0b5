"""What a watch has seen so far, and whether that is enough to roll back. Pure.

Each source (every canary, every check) is counted by itself, and failed, inconclusive and
error apart, as Flagger and Argo Rollouts do: only failures roll back. A result that was
inconclusive or an error neither adds to the failures in a row nor ends them.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Literal

from sfcutover.errors import Advice, Command, GateError
from sfcutover.traffic.checks import CheckResult, Verdict
from sfcutover.traffic.redemption import BlockRule, Redemption, RedemptionOutcome
from sfcutover.util.document import Document, UtcTime

if TYPE_CHECKING:
    from sfcutover.config.checks import Watch


CANARY = "canary redemption"
REDEMPTION = "redemption of"  # what is not a canary's
CONFIRM_SECONDS = 1.0  # between two redemptions of a canary that was blocked
GRACE_SECONDS = 2.0  # for the redemption that could still lift a block
_GRACE_SHARE = 0.2  # of the interval, if that is less

_VERDICTS = {
    RedemptionOutcome.REDEEMED: Verdict.PASSED,
    RedemptionOutcome.BLOCKED: Verdict.FAILED,
    RedemptionOutcome.RATE_LIMITED: Verdict.INCONCLUSIVE,
    RedemptionOutcome.BUSY: Verdict.INCONCLUSIVE,
    RedemptionOutcome.INCONCLUSIVE: Verdict.INCONCLUSIVE,
    RedemptionOutcome.UNKNOWN: Verdict.INCONCLUSIVE,
}


def is_redemption(name: str) -> bool:
    """True if a source of results is a redemption of this program, not a check."""
    return name.startswith((CANARY, REDEMPTION))


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
    def confirm_interval(self) -> float:
        """Seconds between two redemptions of a canary whose block stands."""
        return min(self.interval, CONFIRM_SECONDS)

    @property
    def time_to_roll_back(self) -> float:
        """Seconds from the first blocked redemption to the rollback, at most."""
        grace = min(GRACE_SECONDS, self.interval * _GRACE_SHARE)
        return self.failures * self.confirm_interval + grace


@dataclass
class SourceCounts:
    """The results of one source. failing: failures that no success has lifted yet."""

    name: str
    counts: dict[Verdict, int] = field(default_factory=lambda: dict.fromkeys(Verdict, 0))
    failing: int = 0
    passed_in_row: int = 0
    blind_in_row: dict[Verdict, int] = field(default_factory=dict)
    blind: str | None = None  # why it can't be said to have passed

    def add(self, verdict: Verdict, plan: WatchPlan, passes_to_lift: int) -> None:
        """Count one result."""
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
    """The canaries are the first sources, the checks follow in their order.

    A blocked redemption stands until ``failures`` redemptions of that canary in a row have
    succeeded after it: behind a pair of addresses of which one is refused, every other one does.
    """

    def __init__(self, plan: WatchPlan, canaries: Sequence[str] = (CANARY,), checks: int = 0):
        self.plan = plan
        names = [*canaries, *(f"check {each + 1}" for each in range(checks))]
        self.sources = [SourceCounts(name) for name in names]
        self._canaries = len(canaries)
        self._trigger: str | None = None
        self._blocked_since: dict[int, float] = {}  # by source, seconds of the watch's clock

    @property
    def trigger(self) -> str | None:
        """Why the old addresses must be restored; None while they need not be."""
        return self._trigger

    @property
    def deadline(self) -> float | None:
        """When (seconds of the watch's clock) a standing block rolls back by itself."""
        if not self._blocked_since:
            return None
        return min(self._blocked_since.values()) + self.plan.time_to_roll_back

    @property
    def blocked(self) -> tuple[int, ...]:
        """The canaries whose block stands: each is confirmed, or lifted, as soon as possible."""
        return tuple(self._blocked_since)

    @property
    def unsettled(self) -> bool:
        """True while a failure stands that neither a success nor a rollback has ended."""
        return any(source.failing for source in self.sources)

    @property
    def counts(self) -> dict[Verdict, int]:
        """Results of all sources by verdict."""
        return {each: sum(source.counts[each] for source in self.sources) for each in Verdict}

    @property
    def inconclusive_reasons(self) -> tuple[str, ...]:
        """Why the watch can't be said to have passed, one sentence for each reason."""
        found = [each.blind for each in self.sources if each.blind]
        found += [f"{each.name}: never passed" for each in self.sources if not _has_passed(each)]
        found += [f"{each.name}: failed at the end" for each in self.sources if each.failing]
        return tuple(found)

    def name_of(self, source: int) -> str:
        return self.sources[source].name

    def record(self, source: int, result: CheckResult, now: float) -> None:
        """Take one result into account. now: seconds of the watch's clock."""
        counts, is_canary = self.sources[source], source < self._canaries
        if not is_canary:
            counts.name = result.name
        counts.add(result.verdict, self.plan, self.plan.failures if is_canary else 1)
        if is_canary:
            self._mind_the_block(source, now)
        if counts.failing >= self.plan.failures:
            times = "" if self.plan.failures == 1 else f", {counts.failing} times"
            self._pull(f"{counts.name} failed{times}: {result.detail}")
        elif counts.blind and self.plan.roll_back_when_blind:
            self._pull(counts.blind)

    def miss(self, rounds: int) -> None:
        """Rounds without a redemption, as the machine slept: the canaries can't tell."""
        for _ in range(rounds):
            for canary in self.sources[: self._canaries]:
                canary.add(Verdict.INCONCLUSIVE, self.plan, self.plan.failures)

    def pass_time(self, now: float) -> None:
        """Roll back if a block has stood until its deadline."""
        if self.deadline is not None and now >= self.deadline:
            first = min(self._blocked_since, key=lambda each: self._blocked_since[each])
            name = self.sources[first].name
            self._pull(
                f"{name} was blocked, and no {self.plan.failures} redemptions in a row "
                "have succeeded since"
            )

    def _mind_the_block(self, canary: int, now: float) -> None:
        if not self.sources[canary].failing:
            self._blocked_since.pop(canary, None)
        else:
            self._blocked_since.setdefault(canary, now)

    def _pull(self, reason: str) -> None:
        self._trigger = self._trigger or reason


def canary_result(name: str, redemption: Redemption) -> CheckResult:
    """What a canary's redemption says about the allowlist. Only a block is a failure."""
    verdict = _VERDICTS.get(redemption.outcome, Verdict.ERROR)
    words = (redemption.error, redemption.description)
    detail = ": ".join([redemption.outcome, *(each for each in words if each)])
    detail += f"; {redemption.cure}" if redemption.cure else ""
    if redemption.rule not in (None, BlockRule.APP):
        detail += f" ({redemption.rule})"
    return CheckResult(name, verdict, detail)


def _has_passed(source: SourceCounts) -> bool:
    return source.counts[Verdict.PASSED] > 0


class WatchOutcome(enum.StrEnum):
    """How a watch ended."""

    PASSED = "passed"
    ROLLED_BACK = "rolled-back"
    INCONCLUSIVE = "inconclusive"


@dataclass(frozen=True)
class WatchRound:
    """One round. number: its place on the grid, from 0. time: UTC, this machine's clock.

    elapsed: seconds since the watch started, by the monotonic clock. results: what had
    been answered, the canaries first; one that was blocked has several.
    """

    number: int
    time: datetime
    elapsed: float
    results: tuple[CheckResult, ...]


@dataclass(frozen=True)
class WatchResult:
    """reasons: of a rollback, or why it is inconclusive. counts: results by verdict."""

    outcome: WatchOutcome
    reasons: tuple[str, ...]
    rounds: tuple[WatchRound, ...]
    counts: dict[Verdict, int]


def watch_failure(outcome: WatchOutcome, given: Sequence[str]) -> GateError | None:
    """What a watch that did not pass ends with; nothing for one that did."""
    reasons = "; ".join(given)
    match outcome:
        case WatchOutcome.PASSED:
            return None
        case WatchOutcome.ROLLED_BACK:
            return GateError(
                f"the watch rolled back: {reasons}",
                hint=Advice(
                    "find what failed; ",
                    Command("verify", "--via", "new"),
                    " shows whether each new address redeems",
                ),
                impact="the old addresses are on the allowlist again; logins that were refused "
                "may have to be repeated",
            )
        case WatchOutcome.INCONCLUSIVE:
            return GateError(
                f"the watch was inconclusive: {reasons}",
                hint=Advice("fix the cause, then watch again: ", *_WATCH_OR_ROLLBACK),
                impact="no block was confirmed; nothing was rolled back",
            )


_WATCH_OR_ROLLBACK = (
    Command("watch"),
    "; ",
    Command("rollback"),
    " restores the old addresses",
)


class CheckResultDocument(Document):
    """One measurement of a round: the canary's redemption, or a check."""

    name: str
    """Name of the canary or check."""
    verdict: Literal["passed", "failed", "inconclusive", "error"]
    """How it ended."""
    detail: str
    """What was found."""

    @classmethod
    def of(cls, result: CheckResult) -> CheckResultDocument:
        return cls(name=result.name, verdict=result.verdict.value, detail=result.detail)


class RoundDocument(Document):
    """One round of a watch."""

    number: int
    """Number of the round, from 1."""
    time: UtcTime
    """When the round started, UTC, ISO 8601."""
    elapsed: float
    """Seconds since the watch started."""
    results: list[CheckResultDocument]
    """The measurements of the round."""

    @classmethod
    def of(cls, done: WatchRound) -> RoundDocument:
        return cls(
            number=done.number,
            time=done.time.isoformat().replace("+00:00", "Z"),
            elapsed=round(done.elapsed, 3),
            results=list(map(CheckResultDocument.of, done.results)),
        )
