"""The lines of a chart that its boundaries are, whole but where a text stands. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sfcutover.report.labels import Label

LEVEL = 17.0  # pixels from one level of labels to the next
_ABOVE, _BELOW = 12.0, 4.0  # of a label's foot: what its letters need
Part = tuple[float, float]  # from y to y, in pixels


@dataclass(frozen=True)
class Line:
    """A boundary with its label. kind: as of boundaries, or quiet, which has no line. y: of the
    label's foot. parts: what is drawn of the line."""

    label: Label
    kind: str
    y: float
    parts: tuple[Part, ...]


def lines(
    labels: Sequence[Label], kinds: Sequence[str], head: float, foot: float, texts: Iterable[Part]
) -> list[Line]:
    """From each label down to the foot. head: y of where the rows begin. texts: of the rows."""
    feet = [head - 6 - each.level * LEVEL for each in labels]
    taken = list(texts)
    found = []
    for label, kind, y in zip(labels, kinds, feet, strict=True):
        crossed = [
            (other_y - _ABOVE, other_y + _BELOW)
            for other, other_y in zip(labels, feet, strict=True)
            if other_y > y and other.left <= label.x <= other.right
        ]
        parts = () if kind == "quiet" else _without(y + _BELOW, foot, [*crossed, *taken])
        found.append(Line(label, kind, y, parts))
    return found


def _without(top: float, foot: float, gaps: Iterable[Part]) -> tuple[Part, ...]:
    parts = []
    for start, end in sorted(gaps):
        if start > top:
            parts.append((top, min(start, foot)))
        top = max(top, end)
    if top < foot:
        parts.append((top, foot))
    return tuple(parts)
