"""Redemptions from one address: when, how many, and what became of them. Pure."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from sfcutover.documents.reports import (
    AddressDocument,
    AddressTargetDocument,
    BinDocument,
    Side,
    TotalsDocument,
)
from sfcutover.report.timescale import Bin
from sfcutover.runs.documents import moment_text

STATUSES = ("redeemed", "blocked", "other")
Counts = Counter[tuple[int, str]]  # by second since 1970 and status


@dataclass(frozen=True)
class AddressTraffic:
    """What came from one address. address: in words where it stands for several.

    by_target: where it came to.
    """

    address: str
    side: Side
    by_target: Mapping[str, Counts]

    @cached_property
    def counts(self) -> Counts:
        """On all targets."""
        total: Counts = Counter()
        for counts in self.by_target.values():
            total.update(counts)
        return total

    def binned(self, bins: Sequence[Bin]) -> list[Counter[str]]:
        """How many of each status in each bin; what lies outside is put into the nearest."""
        found: list[Counter[str]] = [Counter() for _ in bins]
        starts = [each.start for each in bins]
        for (second, status), count in self.counts.items():
            found[max(0, bisect_right(starts, second) - 1)][status] += count
        return found

    def document(self, bins: Sequence[Bin]) -> AddressDocument:
        return AddressDocument(
            **_totals(self.counts).model_dump(),
            address=self.address,
            side=self.side,
            bins=list(self._bins(bins)),
            targets=[
                AddressTargetDocument(target=name, **_totals(counts).model_dump())
                for name, counts in self.by_target.items()
            ],
        )

    def _bins(self, bins: Sequence[Bin]) -> Iterator[BinDocument]:
        for each, counts in zip(bins, self.binned(bins), strict=True):
            if counts:
                start, seconds = moment_text(each.start), each.end - each.start
                by_status = {status: counts[status] for status in STATUSES}
                yield BinDocument(start=start, seconds=seconds, **by_status)


def total(counts: Counts, status: str) -> int:
    """How many."""
    return sum(count for (_, said), count in counts.items() if said == status)


def seconds(counts: Counts, *statuses: str) -> list[int]:
    """When there was any of these, in order."""
    return sorted({second for second, status in counts if status in (statuses or STATUSES)})


def _totals(counts: Counts) -> TotalsDocument:
    every, redeemed, blocked = (
        seconds(counts, *which) for which in (STATUSES, ["redeemed"], ["blocked"])
    )
    return TotalsDocument(
        **{status: total(counts, status) for status in STATUSES},
        first=_moment(every[:1]),
        last=_moment(every[-1:]),
        last_redeemed=_moment(redeemed[-1:]),
        first_blocked=_moment(blocked[:1]),
        last_blocked=_moment(blocked[-1:]),
    )


def _moment(seconds: list[int]) -> str | None:
    return moment_text(seconds[0]) if seconds else None
