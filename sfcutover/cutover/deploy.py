"""The deploy step: one phase into one target, never sent twice.

What the org is sent is in the memory before it is on its way. A step that is started again
and finds a deployment without an end looks for deployments that are newer than it, waits
for them, and reads the list back.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from sfcutover.allowlist.diff import AllowlistDocument
from sfcutover.allowlist.phases import Phase, check_order
from sfcutover.allowlist.plan import PhaseDocument, PlannedPhase
from sfcutover.allowlist.snapshot import Snapshot
from sfcutover.cutover.context import TargetContext
from sfcutover.cutover.crosscheck import who_changed
from sfcutover.cutover.deployevidence import DeployEvidence, DeployOutcome
from sfcutover.cutover.deploymentobserver import DeploymentObserver, find_earlier
from sfcutover.cutover.externalchanges import require_none_lost
from sfcutover.cutover.preservingrollout import PreservingRollout
from sfcutover.cutover.removalgate import (
    Gate,
    PermitVoidError,
    RemovalPermit,
    require_permit,
    unproven,
)
from sfcutover.cutover.resending import until_not_busy
from sfcutover.cutover.rollbackbaseline import (
    Named,
    baseline_for,
    forget_if_restored,
    plan_phase,
    record_baseline,
    require_same_old,
)
from sfcutover.cutover.rollout import RolloutOptions
from sfcutover.cutover.sentdeployments import BUSY, SentDeployments
from sfcutover.cutover.stateconflict import require_no_conflict
from sfcutover.errors import Advice, BusyError, Command, DriftError
from sfcutover.salesforce.connection import Connection
from sfcutover.salesforce.results import (
    DeployResult,
    ExternalChangeDocument,
    ResultDocument,
)


class Operator(Protocol):
    """Who sees a deploy before it is sent."""

    def show(self, connection: Connection, planned: PlannedPhase) -> None:
        """What the deploy is about to change."""

    def confirm(self, target: str, phase: Phase, doubt: str | None) -> bool:
        """True for a yes, False where no question is needed.

        doubt: what nothing has shown, which the question shows.
        Raises InterruptedRunError for a no, ConfigError where a question can't be answered.
        """


class Unattended:
    """No operator: a run whose pauses were approved."""

    def show(self, connection: Connection, planned: PlannedPhase) -> None:
        """Nothing: the journal has it."""

    def confirm(self, target: str, phase: Phase, doubt: str | None) -> bool:
        return False


Plan = Callable[[TargetContext, Connection, Phase, Snapshot], PlannedPhase]


@dataclass(frozen=True)
class DeployOptions:
    """wait: seconds for one deployment. check_only: validate in the org, change nothing. no_wait:
    return when it was sent. plan: computes the phase from what is live; if not given, it is
    computed with regard to the baseline. named: a baseline that the operator names. gate: permits a
    phase that removes. traffic_moved: who or what confirmed that customers have left the addresses
    to be removed, empty for no confirmation. binding: what the operator was shown must still be so
    when it is sent; otherwise the phase is computed again from what is live then. resends: False
    for a caller that tries again by itself where the org is busy.
    """

    wait: float = 3600.0
    check_only: bool = False
    no_wait: bool = False
    plan: Plan | None = None
    named: Named | None = None
    gate: Gate | None = None
    traffic_moved: str = ""
    operator: Operator = field(default_factory=Unattended)
    binding: bool = False
    resends: bool = True


def deploy(
    context: TargetContext, phase: Phase, options: DeployOptions | None = None
) -> DeployEvidence:
    """Deploy what the phase lacks, wait, and read the list back.

    Raises what Rollout.run raises, GateError where the gate permits no removal, DriftError for
    a list that changed meanwhile, ExternalChangeError for what others have lost by an addition,
    and StepCanceledError while nothing was removed.
    """
    with context.connection() as connection:
        deployment = PhaseDeployment(context, connection, phase, options or DeployOptions())
        deployment.find_earlier()
        evidence = deployment.run()
        if phase in (Phase.REMOVE_NEW, Phase.RESTORE_POLICIES) and not deployment.is_under_way:
            forget_if_restored(context, connection)
    if not phase.removes:  # after a removal the watch must start
        require_none_lost(evidence.external_changes)
    return evidence


@dataclass
class PhaseDeployment:
    """One phase for one target, from the first read to the last."""

    context: TargetContext
    connection: Connection
    phase: Phase
    options: DeployOptions
    _permit: RemovalPermit | None = field(default=None, init=False)
    _shown: PlannedPhase | None = field(default=None, init=False)
    _behind: tuple[str, ...] = field(default=(), init=False)
    _has_answered: bool = field(default=False, init=False)
    _doubt_shown: str | None = field(default=None, init=False)
    _ended: list[DeployResult] = field(default_factory=list, init=False)
    _changes: list[ExternalChangeDocument] = field(default_factory=list, init=False)
    _restore: PlannedPhase | None = field(default=None, init=False)  # undoes this removal

    @property
    def sent(self) -> SentDeployments:
        return SentDeployments(self.context.memory, self.context.target.name, self.phase)

    @property
    def observer(self) -> DeploymentObserver:
        return DeploymentObserver(self.context, self.connection, self.phase)

    @property
    def is_under_way(self) -> bool:
        """True if what was sent was not waited for, or nothing was to be changed."""
        return self.options.no_wait or self.options.check_only

    def find_earlier(self) -> None:
        """Wait for what an earlier try has sent, or may have. Raises what that raises."""
        find_earlier(self.observer, self.sent, self.options.wait)

    def run(
        self,
        *,
        even_if_unchanged: bool = False,
        prepared: PlannedPhase | None = None,
        behind: tuple[str, ...] = (),
    ) -> DeployEvidence:
        """Deploy what is missing, again while the org is busy. Raises what deploy raises.

        even_if_unchanged: send it all the same, behind a deployment that may still land.
        prepared: the phase, computed from what is live still. behind: ids of deployments that must
        have ended, too, before the list is read back.
        """
        self._behind = behind
        ready = [prepared] if prepared else []

        def attempt() -> DeployEvidence:
            while True:
                try:
                    return self._attempt(even_if_unchanged, ready.pop() if ready else None)
                except PermitVoidError as error:
                    self.context.note(f"{error.message}; verifying again")

        if not self.options.resends:
            return attempt()
        return until_not_busy(attempt, self.options.wait, self.context.clock, self._note_busy)

    def _attempt(self, even_if_unchanged: bool, prepared: PlannedPhase | None) -> DeployEvidence:
        """From the first read to the last. Raises BusyError for what may be tried again, all of
        it: the list may have changed since, and a gate may no longer hold."""
        if self.phase.removes and not self.sent.standing:  # else it is seen through to its end
            self.context.require_not_canceled()
        self._require_same_old()
        planned = prepared or self._plan(self._read_first())
        self._show(planned)
        if not planned.changed and not even_if_unchanged:
            return self._unchanged(planned)
        if self.phase.removes and not self.options.check_only:
            self._permit = self._permitted(planned)
        if self._confirmed() or self._permit:  # an answer, and a proof, may take minutes
            planned = self._read_again(planned)
        return self._send(planned)

    def _note_busy(self, error: BusyError, pause: float) -> None:
        self.context.tell(
            BUSY, phase=self.phase.value, text=f"{error}; retrying in {pause:g} s", seconds=pause
        )

    def _show(self, planned: PlannedPhase) -> None:
        """What is about to change, once, and where it is another change than was shown."""
        if self._shown is None or self._shown.start.fingerprints != planned.start.fingerprints:
            self._require_as_confirmed()
            self.options.operator.show(self.connection, planned)
        self._shown = planned

    def _confirmed(self) -> bool:
        """True if the operator has answered this time: a question is asked once, and its yes
        answers the doubt that it shows. Raises UnseenTrafficError where nothing answers one."""
        permit, asks = self._permit, not self._has_answered
        doubt = permit.doubt if permit else None
        if asks:
            name = self.context.target.name
            self._has_answered = self.options.operator.confirm(name, self.phase, doubt)
            self._doubt_shown = doubt
        if permit and self._has_answered and doubt == self._doubt_shown:
            self._permit = permit.answered("at the terminal")
        if self.phase.removes and not self.options.check_only:
            require_permit(self.phase, self._permit)
        return asks and self._has_answered

    def _require_as_confirmed(self) -> None:
        """Raises DriftError if the operator has answered for another list."""
        if self._has_answered and self.options.binding:
            raise _changed()

    def _plan(self, live: Snapshot) -> PlannedPhase:
        check_order(self.phase, live, self.context.cutover.change)
        if self.options.plan is not None:
            return self.options.plan(self.context, self.connection, self.phase, live)
        return self._plan_with_baseline(self.phase, live)

    def _plan_with_baseline(self, phase: Phase, live: Snapshot) -> PlannedPhase:
        baseline = None
        if phase.goes_back:
            named = self.options.named
            baseline = baseline_for(self.context, self.connection, phase, live, named)
        return plan_phase(self.context, phase, live, baseline)

    def _read_first(self) -> Snapshot:
        """Restoring addresses waits for nothing. Raises StateConflictError."""
        live = self._read()
        if self.phase is not Phase.RESTORE_OLD:
            require_no_conflict(self.context, self.connection, live)
        return live

    def _read(self) -> Snapshot:
        return self.connection.read(policies=self.phase is Phase.RESTORE_POLICIES or None)

    def _require_same_old(self) -> None:
        """Not of a restore, which takes the recorded ranges and waits for no state."""
        if self.phase is Phase.RESTORE_OLD:
            return
        record = self.context.baselines.find(self.context.target.name)
        if record is not None:
            require_same_old(record, self.context.cutover)

    def _permitted(self, planned: PlannedPhase) -> RemovalPermit:
        if not planned.start.carriers:
            return RemovalPermit(self.phase, "only policies change; no address is removed")
        self._require_first()
        if self.options.gate is None:
            raise unproven(self.phase)
        permit = self.options.gate.permit(self.context, self.connection, self.phase, planned.start)
        self.context.require_not_canceled()
        said = self.options.traffic_moved
        return permit.answered(said) if said else permit

    def _require_first(self) -> None:
        """A run sends a removal to a list once. Raises DriftError for one that was sent, has
        ended, and is not on the list: it failed, or the addresses were restored since."""
        if not (sent := self.sent.standing):
            return
        raise DriftError(
            f"{self.phase} was already sent as deployment {sent[-1]}, but the addresses are on "
            f"the allowlist: {self._why_listed()}",
            hint=Advice(Command("deployment", "report", sent[-1])),
            impact="the addresses stay on the allowlist; this run does not remove them again",
        )

    def _why_listed(self) -> str:
        """A removal that was read back has succeeded. Who restored is not in this memory."""
        ends = self.context.memory.all("step-ended", self.phase.value, self.context.target.name)
        restored = "a rollback or another deployment has restored them since"
        was_read_back = any(each.data.get("problem") is None for each in ends)
        return restored if was_read_back else f"the deployment failed, or {restored}"

    def _read_again(self, planned: PlannedPhase) -> PlannedPhase:
        """Raises PermitVoidError where the permit is for a list from before a save."""
        live = self._read()
        now = live.like(planned.start).fingerprints
        if self.options.binding and now != planned.start.fingerprints:
            raise _changed(who_changed(self.connection, planned.start.lists, live))
        if self._permit:
            self._permit.require_holding(live)
        return planned if self.options.binding else self._plan(live)

    def _send(self, planned: PlannedPhase) -> DeployEvidence:
        if not planned.changed and self._permit:  # removed by another user while it was proven
            return self._unchanged(planned)
        if self.phase is Phase.REMOVE_OLD and not self.options.check_only:
            planned = self._with_way_back(planned)
        if not (self.phase.goes_back or self.options.check_only):
            named = self.options.named
            record_baseline(self.context, self.connection, self.phase, planned.start, named)
        self._note_planned(planned)
        rollout = PreservingRollout(
            self.context,
            self.connection,
            planned,
            RolloutOptions(self.options.wait, self.options.check_only, self._behind),
            self._permit,
        )
        if self.options.no_wait:
            rollout.start()
            return self._evidence("started", planned)
        try:
            state = rollout.run()
        finally:
            self._ended += rollout.deployments
            self._changes += rollout.changes
        if state is not None:
            self._keep_way_back(state.live)
        outcome: DeployOutcome = "deployed" if state else "validated"
        differences = [str(each) for each in state.cosmetic] if state else []
        return self._evidence(
            outcome,
            planned,
            state.live if state else None,
            differences,
        )

    def _with_way_back(self, planned: PlannedPhase) -> PlannedPhase:
        """The removal, once its way back is rendered and the session was seen to answer."""
        if not self.connection.retriever.is_unmodified(planned.start):
            planned = self._read_again(planned)
        if planned.start.carriers:
            self._restore = self._plan_with_baseline(Phase.RESTORE_OLD, planned.after)
        return planned

    def _keep_way_back(self, live: Snapshot) -> None:
        """live: what the removal was read back to have left."""
        restore = self._restore
        left = live if restore is None else live.like(restore.start)
        if restore is not None and restore.start.fingerprints == left.fingerprints:
            ready = replace(restore, start=left)
            self.context.restores.keep(self.context.target.name, ready)

    def _unchanged(self, planned: PlannedPhase) -> DeployEvidence:
        self._note_planned(planned)
        return self._evidence("no-change", planned, planned.start)

    def _note_planned(self, planned: PlannedPhase) -> None:
        self.context.tell("planned", phase=PhaseDocument.of(planned).model_dump(mode="json"))

    def _evidence(
        self,
        outcome: DeployOutcome,
        planned: PlannedPhase,
        live: Snapshot | None = None,
        differences: Sequence[str] = (),
    ) -> DeployEvidence:
        return DeployEvidence(
            phase=self.phase.value,
            instance_url=self.connection.org.instance_url,
            organization_id=self.connection.org.known_organization,
            component_ids=planned.start.ids,
            start=planned.start.fingerprints,
            before=AllowlistDocument.all_of(planned.start),
            outcome=outcome,
            changed=planned.changed,
            deployments=[ResultDocument.model_validate(each) for each in self._ended],
            sent=self.sent.ids,
            live=AllowlistDocument.all_of(live) if live else [],
            diff=PhaseDocument.of(planned),
            differences=list(differences),
            clearance=self._permit.reason if self._permit else None,
            quiet=self._permit.quiet if self._permit else None,
            external_changes=self._changes,
        )


def _changed(how: str = "") -> DriftError:
    return DriftError(
        f"another user changed the allowlist in the meantime{how and f': {how}'}",
        hint="run the same command again and review the diff",
    )
