"""The time in an org: everything that takes a while is computed from it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]


def utc_now() -> datetime:
    """The present, with its time zone."""
    return datetime.now(UTC)


def soap_time(moment: datetime) -> str:
    """As the Metadata API writes times: ``2026-11-23T21:54:00.000Z``."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{_milliseconds(moment):03d}Z"


def rest_time(moment: datetime) -> str:
    """As REST and SOQL results write times: ``2026-11-23T21:54:00.000+0000``."""
    return soap_time(moment).removesuffix("Z") + "+0000"


def _milliseconds(moment: datetime) -> int:
    return moment.microsecond // 1000
