"""What the phases changed, the same change on many targets told once. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sfcutover.allowlist.documents import CapacityDocument, ComponentDiffDocument
from sfcutover.documents.reports import ReportDocument, ReportPhaseDocument


@dataclass(frozen=True)
class ChangedTarget:
    """One target of a change. unchanged: entries that stay as they are. found: this run had
    sent nothing."""

    name: str
    live: str | None
    found: bool
    deployments: list[str]
    unchanged: int
    capacity: CapacityDocument


@dataclass(frozen=True)
class Change:
    """What a phase does to one component: the same on all these targets.

    component: of the first target; what it adds, removes and changes holds for all.
    """

    phase: str
    changed: bool
    component: ComponentDiffDocument
    notes: list[str]
    targets: list[ChangedTarget]

    @property
    def found(self) -> bool:
        """True if this run changed it nowhere."""
        return all(each.found for each in self.targets)


def changes(document: ReportDocument) -> list[Change]:
    """In the order of the run."""
    found: dict[str, Change] = {}
    for phase in document.phases:
        for component in _shown(phase):
            key = _key(phase, component)
            if key not in found:
                found[key] = Change(phase.phase, phase.changed, component, phase.notes, [])
            found[key].targets.append(_target(phase, component))
    order = {each.name: number for number, each in enumerate(document.targets)}
    for change in found.values():
        change.targets.sort(key=lambda each: order.get(each.name, len(order)))
    return list(found.values())


def fullest(document: ReportDocument) -> CapacityDocument | None:
    """The capacity that came nearest to a limit."""
    every = [each.capacity for phase in document.phases for each in _lists(phase.components)]
    return max(every, key=_share, default=None)


def _shown(phase: ReportPhaseDocument) -> Iterable[ComponentDiffDocument]:
    """What changes, or the lists where nothing does."""
    changed = [each for each in phase.components if each.added or each.removed or each.fields]
    return changed or _lists(phase.components)


def _lists(components: Iterable[ComponentDiffDocument]) -> list[ComponentDiffDocument]:
    return [each for each in components if each.carrier is not None]


def _key(phase: ReportPhaseDocument, component: ComponentDiffDocument) -> str:
    same = component.model_dump_json(exclude={"unchanged", "capacity"})
    return f"{phase.phase} {phase.notes} {same}"


def _target(phase: ReportPhaseDocument, component: ComponentDiffDocument) -> ChangedTarget:
    return ChangedTarget(
        name=phase.target,
        live=phase.live,
        found=phase.found,
        deployments=phase.deployments,
        unchanged=component.unchanged,
        capacity=component.capacity,
    )


def _share(capacity: CapacityDocument) -> float:
    ranges, addresses = capacity.max_ranges, capacity.max_addresses
    return max(capacity.ranges / ranges, capacity.addresses / addresses)
