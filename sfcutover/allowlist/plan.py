"""The phases of one cutover worked out for one app: the components afterwards, the differences
and the package, as data and as JSON. Pure but for the templates, which are read from disk."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Literal

from pydantic import Field

from sfcutover.allowlist.carriers import TOKEN_IP_RANGES, Carrier
from sfcutover.allowlist.component import Component
from sfcutover.allowlist.diff import ComponentDiff, ComponentDiffDocument, compare
from sfcutover.allowlist.package import Package, build_package
from sfcutover.allowlist.phases import (
    ADD_NEW_NOT_LIVE,
    DONE_OR_SWAPPED,
    LIST_PHASES,
    Change,
    Phase,
    PhaseName,
    apply_phase,
    check_limits,
    is_done_or_swapped,
    notes_on,
)
from sfcutover.allowlist.policies import Policies
from sfcutover.allowlist.ranges import Allowlist, IpRange
from sfcutover.allowlist.restoration import restore_policies
from sfcutover.allowlist.snapshot import Snapshot
from sfcutover.allowlist.templates import Templates
from sfcutover.errors import Advice, Command, ConfigError, SfcutoverError
from sfcutover.util.document import Document, InstanceUrl, Sha256


@dataclass(frozen=True)
class PlannedPhase:
    """What a phase makes of an app's components.

    start: the components it was computed from, as far as the package holds them. after: as they
    should be. notes: for the operator, one sentence each.
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

    @property
    def changed_fields(self) -> tuple[str, ...]:
        """The names of the fields that it changes; entries of a list are none."""
        return tuple(changed.name for diff in self.diffs for changed in diff.fields)


@dataclass(frozen=True)
class Planner:
    """Works out the phases of one cutover. Every method raises ConfigError for a faulty template.

    cutover, app: their names. api_version: of the packages, as ``67.0``. policies: the OAuth
    policies that each phase sets. notes: what every phase says first.
    """

    cutover: str
    app: str
    change: Change
    api_version: str
    templates: Templates
    policies: Policies = field(default_factory=Policies)
    notes: tuple[str, ...] = ()

    def plan(self, phase: Phase, start: Snapshot, baseline: Snapshot | None = None) -> PlannedPhase:
        """A phase of the list on top of start: what is live, or a baseline.

        baseline: the components before anything changed, where known. Lists and policies are one
        package; only a way back holds no policies: they follow in a package of their own, see
        restore_policies. Raises what apply_phase raises, and ConfigError for a phase that has
        neither lists nor policies to change.
        """
        if phase not in self._phases(start):
            raise _nothing_to_change(phase)
        carriers = tuple(self._apply(phase, component, baseline) for component in start.carriers)
        notes = (*self.notes, *self._notes(phase, start))
        return self._planned(phase, start, carriers, notes)

    def restore_policies(
        self,
        live: Snapshot,
        baseline: Snapshot,
        values: Mapping[str, Collection[str]],
        kept: Mapping[str, str] | None = None,
    ) -> PlannedPhase:
        """The policies as they were before this cutover set its own; no list is in the package.

        values: all that it ever set, by field. kept: what stays set, where only a part is undone.
        """
        if live.policies is None or baseline.policies is None:
            return self._package(Phase.RESTORE_POLICIES, Snapshot(()), Snapshot(()), ())
        before = baseline.policies.with_values(kept or {})
        restored = restore_policies(live.policies, before, values)
        start, after = Snapshot((), live.policies), Snapshot((), restored.component)
        return self._package(Phase.RESTORE_POLICIES, start, after, restored.notes)

    def repeat(self, planned: PlannedPhase, live: Snapshot) -> PlannedPhase:
        """The phase once more, for a list on which it did not take effect.

        What the phase wants, on top of what is live now. An entry that others have added
        meanwhile stays.
        """
        start = live.like(planned.start)
        carriers = tuple(_repeated(planned, component) for component in start.carriers)
        if planned.phase is Phase.RESTORE_POLICIES:
            return self._package(planned.phase, start, _repeated_policies(planned, start), ())
        return self._planned(planned.phase, start, carriers, ())

    def extend(
        self, phase: Phase, live: Snapshot, entries: Mapping[str, tuple[IpRange, ...]]
    ) -> PlannedPhase:
        """A phase that is live, with entries added again that it has replaced. entries: by path.

        Raises LimitError for a list that they would make too long.
        """
        carriers = tuple(
            each.with_allowlist(each.allowlist.add(entries.get(each.path, ())))
            for each in live.carriers
        )
        for each in carriers:
            with _about(each):
                check_limits(phase, each.allowlist, _carrier_of(each))
        return self._planned(phase, live, carriers, ())

    def redescribe(
        self, live: Snapshot, change: Callable[[Allowlist, tuple[IpRange, ...]], Allowlist]
    ) -> PlannedPhase:
        """Add-new, for a list that holds it, with another description: see resave."""
        carriers = tuple(
            each.with_allowlist(change(each.allowlist, self.change.added))
            if each.carrier is TOKEN_IP_RANGES
            else each
            for each in live.carriers
        )
        return self._planned(Phase.ADD_NEW, live, carriers, ())

    def not_live_yet(self, phase: Phase, live: Snapshot) -> Phase | None:
        """Add-new, where remove-old is asked for and not all of add-new is on the lists."""
        lists = [each.allowlist for each in live.carriers]
        if phase is not Phase.REMOVE_OLD or all(each.covers(self.change.new) for each in lists):
            return None
        return Phase.ADD_NEW

    def plan_in_order(self, phase: Phase, live: Snapshot) -> PlannedPhase:
        """A phase as it is meant: remove-old on top of add-new, also where that is not live yet."""
        before = self.not_live_yet(phase, live)
        if before is None:
            return self.plan(phase, live)
        planned = self.plan(phase, self._after(before, live), live)
        return replace(planned, notes=(ADD_NEW_NOT_LIVE, *planned.notes))

    def plan_all(
        self, baseline: Snapshot, phases: Sequence[Phase] | None = None
    ) -> dict[Phase, PlannedPhase]:
        """Phases in the state each is meant for: remove-old after add-new, and each undone.

        phases: if not given, all that change something.
        """
        chosen = self._phases(baseline) if phases is None else phases
        return {phase: self._in_order(phase, baseline) for phase in chosen}

    def _in_order(self, phase: Phase, baseline: Snapshot) -> PlannedPhase:
        before = _BEFORE.get(phase)
        start = baseline if before is None else self._after(before, baseline)
        return self.plan(phase, start, baseline)

    def _after(self, phase: Phase, baseline: Snapshot) -> Snapshot:
        """What a phase leaves, with what its package does not hold."""
        if phase not in self._phases(baseline):
            return baseline
        after = self._in_order(phase, baseline).after
        return Snapshot(after.carriers, after.policies or baseline.policies)

    def _phases(self, start: Snapshot) -> tuple[Phase, ...]:
        """Those that change something: without lists, the ones that set policies."""
        return LIST_PHASES if start.carriers else tuple(filter(self.policies.of, LIST_PHASES))

    def _planned(
        self,
        phase: Phase,
        start: Snapshot,
        carriers: tuple[Component, ...],
        notes: tuple[str, ...],
    ) -> PlannedPhase:
        values = self.policies.of(phase)
        if start.policies is None or not values:
            return self._package(phase, Snapshot(start.carriers), Snapshot(carriers), notes)
        after = Snapshot(carriers, start.policies.with_values(values))
        return self._package(phase, start, after, notes)

    def _package(
        self, phase: Phase, start: Snapshot, after: Snapshot, notes: tuple[str, ...]
    ) -> PlannedPhase:
        diffs = tuple(map(compare, start.components, after.components))
        package = build_package(after.components, self.api_version, self.templates)
        return PlannedPhase(phase, start, after, diffs, package, notes)

    def _apply(self, phase: Phase, component: Component, baseline: Snapshot | None) -> Component:
        before = baseline.same_as(component) if baseline else None
        recorded = before.allowlist if before else None
        carrier = _carrier_of(component)
        with _about(component):
            allowlist = apply_phase(phase, component.allowlist, self.change, recorded, carrier)
        return component.with_allowlist(allowlist)

    def _notes(self, phase: Phase, start: Snapshot) -> list[str]:
        several = len(start.carriers) > 1
        return [
            f"{component.path}: {note}" if several else note
            for component in start.carriers
            for note in notes_on(phase, component.allowlist, self.change)
        ] + self.policies.notes(phase)


_BEFORE = {
    Phase.REMOVE_OLD: Phase.ADD_NEW,
    Phase.RESTORE_OLD: Phase.REMOVE_OLD,
    Phase.REMOVE_NEW: Phase.ADD_NEW,
}


@contextmanager
def _about(component: Component) -> Iterator[None]:
    """Lets an error name the list that it is about."""
    try:
        yield
    except SfcutoverError as error:
        raise error.replaced(where=component.path) from error


def _nothing_to_change(phase: Phase) -> ConfigError:
    return ConfigError(
        f"{phase} changes nothing: carriers: [] names no allowlist, and policies: sets none in "
        f"this phase",
        hint=Advice(
            "use a phase that sets policies; to restore what one has set, run ",
            Command("rollback", "--to", "baseline"),
        ),
    )


def _carrier_of(component: Component) -> Carrier:
    if component.carrier is None:
        raise TypeError(f"{component.path} carries no list")
    return component.carrier


def _repeated(planned: PlannedPhase, live: Component) -> Component:
    before = planned.start.same_as(live) or live
    wanted = planned.after.same_as(live) or live
    known = Allowlist((*before.allowlist, *wanted.allowlist))
    return live.with_allowlist(wanted.allowlist.add(known.uncovered(live.allowlist)))


def _repeated_policies(planned: PlannedPhase, live: Snapshot) -> Snapshot:
    policies = live.policies
    for name in planned.changed_fields:
        if policies and planned.after.policies:
            policies = policies.with_field_of(planned.after.policies, name)
    return Snapshot((), policies)


def live_phase(live: Snapshot, change: Change, *, may_be_swapped: bool = False) -> str:
    """Which phase the live lists are in, in a few words.

    may_be_swapped: where nothing was deployed yet, a list that is done has old: and new: swapped.
    """
    lists = [component.allowlist for component in live.carriers]
    if not lists:
        return "this cutover changes no allowlist"
    if may_be_swapped and all(is_done_or_swapped(each, change) for each in lists):
        return DONE_OR_SWAPPED
    holds_old = all(each.covers(change.old) for each in lists)
    holds_new = all(each.covers(change.new) for each in lists)
    match holds_old, holds_new:
        case True, True:
            return "old and new addresses are on the allowlist (phase add-new)"
        case True, False if not any(each.covered(change.added) for each in lists):
            return (
                "the old addresses are on the allowlist, and no new one (phase add-new is not live)"
            )
        case True, False:
            return (
                "the old addresses are on the allowlist, but not all new ones "
                "(phase add-new is not live)"
            )
        case False, True if not any(each.covered(change.removed) for each in lists):
            return "the new addresses are on the allowlist, and no old one (phase remove-old)"
        case False, True:
            return "the new addresses are on the allowlist, but not all old ones (phase remove-old)"
        case _:
            return "neither all old nor all new addresses are on the allowlist"


class PhaseDocument(Document):
    """One phase on one target."""

    phase: PhaseName
    """The phase."""
    changed: bool
    """True if the phase changes a component."""
    package_sha256: Sha256
    """SHA-256 over every path and content of the package, 64 hexadecimal digits."""
    components: list[ComponentDiffDocument]
    """What the phase changes, by component."""
    notes: list[str]
    """What a reviewer should know of the phase, a sentence each."""

    @classmethod
    def of(cls, planned: PlannedPhase) -> PhaseDocument:
        return cls(
            phase=planned.phase,
            changed=planned.changed,
            package_sha256=planned.package.sha256,
            components=[ComponentDiffDocument.of(diff) for diff in planned.diffs],
            notes=planned.notes,
        )


class TargetDiffDocument(Document):
    """What the phase changes on one target."""

    target: str
    """Name of the target."""
    instance_url: InstanceUrl | None
    """Instance URL of the org; null where only files were read."""
    on_top_of: PhaseName | None
    """The phase that comes first and is not live yet, from whose lists this one is computed; null
    where it is computed from what was read."""
    phase: PhaseDocument
    """The phase, with its changes."""


class DiffDocument(Document):
    """What ``diff`` prints."""

    schema_: Literal["sfcutover/diff/1"] = Field("sfcutover/diff/1", alias="schema")
    """Name and version of this document's format."""
    cutover: str
    """Name of the cutover."""
    changed: bool
    """True if the phase changes a component of any target."""
    targets: list[TargetDiffDocument]
    """The changes, by target."""


class WrittenDocument(Document):
    """One package on disk, or one phase in a source tree."""

    target: str
    """Name of the target."""
    phase: PhaseName
    """Phase of the package."""
    path: str
    """Folder or zip file that was written; of a source tree, the folder that was named."""
    package_sha256: Sha256
    """SHA-256 over every path and content of the package, 64 hexadecimal digits."""
    files: list[str]
    """Paths of the files inside the package; of a source tree, those of the components' files from
    the current folder, whether they changed or not."""


class RenderDocument(Document):
    """What ``render`` prints."""

    schema_: Literal["sfcutover/render/1"] = Field("sfcutover/render/1", alias="schema")
    """Name and version of this document's format."""
    cutover: str
    """Name of the cutover."""
    format: Literal["mdapi", "source"]
    """Layout of the files: Metadata API package, or source format."""
    packages: list[WrittenDocument]
    """The packages that were written."""
