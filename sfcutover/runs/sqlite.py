"""SQLite for the state: one file, which is checked before anything is written to it."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from pathlib import Path

import sqlalchemy as sa

_BUSY_SECONDS = 30
_CLOSE_SECONDS = 1.0
_LOOK_SECONDS = 0.01
_WRITE_AHEAD = "PRAGMA journal_mode=WAL"


def create_engine(url: sa.URL) -> sa.Engine:
    """An engine for which a commit is on disk, and writers wait for each other."""
    engine = sa.create_engine(url, connect_args={"timeout": _BUSY_SECONDS})
    sa.event.listen(engine, "connect", _set_up)
    sa.event.listen(engine, "begin", _begin)
    return engine


def tables_of(path: Path) -> set[str]:
    """The names of the tables of a file, which stays as it is; none of a missing or empty file.

    Raises sqlite3.Error for a file that is no database, or can't be read.
    """
    if not path.exists() or not path.stat().st_size:
        return set()
    with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as connection:
        try:
            rows = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
            return {str(name) for (name,) in rows}
        except UnicodeDecodeError:  # of the schema, which an error of SQLite quotes
            raise sqlite3.DatabaseError("the schema is damaged") from None


def copy(source: Path, target: Path) -> None:
    """A consistent copy, also while others write. source stays as it is; target is replaced.
    Raises sqlite3.Error."""
    with (
        closing(sqlite3.connect(f"{source.resolve().as_uri()}?mode=ro", uri=True)) as old,
        closing(sqlite3.connect(target)) as new,
    ):
        old.backup(new)


def is_whole(path: Path) -> bool:
    """True if no page of the file is damaged or missing."""
    with closing(sqlite3.connect(path)) as connection:
        return bool(connection.execute("PRAGMA quick_check").fetchone() == ("ok",))


def use_write_ahead_log(engine: sa.Engine) -> None:
    """From now on, readers of the file don't wait for writers. Raises SQLAlchemy's errors."""
    try:
        with closing(engine.raw_connection()) as connection:
            connection.cursor().execute(_WRITE_AHEAD)
    except sqlite3.OperationalError as error:  # as SQLite's own, also where it sets up
        raise sa.exc.OperationalError(_WRITE_AHEAD, None, error) from error


def close(engine: sa.Engine) -> None:
    """Open no more connections, and close those there are, so that SQLite leaves one file.

    A thread that is at work in one is waited for, but at most 1 s.
    """
    sa.event.listen(engine, "do_connect", _refuse)
    deadline = time.monotonic() + _CLOSE_SECONDS
    while _in_use(engine.pool) and time.monotonic() < deadline:
        time.sleep(_LOOK_SECONDS)
    engine.dispose()


def _in_use(pool: sa.Pool) -> int:
    return pool.checkedout() if isinstance(pool, sa.QueuePool) else 0


def _refuse(*_: object) -> None:
    raise sqlite3.OperationalError("this process has closed the file")


def _set_up(connection: sqlite3.Connection, _record: object) -> None:
    connection.isolation_level = None
    connection.execute("PRAGMA synchronous=FULL")


def _begin(connection: sa.Connection) -> None:
    """A writer waits for the lock at its beginning: later, SQLite would refuse, not wait."""
    reads = connection.get_execution_options().get("reads", False)
    connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")
