"""The deploy step: one phase into one target, never sent twice.

What the org is sent is in the memory before it is on its way. A step that is started again
and finds a deployment without an end looks for deployments that are newer than it, waits
for them, and reads the list back.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Literal, Protocol

from sfcutover.allowlist.diff import AllowlistDocument, ReadBack
from sfcutover.allowlist.phases import Phase, PhaseName, check_order
from sfcutover.allowlist.plan import PhaseDocument, PlannedPhase
from sfcutover.allowlist.snapshot import Snapshot
from sfcutover.cutover.context import TargetContext
from sfcutover.cutover.removalgate import Gate, RemovalPermit, unproven
from sfcutover.cutover.rollout import Rollout, RolloutOptions
from sfcutover.cutover.sentdeployments import (
    NEVER_RECEIVED,
    PROGRESS,
    SENDING,
    SENT,
    SentDeployments,
)
from sfcutover.cutover.stepresult import StepEvidence
from sfcutover.errors import (
    Advice,
    BusyError,
    Command,
    DriftError,
    GateError,
    InterruptedRunError,
    NetworkError,
    OperationFailedError,
    SfcutoverError,
    StillRunningError,
)
from sfcutover.salesforce.connection import Connection
from sfcutover.salesforce.results import DeployResult, ResultDocument
from sfcutover.util.clock import Clock

RECEIVING_SECONDS = 3.0  # how long a request of a process that died may still be on its way

DeployOutcome = Literal["deployed", "no-change", "validated", "started"]


class DeployEvidence(StepEvidence):
    """What a deploy did. outcome: deployed (read back and live), no-change, validated
    (check only), started (not waited for).

    deployments: those that were waited for. sent: ids of all that the org took. live: the
    lists as read last. differences: what reads back different and does no harm. clearance:
    what let the phase remove addresses.
    """

    phase: PhaseName
    instance_url: str
    outcome: DeployOutcome
    changed: bool
    deployments: list[ResultDocument]
    sent: list[str]
    live: list[AllowlistDocument]
    diff: PhaseDocument
    differences: list[str]
    clearance: str | None = None


class UnknownFateError(GateError):
    """A removal may have been sent, and the org does not say whether it has it."""


class Operator(Protocol):
    """Who sees a deploy before it is sent."""

    def show(self, connection: Connection, planned: PlannedPhase) -> None:
        """What the deploy is about to change."""

    def confirm(self, target: str, phase: Phase) -> bool:
        """True for a yes, False where no question is needed.

        Raises InterruptedRunError for a no, ConfigError where a question can't be answered.
        """


class Unattended:
    """No operator: a run whose pauses were approved."""

    def show(self, connection: Connection, planned: PlannedPhase) -> None:
        """Nothing: the journal has it."""

    def confirm(self, target: str, phase: Phase) -> bool:
        return False


def plan_from_live(
    context: TargetContext, _connection: Connection, phase: Phase, live: Snapshot
) -> PlannedPhase:
    """The phase as computed from the live list alone."""
    return context.planner.plan(phase, live)


@dataclass(frozen=True)
class DeployOptions:
    """wait: seconds for one deployment. check_only: validate in the org, change nothing.
    no_wait: return when it was sent. plan: computes the phase from what is live. gate: permits
    a phase that removes. binding: what the operator was shown must still be so when it is
    sent; otherwise the phase is computed anew from what is live then.
    """

    wait: float = 3600.0
    check_only: bool = False
    no_wait: bool = False
    plan: Callable[[TargetContext, Connection, Phase, Snapshot], PlannedPhase] = plan_from_live
    gate: Gate | None = None
    operator: Operator = field(default_factory=Unattended)
    binding: bool = False


def deploy(
    context: TargetContext, phase: Phase, options: DeployOptions | None = None
) -> DeployEvidence:
    """Deploy what the phase lacks, wait, and read the list back.

    Raises what Rollout.run raises, GateError where the gate permits no removal, DriftError for
    a list that changed meanwhile, and CancelRequested while nothing was removed.
    """
    with context.connection() as connection:
        deployment = PhaseDeployment(context, connection, phase, options or DeployOptions())
        deployment.find_earlier()
        return deployment.run()


@dataclass
class PhaseDeployment:
    """One phase for one target, from the first read to the last."""

    context: TargetContext
    connection: Connection
    phase: Phase
    options: DeployOptions
    _permit: RemovalPermit | None = field(default=None, init=False)
    _restore: PlannedPhase | None = field(default=None, init=False)  # undoes this removal

    @property
    def sent(self) -> SentDeployments:
        return SentDeployments(self.context.memory, self.context.target.name, self.phase)

    def find_earlier(self) -> None:
        """Wait for what an earlier try has sent, or may have.

        Raises what waiting raises, and UnknownFateError for a removal that can't be found.
        """
        for identifier in self.sent.ids[-1:]:
            with suppress(OperationFailedError):  # the org has forgotten it: it has ended
                self._await(identifier)
        if self.sent.is_open:
            self._find_newer_than(self.sent.latest_before)

    def run(
        self, *, even_if_unchanged: bool = False, prepared: PlannedPhase | None = None
    ) -> DeployEvidence:
        """Deploy what is missing. Raises what deploy raises.

        even_if_unchanged: send it all the same, behind a deployment that may still land.
        prepared: the phase, computed from what is live still.
        """
        if self.phase.removes and not self.sent.ids:  # what was sent is seen through to its end
            self.context.require_not_canceled()
        planned = prepared or self._plan(self.connection.read())
        self.options.operator.show(self.connection, planned)
        if not planned.changed and not even_if_unchanged:
            return self._unchanged(planned)
        if self.phase.removes and not self.options.check_only:
            self._permit = self._permitted(planned)
        confirmed = self.options.operator.confirm(self.context.target.name, self.phase)
        if confirmed or self._permit:  # an answer, and a proof, may take minutes
            planned = self._read_again(planned)
        return self._send(planned)

    def note_sending(self) -> str | None:
        """On disk before the request is on its way; the org's newest deployment by now.

        Raises LockLostError if another process continues the run.
        """
        latest = self.connection.deployer.find_latest()
        if self.phase is Phase.RESTORE_OLD:
            self.context.tell(SENDING, phase=self.phase.value, latest=latest)
            return latest  # always safe, whichever process does it and whatever is away
        self.context.tell_durably(SENDING, phase=self.phase.value, latest=latest)
        try:
            self.context.control.require_lock()
        except SfcutoverError:
            self.context.tell(NEVER_RECEIVED, phase=self.phase.value)
            raise
        return latest

    def note_sent(self, identifier: str) -> None:
        self.context.tell(SENT, phase=self.phase.value, id=identifier)

    def _plan(self, live: Snapshot) -> PlannedPhase:
        for component in live.carriers:
            check_order(self.phase, component.allowlist, self.context.cutover.change)
        return self.options.plan(self.context, self.connection, self.phase, live)

    def _permitted(self, planned: PlannedPhase) -> RemovalPermit:
        self._require_first()
        if self.options.gate is None:
            raise unproven(self.phase)
        permit = self.options.gate.permit(self.context, self.connection, self.phase, planned.start)
        self.context.require_not_canceled()
        return permit

    def _require_first(self) -> None:
        """A run sends a removal to a list once. Raises DriftError for one that was sent, has
        ended, and is not on the list: it failed, or the addresses were restored since."""
        if not (sent := self.sent.ids):
            return
        raise DriftError(
            f"{self.phase} was deployed to this list by {sent[-1]}, and the addresses are on it: "
            "the deployment failed, or another user has restored them since",
            hint=Advice(Command("deployment", "report", sent[-1])),
            impact="the addresses stay on the list, and this run does not remove them again",
        )

    def _read_again(self, planned: PlannedPhase) -> PlannedPhase:
        live = self.connection.read()
        if not self.options.binding:
            return self._plan(live)
        if live.fingerprints != planned.start.fingerprints:
            raise DriftError(
                "the list was changed by another user in the meantime",
                hint="look at the diff again: run the same command once more",
            )
        return planned

    def _send(self, planned: PlannedPhase) -> DeployEvidence:
        if not planned.changed and self._permit:  # removed by another user while it was proven
            return self._unchanged(planned)
        if self.phase is Phase.REMOVE_OLD and not self.options.check_only:
            planned = self._with_way_back(planned)
        self._note_planned(planned)
        rollout = Rollout(
            self.connection,
            planned,
            RolloutOptions(wait=self.options.wait, check_only=self.options.check_only),
            DeploymentObserver(self),
            templates=self.context.templates,
            permit=self._permit,
        )
        if self.options.no_wait:
            rollout.start()
            return self._evidence("started", planned)
        state = self._rolled_out(rollout)
        if state is not None:
            self._keep_way_back(state.live)
        outcome: DeployOutcome = "deployed" if state else "validated"
        differences = [str(each) for each in state.cosmetic] if state else []
        return self._evidence(
            outcome,
            rollout.planned,
            state.live if state else None,
            rollout.deployments,
            differences,
        )

    def _with_way_back(self, planned: PlannedPhase) -> PlannedPhase:
        """The removal, once its way back is rendered and the session was seen to answer."""
        if not self.connection.retriever.is_unmodified(planned.start):
            planned = self._read_again(planned)
        self._restore = self.context.planner.plan(Phase.RESTORE_OLD, planned.after)
        return planned

    def _keep_way_back(self, live: Snapshot) -> None:
        """live: what the removal was read back to have left."""
        restore = self._restore
        if restore is not None and restore.start.fingerprints == live.fingerprints:
            ready = replace(restore, start=live)
            self.context.restores.keep(self.context.target.name, ready)

    def _unchanged(self, planned: PlannedPhase) -> DeployEvidence:
        self._note_planned(planned)
        return self._evidence("no-change", planned, planned.start)

    def _note_planned(self, planned: PlannedPhase) -> None:
        self.context.tell("planned", phase=PhaseDocument.of(planned).model_dump(mode="json"))

    def _rolled_out(self, rollout: Rollout) -> ReadBack | None:
        try:
            return rollout.run()
        except BusyError:
            self._note_never_received()
            raise
        except (NetworkError, StillRunningError, InterruptedRunError):
            raise  # the org may have started it, or continued it
        except SfcutoverError:
            self._note_never_received()
            raise

    def _note_never_received(self) -> None:
        """Of a package that the org has refused: there is nothing to look for."""
        if self.sent.is_open:
            self.context.tell(NEVER_RECEIVED, phase=self.phase.value)

    def _await(self, identifier: str) -> DeployResult:
        observer = DeploymentObserver(self)
        return self.connection.deployer.wait(
            identifier,
            self.options.wait,
            on_progress=observer.progress,
            on_problem=lambda error: observer.note(str(error)),
        )

    def _find_newer_than(self, before: str | None) -> None:
        """A request was sent, or not; its answer is lost. An org works on one deployment after
        the other, so all that are newer are waited for."""
        newer = self._newer_than(before)
        for identifier in newer or ():
            self._await(identifier)
        if newer:
            self.note_sent(newer[-1])
        elif newer is None and self.phase.removes:
            raise UnknownFateError(
                f"{self.phase} may have been sent, and the org does not say which deployments it "
                "has",
                hint="look at Deployment Status in Setup, wait until nothing is running there, "
                "then approve",
                impact="the old addresses may come off the list at any time",
            )
        else:
            self.context.tell(NEVER_RECEIVED, phase=self.phase.value)

    def _newer_than(self, before: str | None) -> list[str] | None:
        for _ in Clock().polls(RECEIVING_SECONDS):
            if newer := self.connection.deployer.find_newer(before):
                break
        return newer

    def _evidence(
        self,
        outcome: DeployOutcome,
        planned: PlannedPhase,
        live: Snapshot | None = None,
        deployments: Sequence[DeployResult] = (),
        differences: Sequence[str] = (),
    ) -> DeployEvidence:
        return DeployEvidence(
            phase=self.phase.value,
            instance_url=self.connection.org.instance_url,
            outcome=outcome,
            changed=planned.changed,
            deployments=[ResultDocument.model_validate(each) for each in deployments],
            sent=self.sent.ids,
            live=AllowlistDocument.all_of(live) if live else [],
            diff=PhaseDocument.of(planned),
            differences=list(differences),
            clearance=self._permit.reason if self._permit else None,
        )


class DeploymentObserver:
    """Tells the memory how a rollout proceeds; a change of status or count is one event."""

    def __init__(self, deployment: PhaseDeployment) -> None:
        self._deployment = deployment
        self._last: tuple[str, int, int] | None = None

    def stage(self, name: str) -> None:
        self._deployment.context.tell("stage", name=name)

    def sending(self) -> str | None:
        return self._deployment.note_sending()

    def sent(self, deployment_id: str) -> None:
        self._deployment.note_sent(deployment_id)

    def progress(self, result: DeployResult) -> None:
        now = (result.status, result.components_deployed, result.tests_total)
        if now != self._last:
            self._last = now
            self._deployment.context.tell(
                PROGRESS,
                id=result.id,
                status=result.status,
                done=result.done,
                deployed=result.components_deployed,
                total=result.components_total,
                tests=result.tests_total,
            )

    def note(self, text: str) -> None:
        self._deployment.context.note(text)
