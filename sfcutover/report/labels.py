"""Where the labels above a chart go, so that none lies on another. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

CHARACTER = 7.4  # pixels of one, on average, in the widest of the usual fonts
_GAP = 4.0  # pixels between a line and its label


@dataclass(frozen=True)
class Label:
    """A text beside a vertical line at x, in pixels. level: 0 is the lowest row of labels.

    anchor: as SVG's text-anchor; a label that would leave the chart ends at its line.
    """

    x: float
    text: str
    level: int
    anchor: Literal["start", "end"]

    @property
    def text_x(self) -> float:
        return self.x + (_GAP if self.anchor == "start" else -_GAP)


def place_labels(texts: Sequence[tuple[float, str]], width: float) -> list[Label]:
    """Labels for lines in the order of their x, within a width in pixels.

    Earlier ones go above later ones, so that a line down from its label crosses no text.
    """
    placed: list[Label] = []
    for x, text in reversed(texts):
        fits = x + _GAP + len(text) * CHARACTER <= width
        anchor: Literal["start", "end"] = "start" if fits or x < width / 2 else "end"
        taken = [each for each in placed if _overlap((x, text, anchor), each)]
        level = max((each.level + 1 for each in taken), default=0)
        placed.append(Label(x, text, level, anchor))
    return placed[::-1]


def _overlap(new: tuple[float, str, str], other: Label) -> bool:
    left, right = _span(*new)
    other_left, other_right = _span(other.x, other.text, other.anchor)
    return left < other_right and other_left < right


def _span(x: float, text: str, anchor: str) -> tuple[float, float]:
    length = len(text) * CHARACTER + 2 * _GAP
    return (x, x + length) if anchor == "start" else (x - length, x + 1)
