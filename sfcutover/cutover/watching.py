"""After a removal: look on for a while, and put the old addresses back if redemptions fail.

The time to watch counts from the removal, also while nobody looks: begun again late, the
step still looks as often as it takes to see a failure. A rollback that was begun is gone on
with before anything else.
"""

from __future__ import annotations

import time
from dataclasses import replace

from sfcutover.config.traffic import Watch
from sfcutover.config.values import secret_variables
from sfcutover.cutover.documents import RoundDocument
from sfcutover.cutover.lists import restore
from sfcutover.cutover.refusals import UndecidedError
from sfcutover.cutover.step import Evidence, TargetWork
from sfcutover.cutover.watch import WatchOutcome, WatchPlan, WatchRound, failure_of, watch
from sfcutover.runs.processes import ReplacedError
from sfcutover.traffic.canary import Canary
from sfcutover.traffic.checks import Look, check_for
from sfcutover.traffic.oauth import Redemption
from sfcutover.util.clock import Clock

_BEGUN = "watch-begun"
_ROLLING_BACK = "rolling-back"


def watch_target(work: TargetWork) -> Evidence:
    """Watch one target, and restore its old addresses at the trigger.

    Nothing but the end of the time ends it: no request to cancel, and no database that is away.
    Raises UndecidedError for a watch that can't tell, ReplacedError where another process
    watches, and what restoring raises.
    """
    work = work.on_vigil()
    begun = work.journal.last(_ROLLING_BACK, work.step, work.target.name)
    if begun is not None:
        return _restored(work, begun.text("reason"))
    config = work.cutover.watch or Watch()
    plan = WatchPlan.of(config)
    plan = replace(plan, duration=_time_left(work, plan))
    canary = Canary(work.cutover, work.target)
    secrets = secret_variables(work.cutover)
    checks: list[Look] = [check_for(each, secrets) for each in config.checks]
    rollback = _Rollback(work)

    def redeem() -> Redemption:
        rollback.require_mine()
        return canary.redeem("new")

    result = watch(plan, redeem, checks, rollback, rollback, Clock())
    found: Evidence = {
        "outcome": result.outcome.value,
        "reasons": list(result.reasons),
        "rounds": len(result.rounds),
        "counts": {verdict.value: count for verdict, count in result.counts.items()},
    }
    if result.outcome is WatchOutcome.ROLLED_BACK:
        return found | rollback.evidence
    if failure := failure_of(result):
        raise UndecidedError(failure.message, hint=failure.advice, tokens=failure.tokens)
    return found


def _restored(work: TargetWork, reason: str) -> Evidence:
    rollback = _Rollback(work)
    rollback()
    return {"outcome": "rolled-back", "reasons": [reason]} | rollback.evidence


def _time_left(work: TargetWork, plan: WatchPlan) -> float:
    """The rest of it, after a crash; all of it, after a watch that could not tell."""
    first = work.journal.last(_BEGUN, work.step, work.target.name)
    ended = work.journal.last("step-ended", work.step, work.target.name)
    if first is None or (ended is not None and ended.seq > first.seq):
        work.tell(_BEGUN, until=time.time() + plan.duration, interval=plan.interval)
        return plan.duration
    left = first.number("until") - time.time()
    return max(left, plan.failures * plan.interval)


class _Rollback:
    """Tells the journal of the rounds, and puts the old addresses back at once."""

    def __init__(self, work: TargetWork) -> None:
        self._work = work
        self._replaced: ReplacedError | None = None
        self.evidence: Evidence = {}

    def require_mine(self) -> None:
        """Before each redemption: two that redeem one token kill it."""
        try:
            self._work.presence.require_soon()
        except ReplacedError as error:
            self._replaced = error
            raise

    def looked(self, done: WatchRound) -> None:
        if self._replaced is not None:
            raise self._replaced
        self._work.tell("watch-round", round=RoundDocument.of(done).model_dump(mode="json"))

    def rolling_back(self, reason: str) -> None:
        self._work.tell(_ROLLING_BACK, reason=reason)

    def __call__(self) -> None:
        self.evidence = {"restored": restore(self._work)}
