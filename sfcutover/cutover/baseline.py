"""A run's first read of a list, and the state of the list later."""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import Field

from sfcutover.allowlist.diff import AllowlistDocument
from sfcutover.allowlist.phases import Phase, check_order
from sfcutover.allowlist.plan import PhaseDocument, live_phase
from sfcutover.allowlist.ranges import Allowlist, IpRange
from sfcutover.allowlist.snapshot import Snapshot
from sfcutover.cutover.context import TargetContext
from sfcutover.cutover.crosscheck import who_changed
from sfcutover.cutover.sentdeployments import SentDeployments
from sfcutover.cutover.stateconflict import newest_deployment
from sfcutover.cutover.stepresult import StepEvidence
from sfcutover.errors import SfcutoverError
from sfcutover.runs.event import BOUND
from sfcutover.salesforce.connection import Connection
from sfcutover.salesforce.deployer import UnknownDeploymentError
from sfcutover.util.clock import Clock

_PENDING_SECONDS = 30.0
_TO_COME = (Phase.ADD_NEW, Phase.REMOVE_OLD)


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

    old_listed, new_missing: the addresses that keep the cutover from being done. changed_by: who
    has saved them when, in words, where the org reports it. pending: ids of
    deployments that have not ended, so that the list may change.
    """

    state: str
    holds_old: bool
    old_listed: list[str] = Field(default_factory=list)
    new_missing: list[str] = Field(default_factory=list)
    changed_by: str = ""
    pending: list[str] = Field(default_factory=list)
    live: list[AllowlistDocument]

    @property
    def is_done(self) -> bool:
        """True if the list holds the new addresses and not the old."""
        return not (self.old_listed or self.new_missing)


def take_snapshot(context: TargetContext) -> SnapshotEvidence:
    """Which org and components were reached, every phase's diff and capacity, and that the order
    can be kept. The run is bound to what was reached.

    Raises LimitError for an overlap that doesn't fit, DriftError for the wrong list.
    """
    with context.connection() as connection:
        live = connection.read()
        check_order(Phase.ADD_NEW, live, context.cutover.change)
        phases = context.planner.plan_all(live, _TO_COME)
        context.tell(
            BOUND,
            organization_id=connection.organization_id,
            app=context.cutover.app,
            instance_url=connection.org.instance_url,
            component_ids=live.ids,
            latest=newest_deployment(connection),
        )
        context.control.claim_list(connection.organization_id, context.cutover.app)
        return SnapshotEvidence(
            instance_url=connection.org.instance_url,
            organization_id=connection.organization_id,
            live=AllowlistDocument.all_of(live),
            state=live_phase(live, context.cutover.change, may_be_swapped=True),
            phases={phase.value: PhaseDocument.of(planned) for phase, planned in phases.items()},
            notes=list(context.cutover.notes),
        )


def read_state(context: TargetContext) -> StateEvidence:
    """Which phase the live list is in, once the org works on no deployment, but after at most
    30 s: one that waited behind a removal may undo it."""
    change = context.cutover.change
    with context.connection() as connection:
        pending = _await_deployments(context, connection)
        live = connection.read()
        lists = [each.allowlist for each in live.carriers]
        return StateEvidence(
            state=live_phase(live, change),
            holds_old=all(each.covers(change.old) for each in lists),
            old_listed=_texts(part for each in lists for part in each.covered(change.removed)),
            new_missing=_texts(part for each in lists for part in each.uncovered(change.new)),
            changed_by=_who_undid(connection, live),
            live=AllowlistDocument.all_of(live),
            pending=pending,
        )


def _who_undid(connection: Connection, live: Snapshot) -> str:
    """Who has added old addresses to a list, or removed new ones, and when; empty where no user
    has, or the org does not report it."""
    change = connection.cutover.change
    done = {
        each.path: (
            *(one for one in each.allowlist if not Allowlist(change.removed).covered([one])),
            *each.allowlist.uncovered(change.new),
        )
        for each in live.carriers
    }
    return who_changed(connection, done, live)


def _await_deployments(context: TargetContext, connection: Connection) -> list[str]:
    """The ids of those that have not ended by then: of this run, and as the org lists them."""
    for _ in Clock().polls(_PENDING_SECONDS):
        listed = connection.deployer.requests() or []
        theirs = [each.id for each in listed if each.is_pending]
        ours = [each for each in _sent(context) if not _has_ended(connection, each)]
        if not (pending := [*dict.fromkeys((*ours, *theirs))]):
            break
    return pending


def _sent(context: TargetContext) -> list[str]:
    """What this run has sent and has not seen to end."""
    found = (SentDeployments(context.memory, context.target.name, phase) for phase in Phase)
    return [each for sent in found for each in sent.ids if each not in sent.ended]


def _texts(ranges: Iterable[IpRange]) -> list[str]:
    return list(dict.fromkeys(map(str, ranges)))


def _has_ended(connection: Connection, deployment: str) -> bool:
    """False where the org does not report it."""
    try:
        return connection.deployer.report(deployment).done
    except UnknownDeploymentError:
        return True
    except SfcutoverError:
        return False
