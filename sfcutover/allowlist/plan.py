"""One phase worked out for one app: the components after it, the diff, the package. Pure
but for the templates, which are read from disk."""

from __future__ import annotations

from dataclasses import dataclass

from sfcutover.allowlist.component import Component
from sfcutover.allowlist.diff import ComponentDiff, compare
from sfcutover.allowlist.package import Package, build_package
from sfcutover.allowlist.phases import Change, Phase, apply_phase, notes_on
from sfcutover.allowlist.ranges import Allowlist
from sfcutover.allowlist.snapshot import Snapshot
from sfcutover.allowlist.templates import Templates
from sfcutover.config.cutover import Cutover
from sfcutover.errors import ConfigError


@dataclass(frozen=True)
class PlannedPhase:
    """What a phase makes of an app's components.

    start: the components it was computed from. after: as they should be. notes: what
    a person should know, one sentence each.
    """

    phase: Phase
    start: Snapshot
    after: Snapshot
    diffs: tuple[ComponentDiff, ...]
    package: Package
    notes: tuple[str, ...]

    @property
    def changed(self) -> bool:
        return any(diff.changed for diff in self.diffs)


def plan_phase(
    phase: Phase,
    start: Snapshot,
    cutover: Cutover,
    templates: Templates,
    baseline: Snapshot | None = None,
) -> PlannedPhase:
    """Work the phase out from start: what is live, or a baseline.

    baseline: the components before anything changed, where known.
    Raises what apply_phase raises, and ConfigError for a faulty template.
    """
    carriers = tuple(
        _apply(phase, component, cutover.change, baseline) for component in start.carriers
    )
    policies = start.policies and start.policies.with_values(cutover.policy_values)
    after = Snapshot(carriers, policies)
    return _planned(
        phase,
        start,
        after,
        cutover,
        templates,
        (*cutover.notes, *_notes(phase, start, cutover.change)),
    )


def repeat_phase(
    planned: PlannedPhase, live: Snapshot, cutover: Cutover, templates: Templates
) -> PlannedPhase:
    """The phase once more, for a list on which it did not take.

    Retrieved, changed, deployed again: what the phase wants, on top of what is live now.
    An entry that somebody else has put on meanwhile stays.
    """
    carriers = tuple(_once_more(planned, component) for component in live.carriers)
    policies = live.policies and live.policies.with_values(cutover.policy_values)
    return _planned(planned.phase, live, Snapshot(carriers, policies), cutover, templates, ())


def plan_all_phases(
    baseline: Snapshot, cutover: Cutover, templates: Templates
) -> dict[Phase, PlannedPhase]:
    """Every phase in the state it is meant for: remove-old on top of add-new, and each undone."""
    add_new = plan_phase(Phase.ADD_NEW, baseline, cutover, templates, baseline)
    remove_old = plan_phase(Phase.REMOVE_OLD, add_new.after, cutover, templates, baseline)
    restore_old = plan_phase(Phase.RESTORE_OLD, remove_old.after, cutover, templates, baseline)
    remove_new = plan_phase(Phase.REMOVE_NEW, add_new.after, cutover, templates, baseline)
    return {each.phase: each for each in (add_new, remove_old, restore_old, remove_new)}


def live_phase(live: Snapshot, change: Change) -> str:
    """Which phase the live lists are in, in a few words."""
    holds_old = all(component.allowlist.covers(change.old) for component in live.carriers)
    holds_new = all(component.allowlist.covers(change.new) for component in live.carriers)
    match holds_old, holds_new:
        case True, True:
            return "add-new: old and new addresses are on the list"
        case True, False:
            return "before add-new: the old addresses are on the list, not all new ones"
        case False, True:
            return "remove-old: the new addresses are on the list, not all old ones"
        case _:
            return "neither all old nor all new addresses are on the list"


def _planned(
    phase: Phase,
    start: Snapshot,
    after: Snapshot,
    cutover: Cutover,
    templates: Templates,
    notes: tuple[str, ...],
) -> PlannedPhase:
    diffs = tuple(map(compare, start.components, after.components))
    package = build_package(after.components, cutover.api_version, templates)
    return PlannedPhase(phase, start, after, diffs, package, notes)


def _once_more(planned: PlannedPhase, live: Component) -> Component:
    before = planned.start.same_as(live) or live
    wanted = planned.after.same_as(live) or live
    known = Allowlist((*before.allowlist, *wanted.allowlist))
    return live.with_allowlist(wanted.allowlist.add(known.uncovered(live.allowlist)))


def _apply(
    phase: Phase, component: Component, change: Change, baseline: Snapshot | None
) -> Component:
    before = baseline.same_as(component) if baseline else None
    try:
        allowlist = apply_phase(
            phase, component.allowlist, change, before.allowlist if before else None
        )
    except ConfigError as error:
        raise ConfigError(error.message, hint=error.advice, where=component.path) from error
    return component.with_allowlist(allowlist)


def _notes(phase: Phase, start: Snapshot, change: Change) -> tuple[str, ...]:
    several = len(start.carriers) > 1
    return tuple(
        f"{component.path}: {note}" if several else note
        for component in start.carriers
        for note in notes_on(phase, component.allowlist, change)
    )
