"""The chart of redemptions as lines of text, for Markdown and terminals. Pure."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Sequence

from sfcutover.report.addresstraffic import AddressTraffic, total
from sfcutover.report.bars import full_height
from sfcutover.report.document import Report
from sfcutover.report.timescale import Bin

_COLUMNS = 60
_ROWS = 40
_STEPS = "▁▂▃▄▅▆▇█"
_NONE, _BLOCKED = "·", "x"
_DIGITS = "123456789abcdefghijklmnopqrstuvwxyz"


def text_chart(report: Report) -> list[str]:
    """A line for each address, one more where redemptions were blocked, and above them the
    boundaries by number. A column is one bin of the scale of time."""
    bins = report.scale.bins(_COLUMNS)
    rows = report.traffic[:_ROWS]
    binned = [each.binned(bins) for each in rows]
    peak = full_height(binned, bins)
    width = max((len(_name(each)) for each in rows), default=0)
    lines = [f"{'':{width}}  {_ruler(report, bins)}"]
    for row, counts in zip(rows, binned, strict=True):
        lines += _lines(row, counts, bins, peak, width)
    return [line.rstrip() for line in lines]


def _ruler(report: Report, bins: Sequence[Bin]) -> str:
    starts, marks = [each.start for each in bins], [" "] * len(bins)
    for sign, each in zip(_DIGITS, report.boundaries, strict=False):
        column = max(0, bisect_right(starts, each.time) - 1)
        free = (place for place in range(column, len(marks)) if marks[place] == " ")
        marks[next(free, column)] = sign
    return "".join(marks)


def _lines(
    row: AddressTraffic,
    counts: Sequence[Counter[str]],
    bins: Sequence[Bin],
    peak: float,
    width: int,
) -> Iterator[str]:
    levels = (
        _sign(each.total() / (bin_.end - bin_.start), peak)
        for each, bin_ in zip(counts, bins, strict=True)
    )
    yield f"{_name(row):{width}}  {''.join(levels)}  {total(row.counts, 'redeemed')} redeemed"
    if blocked := total(row.counts, "blocked"):
        marks = "".join(_BLOCKED if each["blocked"] else " " for each in counts)
        yield f"{'blocked':>{width}}  {marks}  {blocked} blocked"


def _sign(rate: float, peak: float) -> str:
    return _STEPS[min(int(rate / peak * len(_STEPS)), len(_STEPS) - 1)] if rate else _NONE


def _name(row: AddressTraffic) -> str:
    return f"{row.address} {row.side}"
