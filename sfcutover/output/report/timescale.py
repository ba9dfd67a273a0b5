"""Time in a report: as words, and along the axis of a chart. Pure.

The axis is linear except for long idle times. A run that waits a night for an approval has only
minutes in which anything happens, so an idle time longer than half of the busy time gets a fifth
of the width of the busy time.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain
from typing import Literal

_DAY, _MINUTE = 86400, 60  # seconds
_UNITS = ((_DAY, "d"), (3600, "h"), (_MINUTE, "min"), (1, "s"))
_LONG, _NARROW = 0.5, 0.2  # parts of the busy time
_STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, _DAY)
_TICK = 80.0  # pixels from one tick to the next, at least
_EDGE = 30.0  # pixels from an end of the axis, where the text of a tick is not centred


def moment(time: str | float) -> datetime:
    """A time of a document (ISO 8601), or seconds since 1970, as UTC."""
    if isinstance(time, str):
        return datetime.fromisoformat(time).astimezone(UTC)
    return datetime.fromtimestamp(time, UTC)


def timestamp(time: str) -> float:
    """A time of a document as seconds since 1970."""
    return datetime.fromisoformat(time).timestamp()


def clock(time: str | float) -> str:
    """``11:51:26Z``."""
    return f"{moment(time):%H:%M:%SZ}"


def date_and_clock(time: str | float) -> str:
    """``2026-11-24 11:51:26Z``."""
    return f"{moment(time):%Y-%m-%d %H:%M:%SZ}"


def duration(seconds: float) -> str:
    """The two largest units: ``0.02 s``, ``1.2 s``, ``14 min 10 s``, ``2 d 3 h``."""
    if seconds < _MINUTE:
        return f"{round(seconds, 1 if seconds >= 1 else 2):g} s"
    rest = round(seconds)
    parts: list[str] = []
    for size, unit in _UNITS:
        count, rest = divmod(rest, size)
        if count or parts:
            parts.append(f"{count} {unit}" if count else "")
    return " ".join(part for part in parts[:2] if part)


@dataclass(frozen=True)
class IdleTime:
    """A time in which the run did nothing, and why. Seconds since 1970."""

    start: float
    end: float
    reason: str


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
    def of(cls, start: float, end: float, idle: Sequence[IdleTime] = ()) -> TimeScale:
        """Times in seconds since 1970. The scale covers one second at least."""
        first = math.floor(start)
        last = max(math.ceil(end), first + 1)
        times = list(_whole_seconds(idle, first, last))
        busy = last - first - sum(stop - begin for begin, stop in times)
        return cls(tuple(_placed(list(_parts(times, first, last, max(busy, 1))))))

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
        """About so many, of round lengths, each within a piece."""
        return [
            Bin(start, min(start + width, piece.end))
            for piece in self.pieces
            for width in [_step(piece, count * (piece.right - piece.left))]
            for start in range(piece.start, piece.end, width)
        ]

    def round_times(self, count: int) -> list[int]:
        """At most so many round times, evenly apart where the scale is linear."""
        linear = [each for each in self.pieces if not each.squeezed] or list(self.pieces)
        widest = max(linear, key=lambda each: each.right - each.left)
        step = _step(widest, count * (widest.right - widest.left))
        found = chain.from_iterable(
            range(-(-each.start // step) * step, each.end + 1, step) for each in linear
        )
        return list(self._apart(found, count))

    def _apart(self, times: Iterable[int], count: int) -> Iterator[int]:
        last = -1.0
        for time in times:
            if (x := self.x(time)) - last >= 1 / count:
                last = x
                yield time


@dataclass(frozen=True)
class Tick:
    """A time below the axis. x: in pixels."""

    x: float
    text: str
    anchor: Literal["start", "middle", "end"]


@dataclass(frozen=True)
class Band:
    """An idle time on a chart, in pixels. squeezed: its scale is not that of the rest."""

    x: float
    width: float
    squeezed: bool


def bands(scale: TimeScale, idle: Iterable[IdleTime], width: float) -> Iterator[Band]:
    """The idle times on a chart of this width in pixels."""
    squeezed = [(each.start, each.end) for each in scale.pieces if each.squeezed]
    for each in idle:
        left, right = (scale.x(time) * width for time in (each.start, each.end))
        inside = any(start >= each.start - 1 and end <= each.end + 1 for start, end in squeezed)
        yield Band(round(left, 1), round(right - left, 1), inside)


def ticks(scale: TimeScale, width: float) -> Iterator[Tick]:
    """Round times below an axis of this width in pixels; with the date where a day begins."""
    times = scale.round_times(int(width / _TICK))
    pattern = "%H:%M" if all(each % _MINUTE == 0 for each in times) else "%H:%M:%S"
    dated = scale.start // _DAY != scale.end // _DAY
    day = None
    for time in times:
        x, date, text = scale.x(time) * width, f"{moment(time):%d %b}", f"{moment(time):{pattern}}"
        text = f"{date} {text}" if dated and date != day else text
        yield Tick(round(x, 1), text, _anchor(x, width))
        day = date


def round_step(seconds: float) -> int:
    """The next longer time that the face of a clock shows."""
    return next((each for each in _STEPS if each >= seconds), math.ceil(seconds / _DAY) * _DAY)


def _step(piece: Piece, count: float) -> int:
    return round_step((piece.end - piece.start) / max(1.0, count))


def _anchor(x: float, width: float) -> Literal["start", "middle", "end"]:
    return "start" if x < _EDGE else "end" if x > width - _EDGE else "middle"


def _whole_seconds(idle: Sequence[IdleTime], first: int, last: int) -> Iterator[tuple[int, int]]:
    """Idle times in whole seconds, none overlapping."""
    after = first
    for each in idle:
        begin, stop = max(math.ceil(each.start), after), min(math.floor(each.end), last)
        if stop > begin:
            after = stop
            yield begin, stop


def _parts(
    idle: Iterable[tuple[int, int]], first: int, last: int, busy: int
) -> Iterator[tuple[int, int, float, bool]]:
    """Start, end, weight, and whether it is squeezed."""
    after = first
    for begin, stop in idle:
        if stop - begin <= _LONG * busy:
            continue
        if begin > after:
            yield after, begin, begin - after, False
        yield begin, stop, _NARROW * busy, True
        after = stop
    if last > after:
        yield after, last, last - after, False


def _placed(parts: Sequence[tuple[int, int, float, bool]]) -> Iterator[Piece]:
    total = sum(weight for _, _, weight, _ in parts)
    passed = 0.0
    for start, end, weight, squeezed in parts:
        yield Piece(start, end, passed / total, (passed + weight) / total, squeezed)
        passed += weight
