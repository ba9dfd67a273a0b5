"""The processes that perform runs: which are alive, and may this one still act?

A process is alive while it holds a lock that the kernel frees with its end; where that
lock can't be seen, on another machine, while its entry is younger than a lease. A process
that could not renew its entry in time stops acting by itself.
"""

from __future__ import annotations

import json
import os
import socket
import threading
import time
import uuid
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

import sqlalchemy as sa

from sfcutover.errors import NetworkError, SfcutoverError
from sfcutover.runs.database import Database
from sfcutover.runs.tables import EXECUTORS
from sfcutover.tokens.lock import state_folder, try_lock

BEAT_SECONDS = 1.0
LEASE_SECONDS = 15.0  # so long an entry counts that nobody renews
_FRESH_SECONDS = 6.0  # so long this process trusts its own renewal
Role = Literal["run", "worker"]


@dataclass(frozen=True)
class Executor:
    """A process that performs runs, or did. config: the fingerprint of its cutover.yaml."""

    id: str
    cutover: str
    role: str
    host: str
    pid: int
    config: str
    started: float
    beat: float
    ended: float | None

    @property
    def place(self) -> str:
        return f"{self.host}, process {self.pid}"


class Executors:
    """All that a database knows of."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def alive(self, cutover: str) -> list[Executor]:
        """Those of a cutover that are alive, the oldest first."""
        query = sa.select(EXECUTORS).where(
            EXECUTORS.c.cutover == cutover, EXECUTORS.c.ended.is_(None)
        )
        rows = self._database.read(lambda c: c.execute(query).mappings().all())
        now = self._database.now()
        found = [Executor(**row) for row in rows]
        return sorted((each for each in found if _is_alive(each, now)), key=lambda e: e.started)

    def is_alive(self, identifier: str) -> bool:
        """True if this one is."""
        query = sa.select(EXECUTORS).where(EXECUTORS.c.id == identifier)
        row = self._database.read(lambda c: c.execute(query).mappings().first())
        return row is not None and _is_alive(Executor(**row), self._database.now())


class Presence:
    """This process's entry, renewed by a thread from start to stop."""

    def __init__(self, database: Database, cutover: str, role: Role, config: str) -> None:
        self.id = uuid.uuid4().hex
        self._database = database
        self._row = {
            "id": self.id,
            "cutover": cutover,
            "role": role,
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "config": config,
        }
        self._lock: int | None = None
        self._stopping = threading.Event()
        self._renewed = 0.0  # by the monotonic clock
        self._thread = threading.Thread(target=self._renew, name="lease", daemon=True)

    def __enter__(self) -> Self:
        self._lock = try_lock(_lock_path(self.id))
        now = self._database.now()
        values = {**self._row, "started": now, "beat": now}
        self._database.run(lambda c: c.execute(sa.insert(EXECUTORS).values(values)))
        self._renewed = time.monotonic()
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Say that it has ended; where that fails, the lease runs out.

        Not on Ctrl-C: what is under way goes on until the process is gone, and so does its lock.
        """
        if isinstance(error, KeyboardInterrupt):
            return
        self._stopping.set()
        self._thread.join()
        try:
            self._write({"ended": self._database.now()}, seconds=2.0)
        except SfcutoverError:
            pass
        finally:
            if self._lock is not None:
                os.close(self._lock)
            _lock_path(self.id).unlink(missing_ok=True)

    @property
    def place(self) -> str:
        return f"{self._row['host']}, process {self._row['pid']}"

    def require(self) -> None:
        """Before an effect: raise NetworkError unless this process is still known as alive."""
        if time.monotonic() - self._renewed <= _FRESH_SECONDS:
            return
        self._write({"beat": self._database.now()})
        alive = self._database.read(
            lambda c: c.scalar(sa.select(EXECUTORS.c.ended).where(EXECUTORS.c.id == self.id))
        )
        if alive is not None:
            raise NetworkError(
                "this process was taken for dead, and another one goes on with the run",
                hint="see which: sfcutover runs",
                tokens="nothing more is done from here",
            )
        self._renewed = time.monotonic()

    def _renew(self) -> None:
        while not self._stopping.wait(BEAT_SECONDS):
            begun = time.monotonic()
            try:
                self._write({"beat": self._database.now()})
            except SfcutoverError:
                continue  # require() then refuses to act
            self._renewed = begun

    def _write(self, values: dict[str, object], seconds: float = 10.0) -> None:
        update = sa.update(EXECUTORS).where(EXECUTORS.c.id == self.id).values(values)
        self._database.run(lambda c: c.execute(update), seconds=seconds)


def mark_ended(database: Database, identifier: str) -> None:
    """Note that a process is taken for dead, so that it stops should it come back."""
    ended = sa.update(EXECUTORS).where(EXECUTORS.c.id == identifier, EXECUTORS.c.ended.is_(None))
    now = database.now()
    database.run(lambda c: c.execute(ended.values(ended=now)))


def describe(executors: list[Executor]) -> str:
    """Where they are, for a message."""
    return json.dumps([each.place for each in executors])[1:-1]


def _is_alive(executor: Executor, now: float) -> bool:
    if executor.ended is not None:
        return False
    if executor.host == socket.gethostname() and (path := _lock_path(executor.id)).exists():
        descriptor = try_lock(path)
        if descriptor is None:
            return True
        os.close(descriptor)
        return False
    return now - executor.beat < LEASE_SECONDS


def _lock_path(identifier: str) -> Path:
    return state_folder() / f"executor-{identifier}.lock"
