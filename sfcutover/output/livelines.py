"""The lines of the live view before they are drawn: marked-up spans, and what goes first. Pure.

Where there is less room than lines, the lightest go first, the oldest of them before the others.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Style = Literal["", "dim", "bold", "good", "warn", "bad", "alarm"]
Span = tuple[str, Style]


class Weight(enum.IntEnum):
    """What a line is worth."""

    SPACE = 0
    NOTE = 1
    DONE = 2
    ADDRESS = 3
    TO_COME = 4
    DETAIL = 5
    RUNNING = 6
    ALARM = 7


@dataclass(frozen=True)
class Line:
    """indent: columns. whole: it goes on in the next rows where it is too long, and isn't cut."""

    spans: tuple[Span, ...]
    weight: Weight
    indent: int = 0
    whole: bool = False

    @classmethod
    def of(
        cls, text: str, style: Style, weight: Weight, indent: int = 0, *, whole: bool = False
    ) -> Line:
        return cls(((text, style),), weight, indent, whole)


SPACE = Line((), Weight.SPACE)


def fitting(heights: Sequence[tuple[Line, int]], rows: int) -> list[int]:
    """Which lines there is room for, by their places. heights: each line with its rows."""
    left = dict(enumerate(heights))
    for place in sorted(left, key=lambda place: left[place][0].weight):
        if sum(height for _, height in left.values()) <= rows:
            break
        del left[place]
    return sorted(left)


def duration(seconds: float) -> str:
    """``0.3 s``, ``42 s``, ``1:05``, ``2:01:05``."""
    if seconds < 10:  # noqa: PLR2004 - below, a tenth of a second tells something
        return f"{max(0.0, seconds):.1f} s"
    if seconds < 60:  # noqa: PLR2004 - a minute
        return f"{int(seconds)} s"
    return clock(seconds)


def clock(seconds: float) -> str:
    """``0:42``, ``12:31``, ``2:01:05``: for what goes on."""
    minutes, rest = divmod(max(0, int(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
