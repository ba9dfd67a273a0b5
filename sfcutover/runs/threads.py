"""One thing after the other with a database, and nobody waits long for it."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from sqlalchemy.exc import SQLAlchemyError

from sfcutover.errors import SfcutoverError

T = TypeVar("T")
SOON_SECONDS = 1.0  # so long somebody waits for a database that is well


class BackgroundThread:
    """A thread of its own for what may hang."""

    def __init__(self, name: str) -> None:
        self._pool = ThreadPoolExecutor(1, name)
        self._is_busy: Callable[[], bool] = lambda: False

    def do(self, work: Callable[[], T], seconds: float = SOON_SECONDS) -> T | None:
        """What work returns; None if it fails, or takes longer, and is then done later.

        Behind something that takes longer nobody waits at all.
        """
        is_behind = self._is_busy()
        future = self._pool.submit(work)
        self._is_busy = lambda: not future.done()
        if is_behind:
            return None
        try:
            return future.result(seconds)
        except (TimeoutError, SfcutoverError, SQLAlchemyError):
            return None

    def close(self) -> None:
        """Take nothing more; what was taken is still done."""
        self._pool.shutdown(wait=False)
