"""The waves in which the old addresses come off, in words. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain, repeat

_LISTED = 8


def waves_text(sizes: Sequence[int], targets: int) -> str:
    """``1 target: one wave``, ``7 targets: 3 waves, of 1, 5 and 1``. sizes: as configured; the
    last one goes for all that follow."""
    if not targets:
        return f"of {', '.join(map(str, sizes))} targets, as far as there are so many"
    waves = list(_split(sizes, targets))
    many = f"{targets} target{'s' if targets != 1 else ''}"
    if len(waves) == 1:
        return f"{many}: one wave"
    shown = list(map(str, waves[:_LISTED]))
    rest = len(waves) - len(shown)
    last = f"{rest} more" if rest else shown.pop()
    return f"{many}: {len(waves)} waves, of {', '.join(shown)} and {last}"


def _split(sizes: Sequence[int], left: int) -> Iterator[int]:
    for size in chain(sizes, repeat(sizes[-1])):
        if left <= 0:
            return
        yield min(size, left)
        left -= size
