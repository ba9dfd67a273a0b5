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
from sfcutover.report.bars import Bars, Frame, highest_rate, rate_text
from sfcutover.report.document import Report
from sfcutover.report.durations import clock, duration
from sfcutover.report.labels import Label, place_labels
from sfcutover.report.timescale import Bin

_BIN = 4.0  # pixels, at least
_LEVEL = 17.0  # of labels
_BARS, _MARKS, _BETWEEN = 40.0, 10.0, 16.0  # of a row: its bars, marks above, free below
_TEXT_LINE = 16.0
_NARROW = 500.0  # a chart of less has two lines of text above each row
_ROWS = 40
_LABELLED = 0.02  # a quiet time of this part of the width has a label


@dataclass(frozen=True)
class Line:
    """A boundary with its label. kind: as of boundaries, or quiet. y: of the label's foot."""

    label: Label
    kind: str
    y: float


@dataclass(frozen=True)
class Row:
    """One address. top: y of its text; base: of the bars' foot. peak: its highest rate."""

    address: str
    side: Side
    totals: Counter[str]
    peak: str
    top: float
    base: float
    bars: Bars


@dataclass(frozen=True)
class Chart:
    """name tells the charts of a page apart. head and foot: y of what the rows lie between.
    left_out: addresses that have no row."""

    name: str
    width: float
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
    marks = _marks(report, width)
    labels = place_labels([(x, text) for x, text, _ in marks], width)
    head = 8 + _LEVEL * max((each.level + 1 for each in labels), default=0)
    rows, highest = _rows(report, width, head)
    foot = rows[-1].base + _BETWEEN / 2 if rows else head
    return Chart(
        name=name,
        width=width,
        height=foot + 26,
        head=head,
        foot=foot,
        is_narrow=width < _NARROW,
        rows=rows,
        lines=[
            Line(label, kind, head - 6 - label.level * _LEVEL)
            for label, (_, _, kind) in zip(labels, marks, strict=True)
        ],
        bands=list(bands(report, width)),
        ticks=ticks(report, width),
        highest=highest,
        left_out=len(report.traffic) - len(rows),
    )


def _rows(report: Report, width: float, head: float) -> tuple[list[Row], str]:
    """The rows, and what their full height means."""
    bins = report.scale.bins(int(width / _BIN))
    shown = report.traffic[:_ROWS]
    highest = highest_rate([each.binned(bins) for each in shown], bins)
    text = _TEXT_LINE * (2 if width < _NARROW else 1)
    pitch = text + _MARKS + _BARS + _BETWEEN
    rows = []
    for number, each in enumerate(shown):
        top = head + number * pitch
        frame = Frame(report.scale, width, top + text + _MARKS + _BARS, _BARS, highest)
        rows.append(_row(each, bins, frame, top))
    return rows, rate_text(highest)


def _row(traffic: AddressTraffic, bins: Sequence[Bin], frame: Frame, top: float) -> Row:
    bars = frame.draw(traffic.binned(bins), bins)
    return Row(
        address=traffic.address,
        side=traffic.side,
        totals=Counter({status: total(traffic.counts, status) for status in STATUSES}),
        peak=rate_text(bars.peak),
        top=top,
        base=frame.base,
        bars=bars,
    )


def _marks(report: Report, width: float) -> list[tuple[float, str, str]]:
    """x, text and kind of everything that has a label, in order."""
    found: list[tuple[float, str, str]] = [
        (report.scale.x(each.time) * width, f"{each.name} {clock(each.time)[:-1]}", each.kind)
        for each in report.boundaries
    ]
    found += [
        (left * width, f"{each.reason} {duration(each.end - each.start)}", "quiet")
        for each in report.quiet
        for left, right in [(report.scale.x(each.start), report.scale.x(each.end))]
        if right - left >= _LABELLED
    ]
    return sorted(found)
