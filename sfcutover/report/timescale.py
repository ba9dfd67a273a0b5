"""Time along a chart: linear, but for long times in which nothing went on. Pure.

A run that waits a night for an approval has minutes in which everything happens. So a quiet
time that is longer than half of all others gets the width of a fifth of them.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

from sfcutover.report.timeline import Quiet

_LONG, _NARROW = 0.5, 0.2  # of the time in which something went on
_NICE = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400)


@dataclass(frozen=True)
class Bin:
    """Whole seconds since 1970, without the end."""

    start: int
    end: int


@dataclass(frozen=True)
class Piece:
    """Whole seconds since 1970 from start to end, drawn between two parts (0 to 1) of the width.

    squeezed: on a scale of its own.
    """

    start: int
    end: int
    left: float
    right: float
    squeezed: bool

    def x(self, time: float) -> float:
        share = (time - self.start) / (self.end - self.start)
        return self.left + share * (self.right - self.left)


@dataclass(frozen=True)
class TimeScale:
    """The pieces of a time, in order and without a gap."""

    pieces: tuple[Piece, ...]

    @classmethod
    def of(cls, start: float, end: float, quiet: Sequence[Quiet] = ()) -> TimeScale:
        """Times in seconds since 1970. Nothing is shorter than a second."""
        first = math.floor(start)
        last = max(math.ceil(end), first + 1)
        busy = last - first - sum(stop - begin for begin, stop in _whole(quiet, first, last))
        parts = list(_parts(_whole(quiet, first, last), first, last, max(busy, 1)))
        return cls(tuple(_placed(parts)))

    @property
    def start(self) -> int:
        return self.pieces[0].start

    @property
    def end(self) -> int:
        return self.pieces[-1].end

    def x(self, time: float) -> float:
        """Where a time is, as a part (0 to 1) of the width."""
        inside = min(max(time, self.start), self.end)
        return next(each for each in self.pieces if inside <= each.end).x(inside)

    def bins(self, count: int) -> list[Bin]:
        """About so many, of lengths that a person would choose, each within a piece."""
        return [
            Bin(start, min(start + width, piece.end))
            for piece in self.pieces
            for width in [_width(piece, count * (piece.right - piece.left))]
            for start in range(piece.start, piece.end, width)
        ]

    def ticks(self, count: int) -> list[int]:
        """At most so many round times, evenly apart where the scale is linear."""
        linear = [each for each in self.pieces if not each.squeezed] or list(self.pieces)
        widest = max(linear, key=lambda each: each.right - each.left)
        step = _width(widest, count * (widest.right - widest.left))
        round_times = chain.from_iterable(
            range(-(-each.start // step) * step, each.end + 1, step) for each in linear
        )
        return list(self._apart(round_times, count))

    def _apart(self, times: Iterable[int], count: int) -> Iterator[int]:
        last = -1.0
        for time in times:
            if (x := self.x(time)) - last >= 1 / count:
                last = x
                yield time


def nice_step(seconds: float) -> int:
    """The next longer time that a person would choose."""
    return next((each for each in _NICE if each >= seconds), math.ceil(seconds / 86400) * 86400)


def _width(piece: Piece, count: float) -> int:
    return nice_step((piece.end - piece.start) / max(1.0, count))


def _whole(quiet: Sequence[Quiet], first: int, last: int) -> Iterator[tuple[int, int]]:
    """In whole seconds, none overlapping."""
    after = first
    for each in quiet:
        begin, stop = max(math.ceil(each.start), after), min(math.floor(each.end), last)
        if stop > begin:
            after = stop
            yield begin, stop


def _parts(
    quiet: Iterable[tuple[int, int]], first: int, last: int, busy: int
) -> Iterator[tuple[int, int, float, bool]]:
    """Start, end, weight, and whether it is squeezed."""
    after = first
    for begin, stop in quiet:
        if stop - begin <= _LONG * busy:
            continue
        if begin > after:
            yield after, begin, begin - after, False
        yield begin, stop, _NARROW * busy, True
        after = stop
    if last > after:
        yield after, last, last - after, False


def _placed(parts: list[tuple[int, int, float, bool]]) -> Iterator[Piece]:
    total = sum(weight for _, _, weight, _ in parts)
    passed = 0.0
    for start, end, weight, squeezed in parts:
        yield Piece(start, end, passed / total, (passed + weight) / total, squeezed)
        passed += weight
