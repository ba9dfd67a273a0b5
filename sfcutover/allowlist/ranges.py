"""Addresses, ranges and lists of ranges. Pure: no input, no output, no errors of ours.

A range is inclusive on both ends and of one IP family, as the Refresh Token IP
Allowlist has it: the end is the same as the start or higher (Salesforce Help, "Set IP
Allowlist Ranges for Refresh Tokens"). How overlapping ranges are counted is not
documented; here every range counts in full, which can only be too careful.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class RangeError(ValueError):
    """The text is not a range; the message says why and quotes it."""


class PartialOverlapError(ValueError):
    """A range to be removed covers only a part of an entry that may not be split."""

    def __init__(self, entry: IpRange, remainder: tuple[IpRange, ...]) -> None:
        super().__init__(f"{entry} would have to be split")
        self.entry = entry
        self.remainder = remainder


@dataclass(frozen=True)
class IpRange:
    """One entry of an allowlist.

    start, end: both inclusive, of one IP family.
    description: None where the entry has no description element, "" where it is empty.
    extra: child elements this tool has never heard of, as (name, XML) pairs.
    attributes: of the entry and its elements, as (element, XML behind its name) pairs.
    """

    start: Address
    end: Address
    description: str | None = None
    extra: tuple[tuple[str, str], ...] = ()
    attributes: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        if self.start.version != self.end.version:
            raise RangeError(f"{self.start}-{self.end} mixes IPv4 and IPv6")
        if int(self.end) < int(self.start):
            raise RangeError(f"{self.start}-{self.end} is reversed: its end is below its start")

    @classmethod
    def parse(cls, text: str, description: str | None = None) -> IpRange:
        """Read ``203.0.113.10``, ``203.0.113.8/30``, or ``203.0.113.10-203.0.113.12``.

        Raises RangeError for anything else, also for a CIDR with host bits set.
        """
        start, end = _parse_ends(text.strip())
        return cls(start, end, description)

    @cached_property  # compared with every other range of a list
    def span(self) -> tuple[int, int, int]:
        """IP version, first and last address as integers: what ranges are sorted by."""
        return (self.start.version, int(self.start), int(self.end))

    @property
    def size(self) -> int:
        """How many addresses the range holds."""
        return int(self.end) - int(self.start) + 1

    def contains(self, other: IpRange) -> bool:
        """True if every address of other is in this range."""
        version, first, last = self.span
        return other.start.version == version and first <= other.span[1] and other.span[2] <= last

    def overlaps(self, other: IpRange) -> bool:
        """True if at least one address is in both."""
        version, first, last = self.span
        other_version, other_first, other_last = other.span
        return version == other_version and other_first <= last and first <= other_last

    def __str__(self) -> str:
        """The canonical text: ``first`` or ``first-last``, IPv6 compressed."""
        return str(self.start) if self.start == self.end else f"{self.start}-{self.end}"


@dataclass(frozen=True)
class Allowlist:
    """The ordered ranges of one component. Every operation keeps the order."""

    ranges: tuple[IpRange, ...] = ()

    def __iter__(self) -> Iterator[IpRange]:
        return iter(self.ranges)

    def __len__(self) -> int:
        return len(self.ranges)

    @property
    def address_count(self) -> int:
        """Addresses in total, every range counted in full."""
        return sum(entry.size for entry in self.ranges)

    def uncovered(self, wanted: Iterable[IpRange]) -> tuple[IpRange, ...]:
        """The parts of wanted that are not on this list."""
        return subtract(wanted, self.ranges)

    def covered(self, wanted: Iterable[IpRange]) -> tuple[IpRange, ...]:
        """The parts of wanted that are on this list."""
        ranges = tuple(wanted)
        return subtract(ranges, self.uncovered(ranges))

    def covers(self, wanted: Iterable[IpRange]) -> bool:
        """True if every address of wanted is on this list."""
        return not self.uncovered(wanted)

    def add(self, ranges: Iterable[IpRange]) -> Allowlist:
        """Append what is not covered already; nothing else moves.

        Only the missing part of a range is appended: whether an org accepts
        overlapping entries is not documented, and they would count twice.
        """
        result = self
        for candidate in ranges:
            result = Allowlist((*result.ranges, *result.uncovered([candidate])))
        return result

    def subtract(
        self, ranges: Iterable[IpRange], may_split: Callable[[IpRange], bool]
    ) -> Allowlist:
        """Remove the ranges' addresses; other entries stay as they are, in place.

        Raises PartialOverlapError for an entry of which a part would remain, unless
        may_split(entry) allows it; the remaining parts then keep its description.
        """
        removed = tuple(ranges)
        return Allowlist(
            tuple(part for entry in self.ranges for part in _cut(entry, removed, may_split))
        )


def subtract(ranges: Iterable[IpRange], removed: Iterable[IpRange]) -> tuple[IpRange, ...]:
    """The parts of ranges that removed doesn't hold, in order, descriptions kept."""
    holes = tuple(removed)
    return tuple(part for entry in ranges for part in _without(entry, holes))


def joined(ranges: Iterable[IpRange]) -> tuple[IpRange, ...]:
    """The same addresses in as few ranges as there can be, sorted, without descriptions."""
    result: list[IpRange] = []
    for each in sorted(ranges, key=lambda one: one.span):
        last = result[-1] if result else None
        if last and last.span[0] == each.span[0] and each.span[1] <= last.span[2] + 1:
            end = max(last.end, each.end, key=int)
            result[-1] = IpRange(last.start, end)
        else:
            result.append(IpRange(each.start, each.end))
    return tuple(result)


def _without(entry: IpRange, holes: tuple[IpRange, ...]) -> list[IpRange]:
    parts = [entry]
    for hole in _overlapping(entry, holes):
        parts = [rest for part in parts for rest in _outside(part, hole)]
    return parts


def _overlapping(entry: IpRange, others: tuple[IpRange, ...]) -> list[IpRange]:
    """Few, of the many on a list. Spelled out: a plan compares each entry with each other one."""
    version, first, last = entry.span
    found = []
    for other in others:
        other_version, other_first, other_last = other.span
        if other_first <= last and first <= other_last and other_version == version:
            found.append(other)
    return found


def _outside(entry: IpRange, hole: IpRange) -> Iterator[IpRange]:
    if not entry.overlaps(hole):
        yield entry
        return
    if int(entry.start) < int(hole.start):
        yield replace(entry, end=hole.start - 1)
    if int(hole.end) < int(entry.end):
        yield replace(entry, start=hole.end + 1)


def _cut(
    entry: IpRange, removed: tuple[IpRange, ...], may_split: Callable[[IpRange], bool]
) -> tuple[IpRange, ...]:
    remainder = subtract([entry], removed)
    if remainder and remainder != (entry,) and not may_split(entry):
        raise PartialOverlapError(entry, remainder)
    return remainder


def _parse_ends(text: str) -> tuple[Address, Address]:
    if "/" in text:
        try:
            network = ipaddress.ip_network(text)
        except ValueError as error:
            raise RangeError(f"{text!r} is not a CIDR block: {error}") from error
        _refuse_zone(network.network_address, text)
        return network[0], network[-1]
    first, dash, last = text.partition("-")
    first, last = first.strip(), last.strip() if dash else first.strip()
    start = _parse_address(first, text)
    return start, start if last == first else _parse_address(last, text)


def _parse_address(text: str, whole: str) -> Address:
    try:
        address = ipaddress.ip_address(text)
    except ValueError as error:
        inside = "" if text == whole else f" in {whole!r}"
        raise RangeError(f"{text!r}{inside} is not an IP address") from error
    _refuse_zone(address, text)
    return address


def _refuse_zone(address: Address, text: str) -> None:
    if isinstance(address, ipaddress.IPv6Address) and address.scope_id:
        raise RangeError(f"{text!r} has a zone ({address.scope_id}); an allowlist has none")
