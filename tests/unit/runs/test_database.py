"""The state database: which one a URL names, what is tried again, and what is refused."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa

from sfcutover.config.state import State
from sfcutover.config.values import Text
from sfcutover.errors import ConfigError, NetworkError, OperationFailedError
from sfcutover.runs.database import Database
from sfcutover.util.secrets import redact
from tests.support import cutover_in
from tests.unit.runs.working import execute, state_at, state_in

PASSWORD = "hunter2-is-no-good"


@pytest.fixture
def shared(monkeypatch: pytest.MonkeyPatch) -> Database:
    """A state in PostgreSQL, of which no server was asked yet."""
    url = f"postgresql://casey:{PASSWORD}@db.example:5432/runs?keepalives_idle=9"
    monkeypatch.setenv("THE_STATE", url)
    return Database.at(State(url=Text(env="THE_STATE")))


class Failing:
    """Work that fails with an error the first time, and succeeds then."""

    def __init__(self, error: Exception) -> None:
        self.error = error
        self.calls = 0

    def __call__(self) -> str:
        self.calls += 1
        if self.calls == 1:
            raise self.error
        return "done"


def said(text: str, kind: Callable[..., Exception] = sa.exc.OperationalError) -> Failing:
    return Failing(kind("a statement", None, sqlite3.OperationalError(text)))


@pytest.mark.parametrize(
    "work",
    [
        said("database is locked"),
        said("server closed the connection", sa.exc.InterfaceError),
        said("cannot execute INSERT in a read-only transaction", sa.exc.InternalError),
        Failing(sa.exc.TimeoutError("no connection of the pool is free")),
    ],
)
def test_what_passes_is_tried_again(database: Database, work: Failing) -> None:
    assert database.patiently(work) == "done"


@pytest.mark.parametrize(
    "reason",
    [
        "database or disk is full",
        "disk I/O error",
        "attempt to write a readonly database",
        "unable to open database file",
        "no such table: sfcutover_runs",
        "database disk image is malformed",
        "file is not a database",
    ],
)
def test_what_does_not_pass_is_reported_immediately(database: Database, reason: str) -> None:
    work = said(reason)
    with pytest.raises(OperationFailedError, match=reason):
        database.patiently(work)
    assert work.calls == 1


def test_a_damaged_file_is_reported_as_the_databases_state(database: Database) -> None:
    with pytest.raises(OperationFailedError, match="image is malformed"):
        database.patiently(said("database disk image is malformed", sa.exc.DatabaseError))


def test_a_defect_is_not_reported_as_the_databases_state(database: Database) -> None:
    with pytest.raises(sa.exc.IntegrityError):
        database.patiently(said("UNIQUE constraint failed", sa.exc.IntegrityError))


def test_a_relative_path_starts_in_the_folder_of_the_cutover(tmp_path: Path) -> None:
    state = cutover_in(tmp_path, "one", state={"url": "sqlite:///kept/state.db"}).state
    assert Database.at(state).file == tmp_path / "kept" / "state.db"


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:"])
def test_a_state_in_memory_is_refused(url: str) -> None:
    with pytest.raises(ConfigError):
        Database.open(state_at(url))


def test_a_url_that_cannot_be_read_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"state\.url names no database"):
        Database.at(state_at("postgresql+psycopg://db.example:port/runs"))


def test_the_password_of_a_shared_state_reaches_only_the_engine(shared: Database) -> None:
    assert shared.is_shared
    assert PASSWORD in shared.engine_url
    assert PASSWORD not in str(shared)
    assert PASSWORD not in redact(f"a password, such as {PASSWORD}, in an error")


def test_a_password_among_the_parameters_is_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    url = "postgresql+psycopg://me@db/runs?password=p%40ss-of-the-runs"
    monkeypatch.setenv("THE_STATE", url)
    database = Database.at(State(url=Text(env="THE_STATE")))
    assert "p%40ss-of-the-runs" in database.engine_url
    assert str(database) == "postgresql+psycopg://me@db/runs"
    assert redact("with p@ss-of-the-runs or p%40ss-of-the-runs") == "with *** or ***"


def test_an_encoded_password_is_masked_as_the_server_gets_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("THE_STATE", "postgresql+psycopg://me:w%40rd-of-the-runs@db/runs")
    database = Database.at(State(url=Text(env="THE_STATE")))
    assert database.url.password == "w@rd-of-the-runs"
    assert redact("w@rd-of-the-runs, w%40rd-of-the-runs") == "***, ***"


def test_connections_of_a_shared_state_notice_a_silent_network(shared: Database) -> None:
    url = shared.url
    assert url.drivername == "postgresql+psycopg"
    assert set(url.query) == {"keepalives_idle", "keepalives_interval", "keepalives_count"}
    assert url.query["keepalives_idle"] == "9"  # what the user wrote goes first


def test_a_shared_state_that_does_not_answer_is_a_failure_of_the_network(shared: Database) -> None:
    error = sa.exc.OperationalError("a statement", None, OSError("connection refused"))
    found = shared.unavailable(error)
    assert isinstance(found, NetworkError)
    assert "connection refused" in found.message


def test_a_state_is_opened_again_with_the_tables_of_the_workflow_engine(tmp_path: Path) -> None:
    with closing(Database.open(state_in(tmp_path))) as first:
        execute(first, "CREATE TABLE workflow_status (id TEXT)")
    with closing(Database.open(state_in(tmp_path))) as second:
        assert second.has_tables
