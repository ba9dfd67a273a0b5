"""The chart of redemptions as geometry: a row for each address, cut by the phases. Pure.

All rows share one scale of time and one of height. Lengths are in pixels of the chart's own
width; a template draws it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from sfcutover.documents.reports import Side
from sfcutover.report.addresstraffic import STATUSES, AddressTraffic, total
from sfcutover.report.axis import Band, Tick, bands, ticks
from sfcutover.report.bars import FEW, Bars, Frame, full_height, rate_text
from sfcutover.report.cuts import LEVEL, Line, lines
from sfcutover.report.document import Report
from sfcutover.report.durations import clock, duration
from sfcutover.report.labels import place_labels, room_left
from sfcutover.report.timescale import Bin

_BIN = 4.0  # pixels, at least
_BARS, _MARKS, _BETWEEN = 40.0, 10.0, 16.0  # of a row: its bars, marks above, free below
_TEXT_LINE = 16.0
_NARROW = 500.0  # a chart of less has two lines of text above each row, no room beside them
_LEAST = 0.75  # of the width is for the rows; what is right of them is for labels
_ROWS = 40
_LABELLED = 0.02  # a quiet time of this part of the width has a label


@dataclass(frozen=True)
class Row:
    """One address. top and clear: y of where its text begins and has ended; base: of the bars'
    foot. peak: its highest rate, empty where so few came that it says nothing."""

    address: str
    side: Side
    totals: Counter[str]
    peak: str
    top: float
    clear: float
    base: float
    bars: Bars


@dataclass(frozen=True)
class Chart:
    """name tells the charts of a page apart. head and foot: y of what the rows lie between.
    plot: width of the rows. left_out: addresses that have no row."""

    name: str
    width: float
    plot: float
    height: float
    head: float
    foot: float
    is_narrow: bool
    rows: list[Row]
    lines: list[Line]
    bands: list[Band]
    ticks: list[Tick]
    highest: str
    left_out: int


def draw(report: Report, name: str, width: float) -> Chart:
    """The chart at a width in pixels."""
    marks = _marks(report)
    places = [(part, text) for part, text, _ in marks]
    plot = width if width < _NARROW else room_left(places, width, _LEAST * width)
    labels = place_labels([(part * plot, text) for part, text in places], width)
    head = 8 + LEVEL * max((each.level + 1 for each in labels), default=0)
    rows, highest = _rows(report, plot, head, is_narrow=width < _NARROW)
    foot = rows[-1].base + _BETWEEN / 2 if rows else head
    return Chart(
        name=name,
        width=width,
        plot=plot,
        height=foot + 26,
        head=head,
        foot=foot,
        is_narrow=width < _NARROW,
        rows=rows,
        lines=lines(
            labels,
            [kind for _, _, kind in marks],
            head,
            foot,
            [(each.top, each.clear) for each in rows],
        ),
        bands=list(bands(report, plot)),
        ticks=ticks(report, plot),
        highest=highest,
        left_out=len(report.traffic) - len(rows),
    )


def _rows(report: Report, width: float, head: float, *, is_narrow: bool) -> tuple[list[Row], str]:
    """The rows, and what their full height means."""
    bins = report.scale.bins(int(width / _BIN))
    shown = report.traffic[:_ROWS]
    highest = full_height([each.binned(bins) for each in shown], bins)
    text = _TEXT_LINE * (2 if is_narrow else 1)
    pitch = text + _MARKS + _BARS + _BETWEEN
    rows = []
    for number, each in enumerate(shown):
        top = head + number * pitch
        frame = Frame(report.scale, width, top + text + _MARKS + _BARS, _BARS, highest)
        rows.append(_row(each, bins, frame, top, top + text + 1))
    return rows, rate_text(highest)


def _row(
    traffic: AddressTraffic, bins: Sequence[Bin], frame: Frame, top: float, clear: float
) -> Row:
    counts = traffic.binned(bins)
    bars = frame.draw(counts, bins)
    says = max((each.total() for each in counts), default=0) >= FEW
    return Row(
        address=traffic.address,
        side=traffic.side,
        totals=Counter({status: total(traffic.counts, status) for status in STATUSES}),
        peak=rate_text(bars.peak) if says else "",
        top=top,
        clear=clear,
        base=frame.base,
        bars=bars,
    )


def _marks(report: Report) -> list[tuple[float, str, str]]:
    """Place (0 to 1), text and kind of everything that has a label, in order."""
    found: list[tuple[float, str, str]] = [
        (report.scale.x(each.time), f"{each.name} {clock(each.time)[:-1]}", each.kind)
        for each in report.boundaries
    ]
    found += [
        (left, f"{each.reason} {duration(each.end - each.start)}", "quiet")
        for each in report.quiet
        for left, right in [(report.scale.x(each.start), report.scale.x(each.end))]
        if right - left >= _LABELLED
    ]
    return sorted(found)
