"""The baseline of a cutover: recorded before its first deployment, and used by every rollback."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sfcutover.allowlist.baseline import baseline_documents, snapshot_of
from sfcutover.allowlist.diff import RangeDocument
from sfcutover.allowlist.phases import Change, Phase
from sfcutover.allowlist.plan import PlannedPhase
from sfcutover.allowlist.ranges import IpRange, subtract
from sfcutover.allowlist.snapshot import Snapshot
from sfcutover.config.cutover import Cutover
from sfcutover.cutover.context import TargetContext
from sfcutover.errors import Advice, Command, ConfigError, DriftError, SfcutoverError
from sfcutover.salesforce.connection import Connection
from sfcutover.salesforce.org import Bound
from sfcutover.util.ciprovider import current_actor

if TYPE_CHECKING:  # SQLAlchemy
    from sfcutover.runs.baselinerecord import BaselineRecord

_RECORD_HINT = "use the unmodified state, or name a baseline: --plan FILE"


@dataclass(frozen=True)
class Baseline:
    """What stood in the org before the cutover, and what the cutover has changed since.

    change: old ranges, and every new range that was ever deployed. policies: by field, each text
    that it was ever set to. knows_new: False where it was taken after the new addresses were
    added. organization_id, component_ids: of the org it was read from, where known.
    origin: where it comes from, in words.
    """

    snapshot: Snapshot
    change: Change
    policies: Mapping[str, Collection[str]]
    knows_new: bool
    organization_id: str | None
    component_ids: Mapping[str, str]
    origin: str

    @classmethod
    def of_record(cls, record: BaselineRecord, cutover: Cutover) -> Baseline:
        """Raises ConfigError for a record that was edited."""
        change = replace(cutover.change, old=_ranges(record.old), new=_new_of(record, cutover))
        return cls(
            snapshot_of(record.components, f"the record of {record.target}", hint=_RECORD_HINT),
            change,
            record.policies,
            record.before_add_new,
            record.organization_id,
            record.component_ids,
            f"the baseline of {record.origin}",
        )


Named = Callable[[TargetContext], Baseline]  # a baseline that the operator names


def baseline_for(
    context: TargetContext,
    connection: Connection,
    phase: Phase,
    live: Snapshot,
    named: Named | None,
) -> Baseline | None:
    """The baseline that a rollback uses: the recorded one, or the one that is named.

    Restoring old addresses waits for no state and is held up by no disagreement. Raises what the
    state raises, DriftError where the two differ in what this cutover changes, and IdentityError
    for one of another org.
    """
    always = phase is Phase.RESTORE_OLD
    records, name = context.baselines, context.target.name
    record = records.find_soon(name) if always else records.find(name)
    recorded = None if record is None else Baseline.of_record(record, context.cutover)
    given = None if named is None else named(context)
    if given is not None:
        bind_to(given, connection, live, any_component=always)
    if recorded is None or given is None:
        return recorded or given
    if not recorded.knows_new:
        return given
    try:
        _require_agreement(given, recorded)
    except DriftError as error:
        if not always:
            raise
        context.note(f"{error.message}; the recorded baseline is used")
    return recorded


def bind_to(
    baseline: Baseline, connection: Connection, live: Snapshot, *, any_component: bool = False
) -> None:
    """See that this org and these components are the ones of the baseline, as far as it identifies
    them.

    any_component: also where one was created again. Raises IdentityError.
    """
    if baseline.organization_id is not None:
        version = connection.cutover.api_version
        ids = {} if any_component else baseline.component_ids
        connection.bind(Bound(baseline.organization_id, baseline.origin, version, ids), live)


def plan_phase(
    context: TargetContext, phase: Phase, live: Snapshot, baseline: Baseline | None
) -> PlannedPhase:
    """The phase on what is live. Raises what planning raises, and DriftError where new addresses
    would be removed although it is unknown which were there before."""
    if not phase.goes_back:
        return context.planner.plan(phase, live)
    if baseline is None:
        return _without_baseline(context, phase, live)
    planner = replace(context.planner, change=baseline.change)
    if phase is Phase.RESTORE_POLICIES:
        return planner.restore_policies(live, baseline.snapshot, baseline.policies)
    if phase is Phase.REMOVE_NEW and not baseline.knows_new and planner.plan(phase, live).changed:
        raise _unknown(context, f"{baseline.origin} was taken after the new addresses were added")
    return planner.plan(phase, live, baseline.snapshot)


def plan_restore(context: TargetContext, connection: Connection, live: Snapshot) -> PlannedPhase:
    """Restore-old, ready before the old addresses are missed. Raises what planning raises."""
    phase = Phase.RESTORE_OLD
    return plan_phase(context, phase, live, baseline_for(context, connection, phase, live, None))


def plan_what_was_added(
    context: TargetContext, connection: Connection, phase: Phase, live: Snapshot
) -> PlannedPhase:
    """For a run: where no record was made, it has sent nothing, so that all stays."""
    baseline = baseline_for(context, connection, phase, live, None)
    if baseline is None:
        return context.planner.plan(phase, live, live)
    return plan_phase(context, phase, live, baseline)


def plan_policies_of_add_new(
    context: TargetContext,
    connection: Connection,
    phase: Phase,
    live: Snapshot,
    named: Named | None = None,
) -> PlannedPhase:
    """The policies as add-new has left them, once the addresses that remove-old took are back.

    named: as baseline_for has it, and so has what is raised.
    """
    baseline = baseline_for(context, connection, phase, live, named)
    if baseline is None:
        return _without_baseline(context, phase, live)
    kept = context.cutover.policies.add_new
    return context.planner.restore_policies(live, baseline.snapshot, baseline.policies, kept)


def _without_baseline(context: TargetContext, phase: Phase, live: Snapshot) -> PlannedPhase:
    if phase is Phase.RESTORE_POLICIES:
        return context.planner.restore_policies(live, live, {})
    planned = context.planner.plan(phase, live)
    if phase is Phase.REMOVE_NEW and planned.changed:
        raise _unknown(context, "this state has no record of a deployment of this cutover")
    return planned


def _unknown(context: TargetContext, why: str) -> DriftError:
    return DriftError(
        f"{why}, so which new addresses were on the allowlist of {context.target.name} before "
        "the cutover is unknown",
        hint=Advice(
            "name the baseline: ",
            Command("rollback", "--to", "baseline", "--plan", "plan.json"),
            "; to make a plan from saved files: ",
            Command("plan", "--baseline", "FILE", "--out", "plan.json"),
            "; or use the state (state.url) of the machine that deployed add-new",
        ),
        impact="no new address was removed, which is harmless",
    )


def record_baseline(
    context: TargetContext,
    connection: Connection,
    phase: Phase,
    live: Snapshot,
    named: Named | None,
) -> None:
    """Before the first deployment of the cutover to this target: what stands there, durably.

    A record that is there stays; only what the cutover changes besides is added to it. Raises
    what the state raises: nothing is deployed without the record.
    """
    given = None if named is None else named(context)
    start = live if given is None else given.snapshot
    organization_id, url = connection.organization_id, connection.org.instance_url

    def change(before: BaselineRecord | None) -> BaselineRecord:
        cutover = context.cutover
        made = before or _new_record(
            context, organization_id, url, is_first=phase is Phase.ADD_NEW or given is not None
        )
        known = {each.path for each in made.components}
        documents = [
            each.model_copy(update={"id": live.ids.get(each.path)})
            for each in baseline_documents(start, cutover.api_version)
            if each.path not in known
        ]
        update = {
            "components": [*made.components, *documents],
            "new": [RangeDocument.model_validate(each) for each in _new_of(made, cutover)],
            "policies": _with_values(made.policies, cutover.policies.of(phase)),
        }
        return made.model_copy(update=update)

    context.baselines.keep(context.target.name, change)


def _new_record(
    context: TargetContext, organization_id: str, url: str, *, is_first: bool
) -> BaselineRecord:
    from sfcutover.runs.baselinerecord import BaselineRecord

    cutover = context.cutover
    return BaselineRecord(
        cutover=cutover.name,
        target=context.target.name,
        app=cutover.app,
        instance_url=url,
        organization_id=organization_id,
        components=[],
        before_add_new=is_first,
        old=[RangeDocument.model_validate(each) for each in cutover.change.old],
        new=[],
        policies={},
        recorded=time.time(),
        by=current_actor(),
    )


def require_same_old(record: BaselineRecord, cutover: Cutover) -> None:
    """Raise ConfigError where old: is not what it was at the first deployment."""
    before, now = _ranges(record.old), cutover.change.old
    if subtract(before, now) or subtract(now, before):
        raise ConfigError(
            f"old: was {_listed(before)} at {record.origin}, and is {_listed(now)} now; it "
            "cannot change after add-new has started",
            where=cutover.where,
            hint=Advice(
                "restore the original old: in cutover.yaml; another change of addresses needs "
                "another name. To undo this one first, restore old: and run ",
                Command("rollback", "--to", "baseline"),
            ),
        )


def forget_if_restored(context: TargetContext, connection: Connection) -> None:
    """Remove the record where nothing of the cutover is left in the org, as it is read now.

    A state that does not answer is noted: the record stays, and does no harm.
    """
    try:
        record = context.baselines.find(context.target.name)
        if record is None or not record.before_add_new or _is_busy(connection):
            return
        baseline = Baseline.of_record(record, context.cutover)
        live = connection.read(policies=baseline.snapshot.policies is not None)
        of_lists = (Phase.RESTORE_OLD, Phase.REMOVE_NEW) if live.carriers else ()
        ways_back = (*of_lists, Phase.RESTORE_POLICIES)
        left = [plan_phase(context, each, live, baseline) for each in ways_back]
        if not any(each.changed for each in left):
            for note in left[-1].notes:  # of policies that others have changed since
                context.note(note)
            context.baselines.forget(context.target.name)
            context.note(
                "everything that the cutover changed is restored; the baseline record is removed"
            )
    except SfcutoverError as error:
        context.note(f"the baseline record was kept: {error}")


def _is_busy(connection: Connection) -> bool:
    """True if the org says that it works on a deployment: it may be one of this cutover."""
    return connection.deployer.find_latest() is not None and not connection.deployer.is_idle()


def _require_agreement(given: Baseline, recorded: Baseline) -> None:
    """In what this cutover changes: entries of its addresses, and policies that it sets."""
    for component in recorded.snapshot.carriers:
        other = given.snapshot.same_as(component)
        ours = _entries(component.allowlist, recorded.change)
        theirs = _entries(other.allowlist if other else (), recorded.change)
        if ours != theirs:
            raise _disagreement(given, recorded, component.path, ours, theirs)


def _entries(ranges: Iterable[IpRange], change: Change) -> set[IpRange]:
    owned = (*change.old, *change.new)
    return {each for each in ranges if subtract([each], owned) != (each,)}


def _disagreement(
    given: Baseline, recorded: Baseline, path: str, ours: set[IpRange], theirs: set[IpRange]
) -> DriftError:
    return DriftError(
        f"{path}: {given.origin} has {_listed(theirs)}, and {recorded.origin} has {_listed(ours)}",
        hint="omit --plan to restore the recorded baseline, or give the plan that this cutover "
        "started with",
    )


def _new_of(record: BaselineRecord, cutover: Cutover) -> tuple[IpRange, ...]:
    """What was ever new, and what is now."""
    before = _ranges(record.new)
    return (*before, *subtract(cutover.change.new, before))


def _with_values(
    before: Mapping[str, list[str]], values: Mapping[str, str]
) -> dict[str, list[str]]:
    """With these values among those that were ever set."""
    added = {name: [*dict.fromkeys((*before.get(name, ()), text))] for name, text in values.items()}
    return {**before, **added}


def _ranges(documents: Iterable[RangeDocument]) -> tuple[IpRange, ...]:
    return tuple(IpRange.parse(each.range, each.description) for each in documents)


def _listed(ranges: Iterable[IpRange]) -> str:
    entries = (f"{each} ({each.description})" if each.description else str(each) for each in ranges)
    return ", ".join(sorted(entries)) or "none of them"
