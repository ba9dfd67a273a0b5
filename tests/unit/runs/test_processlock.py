"""The lock of a process: who may execute a run, and how the one that does is named."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from sfcutover.errors import LockLostError
from sfcutover.runs.database import Database
from sfcutover.runs.filelocks import FileLocks
from sfcutover.runs.process import Process, config_key
from sfcutover.runs.processlock import ProcessLock, RunningElsewhereError, alive, running_elsewhere

CONFIG = config_key("of the tests")


def test_one_process_executes_a_run_and_is_named_to_another(database: Database) -> None:
    with (
        ProcessLock(database, "move", "worker", CONFIG),
        ProcessLock(database, "move", "run", CONFIG) as lock,
    ):
        here = f"{socket.gethostname()[-22:]}, process {os.getpid()}"
        with pytest.raises(RunningElsewhereError) as refused:
            ProcessLock(database, "move", "run", CONFIG).__enter__()
        assert refused.value.message == f"the cutover's run is in progress at {here}"
        assert lock.place == here
        assert [each.role for each in alive(database, "move")] == ["run", "worker"]
        assert not alive(database, "other")
    assert not alive(database, "move")


def test_only_the_process_that_executes_the_run_is_named() -> None:
    holders = [Process("config:worker:one:1:a"), Process("config:run:two:2:b")]
    assert running_elsewhere(holders).message.endswith("in progress at two, process 2")


def test_the_lock_is_lost_with_its_release(database: Database) -> None:
    with ProcessLock(database, "move", "run", CONFIG) as lock:
        lock.require()
    with pytest.raises(LockLostError):
        lock.require()


def test_what_a_process_has_left_is_taken_once_it_is_dead(database: Database) -> None:
    with ProcessLock(database, "move", "run", CONFIG) as lock:
        with ProcessLock(database, "move", "worker", CONFIG) as other, lock.taking(other.id) as own:
            assert not own
        with lock.taking(other.id) as own:
            assert own


def test_the_file_of_a_runs_lock_stays(tmp_path: Path) -> None:
    """Without it, a process that waits for it and one that makes another would both hold it."""
    locks = FileLocks(tmp_path / "state.db", "move")
    assert locks.acquire(Process.current("run", CONFIG))
    locks.release()
    (left,) = (tmp_path / "state.db.locks").iterdir()
    assert left.name.endswith(".run")


def test_only_the_owner_sees_who_executes_runs(tmp_path: Path) -> None:
    locks = FileLocks(tmp_path / "state.db", "move")
    locks.acquire(Process.current("worker", CONFIG))
    assert (tmp_path / "state.db.locks").stat().st_mode & 0o077 == 0
    locks.release()
