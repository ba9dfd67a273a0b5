"""Step 5 of a run: remove the old addresses from one list and watch it; restore if that fails.

Started again after a crash, it continues a rollback that was started, and does not watch twice.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from sfcutover.allowlist.phases import Phase
from sfcutover.cutover.context import TargetContext
from sfcutover.cutover.deployevidence import DeployEvidence
from sfcutover.cutover.resources import SHUTDOWN_GUARD
from sfcutover.cutover.rollback import restore_until_done
from sfcutover.cutover.sentdeployments import SentDeployments
from sfcutover.cutover.stepresult import Problem, StepEvidence, StepResult
from sfcutover.cutover.steprunner import Execute, StepArguments
from sfcutover.cutover.verify import RedeemEvidence
from sfcutover.cutover.watch import WatchEvidence
from sfcutover.cutover.watchtrigger import WatchOutcome, watch_failure
from sfcutover.runs.event import Event

REMOVE_TRIES = 3
PROVE_OLD_SECONDS = (1.0, 3.0, 9.0)  # a restored list may take a while to reach every server
Sleep = Callable[[float], None]


class RestoredEvidence(StepEvidence):
    """The old addresses are on the list again. old: a redemption through them, null if none
    succeeded. unsure: the run must not continue, for any kind of problem."""

    restored: DeployEvidence
    old: RedeemEvidence | None
    unsure: bool = True

    @property
    def is_rolled_back(self) -> bool:
        return True


def remove_and_watch(
    context: TargetContext, arguments: StepArguments, execute: Execute, sleep: Sleep
) -> StepResult:
    """The watch's result; or the problem of what failed, with RestoredEvidence.

    execute: executes a step on the target by its name. sleep: waits, in seconds.
    """
    problem = _begun_rollback(context)
    if problem is None:
        if (watched := _passed_watch(context)) is not None:
            return watched
        removed = _removed(execute, arguments)
        if not _is_removed(context, removed):
            return removed
        if (problem := removed.problem) is None:
            watched = execute("watch")
            if (problem := _watch_problem(context, watched)) is None:
                return watched
        _note_rollback(context, problem)
    restored = restore_until_done(context, execute, sleep).evidence
    if not isinstance(restored, DeployEvidence):
        raise TypeError("restore-old ends with what it deployed")
    evidence = RestoredEvidence(restored=restored, old=_prove_old(execute, sleep))
    return StepResult(evidence=evidence, problem=problem)


def _removed(execute: Execute, arguments: StepArguments) -> StepResult:
    """Again where the result is unknown: the step reads the org first."""
    for _ in range(REMOVE_TRIES):
        removed = execute("remove-old", arguments)
        if removed.problem is None or removed.problem.kind not in ("inconclusive", "later"):
            break
    return removed


def _is_removed(context: TargetContext, removed: StepResult) -> bool:
    """False if the list still holds the old addresses for certain, and nothing has failed."""
    if removed.problem is None and not removed.is_canceled:
        return True
    sent = SentDeployments(context.memory, context.target.name, Phase.REMOVE_OLD)
    failed = removed.problem is not None and removed.problem.is_failure
    return sent.may_exist or failed


def _watch_problem(context: TargetContext, watched: StepResult) -> Problem | None:
    """What the watch failed with, if it did. Its own word counts, and the memory's, which may
    lack it if the database was away."""
    if isinstance(watched.evidence, WatchEvidence) and watched.evidence.is_failed:
        return _watch_failed("; ".join(watched.evidence.reasons))
    if (event := context.memory.last("rolling-back", "watch", context.target.name)) is not None:
        return _watch_failed(event.text("reason"))
    is_failure = watched.problem is not None and watched.problem.is_failure
    return watched.problem if is_failure else None


def _note_rollback(context: TargetContext, problem: Problem) -> None:
    SHUTDOWN_GUARD.expect(context.target.name)
    if _rollback_event(context) is None:
        removal = replace(context, step="remove-old")
        removal.tell("rolling-back", reason=problem.text, problem=problem.model_dump(mode="json"))


def _begun_rollback(context: TargetContext) -> Problem | None:
    """Why this target's rollback was started, if it was: it is always completed."""
    event = _rollback_event(context)
    if event is None:
        return None
    problem = event.data.get("problem")
    if isinstance(problem, dict):
        return Problem.model_validate(problem)
    return _watch_failed(event.text("reason"))


def _rollback_event(context: TargetContext) -> Event | None:
    return context.memory.last("rolling-back", target=context.target.name)


def _passed_watch(context: TargetContext) -> StepResult | None:
    """The result of the newest removal's watch, if it has passed."""
    ended = context.memory.last("step-ended", "watch", context.target.name)
    removal = context.memory.last("step-started", "remove-old", context.target.name)
    if ended is None or removal is None or ended.seq < removal.seq or ended.data.get("problem"):
        return None
    evidence = WatchEvidence.model_validate(ended.data.get("evidence"))
    return StepResult(evidence=evidence) if evidence.outcome is WatchOutcome.PASSED else None


def _prove_old(execute: Execute, sleep: Sleep) -> RedeemEvidence | None:
    """A redemption through the old addresses. Where a second one is refused, too, the org may
    honour what was added again only after another save: see resave."""
    for number, seconds in enumerate(PROVE_OLD_SECONDS):
        proof = execute("prove-old")
        if isinstance(proof.evidence, RedeemEvidence):
            return proof.evidence
        if number == 1 and proof.problem is not None and proof.problem.is_failure:
            execute("resave")
        sleep(seconds)
    return None


def _watch_failed(reason: str) -> Problem:
    failure = watch_failure(WatchOutcome.ROLLED_BACK, [reason])
    if failure is None:
        raise TypeError("a watch that rolls back is a failure")
    return Problem.of(failure)
