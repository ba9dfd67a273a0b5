"""What differs between a component as it is and as a phase makes it, as data. Pure."""

from __future__ import annotations

import difflib
from collections import Counter
from dataclasses import dataclass
from typing import Literal

from sfcutover.component import Component
from sfcutover.ipranges import MAX_ADDRESSES, MAX_RANGES, Allowlist, IpRange

Sign = Literal["+", "-", " "]


@dataclass(frozen=True)
class RangeLine:
    """One line of a list's diff: added, removed or unchanged."""

    sign: Sign
    entry: IpRange


@dataclass(frozen=True)
class FieldChange:
    """A field's content as XML text, None where it is absent."""

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
    lines: list[RangeLine] = []
    matcher = difflib.SequenceMatcher(None, before, after, autojunk=False)
    for tag, start, end, new_start, new_end in matcher.get_opcodes():
        if tag == "equal":
            lines += [RangeLine(" ", entry) for entry in before[start:end]]
        else:
            lines += [RangeLine("-", entry) for entry in before[start:end]]
            lines += [RangeLine("+", entry) for entry in after[new_start:new_end]]
    return lines


def _compare_fields(before: Component, after: Component) -> list[FieldChange]:
    old, new = _contents(before), _contents(after)
    return [
        FieldChange(name, old.get(name), new.get(name))
        for name in sorted(old.keys() | new.keys())
        if old.get(name) != new.get(name)
    ]


def _contents(component: Component) -> dict[str, str]:
    """Content by name; a repeated field's contents are joined, as their order has meaning."""
    contents: dict[str, str] = {}
    for field in component.fields:
        previous = contents.get(field.name)
        contents[field.name] = field.content if previous is None else previous + field.content
    return contents
