"""A run's first look at a list, and how the list stands later."""

from __future__ import annotations

from pydantic import Field

from sfcutover.allowlist.diff import AllowlistDocument
from sfcutover.allowlist.phases import Phase, check_order
from sfcutover.allowlist.plan import PhaseDocument, live_phase
from sfcutover.cutover.context import BOUND, TargetContext
from sfcutover.cutover.sentdeployments import SentDeployments
from sfcutover.cutover.stepresult import StepEvidence
from sfcutover.errors import SfcutoverError
from sfcutover.salesforce.connection import Connection
from sfcutover.salesforce.deployer import UnknownDeploymentError


class SnapshotEvidence(StepEvidence):
    """One target before the run, with the diff and capacity of the phases to come.

    organization_id: what the run is bound to from here. state: which phase the live list is in, in
    words.
    """

    instance_url: str
    organization_id: str
    live: list[AllowlistDocument]
    state: str
    phases: dict[str, PhaseDocument]
    notes: list[str]


class StateEvidence(StepEvidence):
    """How a list stands. state: which phase it is in, in words. holds_old: all old ranges.
    pending: ids of what this run has sent and what has not ended, so that the list may change."""

    state: str
    holds_old: bool
    pending: list[str] = Field(default_factory=list)
    live: list[AllowlistDocument]


def take_snapshot(context: TargetContext) -> SnapshotEvidence:
    """Which org and components were reached, every phase's diff and capacity, and that the order
    can be kept. The run is bound to what was reached.

    Raises LimitError for an overlap that doesn't fit, DriftError for the wrong list.
    """
    with context.connection() as connection:
        live = connection.read()
        for component in live.carriers:
            check_order(Phase.ADD_NEW, component.allowlist, context.cutover.change)
        phases = context.planner.plan_all(live)
        context.tell(
            BOUND,
            organization_id=connection.organization_id,
            instance_url=connection.org.instance_url,
            component_ids=live.ids,
        )
        return SnapshotEvidence(
            instance_url=connection.org.instance_url,
            organization_id=connection.organization_id,
            live=AllowlistDocument.all_of(live),
            state=live_phase(live, context.cutover.change),
            phases={
                phase.value: PhaseDocument.of(planned)
                for phase, planned in phases.items()
                if phase in (Phase.ADD_NEW, Phase.REMOVE_OLD)
            },
            notes=list(context.cutover.notes),
        )


def read_state(context: TargetContext) -> StateEvidence:
    """Which phase the live list is in."""
    memory, name = context.memory, context.target.name
    sent = [
        each
        for phase in Phase
        for deployments in [SentDeployments(memory, name, phase)]
        for each in deployments.ids
        if each not in deployments.ended
    ]
    with context.connection() as connection:
        live = connection.read()
        change = context.cutover.change
        return StateEvidence(
            state=live_phase(live, change),
            holds_old=all(each.allowlist.covers(change.old) for each in live.carriers),
            live=AllowlistDocument.all_of(live),
            pending=[each for each in sent if not _has_ended(connection, each)],
        )


def _has_ended(connection: Connection, deployment: str) -> bool:
    """False where the org does not say."""
    try:
        return connection.deployer.report(deployment).done
    except UnknownDeploymentError:
        return True
    except SfcutoverError:
        return False
