"""The lines of the live view before they are drawn: marked-up spans, and what goes first. Pure.

Where there is less room than lines, the lightest go first, the oldest of them before the others,
and one line says how many.
"""

from __future__ import annotations

import enum
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

Style = Literal["", "dim", "bold", "good", "warn", "bad", "alarm"]
Span = tuple[str, Style]


class Weight(enum.IntEnum):
    """What a line is worth."""

    SPACE = 0
    NOTE = 1
    EDGE = 2
    DONE = 3
    ADDRESS = 4
    TO_COME = 5
    DETAIL = 6
    ADVICE = 7
    RUNNING = 8
    ALARM = 9


_LEFT_OUT = {  # what is said to be missing: one, several
    Weight.DONE: ("step done", "steps done"),
    Weight.ADDRESS: ("address", "addresses"),
    Weight.TO_COME: ("to come", "to come"),
    Weight.DETAIL: ("line", "lines"),
}


@dataclass(frozen=True)
class Line:
    """indent: columns. whole: it goes on in the next rows where it is too long, and isn't cut.

    command: to be copied: in one row where that can be, else in rows that a shell joins.
    """

    spans: tuple[Span, ...]
    weight: Weight
    indent: int = 0
    whole: bool = False
    command: bool = False

    @classmethod
    def of(
        cls, text: str, style: Style, weight: Weight, indent: int = 0, *, whole: bool = False
    ) -> Line:
        return cls(((text, style),), weight, indent, whole)


SPACE = Line((), Weight.SPACE)


def fitting(
    lines: Sequence[Line], rows: int, height: Callable[[Line], int], sign: str
) -> list[Line]:
    """The lines there is room for, and one that begins with the sign and counts the others.

    height: of a line, in rows.
    """
    heights = [height(line) for line in lines]
    by_weight = sorted(range(len(lines)), key=lambda place: lines[place].weight)
    for count in range(len(lines) + 1):
        gone = by_weight[:count]
        missing = _missing([lines[place] for place in gone], sign)
        if sum(heights) - sum(heights[place] for place in gone) + len(missing) <= rows:
            break
    first = min((place for place in gone if lines[place].weight in _LEFT_OUT), default=0)
    kept = [(place, line) for place, line in enumerate(lines) if place not in gone]
    above, below = ([line for place, line in kept if (place < first) is up] for up in (True, False))
    return [*above, *missing, *below]


def _missing(gone: Sequence[Line], sign: str) -> list[Line]:
    """No line at all where there isn't even room for what nobody may overlook."""
    counts = Counter(line.weight for line in gone)
    words = [
        f"{counts[weight]} {names[counts[weight] > 1]}"
        for weight, names in _LEFT_OUT.items()
        if counts[weight]
    ]
    if not words or counts[Weight.ALARM]:
        return []
    return [Line.of(f"{sign} {', '.join(words)}", "dim", Weight.DETAIL, 1)]


def shortened(text: str, columns: int, sign: str) -> tuple[str, str]:
    """How much of a text that is too long is kept, and the sign that stands for the rest.

    Whole words are kept, as half an id or half a number would be taken for a whole one; of a
    first word that has no room, its beginning.
    """
    tail = f" {sign}"
    whole = text[: max(0, columns - len(tail)) + 1].rpartition(" ")[0].rstrip()
    return (whole, tail) if whole else (text[: max(0, columns - len(sign))], sign)


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
