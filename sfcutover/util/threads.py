"""Work in a thread that keeps no process from ending."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

T = TypeVar("T")


def call_in_thread(work: Callable[[], T], name: str) -> Future[T]:
    """What work returns or raises, in a thread of its own that ends with the process."""
    future: Future[T] = Future()
    future.set_running_or_notify_cancel()

    def execute() -> None:
        try:
            future.set_result(work())
        except Exception as error:  # noqa: BLE001 - raised where the result is asked for
            future.set_exception(error)

    threading.Thread(target=execute, name=name, daemon=True).start()
    return future
