"""Where the labels above a chart go, so that none lies on another. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

CHARACTER = 7.4  # pixels of one, on average, in the widest of the usual fonts
_GAP = 8.0  # pixels between two labels


@dataclass(frozen=True)
class Label:
    """A text that a vertical line at x hangs from, in pixels. level: 0 is the lowest row of
    labels. left: where the text begins: at its line, or before it where the chart would end."""

    x: float
    text: str
    level: int
    left: float

    @property
    def right(self) -> float:
        return self.left + len(self.text) * CHARACTER


def place_labels(texts: Sequence[tuple[float, str]], width: float) -> list[Label]:
    """Labels for lines in the order of their x, within a width in pixels.

    Earlier ones go above later ones, so that a line down from its label seldom meets a text.
    """
    placed: list[Label] = []
    for x, text in reversed(texts):
        left = max(0.0, min(x, width - len(text) * CHARACTER))
        label = Label(x, text, 0, left)
        level = max((each.level + 1 for each in placed if _overlap(label, each)), default=0)
        placed.append(Label(x, text, level, left))
    return placed[::-1]


def room_left(texts: Sequence[tuple[float, str]], width: float, least: float) -> float:
    """How wide may be what the lines stand in, so that every label can begin at its line; never
    less than least. texts: with the place of each line, as a part (0 to 1) of that width."""
    fitting = ((width - len(text) * CHARACTER) / part for part, text in texts if part > 0)
    return max(least, min(width, *fitting, width))


def _overlap(one: Label, other: Label) -> bool:
    return one.left < other.right + _GAP and other.left < one.right + _GAP
