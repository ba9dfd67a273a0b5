"""Journals of one database: whose events are read, and what happens where none can be written."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sfcutover.errors import OperationFailedError
from sfcutover.runs.database import Database
from sfcutover.runs.journal import BufferedJournal, Journal
from sfcutover.runs.store import RunOptions, RunStore
from tests.unit.runs.working import ENDING, config_of, execute


@pytest.fixture
def journal(database: Database) -> Journal:
    return Journal(database, "move.1")


@pytest.fixture
def buffer(journal: Journal) -> Iterator[BufferedJournal]:
    journal.write("sent", "add-new", "eu", {"id": "1"})
    buffered = journal.buffered("eu")
    yield buffered
    buffered.close()


def test_the_newest_event_is_that_of_the_run(journal: Journal, database: Database) -> None:
    assert journal.newest() == 0
    number = journal.write("note", None, None, {})
    Journal(database, "move.2").write("note", None, None, {})
    assert journal.newest() == number


def test_events_of_other_runs_are_those_of_runs_that_have_not_ended(database: Database) -> None:
    store = RunStore(database)
    runs = [store.begin(name, config_of(name), RunOptions()).id for name in ("one", "two", "three")]
    for run in runs:
        store.journal(run).write("bound", None, None, {})
        store.journal(run).write("note", None, None, {})
    store.end(runs[2], ENDING)
    others = store.journal(runs[0]).of_other_runs("bound")
    assert [(each.run, each.kind) for each in others] == [(runs[1], "bound")]


def test_an_event_that_cannot_be_written_is_remembered_as_the_newest(
    buffer: BufferedJournal, database: Database
) -> None:
    execute(database, "DROP TABLE sfcutover_journal")
    buffer.write("sent", "restore-old", "eu", {"id": "2"})
    events = buffer.all("sent", target="eu")
    assert [each.text("id") for each in events] == ["1", "2"]
    assert events[0].seq < events[1].seq
    assert buffer.last("sent", target="eu") == events[1]


def test_an_event_that_must_be_on_disk_first_is_an_error_where_it_cannot_be(
    buffer: BufferedJournal, database: Database
) -> None:
    execute(database, "DROP TABLE sfcutover_journal")
    with pytest.raises(OperationFailedError, match="no such table"):
        buffer.write("sending", "remove-old", "eu", {}, durably=True)
    assert buffer.last("sending", target="eu") is None


def test_a_buffered_journal_asks_the_database_of_other_targets_and_of_the_run(
    buffer: BufferedJournal, journal: Journal
) -> None:
    for step, target in (("one", "us"), ("two", "us"), ("three", None)):
        journal.write("sent", step, target, {})
    for found, step in (
        (buffer.last("sent", "one", "us"), "one"),
        (buffer.last("sent", target="us"), "two"),
        (buffer.last("sent"), "three"),
    ):
        assert found is not None
        assert found.step == step
