"""Times and durations as a person reads them in a report. Pure."""

from __future__ import annotations

from datetime import UTC, datetime

_UNITS = ((86400, "d"), (3600, "h"), (60, "min"))


def moment(text: str | float) -> datetime:
    """A time of a document, or seconds since 1970, as UTC."""
    if isinstance(text, str):
        return datetime.fromisoformat(text).astimezone(UTC)
    return datetime.fromtimestamp(text, UTC)


def clock(text: str | float) -> str:
    """``11:51:26Z``."""
    return f"{moment(text):%H:%M:%SZ}"


def date_and_clock(text: str | float) -> str:
    """``2026-11-24 11:51:26Z``."""
    return f"{moment(text):%Y-%m-%d %H:%M:%SZ}"


def duration(seconds: float) -> str:
    """The two largest units: ``0.02 s``, ``1.2 s``, ``14 min 10 s``, ``2 d 3 h``."""
    if seconds < 60:  # noqa: PLR2004 - a minute
        return f"{round(seconds, 1 if seconds >= 1 else 2):g} s"
    rest = round(seconds)
    parts: list[str] = []
    for size, unit in (*_UNITS, (1, "s")):
        count, rest = divmod(rest, size)
        if count or parts:
            parts.append(f"{count} {unit}" if count else "")
    return " ".join(part for part in parts[:2] if part)
