"""The bars of one row of the chart as SVG paths, and what their height means. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median_low

from sfcutover.report.addresstraffic import STATUSES
from sfcutover.report.timescale import Bin, TimeScale

FEW = 5  # redemptions in a bin: the least that a full height may mean
_SINGLE = 12.0  # pixels that one redemption makes a bar wide: one is no steady traffic
_LEAST = 2.0  # pixels: a bar that is there can be seen
_MARKS_APART = 12.0  # pixels between two marks
_MARK_ABOVE = 3.0  # pixels from a bar's top to its mark
_WHOLE = 100  # from there on, no fractions
_UNITS = ((1, "second"), (60, "minute"), (3600, "hour"))
Counts = Sequence[Counter[str]]  # by status, in each bin


def highest_rate(rows: Iterable[Counts], bins: Sequence[Bin]) -> float:
    """Redemptions per second, of all rows and bins; 0 if there were none."""
    return max(
        (_rate(counts, each) for row in rows for counts, each in zip(row, bins, strict=True)),
        default=0.0,
    )


def full_height(rows: Iterable[Counts], bins: Sequence[Bin]) -> float:
    """Redemptions per second that the full height stands for: the highest rate, but so that a
    single redemption is no full bar."""
    usual = median_low(each.end - each.start for each in bins)
    return max(highest_rate(rows, bins), FEW / usual)


def rate_text(per_second: float) -> str:
    """``13 per second``, or by minutes or hours if there are few."""
    size, unit = next((each for each in _UNITS if per_second * each[0] >= 1), _UNITS[-1])
    value = per_second * size
    return f"{value:,.0f} per {unit}" if value >= _WHOLE else f"{value:.3g} per {unit}"


@dataclass(frozen=True)
class Bars:
    """paths: by status. marks: x and y of the foot of a mark above blocked redemptions. peak: the
    highest rate, per second."""

    paths: dict[str, str]
    marks: list[tuple[float, float]]
    peak: float


@dataclass(frozen=True)
class Frame:
    """Where a row's bars go. base: y of their foot. height: of the highest rate, per second."""

    scale: TimeScale
    width: float
    base: float
    height: float
    highest: float

    def draw(self, row: Counts, bins: Sequence[Bin]) -> Bars:
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
        return Bars(joined, marks, highest_rate([row], bins))

    def _length(self, count: int, bin_: Bin) -> float:
        share = count / (bin_.end - bin_.start) / self.highest
        return max(_LEAST, share * self.height)


def _rate(counts: Counter[str], bin_: Bin) -> float:
    return counts.total() / (bin_.end - bin_.start)
