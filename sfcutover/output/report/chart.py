"""The chart of redemptions as geometry: a row of bars for each range, marker lines across. Pure.

All rows share one scale of time and one of height. Lengths are in pixels of the chart's own
width; a template draws it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median_low

from sfcutover.allowlist.phases import Side
from sfcutover.output.report.report import Report
from sfcutover.output.report.timescale import (
    Band,
    Bin,
    Tick,
    TimeScale,
    bands,
    clock,
    duration,
    ticks,
    timestamp,
)
from sfcutover.output.report.traffic import STATUSES, AddressTraffic, total

CHARACTER = 7.4  # pixels of one, on average, in the widest of the usual fonts
_FEW = 5  # redemptions in a bin: the least that a full height means
_BIN = 4.0  # pixels, at least
_BARS, _MARKS, _BETWEEN = 40.0, 10.0, 16.0  # of a row: its bars, marks above, free below
_TEXT_LINE = 16.0
_NARROW = 500.0  # a chart of less has two lines of text above each row, no room beside them
_LEAST_PLOT = 0.75  # of the width is for the rows; what is right of them is for labels
_ROWS = 40
_LABELLED = 0.02  # an idle time of this part of the width has a label
_SINGLE = 12.0  # pixels that one redemption makes a bar wide: one is no steady traffic
_LEAST_BAR = 2.0  # pixels: a bar that is there can be seen
_MARKS_APART = 12.0  # pixels between two marks
_MARK_ABOVE = 3.0  # pixels from a bar's top to its mark
_LABELS_APART = 8.0  # pixels between two labels
_LEVEL = 17.0  # pixels from one level of labels to the next
_ABOVE, _BELOW = 12.0, 4.0  # of a label's foot: what its letters need
_WHOLE = 100  # from there on, no fractions
_UNITS = ((1, "second"), (60, "minute"), (3600, "hour"))
Binned = Sequence[Counter[str]]  # by status, in each bin
Span = tuple[float, float]  # from y to y


@dataclass(frozen=True)
class Bars:
    """The bars of a row as SVG paths, by status. marks: x and y of the foot of a mark above
    blocked redemptions. peak: the highest rate, per second."""

    paths: dict[str, str]
    marks: list[tuple[float, float]]
    peak: float


@dataclass(frozen=True)
class Row:
    """An address or a range. addresses: those of a range that redeemed. top and clear: y of where
    its text starts and has ended; base: of the bars' foot. peak: its highest rate, empty where too
    few redemptions came to state one."""

    address: str
    side: Side
    addresses: list[str]
    totals: Counter[str]
    peak: str
    top: float
    clear: float
    base: float
    bars: Bars


@dataclass(frozen=True)
class Label:
    """A text above a vertical line at x. level: 0 is the lowest row of labels. left: where the
    text begins: at its line, or before it where the chart would end."""

    x: float
    text: str
    level: int
    left: float

    @property
    def right(self) -> float:
        return self.left + len(self.text) * CHARACTER


@dataclass(frozen=True)
class MarkerLine:
    """A boundary with its label. kind: as of boundaries, or idle, which has no line. y: of the
    label's foot. spans: what is drawn of the line."""

    label: Label
    kind: str
    y: float
    spans: tuple[Span, ...]


@dataclass(frozen=True)
class Chart:
    """name tells the charts of a page apart. head and foot: y of what the rows lie between.
    plot: width of the rows. incomplete: where LoginHistory may lack rows. left_out: how many rows
    are not drawn."""

    name: str
    width: float
    plot: float
    height: float
    head: float
    foot: float
    is_narrow: bool
    rows: list[Row]
    lines: list[MarkerLine]
    bands: list[Band]
    incomplete: Band | None
    ticks: list[Tick]
    highest: str
    left_out: int


def draw(report: Report, name: str, width: float) -> Chart:
    """The chart at a width in pixels."""
    marked = _marked_times(report)
    places = [(part, text) for part, text, _ in marked]
    is_narrow = width < _NARROW
    plot = width if is_narrow else _plot_width(places, width)
    labels = place_labels([(part * plot, text) for part, text in places], width)
    head = 8 + _LEVEL * max((each.level + 1 for each in labels), default=0)
    rows, highest = _rows(report, plot, head, is_narrow=is_narrow)
    foot = rows[-1].base + _BETWEEN / 2 if rows else head
    texts = [(each.top, each.clear) for each in rows]
    kinds = [kind for _, _, kind in marked]
    return Chart(
        name=name,
        width=width,
        plot=plot,
        height=foot + 26,
        head=head,
        foot=foot,
        is_narrow=is_narrow,
        rows=rows,
        lines=_marker_lines(labels, kinds, head, foot, texts),
        bands=list(bands(report.scale, report.idle, plot)),
        incomplete=_incomplete(report, plot),
        ticks=list(ticks(report.scale, plot)),
        highest=highest,
        left_out=len(report.rows) - len(rows),
    )


def _incomplete(report: Report, width: float) -> Band | None:
    """The right edge, in which rows of LoginHistory may not have arrived."""
    if report.incomplete_from is None or report.incomplete_from >= report.scale.end:
        return None
    left = report.scale.x(report.incomplete_from) * width
    return Band(round(left, 1), round(width - left, 1), squeezed=False)


def _marked_times(report: Report) -> list[tuple[float, str, str]]:
    """Place (0 to 1), text and kind of everything that has a label, in order."""
    x = report.scale.x
    found: list[tuple[float, str, str]] = [
        (x(timestamp(each.time)), f"{each.name} {clock(each.time)[:-1]}", each.kind)
        for each in report.document.boundaries
    ]
    found += [
        (x(each.start), f"{each.reason} {duration(each.end - each.start)}", "idle")
        for each in report.idle
        if x(each.end) - x(each.start) >= _LABELLED
    ]
    return sorted(found)


def _plot_width(texts: Sequence[tuple[float, str]], width: float) -> float:
    """How wide the rows may be, so that every label can begin at its line. texts: with the place
    of each line, as a part (0 to 1) of that width."""
    fitting = ((width - len(text) * CHARACTER) / part for part, text in texts if part > 0)
    return max(_LEAST_PLOT * width, min(width, *fitting, width))


def _rows(report: Report, width: float, head: float, *, is_narrow: bool) -> tuple[list[Row], str]:
    """The rows, and what their full height means."""
    bins = report.scale.bins(int(width / _BIN))
    shown = report.rows[:_ROWS]
    highest = full_height([each.binned(bins) for each in shown], bins)
    text = _TEXT_LINE * (2 if is_narrow else 1)
    pitch = text + _MARKS + _BARS + _BETWEEN
    rows = []
    for number, each in enumerate(shown):
        top = head + number * pitch
        frame = _Frame(report.scale, width, top + text + _MARKS + _BARS, highest)
        rows.append(_row(each, bins, frame, top, top + text + 1))
    return rows, rate_text(highest)


def _row(
    traffic: AddressTraffic, bins: Sequence[Bin], frame: _Frame, top: float, clear: float
) -> Row:
    counts = traffic.binned(bins)
    bars = frame.draw(counts, bins)
    says = max((each.total() for each in counts), default=0) >= _FEW
    return Row(
        address=traffic.address,
        side=traffic.side,
        addresses=[each.address for each in traffic.members],
        totals=Counter({status: total(traffic.counts, status) for status in STATUSES}),
        peak=rate_text(bars.peak) if says else "",
        top=top,
        clear=clear,
        base=frame.base,
        bars=bars,
    )


@dataclass(frozen=True)
class _Frame:
    """Where a row's bars are drawn. base: y of their foot. highest: the rate, per second, that
    the full height stands for."""

    scale: TimeScale
    width: float
    base: float
    highest: float

    def draw(self, row: Binned, bins: Sequence[Bin]) -> Bars:
        """Stacked: redeemed, then blocked, then what was refused for another reason."""
        paths: dict[str, list[str]] = {status: [] for status in STATUSES}
        marks: list[tuple[float, float]] = []
        for counts, each in zip(row, bins, strict=True):
            left, right = (self.scale.x(time) * self.width for time in (each.start, each.end))
            right = min(right, left + _SINGLE * counts.total())
            foot = self.base
            for status in STATUSES:
                if counts[status]:
                    top = foot - self._length(counts[status], each)
                    paths[status].append(
                        f"M{left:.1f} {foot:.1f}V{top:.1f}H{right:.1f}V{foot:.1f}Z"
                    )
                    foot = top
            middle = (left + right) / 2
            if counts["blocked"] and (not marks or middle - marks[-1][0] >= _MARKS_APART):
                marks.append((round(middle, 1), round(foot - _MARK_ABOVE, 1)))
        joined = {status: "".join(path) for status, path in paths.items()}
        return Bars(joined, marks, _highest_rate([row], bins))

    def _length(self, count: int, bin_: Bin) -> float:
        share = count / (bin_.end - bin_.start) / self.highest
        return max(_LEAST_BAR, share * _BARS)


def full_height(rows: Iterable[Binned], bins: Sequence[Bin]) -> float:
    """Redemptions per second that the full height stands for: the highest rate, but so that a
    single redemption is no full bar."""
    usual = median_low(each.end - each.start for each in bins)
    return max(_highest_rate(rows, bins), _FEW / usual)


def _highest_rate(rows: Iterable[Binned], bins: Sequence[Bin]) -> float:
    """Redemptions per second, of all rows and bins; 0 if there were none."""
    return max(
        (
            counts.total() / (each.end - each.start)
            for row in rows
            for counts, each in zip(row, bins, strict=True)
        ),
        default=0.0,
    )


def rate_text(per_second: float) -> str:
    """``13 per second``, or by minutes or hours if there are few."""
    size, unit = next((each for each in _UNITS if per_second * each[0] >= 1), _UNITS[-1])
    value = per_second * size
    return f"{value:,.0f} per {unit}" if value >= _WHOLE else f"{value:.3g} per {unit}"


def place_labels(texts: Sequence[tuple[float, str]], width: float) -> list[Label]:
    """Labels for lines in the order of their x, within a width in pixels; none overlaps another.

    Earlier ones go above later ones, so that a line down from its label seldom meets a text.
    """
    placed: list[Label] = []
    for x, text in reversed(texts):
        left = max(0.0, min(x, width - len(text) * CHARACTER))
        label = Label(x, text, 0, left)
        level = max((each.level + 1 for each in placed if _overlap(label, each)), default=0)
        placed.append(Label(x, text, level, left))
    return placed[::-1]


def _overlap(one: Label, other: Label) -> bool:
    return one.left < other.right + _LABELS_APART and other.left < one.right + _LABELS_APART


def _marker_lines(
    labels: Sequence[Label], kinds: Sequence[str], head: float, foot: float, texts: Sequence[Span]
) -> list[MarkerLine]:
    """From each label down to the foot. head: y of where the rows begin. texts: of the rows."""
    feet = [head - 6 - each.level * _LEVEL for each in labels]
    found = []
    for label, kind, y in zip(labels, kinds, feet, strict=True):
        crossed = [
            (other_y - _ABOVE, other_y + _BELOW)
            for other, other_y in zip(labels, feet, strict=True)
            if other_y > y and other.left <= label.x <= other.right
        ]
        spans = () if kind == "idle" else _without(y + _BELOW, foot, [*crossed, *texts])
        found.append(MarkerLine(label, kind, y, spans))
    return found


def _without(top: float, foot: float, gaps: Iterable[Span]) -> tuple[Span, ...]:
    """What is left between top and foot."""
    spans = []
    for start, end in sorted(gaps):
        if start > top:
            spans.append((top, min(start, foot)))
        top = max(top, end)
    if top < foot:
        spans.append((top, foot))
    return tuple(spans)
