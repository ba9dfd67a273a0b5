"""The clock of a server, as the Date headers of its answers show it.

No two machines agree about the time, so a server's times are compared only with times of the same
server. Between two answers this machine's monotonic clock carries it on.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Self

_WHOLE_SECOND = 1.0  # a Date header has whole seconds (RFC 9110, section 5.6.7)
_DRIFT = 5e-4  # seconds a second: as fast as a clock is slewed


@dataclass(frozen=True)
class ServerTime:
    """A moment by a server's clock: it lies between earliest and latest, both UTC."""

    earliest: datetime
    latest: datetime

    @classmethod
    def around(cls, middle: datetime, uncertainty: float) -> Self:
        """uncertainty: seconds, either way."""
        half = timedelta(seconds=uncertainty)
        return cls(middle - half, middle + half)

    @property
    def middle(self) -> datetime:
        return self.earliest + (self.latest - self.earliest) / 2

    @property
    def uncertainty(self) -> float:
        """Seconds, either way."""
        return (self.latest - self.earliest).total_seconds() / 2

    def least_since(self, earlier: ServerTime) -> float:
        """Seconds that have passed for certain; negative where it may have been later."""
        return (self.earliest - earlier.latest).total_seconds()

    def most_since(self, earlier: ServerTime) -> float:
        """Seconds that may have passed."""
        return (self.latest - earlier.earliest).total_seconds()


@dataclass(frozen=True)
class _Offset:
    """What the server's clock is ahead of ours, in seconds, as heard at a time of ours."""

    least: float
    most: float
    heard: float

    def at(self, now: float) -> _Offset:
        drift = max(0.0, now - self.heard) * _DRIFT
        return _Offset(self.least - drift, self.most + drift, now)


@dataclass
class ServerClock:
    """Narrows down a server's clock with every answer. now_here: this machine's clock, seconds."""

    now_here: Callable[[], float] = time.monotonic
    _offset: _Offset | None = None

    @property
    def is_known(self) -> bool:
        """True once an answer was dated."""
        return self._offset is not None

    def hear(self, date: str | None, sent: float, received: float) -> None:
        """An answer. date: its Date header. sent, received: when by this machine's clock."""
        try:
            moment = parsedate_to_datetime(date or "").timestamp()
        except ValueError:
            return
        heard = _Offset(moment - received, moment + _WHOLE_SECOND - sent, received)
        known = self._offset.at(received) if self._offset else heard
        both = _Offset(max(known.least, heard.least), min(known.most, heard.most), received)
        self._offset = both if both.least <= both.most else heard  # else a clock has jumped

    def now(self) -> ServerTime:
        """The server's time. Raises ValueError before an answer was dated."""
        if self._offset is None:
            raise ValueError("no answer of the server was dated")
        here = self.now_here()
        offset = self._offset.at(here)
        return ServerTime(_utc(here + offset.least), _utc(here + offset.most))


def whole_second(moment: datetime) -> datetime:
    """The second that a moment lies in."""
    return _utc(math.floor(moment.timestamp()))


def _utc(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
