"""The watch step: redemptions and checks after a removal. Its caller restores.

The time to watch counts from the removal, also while no process watches: started again late,
the step still takes as many rounds as it needs to see a failure.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

from sfcutover.config.checks import Watch
from sfcutover.config.cutover import Cutover, Target
from sfcutover.config.verify import APPLICATION
from sfcutover.cutover.context import StepContext
from sfcutover.cutover.orgtime import seconds_under_way
from sfcutover.cutover.redemptionerrors import tell_block
from sfcutover.cutover.resources import SHUTDOWN_GUARD
from sfcutover.cutover.stepresult import StepEvidence
from sfcutover.cutover.switch import switched_at
from sfcutover.cutover.watchrounds import watch as watch_rounds
from sfcutover.cutover.watchtrigger import (
    CANARY,
    REDEMPTION,
    RoundDocument,
    WatchOutcome,
    WatchPlan,
    WatchRound,
)
from sfcutover.errors import LockLostError
from sfcutover.traffic.checks import checker_for
from sfcutover.traffic.redeemers import Redeemer, nothing_redeems, redeemers_for
from sfcutover.traffic.redemption import Redemption, RedemptionOutcome
from sfcutover.util.clock import Clock
from sfcutover.util.serverclock import ServerTime

STARTED = "watch-started"


class WatchEvidence(StepEvidence):
    """What a watch saw. rounds: how many there were. counts: results of all sources by verdict."""

    outcome: WatchOutcome
    reasons: list[str]
    rounds: int
    counts: dict[str, int]

    @property
    def is_failed(self) -> bool:
        """True if the old addresses must be restored."""
        return self.outcome is WatchOutcome.ROLLED_BACK


def watch(context: StepContext, targets: Sequence[Target]) -> WatchEvidence:
    """Watch these targets until the time is over or something fails.

    Only that ends it: no request to cancel, and no database that is away. Raises LockLostError
    where another process watches.
    """
    config = context.cutover.watch or Watch()
    plan = WatchPlan.of(config)
    plan = replace(plan, duration=_time_left(context, plan, targets[0]))
    recorder, at = _Recorder(context), partial(switched_at, context)
    result = watch_rounds(
        plan,
        {
            name: recorder.guarded(each)
            for name, each in redeemers_of(context.cutover, targets).items()
        },
        [checker_for(each, at) for each in context.cutover.checks if "watch" in each.during],
        recorder,
        Clock(),
    )
    return WatchEvidence(
        outcome=result.outcome,
        reasons=list(result.reasons),
        rounds=len(result.rounds),
        counts={verdict.value: count for verdict, count in result.counts.items()},
    )


def redeemers_of(cutover: Cutover, targets: Sequence[Target]) -> dict[str, Redeemer]:
    """What proves the lists of these targets, as the watch calls it. Raises ConfigError where
    nothing does."""
    found = redeemers_for(cutover, targets, "new")
    if not found:
        raise nothing_redeems(cutover, "new")
    names = [each.name for each in found if each.name != APPLICATION]
    titles = {name: CANARY if len(names) == 1 else f"{CANARY} ({name})" for name in names}
    return {titles.get(each.name, f"{REDEMPTION} {APPLICATION}"): each for each in found}


def _time_left(context: StepContext, plan: WatchPlan, target: Target) -> float:
    """The rest of it, after a crash; all of it, after a watch that could not tell, and where it is
    unknown how long another process has watched. until: for display, by this machine's clock."""
    passed = seconds_under_way(
        context,
        STARTED,
        _time_of(context, target),
        until=time.time() + plan.duration,
        interval=plan.interval,
    )
    return max(plan.duration - passed, plan.failures * plan.interval) if passed else plan.duration


def _time_of(context: StepContext, target: Target) -> ServerTime | None:
    """The time of a target's org, as it was heard last: a watch waits for no org."""
    with context.connections.of(target) as connection:
        return connection.org.clock.now() if connection.org.clock.is_known else None


class _Recorder:
    """Tells the memory of the rounds, and ends a watch that another process continues."""

    def __init__(self, context: StepContext) -> None:
        self._context = context
        self._lost: LockLostError | None = None
        self._blocks: list[Redemption] = []  # that were not told yet: a restore may be due

    def guarded(self, redeemer: Redeemer) -> Callable[[], Redemption]:
        """A redemption that needs the lock: two processes that redeem one token void it."""

        def redeem() -> Redemption:
            try:
                self._context.control.require_lock_soon()
            except LockLostError as error:
                self._lost = error
                raise
            redemption = redeemer.redeem("new")
            if redemption.outcome is RedemptionOutcome.BLOCKED:
                self._blocks.append(redemption)
            return redemption

        return redeem

    def completed(self, done: WatchRound) -> None:
        SHUTDOWN_GUARD.require_open()
        if self._lost is not None:
            raise self._lost
        while self._blocks:
            tell_block(self._context, self._blocks.pop(0))
        document = RoundDocument.of(done)
        self._context.tell("watch-round", round=document.model_dump(mode="json"))

    def rolling_back(self, reason: str) -> None:
        SHUTDOWN_GUARD.require_open()
        SHUTDOWN_GUARD.expect(self._context.target_name or "")
        self._context.tell("rolling-back", reason=reason)
