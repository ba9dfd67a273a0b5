"""The clock of code that waits, and how often it polls."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

FIRST_SECONDS = 0.25
LARGEST_SECONDS = 5.0
_SHARE_OF_ELAPSED = 0.06


@dataclass(frozen=True)
class Clock:
    """Time as the waiting code sees it; both in seconds. Tests bring their own."""

    now: Callable[[], float] = time.monotonic
    pause: Callable[[float], None] = time.sleep

    def polls(self, seconds: float) -> Iterator[None]:
        """One turn for each poll, with pauses between; the last begins after so many seconds."""
        started = self.now()
        while True:
            yield
            elapsed = self.now() - started
            if elapsed > seconds:
                return
            self.pause(next_interval(elapsed))


def next_interval(elapsed: float) -> float:
    """Seconds until the next poll: 0.25 at first, growing with what has passed, at most 5.

    Six percent of the elapsed time, so that a long wait costs few requests and the
    end of a wait of 10 s is still seen within a second.
    """
    return min(LARGEST_SECONDS, max(FIRST_SECONDS, elapsed * _SHARE_OF_ELAPSED))
