"""Redemptions by source address over time, as the orgs' LoginHistory has them. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from sfcutover.allowlist.ranges import IpRange
from sfcutover.cutover.verify import each_address
from sfcutover.documents.reports import Side
from sfcutover.report.addresstraffic import AddressTraffic, Counts
from sfcutover.report.facts import Facts
from sfcutover.runs.progress import buckets_of

_LISTED = 8  # a range of so many addresses has a row for each, though nothing came from there
_OTHERS = 3  # so many addresses that are neither old nor new have a row each
_ORDER: dict[Side, int] = {"old": 0, "kept": 1, "new": 2, "other": 3}


def traffic(facts: Facts) -> tuple[AddressTraffic, ...]:
    """A row for each address of the cutover, and for others that redeemed meanwhile."""
    counted = _counted(facts)
    rows = [AddressTraffic(text, facts.rules.side(text), each) for text, each in counted.items()]
    rows += _silent(facts, set(counted))
    others = [each for each in rows if each.side == "other"]
    if len(others) > _OTHERS:
        rows = [each for each in rows if each.side != "other"] + [_together(others)]
    return tuple(sorted(rows, key=lambda each: (_ORDER[each.side], _numeric(each.address))))


def unseen_targets(facts: Facts) -> list[str]:
    """Targets of whose org no redemption was seen at all."""
    seen = speakers(facts)
    return [name for name in facts.targets if name not in seen]


def speakers(facts: Facts) -> dict[str, str]:
    """Under which target the redemptions of each target's org are counted; without those of
    whose org none was seen."""
    orgs, first = _orgs(facts), dict[str | None, str]()
    for event in facts.all("traffic"):
        first.setdefault(orgs.get(event.target), event.target or "")
    return {name: first[orgs[name]] for name in facts.targets if orgs[name] in first}


def counted_through(facts: Facts) -> float | None:
    """The last second of which redemptions were counted, of any org."""
    return max((each.number("through") for each in facts.all("traffic")), default=None)


def _counted(facts: Facts) -> dict[str, dict[str, Counts]]:
    """By address and target. An org with several targets is counted once, under the first: it
    has one LoginHistory."""
    orgs, speaker = _orgs(facts), dict[str | None, str | None]()
    counts: dict[str, dict[str, Counts]] = {}
    for event in facts.all("traffic"):
        if speaker.setdefault(orgs.get(event.target), event.target) != event.target:
            continue
        for bucket in buckets_of(event):
            by_target = counts.setdefault(bucket.address, {})
            mine = by_target.setdefault(event.target or "", Counter())
            mine[bucket.second, bucket.status] += bucket.count
    return counts


def _orgs(facts: Facts) -> dict[str | None, str]:
    """The URL of each target's org, as the snapshot says; without one, the target's own name."""
    urls: dict[str | None, str] = {name: name for name in facts.targets}
    for event, evidence in facts.succeeded("snapshot"):
        if url := evidence.get("instance_url"):
            urls[event.target] = str(url)
    return urls


def _silent(facts: Facts, seen: set[str]) -> Iterator[AddressTraffic]:
    """Addresses of the cutover that nothing came from."""
    change = facts.rules.change
    for text in dict.fromkeys(
        text for entry in (*change.old, *change.new) for text in _rows_of(entry, seen)
    ):
        yield AddressTraffic(text, facts.rules.side(text), {})


def texts_of(entry: IpRange) -> list[str]:
    """The addresses of a small range; a large one stays as it is."""
    return [str(entry)] if entry.size > _LISTED else list(map(str, each_address(entry)))


def _rows_of(entry: IpRange, seen: set[str]) -> list[str]:
    if entry.size > _LISTED and any(entry.contains(IpRange.parse(each)) for each in seen):
        return []
    return [text for text in texts_of(entry) if text not in seen]


def _together(rows: list[AddressTraffic]) -> AddressTraffic:
    by_target: dict[str, Counts] = {}
    for each in rows:
        for name, counts in each.by_target.items():
            by_target.setdefault(name, Counter()).update(counts)
    return AddressTraffic(f"{len(rows)} other addresses", "other", by_target)


def _numeric(text: str) -> tuple[int, int, str]:
    """Addresses by number, words last."""
    try:
        entry = IpRange.parse(text)
    except ValueError:
        return 99, 0, text
    return entry.start.version, int(entry.start), text
