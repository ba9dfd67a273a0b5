"""The targets' orgs, each opened once for all steps of a process."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from sfcutover.config.cutover import Cutover, Target
from sfcutover.salesforce.connection import Connection, connect


@dataclass
class Connections:
    """Open connections by target. A step has one to itself; after an error it is opened anew."""

    cutover: Cutover
    _idle: dict[str, list[Connection]] = field(default_factory=dict, init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)

    @contextmanager
    def of(self, target: Target) -> Iterator[Connection]:
        """A target's org; its sockets are closed if the step fails."""
        connection = self._take(target)
        try:
            yield connection
        except BaseException:
            connection.org.close()
            raise
        with self._lock:
            self._idle.setdefault(target.name, []).append(connection)

    def _take(self, target: Target) -> Connection:
        with self._lock:
            idle = self._idle.get(target.name)
            if idle:
                return idle.pop()
        return connect(target, self.cutover)
