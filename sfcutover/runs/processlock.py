"""The processes that perform runs: which are alive, and may this one still act?

A process is alive while it holds a lock that the kernel frees with its end; where that
lock can't be seen, on another machine, while its entry is younger than a lease. A process
that was taken for dead finds that in its entry before it acts again.
"""

from __future__ import annotations

import os
import socket
import threading
import uuid
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from sfcutover.errors import Advice, Command, LockLostError, SfcutoverError
from sfcutover.runs.database import EXECUTORS, BackgroundThread, Database
from sfcutover.util.files import is_held, process_lock, state_folder

BEAT_SECONDS = 1.0
LEASE_SECONDS = 15.0  # so long an entry counts that nobody renews
Role = Literal["run", "worker"]


@dataclass(frozen=True)
class Process:
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
    taken_by: str | None

    @property
    def place(self) -> str:
        return f"{self.host}, process {self.pid}"


class Processes:
    """All that a database knows of."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def alive(self, cutover: str) -> list[Process]:
        """Those of a cutover that are alive, the oldest first."""
        query = sa.select(EXECUTORS).where(
            EXECUTORS.c.cutover == cutover, EXECUTORS.c.ended.is_(None)
        )
        rows = self._database.read(lambda c: c.execute(query).mappings().all())
        now = self._database.now()
        found = [Process(**row) for row in rows]
        return sorted((each for each in found if _is_alive(each, now)), key=lambda e: e.started)

    def is_alive(self, identifier: str) -> bool:
        """True if this one is."""
        query = sa.select(EXECUTORS).where(EXECUTORS.c.id == identifier)
        row = self._database.read(lambda c: c.execute(query).mappings().first())
        return row is not None and _is_alive(Process(**row), self._database.now())

    def mark_ended(self, identifier: str) -> None:
        """Note that a process is taken for dead, so that it stops should it come back."""
        update = sa.update(EXECUTORS).where(
            EXECUTORS.c.id == identifier, EXECUTORS.c.ended.is_(None)
        )
        now = self._database.now()
        self._database.run(lambda c: c.execute(update.values(ended=now)))
        _tidy_up(_lock_path(identifier))

    def take(self, gone: str, taker: str) -> bool:
        """Let one process go on with what a dead one has left; False if another one does."""
        self.mark_ended(gone)
        before = self._taker_of(gone)
        if before is not None and before != taker and self.is_alive(before):
            return False
        taken = EXECUTORS.c.taken_by.is_(None) if before is None else EXECUTORS.c.taken_by == before
        update = sa.update(EXECUTORS).where(EXECUTORS.c.id == gone, taken).values(taken_by=taker)
        return bool(self._database.run(lambda c: c.execute(update)).rowcount)

    def _taker_of(self, identifier: str) -> str | None:
        query = sa.select(EXECUTORS.c.taken_by).where(EXECUTORS.c.id == identifier)
        found: str | None = self._database.read(lambda c: c.scalar(query))
        return found


class ProcessLock:
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
        self._lane = BackgroundThread("presence")
        self._lock = process_lock(_lock_path(self.id))
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._renew, name="lease", daemon=True)

    def __enter__(self) -> Self:
        self._lock.acquire()
        now = self._database.now()
        values = {**self._row, "started": now, "beat": now}
        self._database.run(lambda c: c.execute(sa.insert(EXECUTORS).values(values)))
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
            _lock_path(self.id).unlink(missing_ok=True)
        except (SfcutoverError, SQLAlchemyError):
            pass  # its lock stays, free: so everybody here sees that it is gone
        finally:
            self._lane.close()
            self._lock.release()

    @property
    def place(self) -> str:
        return f"{self._row['host']}, process {self._row['pid']}"

    def require(self) -> None:
        """Directly before an effect: raise LockLostError if this process was taken for dead.

        It is asked of the database each time: a machine that slept does not know that it did.
        """
        query = sa.select(EXECUTORS.c.ended).where(EXECUTORS.c.id == self.id)
        if self._database.read(lambda c: c.scalar(query)) is not None:
            raise _lost()

    def require_lock_soon(self) -> None:
        """As require, for what must not wait for the database: without its answer it goes on."""
        query = sa.select(EXECUTORS.c.ended).where(EXECUTORS.c.id == self.id)
        if self._lane.do(lambda: self._database.read(lambda c: c.scalar(query))) is not None:
            raise _lost()

    def _renew(self) -> None:
        while not self._stopping.wait(BEAT_SECONDS):
            try:
                self._write({"beat": self._database.now()})
            except (SfcutoverError, SQLAlchemyError):
                continue  # the lease runs out, or the next one comes in time

    def _write(self, values: dict[str, object], seconds: float = 10.0) -> None:
        update = sa.update(EXECUTORS).where(EXECUTORS.c.id == self.id).values(values)
        self._database.run(lambda c: c.execute(update), seconds=seconds)


def _lost() -> LockLostError:
    return LockLostError(
        "this process lost its lock, and another one continues the run",
        hint=Advice("see which: ", Command("runs")),
        tokens="nothing more is done from here",
    )


def _is_alive(executor: Process, now: float) -> bool:
    if executor.ended is not None:
        return False
    if executor.host == socket.gethostname() and (path := _lock_path(executor.id)).exists():
        return is_held(path)
    return now - executor.beat < LEASE_SECONDS


def _tidy_up(path: Path) -> None:
    """Remove what a dead process has left on this machine."""
    if path.exists() and not is_held(path):
        path.unlink(missing_ok=True)


def _lock_path(identifier: str) -> Path:
    return state_folder() / f"executor-{identifier}.lock"
