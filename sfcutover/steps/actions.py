"""Which step does what, by name: on the run as a whole, or on one target."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from sfcutover.canary import Canary
from sfcutover.errors import ExitCode
from sfcutover.evidence import Evidence as Proof
from sfcutover.phases import Phase
from sfcutover.steps import lists, proof, switching, watching
from sfcutover.steps.outcome import Outcome, Problem
from sfcutover.steps.paging import page
from sfcutover.steps.work import Evidence, TargetWork, Work

Arguments = Mapping[str, object]
RESTORE_TRIES = 3  # at once; the flow then goes on trying
REMOVE_TRIES = 3


def _number(arguments: Arguments, name: str) -> float:
    value = arguments.get(name)
    return float(value) if isinstance(value, int | float) else 0.0


def _proof(arguments: Arguments) -> Proof | None:
    value = arguments.get("proof")
    return None if value is None else Proof.model_validate(value)


def _texts(arguments: Arguments, name: str) -> list[str]:
    value = arguments.get(name)
    return [str(each) for each in value] if isinstance(value, list | tuple) else []


def _settle(work: Work, arguments: Arguments) -> Evidence:
    until = _number(arguments, "until")
    work.tell("settling", until=until)
    work.wait_until(until)
    return {"until": until}


def _check_new(work: Work, arguments: Arguments) -> Evidence:
    """Do redemptions through the new addresses work for these targets?"""
    for name in _texts(arguments, "targets"):
        target = work.at(name).target
        proof.redeem_with(Canary(work.cutover, target), "new")
    return {"via": "new"}


STEPS: dict[str, Callable[[Work, Arguments], Evidence]] = {
    "probe": lambda work, _: proof.prove_egress(work),
    "switch": lambda work, _: switching.switch(work, "apply"),
    "switch-back": lambda work, _: switching.switch(work, "revert"),
    "prove-old": lambda work, _: proof.redeem_with(Canary(work.cutover), "old"),
    "check-new": _check_new,
    "settle": _settle,
    "page": lambda work, given: page(work, str(given["message"]), _texts(given, "commands")),
}

TARGET_STEPS: dict[str, Callable[[TargetWork, Arguments], Evidence]] = {
    "snapshot": lambda work, _: lists.snapshot(work),
    "add-new": lambda work, _: lists.bring(work, Phase.ADD_NEW),
    "verify-new": lambda work, given: proof.verify(work, "new", _number(given, "patience")),
    "verify": lambda work, _: proof.verify(work, "new", 0.0),
    "remove-old": lambda work, given: lists.remove(work, Phase.REMOVE_OLD, _proof(given)),
    "watch": lambda work, _: watching.watch_target(work),
    "restore-old": lambda work, _: lists.bring(work, Phase.RESTORE_OLD),
    "remove-new": lambda work, _: lists.remove(work, Phase.REMOVE_NEW, None),
    "state": lambda work, _: lists.state(work),
}
Perform = Callable[[str], Outcome]


def retire(work: TargetWork, perform: Perform) -> Outcome:
    """Take the old addresses off one list and watch; back at once where it fails.

    perform: does a target step by its name, durably.
    """
    removed = _tried("remove-old", perform)
    if removed.problem is not None:
        if not (_sent(work) or removed.problem.kind in ("failed", "blocked")):
            return removed
        return Outcome(evidence=_restored(perform) | {"unsure": True}, problem=removed.problem)
    if removed.evidence.get("canceled"):
        return removed
    watched = perform("watch")
    begun = work.journal.last("rolling-back", "watch", work.target.name)
    if begun is not None:
        restored = watched.evidence if watched.ok else _restored(perform)
        return Outcome(evidence=restored, problem=_rolled_back(begun.text("reason")))
    if watched.problem is not None and watched.problem.kind in ("failed", "blocked"):
        return Outcome(evidence=_restored(perform), problem=watched.problem)
    return watched


def _tried(step: str, perform: Perform) -> Outcome:
    """A step, again where nobody can say what came of it: it reads the org first."""
    for _ in range(REMOVE_TRIES):
        outcome = perform(step)
        if outcome.problem is None or outcome.problem.kind not in ("inconclusive", "later"):
            break
    return outcome


def _restored(perform: Perform) -> Evidence:
    for _ in range(RESTORE_TRIES):
        if (restored := perform("restore-old")).ok:
            return {"restored": restored.evidence}
    return {}


def _sent(work: TargetWork) -> bool:
    """True if a removal was sent, or may have been."""
    sendings = work.journal.all("deployment-sending", target=work.target.name)
    return any(each.text("phase") == Phase.REMOVE_OLD for each in sendings)


def _rolled_back(reason: str) -> Problem:
    return Problem(
        kind="failed",
        message=f"the watch rolled back: {reason}",
        where=None,
        tokens="the old addresses are on the list again; logins refused meanwhile may have to be "
        "made again",
        next="find the address that was refused: sfcutover verify --via new",
        exit_code=int(ExitCode.GATE),
    )
