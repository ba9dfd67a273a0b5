"""What came of a watch, round by round, and what it ends with."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sfcutover.errors import GateError, InterruptedRunError
from sfcutover.traffic.checks import CheckResult, Verdict


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
                hint="find out what failed; sfcutover verify --via new shows whether each new "
                "address redeems",
                tokens="the old addresses are on the list again; logins refused meanwhile may "
                "have to be made again",
            )
        case WatchOutcome.INCONCLUSIVE:
            return GateError(
                f"the watch could not tell: {reasons}",
                hint="correct what kept it from looking, then run sfcutover watch again; "
                "sfcutover rollback puts the old addresses back",
                tokens="no redemption was seen to be refused for good; nothing was rolled back",
            )


def interrupted_after(rounds: Sequence[WatchRound]) -> InterruptedRunError:
    return InterruptedRunError(
        f"interrupted: the watch ended after {len(rounds)} rounds",
        hint="run sfcutover watch again; sfcutover rollback puts the old addresses back",
        tokens="the list stays as it was; from now on nobody looks whether redemptions succeed",
    )
