"""A journal with buffered writes."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from sfcutover.config.state import State
from sfcutover.config.values import Text
from sfcutover.errors import NetworkError
from sfcutover.runs.background import BackgroundThread
from sfcutover.runs.database import Database
from sfcutover.runs.journal import BufferedJournal, Journal


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    database = Database.open(State(url=Text(literal=f"sqlite:///{tmp_path}/state.db")))
    yield Journal(database, "move.1")
    database.close()


def buffered_journal(journal: Journal, target: str = "one") -> BufferedJournal:
    return BufferedJournal(journal, target, journal.read())


def test_a_buffered_journal_returns_earlier_events_and_its_own(journal: Journal) -> None:
    journal.write("sent", "remove-old", "one", {"id": "1"})
    journal.write("sent", "remove-old", "two", {"id": "2"})
    buffer = buffered_journal(journal)
    number = buffer.write("sent", "restore-old", "one", {"id": "3"})
    buffer.close()
    assert [each.text("id") for each in buffer.all("sent", target="one")] == ["1", "3"]
    assert [each.text("id") for each in buffer.all("sent", "restore-old", "one")] == ["3"]
    assert buffer.all("sent", target="one") == journal.all("sent", target="one")
    last = buffer.last("sent", target="one")
    assert last is not None
    assert last.seq == number
    assert [each.text("id") for each in buffer.all("sent", target="two")] == ["2"]


def test_a_locked_database_blocks_no_write_and_gets_everything_later(
    journal: Journal,
) -> None:
    buffer = buffered_journal(journal)
    with journal.database.engine.connect() as other:
        other.execute(sa.text("SELECT 1"))  # BEGIN IMMEDIATE: no other connection can write
        for number in range(50):
            buffer.write("round", "watch", "one", {"number": number})
        assert len(buffer.all("round", target="one")) == 50
        assert buffer.last("round", target="one") == buffer.all("round", target="one")[-1]
    done = threading.Event()
    buffer._thread.do(done.set)
    assert done.wait(30)
    assert [each.number("number") for each in journal.all("round")] == list(range(50))


def test_a_background_thread_drops_failed_and_slow_calls() -> None:
    thread, released = BackgroundThread("test"), threading.Event()

    def fail() -> str:
        raise NetworkError("away", hint="later")

    assert thread.do(lambda: "said") == "said"
    assert thread.do(fail) is None
    assert thread.do(lambda: released.wait(10), 0.01) is None
    assert thread.do(lambda: "behind it") is None
    released.set()
    thread.close()
