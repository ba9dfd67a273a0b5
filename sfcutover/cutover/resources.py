"""What the steps of a process share: open connections, recent probes, prepared restores, and the
shutdown guard."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from sfcutover.allowlist.plan import PlannedPhase
from sfcutover.config.cutover import Cutover, Target
from sfcutover.cutover.probe import ProbeResult, probe_egress
from sfcutover.errors import Advice, Command, LockLostError, SfcutoverError
from sfcutover.salesforce.connection import Connection, connect

LEAVING_SECONDS = 20.0  # an ending process has this long to finish what must not be cut off
FRESH_SECONDS = 15.0  # how long a probe counts for other targets


@dataclass
class Connections:
    """Open connections by target. A step has one to itself; after an error it is opened again."""

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

    def close(self) -> None:
        """Close every connection that is not in use."""
        with self._lock:
            idle = [each for some in self._idle.values() for each in some]
            self._idle.clear()
        for connection in idle:
            connection.org.close()

    def _take(self, target: Target) -> Connection:
        with self._lock:
            idle = self._idle.get(target.name)
            if idle:
                return idle.pop()
        return connect(target, self.cutover)


@dataclass
class Probes:
    """The newest probe of each egress, for targets that use the same proxy.

    Threads may share it: one probes, the others wait.
    """

    cutover: Cutover
    _newest: dict[str, tuple[float, ProbeResult]] = field(default_factory=dict, init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)

    def of(self, name: str) -> ProbeResult:
        """What the echo sees behind an egress. Raises EgressError. A probe that did not pass is
        not kept."""
        with self._lock:
            if name in self._newest:
                taken, result = self._newest[name]
                if time.monotonic() - taken <= FRESH_SECONDS:
                    return result
            result = probe_egress(self.cutover, name)
            if result.passed:
                self._newest[name] = (time.monotonic(), result)
            return result


@dataclass
class PreparedRestores:
    """By target: restore-old, computed and rendered before the old addresses are missed.

    Threads may share it.
    """

    _planned: dict[str, PlannedPhase] = field(default_factory=dict, init=False)

    def keep(self, target: str, planned: PlannedPhase) -> None:
        """planned: its start is what was read after the removal."""
        self._planned[target] = planned

    def of(self, target: str, connection: Connection) -> PlannedPhase | None:
        """What may be sent without reading the list: no component was saved since.

        None where one was, where nothing is prepared, and where the org does not report it.
        """
        planned = self._planned.get(target)
        try:
            is_valid = planned is not None and connection.retriever.is_unmodified(planned.start)
        except SfcutoverError:
            return None  # reading the list says why
        return planned if is_valid else None


class ShutdownGuard:
    """Counts what a process finishes before it ends: what it sends, alerts, and restoring."""

    def __init__(self) -> None:
        self._count = 0
        self._is_closed = False
        self._due: set[str] = set()
        self._changed = threading.Condition()
        self._mine = threading.local()  # how deep this thread is in it

    def require_open(self) -> None:
        """Raises LockLostError once it is closed: what is not started is left to another process,
        and what this one finds while it ends says nothing."""
        if self._is_closed and not self._depth:
            raise LockLostError(
                "this process is ending",
                hint=Advice("resume: ", Command("run")),
                impact="this process changes nothing more",
            )

    def __enter__(self) -> Self:
        """Raises what require_open raises."""
        with self._changed:
            self.require_open()
            self._count += 1
        self._mine.depth = self._depth + 1
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._mine.depth = self._depth - 1
        with self._changed:
            self._count -= 1
            self._changed.notify_all()

    def __bool__(self) -> bool:
        return self._count > 0 or bool(self._due)

    def expect(self, target: str) -> None:
        """The addresses of a target are about to be restored: that counts from here on."""
        with self._changed:
            self._due.add(target)

    def fulfil(self, target: str) -> None:
        """They are."""
        with self._changed:
            self._due.discard(target)
            self._changed.notify_all()

    def close(self, seconds: float) -> None:
        """Wait until nothing counts, at most these seconds, and let nothing new start."""
        with self._changed:
            self._changed.wait_for(lambda: not self, seconds)
            self._is_closed = True

    @property
    def _depth(self) -> int:
        return int(getattr(self._mine, "depth", 0))


SHUTDOWN_GUARD = ShutdownGuard()  # of this process
