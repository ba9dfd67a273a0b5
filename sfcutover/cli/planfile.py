"""The plan file of deploy and rollback: exactly what to deploy, or what to restore."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from sfcutover.allowlist.phases import Phase
from sfcutover.allowlist.plan import PlannedPhase
from sfcutover.allowlist.planfile import TargetPlan, read_plan
from sfcutover.allowlist.snapshot import Snapshot
from sfcutover.cutover.context import TargetContext
from sfcutover.cutover.crosscheck import who_changed
from sfcutover.cutover.rollbackbaseline import Baseline, baseline_for, bind_to, plan_phase
from sfcutover.errors import DriftError
from sfcutover.salesforce.connection import Connection


@dataclass(frozen=True)
class PlanFile:
    """A plan file that plan --out wrote."""

    path: Path

    def plan(
        self, context: TargetContext, connection: Connection, phase: Phase, live: Snapshot
    ) -> PlannedPhase:
        """Exactly what the plan holds. Raises ConfigError for a file that is not a plan, DriftError
        if the org or cutover.yaml has changed since, and IdentityError for a different org."""
        plan, baseline = self._read(context), self.baseline(context)
        bind_to(baseline, connection, live, any_component=phase is Phase.RESTORE_OLD)
        planned = plan.planned(phase)
        try:
            plan.check_live(planned, live)
        except DriftError as error:
            if how := who_changed(connection, planned.start.lists, live):
                raise error.replaced(message=f"{error.message}; {how}") from error
            raise
        if phase.goes_back:  # must agree with a recorded baseline
            used = baseline_for(context, connection, phase, live, self.baseline)
            return plan_phase(context, phase, live, used)
        now = live.like(planned.start)
        if now.fingerprints == planned.start.fingerprints:
            return replace(planned, start=now)  # the same, with who saved it and when
        return plan_phase(context, phase, live, None)

    def baseline(self, context: TargetContext) -> Baseline:
        """The components before any change, as the plan holds them. Raises as ``plan`` does."""
        cutover, plan = context.cutover, self._read(context)
        return Baseline(
            plan.baseline,
            cutover.change,
            cutover.policies.every_value,
            knows_new=True,
            organization_id=plan.organization_id,
            component_ids=plan.component_ids,
            origin=f"the plan {self.path}",
        )

    def _read(self, context: TargetContext) -> TargetPlan:
        return TargetPlan(read_plan(self.path), self.path, context.target.name, context.planner)
