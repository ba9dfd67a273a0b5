"""What a process finishes before it leaves: calls for a person, and putting addresses back."""

from __future__ import annotations

import threading
from types import TracebackType
from typing import Self


class UnderWay:
    """Counts what is under way."""

    def __init__(self) -> None:
        self._count = 0
        self._changed = threading.Condition()

    def __enter__(self) -> Self:
        with self._changed:
            self._count += 1
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._changed:
            self._count -= 1
            self._changed.notify_all()

    def __bool__(self) -> bool:
        return self._count > 0

    def wait(self, seconds: float) -> bool:
        """Until nothing is, at most so many seconds; True if nothing is."""
        with self._changed:
            return self._changed.wait_for(lambda: not self, seconds)


BEFORE_LEAVING = UnderWay()  # of this process
