"""SQLite for the state: who waits for whom, and what closing leaves."""

from __future__ import annotations

import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest
import sqlalchemy as sa

from sfcutover.errors import OperationFailedError
from sfcutover.runs import sqlite
from sfcutover.runs.database import Database


def can_write(database: Database) -> bool:
    """True if another connection could start to write now."""
    with closing(sqlite3.connect(database.file, timeout=0, isolation_level=None)) as other:
        try:
            other.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError:
            return False
        return True


def test_a_writer_has_the_file_to_itself_before_it_reads(database: Database) -> None:
    assert not database.run(lambda _: can_write(database))
    assert can_write(database)


def test_a_reader_keeps_no_writer_waiting(database: Database) -> None:
    assert database.read(lambda _: can_write(database))


def test_a_commit_is_on_disk(database: Database) -> None:
    assert database.read(lambda c: c.exec_driver_sql("PRAGMA synchronous").scalar()) == 2  # FULL


def test_a_closed_database_opens_no_more_connections(database: Database) -> None:
    database.close()
    with pytest.raises(OperationFailedError, match="this process has closed the file"):
        database.run(lambda _: None, seconds=0)


def test_closing_waits_for_a_thread_that_is_at_work(database: Database) -> None:
    """Its connection would leave files beside the state's."""
    started = threading.Event()

    def work(connection: sa.Connection) -> str:
        started.set()
        while not sa.event.contains(database.engine, "do_connect", sqlite._refuse):
            pass  # it is being closed
        return "done"

    with ThreadPoolExecutor(1) as pool:
        result = pool.submit(database.read, work)
        assert started.wait(30)
        database.close()
        assert [each.name for each in database.file.parent.iterdir()] == [database.file.name]
        assert result.result() == "done"
