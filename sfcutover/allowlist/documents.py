"""Diffs, packages and plans as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from sfcutover.allowlist.diff import ComponentDiff
from sfcutover.allowlist.phases import Phase
from sfcutover.allowlist.plan import PlannedPhase
from sfcutover.allowlist.ranges import IpRange

if TYPE_CHECKING:
    pass
from sfcutover.util.document import Document

PhaseName = Literal["add-new", "remove-old", "restore-old", "remove-new"]


class RangeDocument(Document):
    range: str
    description: str | None = None

    @classmethod
    def of(cls, entry: IpRange) -> RangeDocument:
        return cls(range=str(entry), description=entry.description)


class FieldDocument(Document):
    """A field's content as XML text; null where it is absent."""

    name: str
    before: str | None
    after: str | None


class CapacityDocument(Document):
    ranges: int
    addresses: int
    max_ranges: int
    max_addresses: int


class ComponentDiffDocument(Document):
    """carrier is null for the OAuth policies. unchanged counts entries."""

    path: str
    type: str
    full_name: str
    carrier: str | None
    added: list[RangeDocument]
    removed: list[RangeDocument]
    unchanged: int
    fields: list[FieldDocument]
    capacity: CapacityDocument

    @classmethod
    def of(cls, diff: ComponentDiff) -> ComponentDiffDocument:
        after, capacity = diff.after, diff.capacity
        return cls(
            path=after.path,
            type=after.component_type.metadata_type,
            full_name=after.full_name,
            carrier=after.carrier.name if after.carrier else None,
            added=[RangeDocument.of(entry) for entry in diff.added],
            removed=[RangeDocument.of(entry) for entry in diff.removed],
            unchanged=sum(line.sign == " " for line in diff.lines),
            fields=[
                FieldDocument(name=each.name, before=each.before, after=each.after)
                for each in diff.fields
            ],
            capacity=CapacityDocument(
                ranges=capacity.ranges,
                addresses=capacity.addresses,
                max_ranges=capacity.max_ranges,
                max_addresses=capacity.max_addresses,
            ),
        )


class PhaseDocument(Document):
    """One phase on one target. package_sha256 covers every path and content."""

    phase: PhaseName
    changed: bool
    package_sha256: str
    components: list[ComponentDiffDocument]
    notes: list[str]

    @classmethod
    def of(cls, planned: PlannedPhase) -> PhaseDocument:
        return cls(
            phase=phase_name(planned.phase),
            changed=planned.changed,
            package_sha256=planned.package.sha256,
            components=[ComponentDiffDocument.of(diff) for diff in planned.diffs],
            notes=list(planned.notes),
        )


class TargetDiffDocument(Document):
    target: str
    instance_url: str | None
    phase: PhaseDocument


class DiffDocument(Document):
    schema_: Literal["sfcutover/diff/1"] = Field("sfcutover/diff/1", alias="schema")
    cutover: str
    changed: bool
    targets: list[TargetDiffDocument]


class WrittenDocument(Document):
    """One package on disk; files are paths inside it."""

    target: str
    phase: PhaseName
    path: str
    package_sha256: str
    files: list[str]


class RenderDocument(Document):
    schema_: Literal["sfcutover/render/1"] = Field("sfcutover/render/1", alias="schema")
    cutover: str
    format: Literal["mdapi", "source"]
    packages: list[WrittenDocument]


class BaselineDocument(Document):
    """A component before anything changed: the file as rendered, and its fingerprint."""

    path: str
    type: str
    full_name: str
    carrier: str | None
    fingerprint: str
    xml: str


class PlanTargetDocument(Document):
    name: str
    instance_url: str
    live: str
    baseline: list[BaselineDocument]
    phases: list[PhaseDocument]


class PlanDocument(Document):
    """A plan binds a baseline and the packages made from it. created is UTC, ISO 8601."""

    schema_: Literal["sfcutover/plan/1"] = Field(alias="schema")  # read again, so no default
    cutover: str
    app: str
    api_version: str
    created: str
    old: list[RangeDocument]
    new: list[RangeDocument]
    targets: list[PlanTargetDocument]


def phase_name(phase: Phase) -> PhaseName:
    """The phase as a document spells it."""
    match phase:
        case Phase.ADD_NEW:
            return "add-new"
        case Phase.REMOVE_OLD:
            return "remove-old"
        case Phase.RESTORE_OLD:
            return "restore-old"
        case Phase.REMOVE_NEW:
            return "remove-new"
