"""Which function executes which step of a run, by the step's name."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from sfcutover.allowlist.phases import Phase
from sfcutover.cutover.announcement import (
    Announced,
    AsAnnounced,
    announce,
    outline,
    require_same,
)
from sfcutover.cutover.baseline import (
    SnapshotEvidence,
    StateEvidence,
    read_state,
    take_snapshot,
)
from sfcutover.cutover.context import StepContext, TargetContext
from sfcutover.cutover.control import ControlEvidence, control
from sfcutover.cutover.deploy import DeployOptions, Plan, deploy
from sfcutover.cutover.deployevidence import DeployEvidence
from sfcutover.cutover.evidence import Evidence
from sfcutover.cutover.monitor import ChecksEvidence, require_checks
from sfcutover.cutover.operator import AlertEvidence, alert
from sfcutover.cutover.probe import (
    NoWayBackError,
    ProbeDocument,
    probe_egress,
    probe_way_back,
)
from sfcutover.cutover.proofs import SettleEvidence, VoidProofs, find_void, settle
from sfcutover.cutover.redemptionerrors import UndecidedError
from sfcutover.cutover.remove import RestoredEvidence, remove_and_watch
from sfcutover.cutover.resave import resave
from sfcutover.cutover.rollback import restore, restore_until_done
from sfcutover.cutover.rollbackbaseline import plan_policies_of_add_new, plan_what_was_added
from sfcutover.cutover.stepresult import Canceled, StepEvidence, StepResult
from sfcutover.cutover.steprunner import CHECKS, Execute, StepArguments
from sfcutover.cutover.switch import SwitchEvidence, switch
from sfcutover.cutover.verify import (
    ProofGate,
    RedeemEvidence,
    VerifyEvidence,
    prove_old,
    report_count,
    verify,
)
from sfcutover.cutover.watch import WatchEvidence, watch
from sfcutover.cutover.watchtrigger import watch_failure
from sfcutover.traffic.egress import require_egresses
from sfcutover.traffic.redeemers import all_redeemers

REMOVE_AND_WATCH = "remove-and-watch"
RESTORE = "restore"
ACTIONS = (REMOVE_AND_WATCH, RESTORE)  # made of steps
Sleep = Callable[[float], None]


class ProbeEvidence(ProbeDocument, StepEvidence):
    """What the probe of the new egress saw. no_way_back: why nothing proves that traffic could
    leave by the old egress again; empty if a probe of it does."""

    no_way_back: str = ""


EVIDENCE: dict[str, type[StepEvidence]] = {
    "probe": ProbeEvidence,
    "snapshot": SnapshotEvidence,
    "control": ControlEvidence,
    "add-new": DeployEvidence,
    "resave": DeployEvidence,
    "verify-new": VerifyEvidence,
    "proofs": VoidProofs,
    "switch": SwitchEvidence,
    "verify": VerifyEvidence,
    CHECKS: ChecksEvidence,
    "settle": SettleEvidence,
    "remove-old": DeployEvidence,
    "watch": WatchEvidence,
    "restore-old": DeployEvidence,
    "check-new": VerifyEvidence,
    "switch-back": SwitchEvidence,
    "prove-old": RedeemEvidence,
    "remove-new": DeployEvidence,
    "restore-policies": DeployEvidence,
    "announce": Announced,
    "state": StateEvidence,
    "page": AlertEvidence,
    RESTORE: DeployEvidence,
}


def execute_step(context: StepContext, arguments: StepArguments) -> StepEvidence:
    """A step of the whole run. Raises what the step raises."""
    match context.step:
        case "probe":
            return _probe(context)
        case "switch":
            _require_as_announced(context, arguments)
            return _switch(context, arguments.proofs)
        case "proofs":
            return find_void(context, arguments.proofs)
        case "switch-back":
            return switch(context, "revert")
        case "prove-old":
            return prove_old(context, context.cutover.targets)
        case "checks":
            return require_checks(context)
        case "settle":
            return settle(context, arguments.proofs)
        case "page":
            return alert(context, arguments.message, arguments.commands)
    raise ValueError(context.step)


def execute_on_target(context: TargetContext, arguments: StepArguments) -> StepEvidence:
    """A step on one target. Raises what the step raises."""
    match context.step:
        case "snapshot":
            return take_snapshot(context)
        case "announce":
            return announce(context, Phase(arguments.step))
        case "control":
            return control(context)
        case "add-new":
            return deploy(context, Phase.ADD_NEW, DeployOptions(plan=_plan_of(arguments)))
        case "resave":
            return resave(context)
        case "verify-new" | "verify" | "check-new":
            _require_as_announced(context, arguments)
            return verify(context, "new", arguments.patience)
        case "remove-old":
            gate = ProofGate(arguments.proof, again=_has_waited(context))
            options = DeployOptions(
                gate=gate, plan=_plan_of(arguments), traffic_moved=arguments.traffic_moved
            )
            return deploy(context, Phase.REMOVE_OLD, options)
        case "watch":
            return _watch(context)
        case "restore-old":
            return restore(context, DeployOptions(resends=False))  # restore_until_done does
        case "prove-old":
            return prove_old(context, [context.target])
        case "remove-new":
            options = DeployOptions(
                gate=ProofGate(), plan=plan_what_was_added, traffic_moved=arguments.traffic_moved
            )
            return deploy(context, Phase.REMOVE_NEW, options)
        case "restore-policies":
            plan = plan_policies_of_add_new if arguments.step == "add-new" else None
            return deploy(context, Phase.RESTORE_POLICIES, DeployOptions(plan=plan))
        case "state":
            return read_state(context)
        case "page":
            return alert(context, arguments.message, arguments.commands)
    raise ValueError(context.step)


def execute_action(
    context: TargetContext, action: str, arguments: StepArguments, execute: Execute, sleep: Sleep
) -> StepResult:
    """An action that is made of steps: what must survive a database that is away."""
    if action == REMOVE_AND_WATCH:
        return remove_and_watch(context, arguments, execute, sleep)
    return restore_until_done(context, execute, sleep)


def parse_result(step: str, data: Mapping[str, object]) -> StepResult:
    """A result that was kept as JSON. Raises ValidationError."""
    evidence = data.get("evidence")
    parsed: StepEvidence | None = None
    if isinstance(evidence, dict):
        parsed = _model_of(step, evidence).model_validate(evidence)
    return StepResult.model_validate({"evidence": parsed, "problem": data.get("problem")})


def _model_of(step: str, evidence: Mapping[str, object]) -> type[StepEvidence]:
    if evidence.get("canceled") is True:
        return Canceled
    if "void" in evidence:
        return VoidProofs
    if step == REMOVE_AND_WATCH:
        return RestoredEvidence if "restored" in evidence else WatchEvidence
    return EVIDENCE[step]


def _probe(context: StepContext) -> ProbeEvidence:
    """Traffic leaves from exactly the new addresses, all that redeems could, and whether there is a
    way back through the old egress is on record."""
    require_egresses(context.cutover)
    result = probe_egress(
        context.cutover, "new", lambda tries: report_count(context, "probed", tries)
    )
    result.require_passed()
    for redeemer in all_redeemers(context.cutover, context.cutover.targets):
        redeemer.require_ready()
    evidence = ProbeEvidence.of(context.cutover.name, result)
    try:
        probe_way_back(context.cutover)
    except NoWayBackError as doubt:
        context.note(f"warning: {doubt.message}")
        return evidence.model_copy(update={"no_way_back": doubt.message})
    return evidence


def _watch(context: TargetContext) -> WatchEvidence:
    """Raises UndecidedError for a watch that can't tell."""
    evidence = watch(context, [context.target])
    failure = watch_failure(evidence.outcome, evidence.reasons)
    if failure is not None and not evidence.is_failed:
        raise UndecidedError(failure.message, hint=failure.advice, impact=failure.impact)
    return evidence


def _switch(context: StepContext, proofs: Mapping[str, Evidence]) -> SwitchEvidence | VoidProofs:
    """Traffic moves on no proof from before a list was saved."""
    found = find_void(context, proofs)
    return found if found.void else switch(context, "apply")


def _has_waited(context: TargetContext) -> bool:
    """True if the run was approved since its proof: the canary may be another one by now."""
    proven = context.memory.last("step-ended", "verify", context.target.name)
    approved = context.memory.last("approved")
    return approved is not None and (proven is None or approved.seq > proven.seq)


def _require_as_announced(context: StepContext, arguments: StepArguments) -> None:
    """Traffic moves to the addresses that were announced, and these are proven first.

    Raises AnnouncementChangedError where cutover.yaml now has others, or another command.
    """
    if arguments.announced is not None:
        require_same("switch", arguments.announced, outline("switch", context.cutover))


def _plan_of(arguments: StepArguments) -> Plan | None:
    """Where a phase was approved, exactly as it was announced."""
    announced = arguments.announced
    return None if announced is None else AsAnnounced(announced).plan
