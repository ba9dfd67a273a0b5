"""Everybody's redemptions as lines: one an address, blocked ones so that nobody overlooks them."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from functools import lru_cache
from typing import Literal

from sfcutover.allowlist.ranges import IpRange
from sfcutover.output.livelines import Line, Style, Weight
from sfcutover.runs.progress import RunProgress

Side = Literal["old", "kept", "new", "other"]
_SIDES: tuple[Side, ...] = ("old", "kept", "new", "other")
_LISTED = 8  # addresses of the old and new ranges that have a line before anybody redeems
_MOST = 12  # addresses with a line
_BEFORE_TRAFFIC = ("probe", "snapshot", "add-new")


def address_lines(progress: RunProgress) -> Iterator[Line]:
    """Nothing before it matters: from the first verify on, or where somebody redeems."""
    begun = any(name not in _BEFORE_TRAFFIC for name, _ in progress.steps)
    if not begun and not progress.traffic:
        return
    addresses = _addresses(progress)
    width = max(map(len, addresses), default=0)
    head = f"{'in LoginHistory':<{width + 11}}  {'redeemed':>8}  {'blocked':>8}"
    yield Line(((head, "bold"), (f"  {_canary(progress)}", "dim")), Weight.DETAIL)
    for address in addresses[:_MOST]:
        yield _line(progress, address, width)
    if rest := addresses[_MOST:]:
        redeemed = sum(_count(progress, address, "redeemed") for address in rest)
        yield Line.of(f"and {len(rest)} more: {redeemed} redeemed", "dim", Weight.DETAIL, 4)
    yield from _looks(progress)


def _canary(progress: RunProgress) -> str:
    """The run tells its own redemptions at once; LoginHistory has them later, or never."""
    shown = sum(counts.get("redeemed", 0) for counts in progress.traffic.values())
    if shown < progress.redeemed:
        return f"without all of the canary's {progress.redeemed}"
    return f"the canary's {progress.redeemed} may be among them" if progress.redeemed else ""


@lru_cache(maxsize=1024)
def side_of(address: str, old: tuple[str, ...], new: tuple[str, ...]) -> Side:
    """Where an address stands in the cutover; kept if it is both old and new."""
    match _holds(old, address), _holds(new, address):
        case True, True:
            return "kept"
        case True, False:
            return "old"
        case False, True:
            return "new"
        case _:
            return "other"


def _addresses(progress: RunProgress) -> list[str]:
    """Blocked ones first; the old, then the new, then others'."""
    every = dict.fromkeys([*_each(progress.old), *_each(progress.new), *progress.traffic])

    def place(address: str) -> tuple[bool, int]:
        blocked = _count(progress, address, "blocked")
        return not blocked, _SIDES.index(side_of(address, progress.old, progress.new))

    return sorted(every, key=place)


def _line(progress: RunProgress, address: str, width: int) -> Line:
    side = side_of(address, progress.old, progress.new)
    redeemed, blocked, other = (
        _count(progress, address, status) for status in ("redeemed", "blocked", "other")
    )
    refused = f"  {other} refused otherwise" if other else ""
    if not blocked:
        text = f"{address:<{width}}  {side:<5}  {redeemed:>8}  {blocked:>8}{refused}"
        return Line.of(text, "", Weight.ADDRESS, 4)
    alarm = f"!! {blocked} BLOCKED !!"  # in front, where no narrow terminal cuts it off
    targets = ", ".join(sorted(progress.blocked_on[address]))
    text = f"  {address}  {side}, {redeemed} redeemed{refused}, on {targets}"
    return Line(((alarm, "alarm"), (text, "bad")), Weight.ALARM, 1)


def _looks(progress: RunProgress) -> Iterator[Line]:
    """What the watch has seen, by what looked."""
    for name, verdicts in progress.looks.items():
        bad = {verdict: count for verdict, count in verdicts.items() if verdict != "passed"}
        words = [f"{verdicts.get('passed', 0)} passed"]
        words += [f"{count} {verdict.upper()}" for verdict, count in bad.items()]
        failed = "failed" in bad
        mark = "!! " if failed else ""
        style: Style = "bad" if failed else "warn" if bad else ""
        weight = Weight.ALARM if failed else Weight.DETAIL
        yield Line.of(f"{mark}watch: {name}: {', '.join(words)}", style, weight, 4 - len(mark))


def _count(progress: RunProgress, address: str, status: str) -> int:
    return progress.traffic.get(address, {}).get(status, 0)


def _each(ranges: tuple[str, ...]) -> Iterator[str]:
    """The addresses one by one, if they are few."""
    parsed = [IpRange.parse(text) for text in ranges]
    if sum(each.size for each in parsed) <= _LISTED:
        for each in parsed:
            yield from (str(each.start + place) for place in range(each.size))


def _holds(ranges: tuple[str, ...], address: str) -> bool:
    try:
        one = IpRange.parse(str(ipaddress.ip_address(address)))
    except ValueError:
        return False
    return any(IpRange.parse(each).contains(one) for each in ranges)
