"""What differs between a component as it is and as a phase makes it, and between what was
deployed and what the org holds afterwards; as data and as JSON."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

from pydantic import model_validator

from sfcutover.allowlist.component import Component, Field
from sfcutover.allowlist.ranges import Allowlist, IpRange, subtract
from sfcutover.allowlist.snapshot import Snapshot
from sfcutover.util.document import ComponentPath, Document, RangeText

Sign = Literal["+", "-", " "]


@dataclass(frozen=True)
class RangeLine:
    """One line of a list's diff: added, removed or unchanged."""

    sign: Sign
    entry: IpRange


class FieldDocument(Document):
    """A field of a component that changes."""

    name: str
    """Name of the field."""
    before: str | None
    """Content before the phase, XML text; null where the field is absent."""
    after: str | None
    """Content after the phase, XML text; null where the field is absent."""


class CapacityDocument(Document):
    """What a list holds, and may hold."""

    ranges: int
    """Ranges on the list."""
    addresses: int
    """Addresses that these ranges hold."""
    max_ranges: int | None
    """Most ranges that the carrier takes; null where it has no limit."""
    max_addresses: int | None
    """Most addresses that the carrier takes; null where it has no limit."""

    def __str__(self) -> str:
        """``5 of 128 ranges, 12 of 256 addresses``."""
        return f"{self.of_ranges} ranges, {self.of_addresses} addresses"

    @property
    def of_ranges(self) -> str:
        return _of(self.ranges, self.max_ranges)

    @property
    def of_addresses(self) -> str:
        return _of(self.addresses, self.max_addresses)


def _of(count: int, most: int | None) -> str:
    return f"{count}" if most is None else f"{count} of {most}"


@dataclass(frozen=True)
class ComponentDiff:
    """A component's changes. lines holds the whole list in order, fields only what changes."""

    before: Component
    after: Component
    lines: tuple[RangeLine, ...]
    fields: tuple[FieldDocument, ...]

    @property
    def added(self) -> tuple[IpRange, ...]:
        return tuple(line.entry for line in self.lines if line.sign == "+")

    @property
    def removed(self) -> tuple[IpRange, ...]:
        return tuple(line.entry for line in self.lines if line.sign == "-")

    @property
    def changed(self) -> bool:
        return bool(self.added or self.removed or self.fields)

    @property
    def capacity(self) -> CapacityDocument:
        allowlist, carrier = self.after.allowlist, self.after.carrier
        return CapacityDocument(
            ranges=len(allowlist),
            addresses=allowlist.address_count,
            max_ranges=carrier.max_ranges if carrier else None,
            max_addresses=carrier.max_addresses if carrier else None,
        )


def compare(before: Component, after: Component) -> ComponentDiff:
    """What turns before into after. A mere change of order is no difference."""
    return ComponentDiff(
        before,
        after,
        tuple(_compare_lists(before.allowlist.ranges, after.allowlist.ranges)),
        tuple(_compare_fields(before, after)),
    )


def _compare_lists(before: tuple[IpRange, ...], after: tuple[IpRange, ...]) -> list[RangeLine]:
    if Counter(before) == Counter(after):
        return [RangeLine(" ", entry) for entry in after]
    removed, added = Counter(before) - Counter(after), Counter(after) - Counter(before)
    lines: list[RangeLine] = []
    matcher = difflib.SequenceMatcher(None, before, after, autojunk=False)
    for tag, start, end, new_start, new_end in matcher.get_opcodes():
        if tag == "equal":
            lines += [RangeLine(" ", entry) for entry in before[start:end]]
        else:
            # An entry that only moved is shown once, unchanged, at its new place.
            lines += [RangeLine("-", entry) for entry in before[start:end] if _take(entry, removed)]
            lines += [
                RangeLine("+" if _take(entry, added) else " ", entry)
                for entry in after[new_start:new_end]
            ]
    return lines


def _take(entry: IpRange, left: Counter[IpRange]) -> bool:
    """True, and one fewer left, if there is one left."""
    if not left[entry]:
        return False
    left[entry] -= 1
    return True


def _compare_fields(before: Component, after: Component) -> list[FieldDocument]:
    names = sorted({field.name for field in (*before.fields, *after.fields)})
    every = ((name, _named(before, name), _named(after, name)) for name in names)
    return [
        FieldDocument(name=name, before=_shown(old), after=_shown(new))
        for name, old, new in every
        if [field.content for field in old] != [field.content for field in new]
    ]


def _named(component: Component, name: str) -> list[Field]:
    """The fields of that name; a repeated field's in their order, as it has meaning."""
    return [field for field in component.fields if field.name == name]


def _shown(fields: list[Field]) -> str | None:
    """The content, or the elements themselves where there are several."""
    if len(fields) == 1:
        return fields[0].content
    return "".join(field.xml for field in fields) if fields else None


class RangeDocument(Document):
    """A range of a list."""

    range: RangeText
    """One address, or the first and the last address of a range with a hyphen between."""
    description: str | None = None
    """The entry's description; null where it has none."""

    @model_validator(mode="before")
    @classmethod
    def _accept_entry(cls, data: object) -> object:
        if isinstance(data, IpRange):
            return {"range": str(data), "description": data.description}
        return data


class ComponentDiffDocument(Document):
    """What a phase changes in one component."""

    path: ComponentPath
    """Path of the file inside its package."""
    type: str
    """Metadata type."""
    full_name: str
    """Full name of the component."""
    carrier: str | None
    """Carrier whose list it holds; null for the OAuth policies."""
    added: list[RangeDocument]
    """Entries that the phase adds."""
    removed: list[RangeDocument]
    """Entries that the phase removes."""
    unchanged: int
    """Number of entries that stay as they are."""
    fields: list[FieldDocument]
    """Other fields that change."""
    capacity: CapacityDocument
    """What the list holds after the phase, and may hold."""

    @classmethod
    def of(cls, diff: ComponentDiff) -> ComponentDiffDocument:
        after = diff.after
        return cls(
            path=after.path,
            type=after.component_type.metadata_type,
            full_name=after.full_name,
            carrier=after.carrier.name if after.carrier else None,
            added=diff.added,
            removed=diff.removed,
            unchanged=sum(line.sign == " " for line in diff.lines),
            fields=diff.fields,
            capacity=diff.capacity,
        )


@dataclass(frozen=True)
class Mismatch:
    """How a component reads back different from what was deployed.

    missing: addresses that should be on the list and are not. left_over: addresses that
    should have been removed. foreign: addresses that were neither there before nor deployed,
    so others have added them meanwhile. descriptions: entries whose description differs.
    fields: everything else, before = wanted, after = live.
    """

    path: str
    missing: tuple[IpRange, ...] = ()
    left_over: tuple[IpRange, ...] = ()
    foreign: tuple[IpRange, ...] = ()
    descriptions: tuple[IpRange, ...] = ()
    fields: tuple[FieldDocument, ...] = ()

    def __str__(self) -> str:
        parts = []
        if self.missing:
            parts.append(f"missing {_join(self.missing)}")
        if self.left_over:
            parts.append(f"still there {_join(self.left_over)}")
        if self.foreign:
            parts.append(f"added by other users meanwhile {_join(self.foreign)}")
        parts += [f"<{each.name}> is {each.after!r}, not {each.before!r}" for each in self.fields]
        parts += [f"{each} has another description" for each in self.descriptions]
        return f"{self.path}: {'; '.join(parts)}"


@dataclass(frozen=True)
class ReadBack:
    """The org after a deployment. blocking: the phase is not live. cosmetic: it is, but."""

    live: Snapshot
    blocking: tuple[Mismatch, ...]
    cosmetic: tuple[Mismatch, ...]

    @property
    def taken(self) -> bool:
        return not self.blocking


def read_back(
    start: Snapshot,
    wanted: Snapshot,
    live: Snapshot,
    set_fields: Collection[str],
    removed_by_others: Collection[IpRange] = (),
) -> ReadBack:
    """Compare the live components with the wanted ones.

    start: what was there before. set_fields: the policy fields the cutover sets; these
    must have taken effect. Any other field was sent as it had been retrieved, so the org
    itself makes a difference. removed_by_others: what may be missing.
    """
    blocking: list[Mismatch] = []
    cosmetic: list[Mismatch] = []
    for component in wanted.components:
        now = live.same_as(component)
        before = start.same_as(component) or component
        if now is None:
            blocking.append(Mismatch(component.path, missing=component.allowlist.ranges))
        elif mismatch := _mismatch(before, component, now):
            missing = subtract(mismatch.missing, removed_by_others)
            lost = missing or mismatch.left_over or _lost_policy(mismatch, set_fields)
            (blocking if lost else cosmetic).append(mismatch)
    return ReadBack(live, tuple(blocking), tuple(cosmetic))


def _mismatch(start: Component, wanted: Component, live: Component) -> Mismatch | None:
    unexpected = wanted.allowlist.uncovered(live.allowlist)
    foreign = start.allowlist.uncovered(unexpected)
    missing = live.allowlist.uncovered(wanted.allowlist)
    difference = compare(wanted, live)
    mismatch = Mismatch(
        wanted.path,
        missing=missing,
        left_over=subtract(unexpected, foreign),
        foreign=foreign,
        descriptions=() if missing or unexpected else difference.removed,
        fields=difference.fields,
    )
    return None if mismatch == Mismatch(wanted.path) else mismatch


def _lost_policy(mismatch: Mismatch, set_fields: Collection[str]) -> bool:
    return any(each.name in set_fields for each in mismatch.fields)


def _join(ranges: tuple[IpRange, ...]) -> str:
    return ", ".join(map(str, ranges))


class AllowlistDocument(Document):
    """A carrier's list as it was read back."""

    path: ComponentPath
    """Path of the component's file inside its package."""
    carrier: str
    """Carrier of the list."""
    ranges: list[RangeDocument]
    """Entries of the list, in order."""

    @property
    def allowlist(self) -> Allowlist:
        return Allowlist(tuple(IpRange.parse(e.range, e.description) for e in self.ranges))

    @classmethod
    def all_of(cls, live: Snapshot) -> list[AllowlistDocument]:
        return [
            cls(path=each.path, carrier=each.carrier.name, ranges=each.allowlist.ranges)
            for each in live.carriers
            if each.carrier is not None
        ]
