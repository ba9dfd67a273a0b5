"""Retries while the org is busy, until the time to wait is over."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from sfcutover.errors import BusyError, StillRunningError
from sfcutover.salesforce.connection import Connection
from sfcutover.util.clock import Clock

FIRST_PAUSE_SECONDS = 5.0
LARGEST_PAUSE_SECONDS = 60.0
_IDLE_SECONDS = 3600.0  # how long another user's deployment is waited for
T = TypeVar("T")


class StillBusyError(StillRunningError):
    """The org stayed busy until the wait ended; nothing was started."""


def until_not_busy(
    attempt: Callable[[], T],
    seconds: float,
    clock: Clock,
    on_busy: Callable[[BusyError, float], None] = lambda _error, _pause: None,
) -> T:
    """The attempt's result, tried again after 5 s, doubling to 60 s, while the org is busy.

    seconds: after which no other attempt is made. on_busy: receives the error and the pause that
    follows. Raises StillBusyError, and what else the attempt raises.
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


def require_idle(connection: Connection) -> None:
    """Raise BusyError while the org has yet to complete a deployment, as far as it says."""
    pending = [each for each in connection.deployer.requests() or () if each.is_pending]
    if pending:
        names = ", ".join(f"{each.id} by {each.by or 'an unknown user'}" for each in pending)
        raise BusyError(
            f"the org is still processing another deployment ({names})",
            hint="wait until it has ended, then run this again",
        )


def await_idle(connection: Connection, clock: Clock, note: Callable[[str], None]) -> None:
    """Wait until the org has completed all deployments: one that was made from an older list
    removes what was added since. Raises StillBusyError after an hour, and what asking raises."""

    def on_busy(error: BusyError, pause: float) -> None:
        note(f"{error.message}; checking again in {pause:g} s")

    until_not_busy(lambda: require_idle(connection), _IDLE_SECONDS, clock, on_busy)


def _still_busy(error: BusyError, seconds: float) -> StillBusyError:
    return StillBusyError(
        f"not done within {seconds:.0f} s: {error.message}",
        where=error.where,
        hint="check Deployment Status in Setup for what blocks the org, then run this again",
        impact=error.impact,
    )
