"""What came of the traffic, by phase and address: counted, and nothing else. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

BEFORE = "before"


@dataclass(frozen=True)
class Attempt:
    """A redemption as the application saw it. time: when its answer came, seconds since 1970."""

    customer: str
    time: float
    redeemed: bool


@dataclass(frozen=True)
class Arrival:
    """A redemption as the org saw it. address: where it came from."""

    address: str
    time: float
    redeemed: bool


@dataclass(frozen=True)
class Mark:
    """A phase begins, and the one before it ends."""

    phase: str
    time: float


@dataclass(frozen=True)
class Count:
    """Redemptions from one address in one phase."""

    redeemed: int = 0
    refused: int = 0

    def __add__(self, other: Count) -> Count:
        return Count(self.redeemed + other.redeemed, self.refused + other.refused)


@dataclass(frozen=True)
class PhaseTally:
    """addresses: what the org saw. failed: of the application's redemptions."""

    phase: str
    addresses: Mapping[str, Count] = field(default_factory=dict)
    failed: int = 0


def phase_at(marks: Iterable[Mark], time: float) -> str:
    """The phase that a time falls into; ``before`` the first mark."""
    begun = [mark for mark in marks if mark.time <= time]
    return max(begun, key=_time).phase if begun else BEFORE


def by_phase(
    marks: Sequence[Mark], arrivals: Iterable[Arrival], attempts: Iterable[Attempt]
) -> list[PhaseTally]:
    """A tally for each phase in the order in which they begin, those without traffic too."""
    counts: dict[str, dict[str, Count]] = defaultdict(lambda: defaultdict(Count))
    for each in arrivals:
        counts[phase_at(marks, each.time)][each.address] += Count(each.redeemed, not each.redeemed)
    failures = [phase_at(marks, each.time) for each in attempts if not each.redeemed]
    names = [BEFORE, *(mark.phase for mark in sorted(marks, key=_time))]
    return [PhaseTally(name, counts[name], failures.count(name)) for name in dict.fromkeys(names)]


def all_phases(phases: Iterable[PhaseTally]) -> PhaseTally:
    """Their sum."""
    counts: dict[str, Count] = defaultdict(Count)
    failed = 0
    for phase in phases:
        failed += phase.failed
        for address, count in phase.addresses.items():
            counts[address] += count
    return PhaseTally("all", counts, failed)


def outage_seconds(attempts: Iterable[Attempt]) -> float:
    """The longest time that a customer could not redeem: from a first failure to the next
    success, or to the last attempt where there was none."""
    by_customer: dict[str, list[Attempt]] = defaultdict(list)
    for each in sorted(attempts, key=_time):
        by_customer[each.customer].append(each)
    return max(map(_longest_gap, by_customer.values()), default=0.0)


def _longest_gap(attempts: Iterable[Attempt]) -> float:
    """Of one customer's attempts, the oldest first."""
    longest = 0.0
    down_since: float | None = None
    for each in attempts:
        if down_since is not None:
            longest = max(longest, each.time - down_since)
        if each.redeemed:
            down_since = None
        elif down_since is None:
            down_since = each.time
    return longest


def _time(of: Attempt | Mark) -> float:
    return of.time
