"""The processes that execute runs: each holds a lock that ends with it.

Beside SQLite, that is a lock of a file, which the kernel frees; in PostgreSQL an advisory lock of
a session, which the server frees where the process, its machine or the network is gone. No
process is asked, and none is noted down.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Protocol, Self

from sfcutover.errors import Advice, Command, StillRunningError
from sfcutover.runs.background import BackgroundThread
from sfcutover.runs.database import Database
from sfcutover.runs.process import Process, Role, lock_lost


class Locks(Protocol):
    """The locks of one cutover's processes. Every method raises what the database raises."""

    def acquire(self, process: Process) -> bool:
        """Hold the lock of this process, and where it executes a run, the one that only one
        process holds; False where another one does."""

    def is_held(self) -> bool:
        """True if this process's locks are held, perhaps again."""

    def release(self) -> None:
        """Free what is held. Raises nothing."""

    def holders(self) -> list[Process]:
        """The processes that are alive."""

    def taking(self, process: str) -> AbstractContextManager[bool]:
        """True while this process alone may take what that one, which is dead, has left."""

    def claim(self, name: str) -> bool:
        """Keep the processes of other databases on this machine from what has this name, until
        release; False where one of them has it."""


class ProcessLock:
    """This process's lock, held from enter to exit. Threads may share it."""

    def __init__(self, database: Database, cutover: str, role: Role, config: str) -> None:
        """config: as config_key gives it."""
        self.process = Process.current(role, config)
        self._database = database
        self._locks = locks_of(database, cutover)
        self._thread = BackgroundThread("process lock")

    def __enter__(self) -> Self:
        """Raises StillRunningError where another process executes the cutover's run."""
        if not self._database.patiently(lambda: self._locks.acquire(self.process)):
            try:
                raise running_elsewhere(self._database.patiently(self._locks.holders))
            finally:
                self._locks.release()  # also the session that was asked
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._thread.do(self._locks.release)
        self._thread.close()

    @property
    def id(self) -> str:
        return self.process.id

    @property
    def place(self) -> str:
        return self.process.place

    def require(self) -> None:
        """Directly before an effect. Raises LockLostError if another process may act, and what
        the database raises."""
        if not self._database.patiently(self._locks.is_held):
            raise lock_lost()

    def require_soon(self, is_owner: Callable[[], bool]) -> None:
        """As require, for what must not wait for the database: without its answer the step
        continues.

        is_owner: what must hold besides.
        """
        if self._thread.do(lambda: self._locks.is_held() and is_owner()) is False:
            raise lock_lost()

    def claim(self, name: str) -> bool:
        """As Locks.claim."""
        return self._locks.claim(name)

    def taking(self, process: str) -> AbstractContextManager[bool]:
        """True while this process alone may take what that one, which is dead, has left."""
        return self._locks.taking(process)


def alive(database: Database, cutover: str) -> list[Process]:
    """The processes that take part in a cutover's runs. Raises what the database raises."""
    locks = locks_of(database, cutover)
    try:
        return database.patiently(locks.holders)
    finally:
        locks.release()


class RunningElsewhereError(StillRunningError):
    """Another process executes the run."""


def running_elsewhere(holders: list[Process]) -> RunningElsewhereError:
    """The error of a process that may not execute the run."""
    places = [each.place for each in holders if each.role == "run"]
    return RunningElsewhereError(
        f"the cutover's run is in progress at {', '.join(places) or 'another process'}",
        hint=Advice("follow it: ", Command("runs", "--follow"), "; cancel it: ", Command("cancel")),
        impact="this command changed nothing; the run continues",
    )


def locks_of(database: Database, cutover: str) -> Locks:
    """Beside the database, for the processes of a cutover."""
    if database.is_shared:
        from sfcutover.runs.sessionlocks import SessionLocks

        return SessionLocks(database.engine, cutover)
    from sfcutover.runs.filelocks import FileLocks

    return FileLocks(database.file, cutover)
