"""What a chart shows of time alone: the ticks of its axis, and the quiet times. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from sfcutover.report.document import Report
from sfcutover.report.durations import moment

_TICK = 80.0  # pixels, at least
_EDGE = 30.0  # pixels from an end, where a text can't be in the middle
_DAY = 86400


@dataclass(frozen=True)
class Tick:
    x: float
    text: str
    anchor: Literal["start", "middle", "end"]


@dataclass(frozen=True)
class Band:
    """A quiet time. squeezed: its scale is not that of the rest."""

    x: float
    width: float
    squeezed: bool


def bands(report: Report, width: float) -> Iterator[Band]:
    squeezed = [(each.start, each.end) for each in report.scale.pieces if each.squeezed]
    for each in report.quiet:
        left, right = (report.scale.x(time) * width for time in (each.start, each.end))
        inside = any(start >= each.start - 1 and end <= each.end + 1 for start, end in squeezed)
        yield Band(round(left, 1), round(right - left, 1), inside)


def ticks(report: Report, width: float) -> list[Tick]:
    scale = report.scale
    times = scale.ticks(int(width / _TICK))
    pattern = "%H:%M" if all(each % 60 == 0 for each in times) else "%H:%M:%S"
    dated = scale.start // _DAY != scale.end // _DAY
    found: list[Tick] = []
    day = None
    for time in times:
        x, date = scale.x(time) * width, f"{moment(time):%d %b}"
        text = f"{moment(time):{pattern}}"
        found.append(
            Tick(round(x, 1), f"{date} {text}" if dated and date != day else text, _at(x, width))
        )
        day = date
    return found


def _at(x: float, width: float) -> Literal["start", "middle", "end"]:
    return "start" if x < _EDGE else "end" if x > width - _EDGE else "middle"
