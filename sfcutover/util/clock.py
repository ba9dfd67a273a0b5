"""The clock of code that waits, and how often it polls."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

FIRST_SECONDS = 0.05
LARGEST_SECONDS = 5.0
_EARLY_SECONDS = 0.25
_EARLY_SHARE = 0.5
_LATE_SHARE = 0.03


@dataclass(frozen=True)
class Clock:
    """Time as the waiting code sees it; both in seconds. Tests bring their own."""

    now: Callable[[], float] = time.monotonic
    pause: Callable[[float], None] = time.sleep

    def polls(self, seconds: float) -> Iterator[None]:
        """One turn for each poll, with pauses between; the last one starts after these seconds."""
        started = self.now()
        while True:
            yield
            elapsed = self.now() - started
            if elapsed > seconds:
                return
            self.pause(next_interval(elapsed))


def next_interval(elapsed: float) -> float:
    """Seconds until the next poll, from 0.05 to 5.

    Half of the elapsed time, at most 0.25 s; once that is less than three percent of it, these. A
    poll sees the end of a wait of 10 s within 0.3 s. A wait of 1 s takes 8 polls, one of 10 s 44,
    one of 10 min 226; the official CLI polls a small deployment once a second
    (forcedotcom/source-deploy-retrieve, calculatePollingFrequency).
    """
    early = min(_EARLY_SECONDS, elapsed * _EARLY_SHARE)
    return min(LARGEST_SECONDS, max(FIRST_SECONDS, early, elapsed * _LATE_SHARE))
