"""The store of runs: one process at a time, events, and differences of configurations."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from sfcutover.allowlist.templates import Templates
from sfcutover.config.cutover import load_config
from sfcutover.config.state import State
from sfcutover.config.values import Text
from sfcutover.errors import ConfigError, NetworkError, OperationFailedError, StillRunningError
from sfcutover.runs.database import Database
from sfcutover.runs.store import (
    RunOptions,
    RunStore,
    config_text,
    cutover_of,
    differences,
)
from sfcutover.util.files import resource_folder
from sfcutover.util.secrets import Secret
from tests.integration.runs.working import config_of
from tests.support import cutover_in

ENDING = {"outcome": "done", "exit_code": 0, "message": "m", "impact": "t", "next": "n"}


def state(url: str) -> State:
    return State(url=Text(literal=url))


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = Database.open(state(f"sqlite:///{tmp_path}/kept/state.db"))
    yield opened
    opened.close()


@pytest.fixture
def store(database: Database) -> RunStore:
    return RunStore(database)


@pytest.mark.parametrize(
    "url", ["nothing", "mysql://host/db", "sqlite://", "sqlite:///:memory:", "postgresql"]
)
def test_a_url_that_names_no_database_is_refused(url: str) -> None:
    with pytest.raises(ConfigError):
        Database.open(state(url))


def test_reading_creates_no_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no run yet"):
        Database.open(state(f"sqlite:///{tmp_path}/none/state.db"), create=False)
    assert list(tmp_path.iterdir()) == []


def test_only_the_owner_can_read_the_folder(database: Database, tmp_path: Path) -> None:
    assert (tmp_path / "kept").stat().st_mode & 0o077 == 0


def test_a_file_that_is_not_a_database_is_reported_immediately_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    path.write_text("this is no database, but long enough to look like one" * 20, encoding="utf-8")
    before = path.read_bytes()
    with pytest.raises(ConfigError, match="is not a SQLite database"):
        Database.open(state(f"sqlite:///{path}"))
    assert path.read_bytes() == before


def test_a_damaged_schema_is_reported_immediately_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    Database.open(state(f"sqlite:///{path}")).close()
    damaged = path.read_bytes().replace(b"CREATE TABLE sfcutover_", b"CRE\x80TE TABLE sfcutover_")
    path.write_bytes(damaged)
    with pytest.raises(ConfigError, match="is not a SQLite database"):
        Database.open(state(f"sqlite:///{path}"))
    assert path.read_bytes() == damaged


def test_a_file_of_an_unknown_format_is_reported_immediately(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    Database.open(state(f"sqlite:///{path}")).close()
    content = bytearray(path.read_bytes())
    content[47] = 5  # the schema's format, of which SQLite knows four
    path.write_bytes(content)
    with pytest.raises(OperationFailedError, match="unsupported file format"):
        Database.open(state(f"sqlite:///{path}"))


def test_the_database_of_another_program_is_unchanged(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE customers (name TEXT)")
    before = path.read_bytes()
    with pytest.raises(ConfigError, match="is the database of another program"):
        Database.open(state(f"sqlite:///{path}"))
    assert path.read_bytes() == before
    assert [each.name for each in tmp_path.iterdir()] == ["state.db"]


@pytest.mark.parametrize(
    "change", ["UPDATE sfcutover_state SET version = '99'", "DROP TABLE sfcutover_state"]
)
def test_a_state_of_another_version_is_named(database: Database, change: str) -> None:
    with closing(sqlite3.connect(database.file)) as connection:
        connection.execute(change)
        connection.commit()
    with pytest.raises(ConfigError, match="has the state version"):
        Database.open(state(f"sqlite:///{database.file}"))


def test_an_id_finds_its_run_although_a_newer_run_has_that_name(store: RunStore) -> None:
    first = store.begin("move", config_of("Acme"), RunOptions())
    ended = store.begin(first.id, config_of("Other"), RunOptions())
    store.end(ended.id, ENDING)
    store.begin(first.id, config_of("Other"), RunOptions())
    assert store.find(first.id).id == first.id


def test_the_config_of_a_run_is_read_back_with_its_templates(tmp_path: Path) -> None:
    cutover_in(tmp_path, "one")
    (tmp_path / "templates").mkdir()
    name = "package.xml.j2"
    shutil.copy(resource_folder("templates") / name, tmp_path / "templates" / name)
    cutover = load_config(tmp_path / "cutover.yaml")
    text = config_text(cutover, Templates(tmp_path / "templates"))
    assert text != config_text(cutover, Templates())
    assert cutover_of(text) == cutover_of(config_text(cutover, Templates()))
    assert cutover_of(text).change == cutover.change


def test_a_closed_state_is_one_file(database: Database, tmp_path: Path) -> None:
    RunStore(database).begin("move", config_of("Acme"), RunOptions())
    database.close()
    assert [each.name for each in (tmp_path / "kept").iterdir()] == ["state.db"]


def test_an_unreachable_server_is_a_network_error(free_port: int) -> None:
    url = f"postgresql+psycopg://nobody@127.0.0.1:{free_port}/none"
    with pytest.raises(NetworkError, match="does not answer"):
        Database.open(state(url), create=False)


@pytest.fixture
def free_port() -> int:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


def test_a_journal_is_read_in_order_and_from_any_point(store: RunStore) -> None:
    journal = store.journal("move.1")
    first = journal.write("note", "probe", None, {"text": "one"})
    journal.write("note", "verify", "org", {"text": "two"})
    store.journal("other.1").write("note", None, None, {})
    assert [event.text("text") for event in journal.read()] == ["one", "two"]
    assert [event.text("text") for event in journal.read(first)] == ["two"]
    assert [event.target for event in journal.all("note", "verify")] == ["org"]
    last = journal.last("note")
    assert last is not None
    assert (last.text("text"), last.text("none"), last.number("text")) == ("two", "", 0.0)
    assert journal.last("none") is None


def test_the_journal_contains_no_secret(store: RunStore, tmp_path: Path) -> None:
    secret = Secret("hunter2-is-no-good")
    store.journal("move.1").write("note", None, None, {"text": f"it is {secret.reveal()}!"})
    (event,) = store.journal("move.1").read()
    assert event.text("text") == "it is ***!"
    kept = b"".join(path.read_bytes() for path in (tmp_path / "kept").iterdir())
    assert secret.reveal().encode() not in kept


def test_a_cutover_has_at_most_one_unfinished_run(store: RunStore) -> None:
    first = store.begin("move", config_of("Acme"), RunOptions(("switch",)))
    assert (first.id, first.number) == ("move.1", 1)
    with pytest.raises(StillRunningError, match=r"move\.1: this run of move has not ended"):
        store.begin("move", config_of("Acme"), RunOptions())
    assert store.begin("elsewhere", config_of("Other"), RunOptions()).id == "elsewhere.1"
    assert store.active("move") == first
    assert store.end("move.1", ENDING)
    assert not store.end("move.1", ENDING | {"outcome": "failed"})
    assert store.active("move") is None
    assert store.begin("move", config_of("Acme"), RunOptions()).id == "move.2"
    assert next(run.id for run in store.all()) == "move.2"
    assert store.find("move").id == "move.2"
    assert store.find("move.1").outcome == "done"
    with pytest.raises(ConfigError, match="there is no run 'none'"):
        store.find("none")


def test_two_cutovers_of_one_list_do_not_run_together(store: RunStore) -> None:
    store.begin("move", config_of("Acme"), RunOptions())
    with pytest.raises(
        StillRunningError, match="this run of move has not ended, and changes the same allowlist"
    ):
        store.begin("another name", config_of("Acme"), RunOptions())


def test_the_journal_holds_the_end_of_the_run(store: RunStore) -> None:
    store.begin("move", config_of("Acme"), RunOptions())
    store.end("move.1", ENDING)
    store.end("move.1", ENDING)
    assert [event.data for event in store.journal("move.1").all("run-ended")] == [ENDING]


def test_rollbacks_are_counted_since_the_last_completed_run(store: RunStore) -> None:
    for outcome in ("rolled-back", "done", "rolled-back", "canceled", "rolled-back"):
        run = store.begin("move", config_of("Acme"), RunOptions())
        store.end(run.id, ENDING | {"outcome": outcome})
    assert store.rollbacks_in_a_row("move") == 2
    assert store.rollbacks_in_a_row("other") == 0


def test_only_ended_runs_are_removed_with_their_journals(store: RunStore) -> None:
    old = store.begin("move", config_of("Acme"), RunOptions())
    store.end(old.id, ENDING)
    new = store.begin("move", config_of("Acme"), RunOptions())
    store.journal(new.id).write("note", None, None, {})
    ended = store.find(old.id).ended
    assert ended is not None
    assert store.ended_before(ended) == []
    assert [run.id for run in store.ended_before(ended + 1)] == [old.id]
    store.remove([store.find(old.id), new])
    assert [run.id for run in store.all()] == [new.id]
    assert store.journal(old.id).read() == []


def test_differences_are_named_value_by_value() -> None:
    before = '{"new": ["1", "2"], "watch": {"failures": 2}}'
    after = '{"new": ["1", "3", "4"], "watch": {"failures": 2, "interval": 5}}'
    assert differences(before, before) == []
    assert differences(before, after) == [
        'new[1]: "2" -> "3"',
        'new[2]: unset -> "4"',
        "watch.interval: unset -> 5",
    ]


def test_a_state_that_cannot_be_created_is_reported(tmp_path: Path) -> None:
    if os.geteuid() == 0:
        (tmp_path / "file").write_text("", encoding="utf-8")
        place = tmp_path / "file"  # root may write anywhere, but not below a file
    else:
        tmp_path.chmod(0o500)
        place = tmp_path
    with pytest.raises(ConfigError, match="cannot be created"):
        Database.open(state(f"sqlite:///{place}/kept/state.db"))
