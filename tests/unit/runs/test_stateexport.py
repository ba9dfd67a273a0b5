"""A state that travels as one file: what is brought, and what is refused before it is lost."""

from __future__ import annotations

import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import pytest

from sfcutover.config.state import State
from sfcutover.errors import ConfigError, StillRunningError
from sfcutover.runs.baselinerecord import BaselineStore
from sfcutover.runs.database import Database
from sfcutover.runs.event import IMPORTED
from sfcutover.runs.process import config_key
from sfcutover.runs.processlock import ProcessLock
from sfcutover.runs.stateexport import Export, export_state, import_state
from sfcutover.runs.store import RunOptions, RunStore
from tests.unit.runs.working import ENDING, config_of, record, state_in


@pytest.fixture(autouse=True)
def _user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A user who has seen no export yet."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "user"))


@pytest.fixture
def artifact(tmp_path: Path) -> Path:
    return tmp_path / "artifacts" / "state.export"


@pytest.fixture
def run(database: Database) -> str:
    """A run that has not ended, beside one that has."""
    store = RunStore(database)
    store.end(store.begin("ended", config_of("Acme"), RunOptions()).id, ENDING)
    run = store.begin("move", config_of("Acme"), RunOptions()).id
    store.journal(run).write("note", None, None, {})
    BaselineStore(database, "move").keep("eu", lambda _: record("move", "eu"))
    return run


def exported(database: Database, path: Path) -> Export:
    return export_state(database, "move", path)


def imported(state: State, path: Path) -> Export:
    return import_state(state, "move", path)


def test_an_import_brings_runs_journals_and_baselines(
    database: Database, run: str, artifact: Path, tmp_path: Path
) -> None:
    made = exported(database, artifact)
    assert made.number == 1
    state = state_in(tmp_path / "job")
    assert imported(state, artifact) == made
    with closing(Database.open(state, create=False)) as job:
        assert RunStore(job).all() == RunStore(database).all()
        assert BaselineStore(job, "move").find("eu") == record("move", "eu")
        noted, imports = (RunStore(job).journal(run).all(kind) for kind in ("note", IMPORTED))
        assert noted == RunStore(database).journal(run).read()
        assert [each.number("number") for each in imports] == [1]
        assert not RunStore(job).journal("ended.1").all(IMPORTED)
        with pytest.raises(ConfigError, match="a state in use, not an export"):
            imported(state_in(tmp_path / "another"), job.file)
        assert exported(job, artifact) == Export(made.lineage, 2)


def test_an_export_is_one_file_of_its_owner(database: Database, run: str, artifact: Path) -> None:
    exported(database, artifact)
    assert [each.name for each in artifact.parent.iterdir()] == [artifact.name]
    assert stat.S_IMODE(artifact.stat().st_mode) == 0o600
    with closing(sqlite3.connect(artifact)) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("delete",)


def test_an_export_also_replaces_an_empty_state(
    database: Database, run: str, artifact: Path, tmp_path: Path
) -> None:
    exported(database, artifact)
    state = state_in(tmp_path / "job")
    Database.open(state).close()
    imported(state, artifact)
    with closing(Database.open(state)) as job:
        assert RunStore(job).find("move").id == run


def test_a_state_that_gained_nothing_since_is_replaced_by_its_export(
    database: Database, run: str, artifact: Path, tmp_path: Path
) -> None:
    exported(database, artifact)
    for _ in range(2):  # an import's own event is none that would be lost
        imported(state_in(tmp_path / "job"), artifact)


@pytest.mark.parametrize("what", ["event", "record"])
def test_a_state_with_more_than_the_export_is_kept(
    what: str, database: Database, run: str, artifact: Path, tmp_path: Path
) -> None:
    exported(database, artifact)
    if what == "event":
        RunStore(database).journal(run).write("note", None, None, {})
    else:
        BaselineStore(database, "move").keep("us", lambda _: record("move", "us"))
    with pytest.raises(ConfigError, match="has changed since the export"):
        imported(state_in(tmp_path / "kept"), artifact)
    assert len(RunStore(database).journal(run).read()) == (2 if what == "event" else 1)


def test_no_log_of_an_earlier_state_stays_beside_an_import(
    database: Database, run: str, artifact: Path, tmp_path: Path
) -> None:
    """SQLite would take it for that of the new file."""
    exported(database, artifact)
    log = tmp_path / "job" / "state.db-wal"
    log.parent.mkdir()
    log.touch()
    imported(state_in(log.parent), artifact)
    assert not log.exists()


@pytest.mark.parametrize("was_exported", [False, True])
def test_a_state_with_runs_of_its_own_is_kept(
    database: Database, run: str, artifact: Path, tmp_path: Path, *, was_exported: bool
) -> None:
    exported(database, artifact)
    state = state_in(tmp_path / "other")
    with closing(Database.open(state)) as other:
        RunStore(other).begin("other", config_of("Other"), RunOptions())
        if was_exported:
            export_state(other, "other", tmp_path / "other.export")
    with pytest.raises(ConfigError, match="has runs of its own"):
        imported(state, artifact)
    with closing(Database.open(state)) as other:
        assert [each.cutover for each in RunStore(other).all()] == ["other"]


def test_an_export_older_than_the_state_or_one_that_the_user_has_seen_is_refused(
    database: Database,
    run: str,
    artifact: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    exported(database, artifact)
    exported(database, tmp_path / "second.export")
    with pytest.raises(ConfigError, match="this export: number 1 is older than number 2"):
        imported(state_in(tmp_path / "job"), artifact)
    assert not (tmp_path / "job" / "state.db").exists()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "another user"))
    with pytest.raises(ConfigError, match="number 1 is older than number 2"):
        imported(state_in(tmp_path / "kept"), artifact)
    imported(state_in(tmp_path / "job"), artifact)


def test_a_state_from_which_another_folder_has_continued_is_not_exported(
    database: Database, run: str, artifact: Path, tmp_path: Path
) -> None:
    exported(database, artifact)
    state = state_in(tmp_path / "job")
    imported(state, artifact)
    with closing(Database.open(state)) as job:
        exported(job, artifact)
    before = artifact.read_bytes()
    with pytest.raises(ConfigError, match="this state: number 1 is older than number 2"):
        exported(database, artifact)
    assert artifact.read_bytes() == before


def test_nothing_is_exported_or_replaced_while_a_process_executes_the_run(
    database: Database, run: str, artifact: Path, tmp_path: Path
) -> None:
    exported(database, artifact)
    before = artifact.read_bytes()
    with ProcessLock(database, "move", "run", config_key("")):
        with pytest.raises(StillRunningError):
            export_state(database, "another cutover of this state", artifact)
        with pytest.raises(StillRunningError):
            import_state(state_in(tmp_path / "kept"), "another cutover of this state", artifact)
    assert artifact.read_bytes() == before


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ("DROP TABLE sfcutover_exports", "not an exported state"),
        ("UPDATE sfcutover_state SET version = '0'", "the file has the state version 0"),
    ],
)
def test_a_file_that_is_no_export_of_this_version_is_refused(
    change: str, reason: str, database: Database, run: str, artifact: Path, tmp_path: Path
) -> None:
    exported(database, artifact)
    with closing(sqlite3.connect(artifact)) as connection:
        connection.execute(change)
        connection.commit()
    with pytest.raises(ConfigError, match=reason):
        imported(state_in(tmp_path / "job"), artifact)
    assert list((tmp_path / "job").iterdir()) == []


def test_a_missing_file_is_refused(artifact: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="the file does not exist"):
        imported(state_in(tmp_path / "job"), artifact)


def test_a_damaged_export_is_refused(
    database: Database, run: str, artifact: Path, tmp_path: Path
) -> None:
    exported(database, artifact)
    with artifact.open("r+b") as file:
        file.seek(36)  # how many pages are free
        file.write(b"\0\0\0\7")
    with pytest.raises(ConfigError, match="the exported state is damaged"):
        imported(state_in(tmp_path / "job"), artifact)
    assert list((tmp_path / "job").iterdir()) == []
