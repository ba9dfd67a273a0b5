"""What is kept of runs: one process at a time, what was said, what differs."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sfcutover.config.traffic import State
from sfcutover.config.values import Text
from sfcutover.errors import ConfigError, NetworkError, OperationFailedError
from sfcutover.runs import processlock as executors
from sfcutover.runs.database import Database
from sfcutover.runs.processlock import ProcessLock
from sfcutover.runs.store import Requests, RunOptions, RunStore, differences, fingerprint
from sfcutover.util.secrets import Secret

ENDING = {"outcome": "done", "exit_code": 0, "message": "m", "tokens": "t", "next": "n"}


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


@pytest.fixture
def presence(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[ProcessLock]:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "xdg"))
    with ProcessLock(database, "move", "run", "config") as here:
        yield here


@pytest.mark.parametrize(
    "url", ["nothing", "mysql://host/db", "sqlite://", "sqlite:///:memory:", "postgresql"]
)
def test_a_url_that_names_no_database_is_refused(url: str) -> None:
    with pytest.raises(ConfigError):
        Database.open(state(url))


def test_a_look_makes_no_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no run yet"):
        Database.open(state(f"sqlite:///{tmp_path}/none/state.db"), create=False)
    assert list(tmp_path.iterdir()) == []


def test_the_folder_is_its_owner_s_alone(database: Database, tmp_path: Path) -> None:
    assert (tmp_path / "kept").stat().st_mode & 0o077 == 0


def test_a_file_that_is_no_database_is_told_at_once(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    path.write_text("this is no database, but long enough to look like one" * 20, encoding="utf-8")
    with pytest.raises(OperationFailedError, match="can't be used"):
        Database.open(state(f"sqlite:///{path}"))


def test_a_server_that_is_not_there_is_a_network_error(free_port: int) -> None:
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


def test_no_secret_gets_into_the_journal(store: RunStore, tmp_path: Path) -> None:
    secret = Secret("hunter2-is-no-good")
    store.journal("move.1").write("note", None, None, {"text": f"it is {secret.reveal()}!"})
    (event,) = store.journal("move.1").read()
    assert event.text("text") == "it is ***!"
    kept = b"".join(path.read_bytes() for path in (tmp_path / "kept").iterdir())
    assert secret.reveal().encode() not in kept


def test_a_cutover_has_one_run_that_has_not_ended(store: RunStore) -> None:
    first = store.begin("move", "{}", RunOptions(("switch",)), "me")
    assert first is not None
    assert (first.id, first.number) == ("move.1", 1)
    assert store.begin("move", "{}", RunOptions(), "other") is None
    assert store.begin("elsewhere", "{}", RunOptions(), "other") is not None
    assert store.active("move") == first
    assert store.end("move.1", ENDING)
    assert not store.end("move.1", ENDING | {"outcome": "failed"})
    assert store.active("move") is None
    second = store.begin("move", "{}", RunOptions(), "me")
    assert second is not None
    assert second.id == "move.2"
    assert next(run.id for run in store.all()) == "move.2"
    assert store.find("move").id == "move.2"
    assert store.find("move.1").outcome == "done"
    with pytest.raises(ConfigError, match="there is no run 'none'"):
        store.find("none")


def test_its_end_stands_in_the_journal_too(store: RunStore) -> None:
    store.begin("move", "{}", RunOptions(), "me")
    store.end("move.1", ENDING)
    store.end("move.1", ENDING)
    assert [event.data for event in store.journal("move.1").all("run-ended")] == [ENDING]


def test_rollbacks_are_counted_since_one_was_done(store: RunStore) -> None:
    for outcome in ("rolled-back", "done", "rolled-back", "canceled", "rolled-back"):
        run = store.begin("move", "{}", RunOptions(), "me")
        assert run is not None
        store.end(run.id, ENDING | {"outcome": outcome})
    assert store.rollbacks_in_a_row("move") == 2
    assert store.rollbacks_in_a_row("other") == 0


def test_a_run_is_claimed_only_from_the_dead(store: RunStore, presence: ProcessLock) -> None:
    run = store.begin("move", "{}", RunOptions(), presence.id)
    assert run is not None
    assert store.claim(run, presence.id)
    assert not store.claim(run, "another")
    orphan = store.begin("orphaned", "{}", RunOptions(), "nobody-alive")
    assert orphan is not None
    assert store.claim(orphan, "another")
    assert not store.claim(orphan, "too-late")
    assert store.find("orphaned.1").owner == "another"


def test_a_process_is_alive_while_it_holds_its_lock(store: RunStore, tmp_path: Path) -> None:
    code = (
        "import sys, time\n"
        "from sfcutover.runs.database import Database\n"
        "from sfcutover.runs.processlock import ProcessLock\n"
        "from sfcutover.config.traffic import State\n"
        "from sfcutover.config.values import Text\n"
        "database = Database.open(State(url=Text(literal=sys.argv[1])))\n"
        "with ProcessLock(database, 'move', 'run', 'c') as here:\n"
        "    print(here.id, flush=True)\n"
        "    time.sleep(60)\n"
    )
    url = f"sqlite:///{tmp_path}/kept/state.db"
    with subprocess.Popen(
        [sys.executable, "-c", code, url], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        identifier = process.stdout.readline().strip()
        (found,) = store.executors.alive("move")
        assert (found.id, found.pid) == (identifier, process.pid)
        assert store.executors.is_alive(identifier)
        process.kill()
        process.wait()
    assert store.executors.alive("move") == []


def test_without_a_lock_in_sight_the_lease_decides(
    store: RunStore, presence: ProcessLock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another state folder is another machine."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "another-machine"))
    assert store.executors.is_alive(presence.id)
    monkeypatch.setattr(executors, "LEASE_SECONDS", -1.0)
    assert not store.executors.is_alive(presence.id)


def test_a_process_that_was_taken_for_dead_stops_acting(
    store: RunStore, presence: ProcessLock
) -> None:
    presence.require()
    store.executors.mark_ended(presence.id)
    with pytest.raises(NetworkError, match="lost its lock"):
        presence.require()


def test_what_the_dead_left_is_taken_by_one(store: RunStore, database: Database) -> None:
    with (
        ProcessLock(database, "move", "run", "c") as first,
        ProcessLock(database, "move", "worker", "c") as second,
    ):
        with ProcessLock(database, "move", "worker", "c") as gone:
            pass
        assert store.executors.take(gone.id, first.id)
        assert store.executors.take(gone.id, first.id)  # it may not have come to an end with it
        assert not store.executors.take(gone.id, second.id)
        store.executors.mark_ended(first.id)
        assert store.executors.take(gone.id, second.id)


def test_an_approval_answers_one_pause(database: Database) -> None:
    requests = Requests(database, "move.1")
    requests.add("approve", "octocat", "change 1", 7)
    requests.add("approve", "hubot", None, 7)
    requests.add("cancel", "octocat")
    found = requests.approval_of(7)
    assert found is not None
    assert (found.who, found.note) == ("octocat", "change 1")
    assert requests.approval_of(8) is None
    assert requests.cancellation() is not None
    assert Requests(database, "move.2").cancellation() is None


def test_what_differs_is_named_value_by_value() -> None:
    before = '{"new": ["1", "2"], "watch": {"failures": 2}}'
    after = '{"new": ["1", "3", "4"], "watch": {"failures": 2, "interval": 5}}'
    assert differences(before, before) == []
    assert differences(before, after) == [
        'new[1]: "2" -> "3"',
        'new[2]: unset -> "4"',
        "watch.interval: unset -> 5",
    ]
    assert fingerprint(before) != fingerprint(after)


def test_a_state_that_can_t_be_made_is_told(tmp_path: Path) -> None:
    if os.geteuid() == 0:
        (tmp_path / "file").write_text("", encoding="utf-8")
        place = tmp_path / "file"  # root may write anywhere, but not below a file
    else:
        tmp_path.chmod(0o500)
        place = tmp_path
    with pytest.raises(ConfigError, match="can't be made"):
        Database.open(state(f"sqlite:///{place}/kept/state.db"))
