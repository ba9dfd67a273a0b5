"""Which step does what, by name: on the run as a whole, or on one target."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Protocol

from sfcutover.allowlist.phases import Phase
from sfcutover.cutover import lists, proof, watching
from sfcutover.cutover import switch as switching
from sfcutover.cutover.evidence import Evidence as Proof
from sfcutover.cutover.notify import TRIES_A_PAGE, page, pause_after
from sfcutover.cutover.outcome import Outcome, Problem
from sfcutover.cutover.phase import Sendings
from sfcutover.cutover.step import Evidence, TargetWork, Work
from sfcutover.cutover.watchstate import WatchOutcome
from sfcutover.errors import Advice, Command, ExitCode
from sfcutover.traffic.canary import Canary

Arguments = Mapping[str, object]
REMOVE_TRIES = 3
OLD_AGAIN_SECONDS = (1.0, 3.0, 9.0)


def _number(arguments: Arguments, name: str) -> float:
    value = arguments.get(name)
    return float(value) if isinstance(value, int | float) else 0.0


def _proof(arguments: Arguments) -> Proof | None:
    value = arguments.get("proof")
    return None if value is None else Proof.model_validate(value)


def _texts(arguments: Arguments, name: str) -> list[str]:
    value = arguments.get(name)
    return [str(each) for each in value] if isinstance(value, list | tuple) else []


def _commands(arguments: Arguments) -> list[Command]:
    value = arguments.get("commands")
    return [each for each in value if isinstance(each, Command)] if isinstance(value, list) else []


def _settle(work: Work, arguments: Arguments) -> Evidence:
    until = _number(arguments, "until")
    work.tell("settling", until=until)
    work.wait_until(until)
    return {"until": until}


STEPS: dict[str, Callable[[Work, Arguments], Evidence]] = {
    "probe": lambda work, _: proof.prove_egress(work),
    "switch": lambda work, _: switching.switch(work, "apply"),
    "switch-back": lambda work, _: switching.switch(work, "revert"),
    "prove-old": lambda work, _: proof.redeem_with(work, Canary(work.cutover), "old"),
    "settle": _settle,
    "page": lambda work, given: page(work, str(given["message"]), _commands(given)),
}

TARGET_STEPS: dict[str, Callable[[TargetWork, Arguments], Evidence]] = {
    "snapshot": lambda work, _: lists.snapshot(work),
    "add-new": lambda work, _: lists.bring(work, Phase.ADD_NEW),
    "verify-new": lambda work, given: proof.verify(work, "new", _number(given, "patience")),
    "verify": lambda work, _: proof.verify(work, "new", 0.0),
    "remove-old": lambda work, given: lists.remove(work, Phase.REMOVE_OLD, _proof(given)),
    "watch": lambda work, _: watching.watch_target(work),
    "restore-old": lambda work, _: lists.restore(work),
    "check-new": lambda work, _: proof.verify(work, "new", 0.0),
    "prove-old": lambda work, _: proof.redeem_with(work, Canary(work.cutover, work.target), "old"),
    "remove-new": lambda work, given: lists.remove(
        work, Phase.REMOVE_NEW, None, given.get("baseline")
    ),
    "state": lambda work, _: lists.state(work),
    "page": lambda work, given: page(work, str(given["message"]), _commands(given)),
}


class Perform(Protocol):
    """Does a step on the target by its name; more: arguments besides the action's."""

    def __call__(self, step: str, **more: object) -> Outcome: ...


Sleep = Callable[[float], None]


def retire(work: TargetWork, perform: Perform, sleep: Sleep) -> Outcome:
    """Take the old addresses off one list and watch; back at once where it fails.

    Begun again after a crash, it goes on with a way back that was begun, and watches no second
    time. sleep: waits, in seconds.
    """
    if (begun := _going_back(work)) is not None:
        return _gone_back(begun, work, perform, sleep)
    if (watched := _watched(work)) is not None:
        return watched
    removed = _tried("remove-old", perform)
    if removed.problem is not None:
        if not (_sent(work) or removed.problem.kind in ("failed", "blocked")):
            return removed
        return _gone_back(removed.problem, work, perform, sleep)
    if removed.evidence.get("canceled") and not _sent(work):
        return removed
    watched = perform("watch")
    if (reason := _rollback_reason(work, watched)) is not None:
        return _gone_back(_rolled_back(reason), work, perform, sleep)
    if watched.problem is not None and watched.problem.kind in ("failed", "blocked"):
        return _gone_back(watched.problem, work, perform, sleep)
    return watched


def _going_back(work: TargetWork) -> Problem | None:
    """Why this target's way back was begun, if it was: it is gone to its end, whatever comes."""
    begun = work.journal.last("rolling-back", target=work.target.name)
    if begun is None:
        return None
    problem = begun.data.get("problem")
    if isinstance(problem, dict):
        return Problem.model_validate(problem)
    return _rolled_back(begun.text("reason"))


def _watched(work: TargetWork) -> Outcome | None:
    """How the watch of the newest removal has ended, if it has and all was well."""
    ended = work.journal.last("step-ended", "watch", work.target.name)
    removal = work.journal.last("step-started", "remove-old", work.target.name)
    if ended is None or removal is None or ended.seq < removal.seq:
        return None
    outcome = Outcome.model_validate(
        {name: ended.data.get(name) for name in ("evidence", "problem")}
    )
    passed = outcome.evidence.get("outcome") == WatchOutcome.PASSED.value
    return outcome if outcome.ok and passed else None


def _tried(step: str, perform: Perform) -> Outcome:
    """A step, again where nobody can say what came of it: it reads the org first."""
    for _ in range(REMOVE_TRIES):
        outcome = perform(step)
        if outcome.problem is None or outcome.problem.kind not in ("inconclusive", "later"):
            break
    return outcome


def _gone_back(problem: Problem, work: TargetWork, perform: Perform, sleep: Sleep) -> Outcome:
    """The old addresses back on this list, tried until it succeeds: adding is always safe.

    unsure: marks the outcome as one that must go back, whatever its problem's kind.
    """
    if _going_back(work) is None:
        removing = replace(work, step="remove-old")
        removing.tell("rolling-back", reason=problem.text, problem=problem.model_dump(mode="json"))
    tries = 0
    while (failed := (restored := perform("restore-old")).problem) is not None:
        if tries % TRIES_A_PAGE == 0:
            perform(
                "page",
                message=f"the old addresses are not back on the list of {work.target.name}: "
                f"{failed.text}; customers may be locked out",
                commands=[Command("rollback", "--yes"), Command("switch", "--revert")],
            )
        sleep(pause_after(tries))
        tries += 1
    found: Evidence = {"restored": restored.evidence, "unsure": True}
    return Outcome(evidence=found | _proven_old(perform, sleep), problem=problem)


def _proven_old(perform: Perform, sleep: Sleep) -> Evidence:
    """A redemption through the old addresses; the list may take a while to reach every server."""
    for seconds in OLD_AGAIN_SECONDS:
        if (proof := perform("prove-old")).ok:
            break
        sleep(seconds)
    return {"old": proof.evidence}


def _sent(work: TargetWork) -> bool:
    """True if a removal was sent, or may have been."""
    past = Sendings(work.journal, work.target.name, Phase.REMOVE_OLD)
    return bool(past.sent) or past.is_open


def _rollback_reason(work: TargetWork, watched: Outcome) -> str | None:
    """Why the watch has rolled back, or has begun to. Its own word counts, and the journal's,
    which may lack it if the database was away."""
    if watched.evidence.get("outcome") == WatchOutcome.ROLLED_BACK.value:
        return "; ".join(_texts(watched.evidence, "reasons"))
    begun = work.journal.last("rolling-back", "watch", work.target.name)
    return None if begun is None else begun.text("reason")


def _rolled_back(reason: str) -> Problem:
    return Problem(
        kind="failed",
        message=f"the watch rolled back: {reason}",
        where=None,
        tokens="the old addresses are on the list again; logins refused meanwhile may have to be "
        "made again",
        next=Advice(
            "find out what failed; ",
            Command("verify", "--via", "new"),
            " shows whether each new address redeems",
        ),
        exit_code=int(ExitCode.GATE),
    )
