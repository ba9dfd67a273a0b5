"""What differs between a component as it is and as a phase makes it, as data. Pure."""

from __future__ import annotations

import difflib
from collections import Counter
from dataclasses import dataclass
from typing import Literal

from sfcutover.allowlist.component import Component, Field
from sfcutover.allowlist.ranges import MAX_ADDRESSES, MAX_RANGES, Allowlist, IpRange, subtract
from sfcutover.allowlist.snapshot import Snapshot

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


@dataclass(frozen=True)
class Mismatch:
    """How a component reads back different from what was deployed.

    missing: addresses that should be on the list and aren't. left_over: addresses that
    should have come off and didn't. foreign: addresses that were neither there before nor
    deployed, so somebody else has put them on meanwhile. descriptions: entries whose
    description is another one. fields: everything else, before = wanted, after = live.
    """

    path: str
    missing: tuple[IpRange, ...] = ()
    left_over: tuple[IpRange, ...] = ()
    foreign: tuple[IpRange, ...] = ()
    descriptions: tuple[IpRange, ...] = ()
    fields: tuple[FieldChange, ...] = ()

    def __str__(self) -> str:
        parts = []
        if self.missing:
            parts.append(f"missing {_join(self.missing)}")
        if self.left_over:
            parts.append(f"still there {_join(self.left_over)}")
        if self.foreign:
            parts.append(f"added by somebody else meanwhile {_join(self.foreign)}")
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
    start: Snapshot, wanted: Snapshot, live: Snapshot, set_fields: frozenset[str]
) -> ReadBack:
    """Hold the live components against the wanted ones.

    start: what was there before. set_fields: the policy fields the cutover sets; these
    must have taken. Any other field was sent as it had been retrieved, so a difference is
    the org's own doing.
    """
    blocking: list[Mismatch] = []
    cosmetic: list[Mismatch] = []
    for component in wanted.components:
        now = live.same_as(component)
        before = start.same_as(component) or component
        if now is None:
            blocking.append(Mismatch(component.path, missing=component.allowlist.ranges))
        elif mismatch := _mismatch(before, component, now):
            lost = mismatch.missing or mismatch.left_over or _lost_policy(mismatch, set_fields)
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


def _lost_policy(mismatch: Mismatch, set_fields: frozenset[str]) -> bool:
    return any(each.name in set_fields for each in mismatch.fields)


def _join(ranges: tuple[IpRange, ...]) -> str:
    return ", ".join(map(str, ranges))
