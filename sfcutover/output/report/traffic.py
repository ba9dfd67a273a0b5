"""Redemptions by source address over time, as the orgs' LoginHistory has them. Pure."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from sfcutover.allowlist.phases import Change, Side
from sfcutover.allowlist.ranges import IpRange, subtract
from sfcutover.cutover.addressproof import each_address
from sfcutover.cutover.baseline import SnapshotEvidence
from sfcutover.cutover.progress import buckets_of, result_of
from sfcutover.cutover.verify import VerifyEvidence
from sfcutover.output.report.rundata import RunData
from sfcutover.output.report.timescale import Bin
from sfcutover.runs.event import moment_text
from sfcutover.util.document import Document, UtcTime

STATUSES = ("redeemed", "blocked", "other")
Counts = Counter[tuple[int, str]]  # by second since 1970 and status
_LISTED = 8  # addresses: those of a range of no more are listed even without a redemption
_PAIR = 2  # addresses: a range of no more has a row for each in the chart, too
_OTHERS = 3  # addresses that are neither old nor new: no more have a row each
_VERIFIERS = ("verify-new", "verify")
_ORDER: dict[Side, int] = {"old": 0, "kept": 1, "new": 2, "other": 3}


class BinDocument(Document):
    """Redemptions in a time of some seconds."""

    start: UtcTime
    """Start of the time, UTC, ISO 8601."""
    seconds: int
    """Length of the time, in seconds."""
    redeemed: int
    """Redemptions that succeeded."""
    blocked: int
    """Redemptions that the list refused."""
    other: int
    """Redemptions that were refused for another reason."""


class TotalsDocument(Document):
    """Redemptions, and when."""

    redeemed: int
    """Redemptions that succeeded."""
    blocked: int
    """Redemptions that the list refused."""
    other: int
    """Redemptions that were refused for another reason."""
    first: UtcTime | None
    """First redemption, UTC, ISO 8601; null where there was none."""
    last: UtcTime | None
    """Last redemption, UTC, ISO 8601; null where there was none."""
    last_redeemed: UtcTime | None
    """Last redemption that succeeded, UTC, ISO 8601; null where there was none."""
    first_blocked: UtcTime | None
    """First redemption that the list refused, UTC, ISO 8601; null where there was none."""
    last_blocked: UtcTime | None
    """Last redemption that the list refused, UTC, ISO 8601; null where there was none."""


class AddressTargetDocument(TotalsDocument):
    """Redemptions from an address on one target."""

    target: str
    """Name of the target; an org with several targets is listed under its first."""


class AddressDocument(TotalsDocument):
    """Redemptions from an address on all targets, as their orgs' LoginHistory has them."""

    address: str
    """The address, or a range of addresses."""
    side: Side
    """Whether cutover.yaml names it as old, new, both (kept) or neither (other)."""
    bins: list[BinDocument]
    """Redemptions over time, without the empty times."""
    targets: list[AddressTargetDocument]
    """Redemptions by target, where there were any."""


@dataclass(frozen=True)
class AddressTraffic:
    """Redemptions from one address, or from those of a range together.

    address: the range, or in words where it stands for several. members: the addresses that
    redeemed, where there are several; empty for a row of one address.
    """

    address: str
    side: Side
    by_target: Mapping[str, Counts]
    members: tuple[AddressTraffic, ...] = ()

    @cached_property
    def counts(self) -> Counts:
        """On all targets."""
        return sum(self.by_target.values(), Counts())

    def binned(self, bins: Sequence[Bin]) -> list[Counter[str]]:
        """How many of each status in each bin; what lies outside counts in the nearest."""
        found: list[Counter[str]] = [Counter() for _ in bins]
        starts = [each.start for each in bins]
        for (second, status), count in self.counts.items():
            found[max(0, bisect_right(starts, second) - 1)][status] += count
        return found

    @cached_property
    def totals(self) -> TotalsDocument:
        """On all targets."""
        return _totals(self.counts)

    @property
    def targets(self) -> list[AddressTargetDocument]:
        """By target, where there were any."""
        return [
            AddressTargetDocument(target=name, **dict(_totals(counts)))
            for name, counts in self.by_target.items()
        ]

    def document(self, bins: Sequence[Bin]) -> AddressDocument:
        return AddressDocument(
            **dict(self.totals),
            address=self.address,
            side=self.side,
            bins=list(self._bins(bins)),
            targets=self.targets,
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
        [moment_text(each) for each in seconds(counts, *which)]
        for which in (STATUSES, ["redeemed"], ["blocked"])
    )
    return TotalsDocument(
        **{status: total(counts, status) for status in STATUSES},
        first=next(iter(every), None),
        last=next(reversed(every), None),
        last_redeemed=next(reversed(redeemed), None),
        first_blocked=next(iter(blocked), None),
        last_blocked=next(reversed(blocked), None),
    )


def traffic(data: RunData) -> tuple[AddressTraffic, ...]:
    """A row for each address of the cutover, and for others that redeemed during the run."""
    counted = _counted(data)
    side = data.cutover.change.side_of
    rows = [AddressTraffic(text, side(text), by_target) for text, by_target in counted.items()]
    rows += [AddressTraffic(text, side(text), {}) for text in _without_traffic(data, set(counted))]
    return _sorted(rows)


def collapsed(rows: Sequence[AddressTraffic], change: Change) -> tuple[AddressTraffic, ...]:
    """A row for each range of the cutover, whatever its size, so that a /26 is no 64 rows; for each
    address of a pair; and one for many addresses that are neither old nor new."""
    found = [each for each in rows if each.side != "other"]
    for side, entry in _ranges(change):
        if entry.size > _PAIR:
            inside = [each for each in found if each.side == side and _is_in(each, entry)]
            found = [each for each in found if each not in inside]
            found.append(_together(str(entry), side, [each for each in inside if each.counts]))
    others = [each for each in rows if each.side == "other"]
    if len(others) > _OTHERS:
        others = [_together(f"{len(others)} other addresses", "other", others)]
    return _sorted([*found, *others])


def _ranges(change: Change) -> Iterator[tuple[Side, IpRange]]:
    """What is old, new or both, without overlaps."""
    yield from (("old", each) for each in change.removed)
    yield from (("kept", each) for each in subtract(change.old, change.removed))
    yield from (("new", each) for each in change.added)


def _is_in(row: AddressTraffic, entry: IpRange) -> bool:
    return entry.contains(IpRange.parse(row.address))


def _sorted(rows: Iterable[AddressTraffic]) -> tuple[AddressTraffic, ...]:
    return tuple(sorted(rows, key=lambda each: (_ORDER[each.side], _numeric(each.address))))


def counting_targets(data: RunData) -> dict[str, str]:
    """The target under which the redemptions of each target's org are counted: the first of that
    org, which has one LoginHistory. Without targets of whose org no redemption was seen."""
    orgs, first = _orgs(data), dict[str, str]()
    for event in data.all("traffic"):
        target = event.target or ""
        first.setdefault(orgs.get(target, target), target)
    return {name: first[org] for name, org in orgs.items() if org in first}


def unseen_targets(data: RunData) -> list[str]:
    """Targets of whose org no redemption was seen at all."""
    seen = counting_targets(data)
    return [name for name in data.targets if name not in seen]


def counted_through(data: RunData) -> float | None:
    """The last second of which redemptions were counted, of any org."""
    return max((each.number("through") for each in data.all("traffic")), default=None)


def complete_until(data: RunData) -> float | None:
    """From then on (seconds since 1970) LoginHistory may lack rows: they arrive late, and nothing
    was read after the last reading. None where no reading showed a redemption."""
    readings, through = data.all("traffic"), counted_through(data)
    if through is None:
        return None
    return max(data.run.started, min(through + 1, readings[-1].time - _lateness(data)))


def _lateness(data: RunData) -> float:
    """How late rows of LoginHistory may be, in seconds; Salesforce documents no bound.

    A step that proved addresses by LoginHistory read the rows of its own redemptions before it
    ended. Without one, verify.login_history_wait is assumed.
    """
    proven = [
        event.number("seconds")
        for event in data.all("step-ended")
        if event.step in _VERIFIERS
        and isinstance(found := result_of(event).evidence, VerifyEvidence)
        and all(each.proof == "login-history" for each in found.proof.canaries)
    ]
    verify = data.cutover.verify
    return max(proven, default=verify.login_history_wait if verify else 0.0)


def _counted(data: RunData) -> dict[str, dict[str, Counts]]:
    """By address and target."""
    counting = counting_targets(data)
    counts: dict[str, dict[str, Counts]] = {}
    for event in data.all("traffic"):
        target = event.target or ""
        if counting.get(target, target) != target:
            continue
        for bucket in buckets_of(event):
            by_target = counts.setdefault(bucket.address, {})
            mine = by_target.setdefault(target, Counter())
            mine[bucket.second, bucket.status] += bucket.redemptions
    return counts


def _orgs(data: RunData) -> dict[str, str]:
    """The URL of each target's org, as the snapshot says; without one, the target's own name."""
    urls = {name: name for name in data.targets}
    for each in data.found(SnapshotEvidence, "snapshot"):
        urls[each.target] = each.content.instance_url
    return urls


def _without_traffic(data: RunData, seen: set[str]) -> list[str]:
    """Addresses of the cutover from which no redemption came; a large range as it is."""
    texts = dict.fromkeys(
        text
        for _, entry in _ranges(data.cutover.change)
        if entry.size <= _LISTED or not any(entry.contains(IpRange.parse(each)) for each in seen)
        for text in texts_of(entry)
    )
    return [text for text in texts if text not in seen]


def texts_of(entry: IpRange) -> list[str]:
    """The addresses of a small range; a large range stays as it is."""
    return [str(entry)] if entry.size > _LISTED else list(map(str, each_address(entry)))


def _together(address: str, side: Side, rows: Sequence[AddressTraffic]) -> AddressTraffic:
    by_target: dict[str, Counts] = {}
    for each in rows:
        for name, counts in each.by_target.items():
            by_target.setdefault(name, Counter()).update(counts)
    return AddressTraffic(address, side, by_target, tuple(rows))


def _numeric(text: str) -> tuple[int, int, str]:
    """Addresses by number, words last."""
    try:
        entry = IpRange.parse(text)
    except ValueError:
        return 99, 0, text
    return entry.start.version, int(entry.start), text
