"""Redemptions, counted by phase and address, and the longest outage of a customer. Pure."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sfcutover.util.document import Document

BEFORE = "before"


@dataclass(frozen=True)
class Attempt:
    """A redemption as the application saw it. time: of its answer, in seconds since 1970."""

    customer: str
    time: float
    redeemed: bool


@dataclass(frozen=True)
class Arrival:
    """A redemption as the org saw it. address: its source. time: in seconds since 1970."""

    address: str
    time: float
    redeemed: bool


@dataclass(frozen=True)
class Mark:
    """The start of a phase, which ends the phase before it."""

    phase: str
    time: float


class DemoAddressDocument(Document):
    """Redemptions from one address, as the org saw them."""

    address: str
    redeemed: int
    refused: int


class DemoPhaseDocument(Document):
    """The traffic from the beginning of a phase to that of the next one.

    failed: redemptions that failed for the application.
    """

    phase: str
    failed: int
    addresses: list[DemoAddressDocument]


def phase_at(marks: Iterable[Mark], time: float) -> str:
    """The phase that a time falls into; ``before`` until the first mark."""
    started = [mark for mark in marks if mark.time <= time]
    return max(started, key=_time).phase if started else BEFORE


def count(
    phase: str, arrivals: Iterable[Arrival], attempts: Iterable[Attempt]
) -> DemoPhaseDocument:
    """Count all these redemptions as those of one phase; addresses are sorted."""
    seen = Counter((each.address, each.redeemed) for each in arrivals)
    return DemoPhaseDocument(
        phase=phase,
        failed=sum(not each.redeemed for each in attempts),
        addresses=[
            DemoAddressDocument(address=each, redeemed=seen[each, True], refused=seen[each, False])
            for each in sorted({address for address, _ in seen})
        ],
    )


def count_by_phase(
    marks: Sequence[Mark], arrivals: Sequence[Arrival], attempts: Sequence[Attempt]
) -> list[DemoPhaseDocument]:
    """Count redemptions phase by phase, in the order of the marks; phases without traffic too."""
    names = [BEFORE, *(mark.phase for mark in sorted(marks, key=_time))]
    return [
        count(
            name,
            [each for each in arrivals if phase_at(marks, each.time) == name],
            [each for each in attempts if phase_at(marks, each.time) == name],
        )
        for name in dict.fromkeys(names)
    ]


def outage_seconds(attempts: Iterable[Attempt]) -> float:
    """The longest time in which a customer could not redeem: from a first failure to the next
    success, or to the last attempt where no success follows."""
    by_customer: dict[str, list[Attempt]] = defaultdict(list)
    for each in sorted(attempts, key=_time):
        by_customer[each.customer].append(each)
    return max(map(_longest_outage, by_customer.values()), default=0.0)


def _longest_outage(attempts: Iterable[Attempt]) -> float:
    """Of one customer's attempts, oldest first."""
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
