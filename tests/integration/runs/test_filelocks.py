"""Processes' locks as files beside SQLite: what releases them, and who may take them then."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from threading import Barrier

import pytest

from sfcutover.config.state import State
from sfcutover.config.values import Text
from sfcutover.errors import StillRunningError
from sfcutover.runs.database import Database
from sfcutover.runs.filelocks import FileLocks
from sfcutover.runs.process import Process, Role, config_key
from sfcutover.runs.processlock import ProcessLock, alive
from tests.chaos.world import ROOT

CONFIG = config_key("of the tests")
OpenLocks = Callable[..., FileLocks]
_HOLDER = """
import sys, time
from pathlib import Path
from sfcutover.runs.filelocks import FileLocks
from sfcutover.runs.process import Process
locks, process = FileLocks(Path(sys.argv[1]), "acme"), Process.current("run", "config")
locks.claim("00D app")
print(process.id if locks.acquire(process) else "", flush=True)
time.sleep(600)
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "state.db"


@pytest.fixture
def open_locks(file: Path) -> Iterator[OpenLocks]:
    with ExitStack() as stack:

        def open_(cutover: str = "acme", of: Path = file) -> FileLocks:
            locks = FileLocks(of, cutover)
            stack.callback(locks.release)
            return locks

        yield open_


@pytest.fixture
def holder(file: Path) -> Iterator[tuple[subprocess.Popen[str], Process]]:
    """A process that holds the locks of a run."""
    with subprocess.Popen(
        [sys.executable, "-c", _HOLDER, str(file)],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    ) as other:
        assert other.stdout is not None
        yield other, Process(other.stdout.readline().strip())
        other.kill()


def process(role: Role) -> Process:
    return Process.current(role, CONFIG)


def is_taken(locks: FileLocks, dead: Process) -> bool:
    with locks.taking(dead.id) as taken:
        return taken


def test_one_process_executes_a_run_and_several_serve_the_queue(open_locks: OpenLocks) -> None:
    first, second, third = open_locks(), open_locks(), open_locks()
    run, worker = process("run"), process("worker")
    assert first.acquire(run)
    assert not second.acquire(process("run"))
    assert third.acquire(worker)
    assert first.is_held()
    assert not second.is_held()
    assert {each.id for each in third.holders()} == {run.id, worker.id}
    first.release()
    assert second.acquire(process("run"))


def test_locks_of_cutovers_and_files_are_independent(open_locks: OpenLocks, tmp_path: Path) -> None:
    other_file = tmp_path / "other.db"
    locks = [open_locks(), open_locks("other"), open_locks("acme", other_file)]
    assert all(each.acquire(process("run")) for each in locks)
    assert [len(each.holders()) for each in locks] == [1, 1, 1]


def test_a_killed_process_releases_its_locks(
    open_locks: OpenLocks, holder: tuple[subprocess.Popen[str], Process], tmp_path: Path
) -> None:
    other, dead = holder
    locks, elsewhere = open_locks(), open_locks("acme", tmp_path / "elsewhere" / "state.db")
    assert [each.place for each in locks.holders()] == [dead.place]
    assert dead.place.endswith(f"process {other.pid}")
    assert not locks.acquire(process("run"))
    assert not is_taken(locks, dead)
    assert not elsewhere.claim("00D app")
    other.kill()
    other.wait()
    assert not locks.holders()
    assert is_taken(locks, dead)
    assert elsewhere.claim("00D app")
    assert locks.acquire(process("run"))


def test_only_one_process_takes_the_lock_of_a_dead_one(open_locks: OpenLocks) -> None:
    first, second, dead = open_locks(), open_locks(), process("worker")
    with first.taking(dead.id) as mine, second.taking(dead.id) as other:
        assert (mine, other) == (True, False)


def test_ended_processes_leave_no_files(open_locks: OpenLocks, file: Path) -> None:
    locks = open_locks()
    locks.acquire(process("worker"))
    locks.release()
    assert is_taken(locks, process("worker"))
    assert not list(file.with_name("state.db.locks").iterdir())


def test_a_claim_excludes_every_other_state_of_this_machine(
    open_locks: OpenLocks, tmp_path: Path
) -> None:
    first, second = open_locks(), open_locks("other", tmp_path / "elsewhere" / "state.db")
    assert first.claim("00D app")
    assert first.claim("00D app")
    assert not second.claim("00D app")
    assert second.claim("00D other app")
    first.release()
    assert second.claim("00D app")
    assert not first.claim("00D app")


def test_two_steps_of_one_run_can_claim_a_list_at_the_same_moment(open_locks: OpenLocks) -> None:
    """Such as the steps of two targets that are one list."""
    together = Barrier(8)

    def claim(locks: FileLocks) -> bool:
        together.wait()
        return locks.claim("00D app")

    with ThreadPoolExecutor(8) as pool:
        for _ in range(20):
            locks = open_locks()
            assert all(pool.map(claim, [locks] * 8))
            locks.release()


def test_a_run_elsewhere_is_named_with_its_place(
    file: Path, holder: tuple[subprocess.Popen[str], Process]
) -> None:
    database = Database.open(State(url=Text(literal=f"sqlite:///{file}")))
    other, _ = holder
    with pytest.raises(StillRunningError, match=f"process {other.pid}"):
        ProcessLock(database, "acme", "run", CONFIG).__enter__()
    with ProcessLock(database, "acme", "worker", CONFIG) as lock:
        lock.require()
        lock.require_soon(lambda: True)
        assert {each.role for each in alive(database, "acme")} == {"run", "worker"}
    assert {each.role for each in alive(database, "acme")} == {"run"}
    database.close()
