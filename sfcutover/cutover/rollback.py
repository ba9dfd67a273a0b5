"""Rolling back: the one place that restores old addresses, and how a run undoes its steps.

Adding is always safe: it needs no permit, waits for no database, and is tried until it
succeeds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from sfcutover.allowlist.phases import Phase
from sfcutover.config.cutover import Cutover
from sfcutover.cutover.context import TargetContext
from sfcutover.cutover.deploy import DeployOptions, PhaseDeployment, Unattended
from sfcutover.cutover.deployevidence import DeployEvidence
from sfcutover.cutover.resources import SHUTDOWN_GUARD
from sfcutover.cutover.sentdeployments import SentDeployments
from sfcutover.cutover.stepresult import ProblemKind, StepResult
from sfcutover.cutover.steprunner import (
    NEW_PROCESS,
    NO_ARGUMENTS,
    RETRY_SECONDS,
    Execute,
    Flow,
    Question,
    RunResult,
    StepArguments,
    StepFailedError,
    StepResults,
)
from sfcutover.cutover.verify import RedeemEvidence
from sfcutover.errors import Advice, Command, ExitCode, SfcutoverError, Text
from sfcutover.salesforce.connection import Connection
from sfcutover.salesforce.deployer import UnknownDeploymentError
from sfcutover.salesforce.results import DeployState

RECORDED_REMOVALS = 3  # so many of the newest are asked about
TRIES_PER_ALERT = 10  # of restoring; then the operator is alerted again
LARGEST_PAUSE_SECONDS = 60.0  # between two tries
_NEVER_MOVED = "this run has moved no traffic to them"
_RESTORE = Command("rollback", "--yes")
_REVERT = Command("switch", "--revert")
_TO_BASELINE = Command("rollback", "--to", "baseline")


def restore(context: TargetContext, options: DeployOptions | None = None) -> DeployEvidence:
    """Deploy restore-old, behind a removal that may still land: an org takes deployments in order.

    A removal of this cutover that is pending is canceled first. The list is read back once both
    have ended. What an earlier try has sent is looked for, but does not keep this one from being
    sent, nor does a database that is away. Raises what deploying raises.
    """
    context = context.buffered()
    with SHUTDOWN_GUARD, context.connection(any_component=True) as connection:
        deployment = PhaseDeployment(
            context, connection, Phase.RESTORE_OLD, options or DeployOptions()
        )
        try:
            deployment.find_earlier()
        except SfcutoverError as error:
            context.note(f"{error}; the old addresses are restored anyway")
        canceled = () if deployment.options.check_only else _cancel_removals(deployment)
        may_land = bool(canceled) or _may_a_removal_land(context, connection)
        prepared = None if may_land else context.restores.of(context.target.name, connection)
        return deployment.run(even_if_unchanged=may_land, prepared=prepared, behind=canceled)


def _cancel_removals(deployment: PhaseDeployment) -> tuple[str, ...]:
    """Ask the org to cancel what this cutover has sent to remove old addresses; the ids of what
    had not ended. Only what the org has certainly taken from this cutover is canceled."""
    context, deployer = deployment.context, deployment.connection.deployer
    pending = []
    for identifier in _removals_sent(context):
        try:
            result = deployer.cancel(identifier)
        except UnknownDeploymentError:
            continue  # the org has forgotten it: it has ended
        except SfcutoverError as error:
            said = f"could not be canceled ({error})"
        else:
            if result.done and result.state is not DeployState.CANCELED:
                continue  # it had ended
            said = f"has the status {result.status} after the cancel request"
        pending.append(identifier)
        context.note(f"removal {identifier} {said}")
    return tuple(pending)


def _removals_sent(context: TargetContext) -> list[str]:
    """The ids that this cutover's memory and its record have, without those that have ended."""
    name = context.target.name
    sent = SentDeployments(context.memory, name, Phase.REMOVE_OLD)
    record = context.baselines.find_soon(name)
    recorded = record.removals[-RECORDED_REMOVALS:] if record else []
    return [each for each in dict.fromkeys((*sent.certain, *recorded)) if each not in sent.ended]


def restore_despite_signals(
    context: TargetContext, options: DeployOptions, is_wanted: Callable[[], bool] = lambda: True
) -> DeployEvidence:
    """As restore, for a command: a signal that comes before it was sent does not lose it.

    It is sent then, not waited for, and KeyboardInterrupt raised. is_wanted: False while the
    operator has not confirmed it.
    """
    try:
        return restore(context, options)
    except KeyboardInterrupt:
        sent = SentDeployments(context.memory, context.target.name, Phase.RESTORE_OLD)
        if is_wanted() and not sent.may_exist:
            with suppress(SfcutoverError):
                restore(context, replace(options, no_wait=True, operator=Unattended()))
        raise


def restore_until_done(
    context: TargetContext, execute: Execute, sleep: Callable[[float], None]
) -> StepResult:
    """Restore, tried until it succeeds; the operator is alerted meanwhile.

    execute: executes a step on the target by its name. sleep: waits, in seconds.
    """
    tries = 0
    SHUTDOWN_GUARD.expect(context.target.name)
    while (problem := (restored := execute("restore-old")).problem) is not None:
        if tries % TRIES_PER_ALERT == 0:
            message = (
                f"restoring the old addresses on the allowlist of {context.target.name} has "
                f"failed so far: {problem.text}; customers may be locked out"
            )
            execute("page", StepArguments(message=message, commands=(_RESTORE, _REVERT)))
        sleep(min(LARGEST_PAUSE_SECONDS, 2.0 ** min(tries, 6)))
        tries += 1
    SHUTDOWN_GUARD.fulfil(context.target.name)
    return restored


def _may_a_removal_land(context: TargetContext, connection: Connection) -> bool:
    """By the memory of this cutover; where that knows of none, by the org's newest deployment.

    Sending what is live already changes nothing, so it is sent, too, where the org does not report
    it.
    """
    removal = SentDeployments(context.memory, context.target.name, Phase.REMOVE_OLD)
    if removal.may_exist:
        return removal.may_still_land
    try:
        return not connection.deployer.is_idle()
    except SfcutoverError:
        return True


@dataclass(frozen=True)
class Rollback:
    """How a run undoes its steps; it removes only what is proven to be out of use.

    targets: all of the run, in order.
    """

    flow: Flow
    cutover: Cutover
    targets: tuple[str, ...]

    async def before_the_switch(self, error: StepFailedError) -> RunResult:
        """No traffic has moved: remove the new addresses where this cutover has added them, and
        then restore the policies."""
        await self._start(error)
        said = StepArguments(traffic_moved=_NEVER_MOVED)
        left = await self._not_done("remove-new", self.targets, said)
        rest = "the allowlists are as they were before the cutover"
        if left:
            reasons = "; ".join(f"{name}: {reason}" for name, reason in left.items())
            rest = (
                f"the new addresses may be on the allowlist of {', '.join(left)}, now or later, "
                f"which is harmless ({reasons})"
            )
        if self.cutover.policies:
            changed = await self._not_done("restore-policies", self.targets)
            rest += _policies_left(changed)
            left |= changed
        return _rolled_back(
            error,
            f"no traffic was moved; {rest}",
            Advice(
                "fix the reported problem, then run again: ",
                Command("run"),
                *(("; ", _TO_BASELINE, " completes the rollback") if left else ()),
            ),
        )

    async def to_old(self, error: StepFailedError) -> RunResult:
        """Traffic moves back; the lists hold the old addresses, and keep the new ones."""
        await self._start(error)
        where = await self._revert()
        return _rolled_back(
            error,
            f"{where}; old and new addresses are on the allowlists",
            Advice(
                "fix the reported problem, then run again: ",
                Command("run"),
                "; ",
                _TO_BASELINE,
                " removes the new addresses",
            ),
        )

    async def after_removal(self, error: StepFailedError) -> RunResult:
        """Restore the old addresses on the lists of the targets that failed, and then what
        remove-old alone has set of policies; on all, with the traffic, only where a new one is
        still refused then."""
        await self._start(error)
        await self._restore(error.targets)
        left = await self._policies_of_add_new(error.targets)
        proofs = await self._check_new(error.targets)
        if refused := _refused(proofs):  # an address may have been lost from the list: add it
            await self.flow.runner.on_targets("add-new", refused)
            proofs |= await self._check_new(refused)
        if _refused(proofs):
            where = await self._revert()
            left = await self._policies_of_add_new(self.targets)
        else:
            where = _no_reason_to_move(proofs)
        return _rolled_back(
            error,
            f"the old addresses are on the allowlist of {', '.join(error.targets)}; {where}"
            + _policies_left(left),
            Advice(
                "find what failed; ",
                Command("verify", "--via", "new"),
                " shows whether each new address redeems; then run again: ",
                Command("run"),
            ),
        )

    async def _check_new(self, names: Sequence[str]) -> dict[str, StepResult]:
        """A redemption through each new address. Where this process misses a variable for it, the
        operator decides: the lists hold the old addresses, and nothing is known of the new ones."""
        proofs: dict[str, StepResult] = {}
        while names:
            proofs |= await self.flow.runner.on_targets("check-new", names)
            names = [each for each in names if _is_untried(proofs[each])]
            if names and not await self._ask_for_variable(names[0], proofs[names[0]]):
                break
        return proofs

    async def _ask_for_variable(self, target: str, proof: StepResult) -> bool:
        """False if the operator cancels."""
        text = f"{target}: {proof.problem.text if proof.problem else ''}"
        question = Question("check-new", ProblemKind.ENVIRONMENT, text, NEW_PROCESS)
        return (await self.flow.runner.pause(question)).approved

    async def _not_done(
        self, action: str, names: Sequence[str], arguments: StepArguments = NO_ARGUMENTS
    ) -> dict[str, str]:
        """Why an action was not completed, by target."""
        results = await self.flow.runner.on_targets(action, names, dict.fromkeys(names, arguments))
        return {
            name: one.problem.text if one.problem else "it was canceled"
            for name, one in results.items()
            if not one.ok or one.is_canceled
        }

    async def _start(self, error: StepFailedError) -> None:
        await self.flow.runner.tell(
            "rollback-started",
            reason=error.problem.text,
            failed_step=error.step,
            targets=list(error.targets),
        )

    async def _restore(self, names: Sequence[str]) -> None:
        await self.flow.runner.on_targets("restore", names)

    async def _policies_of_add_new(self, names: Sequence[str]) -> dict[str, str]:
        """Why they may not be as add-new has left them, by target."""
        if not self.cutover.policies.removal_sets_more:
            return {}
        arguments = StepArguments(step="add-new")
        return await self._not_done("restore-policies", names, arguments)

    async def _revert(self) -> str:
        """Traffic back to the old addresses, once every list holds them; where it leaves then."""
        await self._restore(self.targets)
        if not await self._switch_back():
            await self.flow.alert("traffic was not moved back", _REVERT)
            return "traffic was not moved back and may still leave from the new addresses"
        proof = await self.flow.runner.step("prove-old")
        for seconds in RETRY_SECONDS:  # a restored list may take a while to reach every server
            if proof.problem is None:
                break
            await self.flow.runner.sleep(seconds)
            proof = await self.flow.runner.step("prove-old")
        if proof.problem is None:
            return _is_back(proof)
        await self.flow.alert(proof.problem.text, Command("verify", "--via", "old"))
        return (
            "traffic was moved back, but no redemption through the old addresses succeeded: "
            f"{proof.problem.text}"
        )

    async def _switch_back(self) -> bool:
        """False if the operator leaves it."""
        switch = self.cutover.switch
        old = ", ".join(map(str, self.cutover.change.old))
        if switch is None or switch.manual:
            message = f"move the traffic back to {old}"
            return await self._ask("switch", message, "")
        while (problem := (await self.flow.runner.step("switch-back")).problem) is not None:
            await self.flow.alert(problem.text, _REVERT)
            again = "approving runs the command again"
            if not await self._ask("failed", problem.text, again):
                return False
        return True

    async def _ask(self, reason: str, message: str, next_: Text) -> bool:
        """False if the operator cancels."""
        question = Question("switch-back", reason, message, next_)
        return (await self.flow.runner.pause(question)).approved


def _policies_left(changed: Mapping[str, str]) -> str:
    """Where policies may not be restored, as the rest of a sentence."""
    return f"; policies may differ from before on {', '.join(changed)}" if changed else ""


def _is_back(proof: StepResult) -> str:
    if isinstance(proof.evidence, RedeemEvidence) and proof.evidence.unproven:
        return f"traffic was moved back to the old addresses, {proof.evidence.sentence}"
    return "traffic is back on the old addresses"


def _refused(proofs: StepResults) -> tuple[str, ...]:
    """The targets at which a redemption through a new address fails; not where none was tried, nor
    where a rule of the canary's user refuses it, which neither the list nor other traffic cures."""
    return tuple(
        name
        for name, one in proofs.items()
        if one.problem and not one.is_user_rule and not _is_untried(one)
    )


def _is_untried(proof: StepResult) -> bool:
    """True if this process misses a variable for the redemption."""
    return proof.problem is not None and proof.problem.kind == ProblemKind.ENVIRONMENT.value


def _no_reason_to_move(proofs: StepResults) -> str:
    if any(map(_is_untried, proofs.values())):
        return (
            "no redemption through a new address was tried, as a variable is not set, so this run "
            "moves no traffic"
        )
    if any(one.is_user_rule for one in proofs.values()):
        return (
            "the canary is still refused, probably by a rule of its user's own org or profile, so "
            "this run moves no traffic"
        )
    return "redemptions through each new address still succeed, so this run moves no traffic"


def _rolled_back(error: StepFailedError, impact: str, next_: Text) -> RunResult:
    code = error.problem.exit_code or ExitCode.FAILED
    return RunResult("rolled-back", code, f"{error.step}: {error.problem.text}", impact, next_)
