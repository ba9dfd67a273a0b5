"""The locks of processes that share a PostgreSQL: advisory locks of a session each.

The server frees them with the session: immediately when the process ends, within seconds when its
machine or the network is lost. It must be one session for long: behind a pooler, state.url has to
name a port that pools sessions, not transactions.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from sfcutover.runs.process import Process
from sfcutover.util.files import fingerprint

GRACE_SECONDS = 4.0  # for the processes of a server that restarts to take their locks again
_SILENCE_SECONDS = 7  # a session that is silent for longer has lost its process
_TIMEOUTS = {
    "tcp_keepalives_idle": "3",
    "tcp_keepalives_interval": "2",
    "tcp_keepalives_count": "2",
    "idle_session_timeout": f"{_SILENCE_SECONDS}s",  # behind a proxy that answers keepalives
}
_IDLE_SESSION_TIMEOUT = 140000  # since PostgreSQL 14
_RUN = 0  # the lock that one process holds


class SessionLocks:
    """The locks of one cutover. A session that was lost is opened again, with its locks, as long
    as no other process has them."""

    def __init__(self, engine: sa.Engine, cutover: str) -> None:
        self._engine = engine
        self._cutover = _number(cutover)
        self._process: Process | None = None
        self._session: sa.Connection | None = None
        self._mutex = threading.RLock()
        self._free_since: dict[str, float] = {}  # of other processes, by the monotonic clock

    def acquire(self, process: Process) -> bool:
        with self._mutex:
            self._process = process
            is_mine = all(self._try(number) for number in self._wanted(process))
            if not is_mine:
                self.release()
            return is_mine

    def claim(self, _name: str) -> bool:
        """Its processes share a run, and the database knows which lists each run has."""
        return True

    def is_held(self) -> bool:
        with self._mutex:
            process = self._process
            if process is None:
                return False
            try:
                held = {row[0] for row in self._connected().execute(_MINE, self._key)}
            except SQLAlchemyError:
                self._disconnect()
                held = set()
            return all(each in held or self._try(each) for each in self._wanted(process))

    def release(self) -> None:
        with self._mutex:
            self._process = None
            self._disconnect()

    def holders(self) -> list[Process]:
        with self._mutex:
            rows = self._connected().execute(_HOLDERS, self._key).scalars()
            return sorted({Process(each.partition(" ")[2]) for each in rows}, key=lambda p: p.id)

    @contextmanager
    def taking(self, process: str) -> Iterator[bool]:
        """True only for a lock that has been free for GRACE_SECONDS."""
        with self._mutex:
            number = _number(process)
            if not self._try(number):
                self._free_since.pop(process, None)
                yield False
                return
            try:
                since = self._free_since.setdefault(process, time.monotonic())
                yield time.monotonic() - since >= GRACE_SECONDS
            finally:
                with suppress(SQLAlchemyError):
                    self._connected().execute(_FREE, self._key | {"number": number})

    @property
    def _key(self) -> dict[str, int]:
        return {"cutover": self._cutover}

    @staticmethod
    def _wanted(process: Process) -> list[int]:
        return [_number(process.id), *([_RUN] if process.role == "run" else ())]

    def _try(self, number: int) -> bool:
        row = self._connected().execute(_TRY, self._key | {"number": number}).scalar()
        return row is True

    def _connected(self) -> sa.Connection:
        if self._session is None:
            session = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
            name = f"sfcutover {self._process.id}" if self._process else "sfcutover"
            session.execute(_SET, {"setting": "application_name", "value": name})
            version = int(session.execute(sa.text("SHOW server_version_num")).scalar() or 0)
            for setting, value in _TIMEOUTS.items():
                if setting != "idle_session_timeout" or version >= _IDLE_SESSION_TIMEOUT:
                    session.execute(_SET, {"setting": setting, "value": value})
            self._session = session
        return self._session

    def _disconnect(self) -> None:
        """The connection is closed, not kept for others: its locks end with it."""
        if self._session is not None:
            with suppress(SQLAlchemyError):
                self._session.invalidate()
            with suppress(SQLAlchemyError):
                self._session.close()
        self._session = None


def _number(text: str) -> int:
    """A signed 32-bit number, not 0."""
    return (int(fingerprint(text)[:8], 16) - 2**31) or 1


_SET = sa.text("SELECT set_config(:setting, :value, false)")
_TRY = sa.text("SELECT pg_try_advisory_lock(:cutover, :number)")
_FREE = sa.text("SELECT pg_advisory_unlock(:cutover, :number)")
# pg_locks has both parts of the lock as unsigned numbers.
_OF_CUTOVER = (
    "locktype = 'advisory' AND objsubid = 2 AND granted AND classid::bigint::bit(32)::int = "
    ":cutover AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
)
_MINE = sa.text(
    f"SELECT objid::bigint::bit(32)::int FROM pg_locks WHERE pid = pg_backend_pid() AND {_OF_CUTOVER}"  # noqa: S608, E501
)
_HOLDERS = sa.text(
    "SELECT application_name FROM pg_locks JOIN pg_stat_activity USING (pid) "  # noqa: S608
    f"WHERE application_name LIKE 'sfcutover %:%' AND {_OF_CUTOVER.replace('database =', 'pg_locks.database =')}"  # noqa: E501
)
