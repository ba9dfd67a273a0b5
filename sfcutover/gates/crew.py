"""Who looks: several at once, so that a slow one delays nobody."""

from __future__ import annotations

from collections.abc import Collection
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Protocol

from sfcutover.traffic.checks import CheckResult, Look


class Crew(Protocol):
    """Runs looks side by side."""

    def submit(self, look: Look) -> Future[CheckResult]: ...

    def wait(self, looks: Collection[Future[CheckResult]], seconds: float) -> None:
        """Return when one of the looks is done, or after so many seconds."""

    def dismiss(self) -> None:
        """Start nothing more, wait for nothing."""


class Threads:
    """A crew of threads. A look that has begun runs to its end: it may hold a new token."""

    def __init__(self, size: int) -> None:
        self._pool = ThreadPoolExecutor(size, "watch")

    def submit(self, look: Look) -> Future[CheckResult]:
        return self._pool.submit(look)

    def wait(self, looks: Collection[Future[CheckResult]], seconds: float) -> None:
        wait(looks, seconds, FIRST_COMPLETED)

    def dismiss(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)
