"""A thread for database calls that may hang; it does not keep the process from ending."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from typing import TypeVar

from sqlalchemy.exc import SQLAlchemyError

from sfcutover.errors import SfcutoverError

SOON_SECONDS = 1.0  # a database that is well answers by then
T = TypeVar("T")


class BackgroundThread:
    """Executes calls one after the other."""

    def __init__(self, name: str) -> None:
        self._calls: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._is_busy: Callable[[], bool] = lambda: False
        threading.Thread(target=self._work, name=name, daemon=True).start()

    def do(self, work: Callable[[], T], seconds: float = SOON_SECONDS) -> T | None:
        """What work returns; None if it fails, or takes longer, and is then done later.

        Behind a call that takes longer, this one is not waited for at all.
        """
        is_behind = self._is_busy()
        future: Future[T] = Future()
        self._is_busy = lambda: not future.done()
        self._calls.put(lambda: _complete(future, work))
        if is_behind:
            return None
        try:
            return future.result(seconds)
        except (TimeoutError, SfcutoverError, SQLAlchemyError):
            return None

    def close(self) -> None:
        """Take no more calls; the earlier ones are still executed."""
        self._calls.put(None)

    def _work(self) -> None:
        while (call := self._calls.get()) is not None:
            call()


def _complete(future: Future[T], work: Callable[[], T]) -> None:
    try:
        future.set_result(work())
    except Exception as error:  # noqa: BLE001 - passed on to the waiting thread
        future.set_exception(error)
