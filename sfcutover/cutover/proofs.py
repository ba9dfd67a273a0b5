"""The proofs of a run between its steps: whether they are still valid, and have settled."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor

from sfcutover.allowlist.phases import Phase
from sfcutover.cutover.context import StepContext, TargetContext
from sfcutover.cutover.evidence import Evidence, check_evidence
from sfcutover.cutover.monitor import require_checks
from sfcutover.cutover.resending import await_idle
from sfcutover.cutover.stepresult import StepEvidence
from sfcutover.cutover.targetverification import TargetVerification
from sfcutover.errors import GateError, SfcutoverError
from sfcutover.salesforce.connection import Connection
from sfcutover.traffic.canary import verify_settings

_AT_ONCE = 10  # targets that are read
_CHECK_INTERVAL = 2.0  # seconds between two checks whether a check has failed


class VoidProofs(StepEvidence):
    """The proofs that no longer count, by target, and why; the step was not executed if any."""

    void: dict[str, str]


class SettleEvidence(StepEvidence):
    """The proofs have settled. until: seconds since 1970, by the clock of this machine.

    doubts: by target, why nothing can say that the old addresses are quiet; a target without one
    is not in doubt, or could not be asked.
    """

    until: float
    doubts: dict[str, str]


def find_void(context: StepContext, proofs: Mapping[str, Evidence]) -> VoidProofs:
    """Compare the proofs of the new addresses with the lists as they are now, once no org has a
    deployment to complete: one that was made from an older list removes the new addresses.

    Raises what reading a list raises, and StillBusyError.
    """
    targets = list(_targets(context, proofs))
    with ThreadPoolExecutor(_AT_ONCE, "proofs") as pool:
        reasons = pool.map(lambda each: _why_void(each, proofs[each.target.name]), targets)
        found = {each.target.name: why for each, why in zip(targets, reasons, strict=True) if why}
    for name, why in found.items():
        context.note(f"{name}: {why}; the new addresses are added and proven again")
    return VoidProofs(void=found)


def settle(context: StepContext, proofs: Mapping[str, Evidence]) -> SettleEvidence:
    """Wait until each proof has settled by its org's clock, and for rows that are late."""
    targets = list(_targets(context, proofs))
    left = max(_seconds_left(each, proofs[each.target.name]) for each in targets)
    until = time.time() + left
    context.tell("settling", until=until)
    _pause_while_checks_hold(context, left)
    doubts = {each.target.name: _doubt(each, proofs[each.target.name]) for each in targets}
    return SettleEvidence(until=until, doubts={name: why for name, why in doubts.items() if why})


def _pause_while_checks_hold(context: StepContext, seconds: float) -> None:
    """Raises GateError as soon as a check has failed."""
    end = context.clock.now() + seconds
    while (left := end - context.clock.now()) > 0:
        require_checks(context)
        context.clock.pause(min(left, _CHECK_INTERVAL))


def _targets(context: StepContext, proofs: Mapping[str, Evidence]) -> Iterator[TargetContext]:
    return (context.at(each) for each in context.cutover.targets if each.name in proofs)


def _why_void(context: TargetContext, proof: Evidence) -> str | None:
    with context.connection() as connection:
        await_idle(connection, context.clock, context.note)
        gate = _verification(context, connection).gate(Phase.REMOVE_OLD)
        try:
            check_evidence(proof, gate.wanted, connection.read(), connection.org.now())
        except GateError as error:
            return error.message
    return None


def _seconds_left(context: TargetContext, proof: Evidence) -> float:
    """All of settle where the org can't be asked for its time."""
    try:
        with context.connection() as connection:
            gate = _verification(context, connection).gate(Phase.REMOVE_OLD)
            return gate.seconds_to_settle(proof)
    except SfcutoverError:
        return verify_settings(context.cutover).settle


def _doubt(context: TargetContext, proof: Evidence) -> str | None:
    """None also for an org that can't be asked: it is, before its list is changed."""
    try:
        with context.connection() as connection:
            return _verification(context, connection).gate(Phase.REMOVE_OLD).doubt(proof)
    except SfcutoverError as error:
        context.note(str(error))
        return None


def _verification(context: TargetContext, connection: Connection) -> TargetVerification:
    return TargetVerification(connection, clock=context.clock)
