"""What differs between a component as it is and as a phase makes it, as data and as JSON."""

from __future__ import annotations

import difflib
from collections import Counter
from dataclasses import dataclass
from typing import Literal

from pydantic import model_validator

from sfcutover.allowlist.component import Component, Field
from sfcutover.allowlist.ranges import MAX_ADDRESSES, MAX_RANGES, Allowlist, IpRange
from sfcutover.util.document import Document

Sign = Literal["+", "-", " "]


@dataclass(frozen=True)
class RangeLine:
    """One line of a list's diff: added, removed or unchanged."""

    sign: Sign
    entry: IpRange


@dataclass(frozen=True)
class FieldChange:
    """A field's content as XML text, of a repeated one its elements; None where it is absent."""

    name: str
    before: str | None
    after: str | None


@dataclass(frozen=True)
class Capacity:
    """How full a list is, of 128 ranges and 256 addresses."""

    ranges: int
    addresses: int
    max_ranges: int = MAX_RANGES
    max_addresses: int = MAX_ADDRESSES

    @classmethod
    def of(cls, allowlist: Allowlist) -> Capacity:
        return cls(len(allowlist), allowlist.address_count)


@dataclass(frozen=True)
class ComponentDiff:
    """A component's changes. lines holds the whole list in order, fields only what changes."""

    before: Component
    after: Component
    lines: tuple[RangeLine, ...]
    fields: tuple[FieldChange, ...]

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
    def capacity(self) -> Capacity:
        return Capacity.of(self.after.allowlist)


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


def _compare_fields(before: Component, after: Component) -> list[FieldChange]:
    old, new = _by_name(before), _by_name(after)
    return [
        FieldChange(name, _shown(old.get(name)), _shown(new.get(name)))
        for name in sorted(old.keys() | new.keys())
        if _meaning(old.get(name)) != _meaning(new.get(name))
    ]


def _by_name(component: Component) -> dict[str, list[Field]]:
    """The fields by name; a repeated field's in their order, as it has meaning."""
    fields: dict[str, list[Field]] = {}
    for field in component.fields:
        fields.setdefault(field.name, []).append(field)
    return fields


def _meaning(fields: list[Field] | None) -> list[str]:
    return [field.content for field in fields or ()]


def _shown(fields: list[Field] | None) -> str | None:
    """The content, or the elements themselves where there are several."""
    if not fields:
        return None
    return fields[0].content if len(fields) == 1 else "".join(field.xml for field in fields)


class RangeDocument(Document):
    range: str
    description: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _accept_entry(cls, data: object) -> object:
        if isinstance(data, IpRange):
            return {"range": str(data), "description": data.description}
        return data


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
