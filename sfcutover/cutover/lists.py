"""The steps that read and change a target's list: snapshot, add, restore, remove, state."""

from __future__ import annotations

from sfcutover.allowlist.documents import PhaseDocument
from sfcutover.allowlist.phases import Phase, check_order
from sfcutover.allowlist.plan import live_phase, plan_all_phases, plan_phase
from sfcutover.allowlist.ranges import Allowlist, IpRange
from sfcutover.allowlist.snapshot import Snapshot
from sfcutover.cutover.evidence import Evidence as Proof
from sfcutover.cutover.phase import PhaseDeployment, Sendings
from sfcutover.cutover.refusals import Clearance
from sfcutover.cutover.step import BEFORE_LEAVING, Evidence, TargetWork
from sfcutover.cutover.verification import TargetVerification, via_of
from sfcutover.errors import Advice, Command, GateError, SfcutoverError
from sfcutover.salesforce.connection import Connection
from sfcutover.salesforce.documents import AllowlistDocument

_PROOFS = 3  # so often a proof is made anew for a list that has changed since


def snapshot(work: TargetWork) -> Evidence:
    """The baseline, every phase's diff and capacity, and that the order can be kept.

    Raises LimitError for an overlap that doesn't fit, DriftError for the wrong list.
    """
    with work.connection() as connection:
        live = connection.read()
        for component in live.carriers:
            check_order(Phase.ADD_NEW, component.allowlist, work.cutover.change)
        phases = plan_all_phases(live, work.cutover, work.templates)
        return {
            "instance_url": connection.org.instance_url,
            "live": _lists(live),
            "state": live_phase(live, work.cutover.change),
            "phases": {
                phase.value: PhaseDocument.of(planned).model_dump(mode="json")
                for phase, planned in phases.items()
                if phase in (Phase.ADD_NEW, Phase.REMOVE_OLD)
            },
            "notes": list(work.cutover.notes),
        }


def bring(work: TargetWork, phase: Phase) -> Evidence:
    """Deploy a phase that only adds, and read it back."""
    with work.connection() as connection:
        deployment = PhaseDeployment(work, connection, phase)
        deployment.find_earlier()
        return deployment.bring(connection.read())


def restore(work: TargetWork) -> Evidence:
    """Put the old addresses back, behind a removal that may still land: an org takes deployments
    in order. What an earlier try has sent is looked for, but keeps this one from nothing, nor
    does a database that is away."""
    work = work.on_vigil()
    with BEFORE_LEAVING:
        return _restored(work)


def _restored(work: TargetWork) -> Evidence:
    removal = Sendings(work.journal, work.target.name, Phase.REMOVE_OLD)
    with work.connection() as connection:
        deployment = PhaseDeployment(work, connection, Phase.RESTORE_OLD)
        try:
            deployment.find_earlier()
        except SfcutoverError as error:
            work.note(f"{error}; the old addresses are put back all the same")
        return deployment.bring(connection.read(), even_if_unchanged=removal.may_still_land)


def remove(
    work: TargetWork, phase: Phase, proof: Proof | None, baseline: object = None
) -> Evidence:
    """Deploy a phase that removes, cleared by the proof, or by a new one if that is stale.

    baseline: the lists before the run, as snapshot's evidence has them; what was on them stays.
    Raises GateError where the proof can't be had, StillInUseError for addresses in use, DriftError
    for a removal that this run has sent already and that is not on the list,
    CanceledError if the run is to be canceled: nothing is removed then.
    """
    with work.connection() as connection:
        deployment = PhaseDeployment(work, connection, phase)
        deployment.find_earlier()
        live = connection.read()
        deployment.baseline = _baseline(live, baseline)
        if not deployment.sendings.sent:  # what was sent is seen through to its end
            work.require_wanted()
        planned = plan_phase(phase, live, work.cutover, work.templates, deployment.baseline)
        if not planned.changed:
            return deployment.bring(live)  # done, before a crash or by somebody else
        deployment.require_first()
        clearance = _clear(work, connection, live, phase, proof)
        work.require_wanted()
        found = deployment.bring(connection.read(), clearance)
        return found | {"clearance": clearance.reason}


def state(work: TargetWork) -> Evidence:
    """Which phase the live list is in, in words."""
    with work.connection() as connection:
        live = connection.read()
        change = work.cutover.change
        holds = all(each.allowlist.covers(change.old) for each in live.carriers)
        return {"state": live_phase(live, change), "holds_old": holds, "live": _lists(live)}


def _clear(
    work: TargetWork, connection: Connection, live: Snapshot, phase: Phase, proof: Proof | None
) -> Clearance:
    verification = TargetVerification(
        connection,
        on_redeemed=lambda count: _redeemed(work, count),
        countdown=lambda left: None,
        clock=work.clock,
        look=work.probes.of,
    )
    problem: SfcutoverError | None = None
    for _ in range(_PROOFS):
        if proof is None:
            proof = verification.verify(via_of(phase), live)
            work.tell("proven", evidence=proof.model_dump(mode="json"))
        try:
            return verification.clear(phase, proof, live)
        except GateError as error:
            work.note(f"{error.message}; proving it once more")
            problem, proof, live = error, None, connection.read()
    raise problem or GateError(
        "nothing was proven", hint=Advice("verify again: ", Command("verify"))
    )


def _redeemed(work: TargetWork, count: int) -> None:
    """One redemption; the next one is for whoever has not been replaced meanwhile."""
    work.tell("redeemed", count=count)
    work.require_to_act()


def _baseline(live: Snapshot, recorded: object) -> Snapshot | None:
    """The components with the ranges that were on them before the run."""
    if not isinstance(recorded, list):
        return None
    lists = {
        each.path: Allowlist(tuple(IpRange.parse(e.range, e.description) for e in each.ranges))
        for each in map(AllowlistDocument.model_validate, recorded)
    }
    return Snapshot(
        tuple(each.with_allowlist(lists.get(each.path, each.allowlist)) for each in live.carriers)
    )


def _lists(live: Snapshot) -> list[dict[str, object]]:
    return [each.model_dump(mode="json") for each in AllowlistDocument.all_of(live)]
