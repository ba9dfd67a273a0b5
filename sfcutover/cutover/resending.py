"""Sending again: what the org could not do for now is tried until the time to wait is over."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from sfcutover.errors import BusyError, StillRunningError
from sfcutover.util.clock import Clock

FIRST_PAUSE_SECONDS = 5.0
LARGEST_PAUSE_SECONDS = 60.0
T = TypeVar("T")


class StillBusyError(StillRunningError):
    """The org could not do it for as long as was waited; nothing of it is under way."""


def until_not_busy(
    attempt: Callable[[], T],
    seconds: float,
    clock: Clock,
    on_busy: Callable[[BusyError, float], None] = lambda _error, _pause: None,
) -> T:
    """The attempt's result, tried again after 5 s, doubling to 60 s, while the org is busy.

    seconds: after which no other attempt is made. on_busy: told the error and the pause that
    follows. Raises StillBusyError, and whatever else the attempt raises.
    """
    started, pause = clock.now(), FIRST_PAUSE_SECONDS
    while True:
        try:
            return attempt()
        except BusyError as error:
            left = seconds - (clock.now() - started)
            if left <= 0:
                raise _still_busy(error, seconds) from error
            on_busy(error, min(pause, left))
            clock.pause(min(pause, left))
            pause = min(2 * pause, LARGEST_PAUSE_SECONDS)


def _still_busy(error: BusyError, seconds: float) -> StillBusyError:
    return StillBusyError(
        f"not done within {seconds:.0f} s: {error.message}",
        where=error.where,
        hint="see in Setup, under Deployment Status, what holds the org; then run this again",
        impact=error.impact,
    )
