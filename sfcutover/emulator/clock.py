"""The time in an org: everything that takes a while is computed from it."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

Clock = Callable[[], datetime]


def utc_now() -> datetime:
    """The present, with its time zone."""
    return datetime.now(UTC)


class OrgClock:
    """True time, and the time that the org writes, which may be ahead of it or behind.

    The org computes with true time, so that an offset that changes neither ends nor delays
    anything. What happened under an offset keeps the date that it got. The caller holds the
    org's lock.
    """

    def __init__(self, now: Clock, offset_seconds: float) -> None:
        self._now = now
        self._since = [now()]
        self._offsets = [timedelta(seconds=offset_seconds)]

    def __call__(self) -> datetime:
        """The true time."""
        return self._now()

    @property
    def offset_seconds(self) -> float:
        """What the org's clock is ahead; negative if it is behind."""
        return self._offsets[-1].total_seconds()

    @offset_seconds.setter
    def offset_seconds(self, seconds: float) -> None:
        self._since.append(self._now())
        self._offsets.append(timedelta(seconds=seconds))

    def shown(self, moment: datetime) -> datetime:
        """A moment of true time as the org dates it."""
        return moment + self._offsets[max(0, bisect_right(self._since, moment) - 1)]

    def soap(self, moment: datetime) -> str:
        """A moment in the org's time, as the Metadata API writes it."""
        return soap_time(self.shown(moment))

    def rest(self, moment: datetime) -> str:
        """A moment in the org's time, as REST and SOQL results write it."""
        return rest_time(self.shown(moment))


def soap_time(moment: datetime) -> str:
    """As the Metadata API writes times: ``2026-11-23T21:54:00.000Z``."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{_milliseconds(moment):03d}Z"


def rest_time(moment: datetime) -> str:
    """As REST and SOQL results write times: ``2026-11-23T21:54:00.000+0000``."""
    return soap_time(moment).removesuffix("Z") + "+0000"


def _milliseconds(moment: datetime) -> int:
    return moment.microsecond // 1000
