"""A journal that nobody waits for."""

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


def vigil(journal: Journal, target: str = "one") -> BufferedJournal:
    return BufferedJournal(journal, target, journal.read())


def test_it_knows_what_was_before_and_what_was_told(journal: Journal) -> None:
    journal.write("sent", "remove-old", "one", {"id": "1"})
    journal.write("sent", "remove-old", "two", {"id": "2"})
    on_vigil = vigil(journal)
    number = on_vigil.write("sent", "restore-old", "one", {"id": "3"})
    on_vigil.close()
    assert [each.text("id") for each in on_vigil.all("sent", target="one")] == ["1", "3"]
    assert [each.text("id") for each in on_vigil.all("sent", "restore-old", "one")] == ["3"]
    assert on_vigil.all("sent", target="one") == journal.all("sent", target="one")
    last = on_vigil.last("sent", target="one")
    assert last is not None
    assert last.seq == number
    assert [each.text("id") for each in on_vigil.all("sent", target="two")] == ["2"]


def test_a_database_that_is_locked_is_waited_for_once_and_gets_everything(
    journal: Journal,
) -> None:
    on_vigil = vigil(journal)
    with journal.database.engine.connect() as other:
        other.execute(sa.text("SELECT 1"))  # BEGIN IMMEDIATE: nobody else writes
        for number in range(50):
            on_vigil.write("round", "watch", "one", {"number": number})
        assert len(on_vigil.all("round", target="one")) == 50
        assert on_vigil.last("round", target="one") == on_vigil.all("round", target="one")[-1]
    done = threading.Event()
    on_vigil._thread.do(done.set)
    assert done.wait(30)
    assert [each.number("number") for each in journal.all("round")] == list(range(50))


def test_a_lane_gives_up_on_what_fails_and_on_what_takes_long() -> None:
    lane, released = BackgroundThread("test"), threading.Event()

    def fail() -> str:
        raise NetworkError("away", hint="later")

    assert lane.do(lambda: "said") == "said"
    assert lane.do(fail) is None
    assert lane.do(lambda: released.wait(10), 0.01) is None
    assert lane.do(lambda: "behind it") is None
    released.set()
    lane.close()
