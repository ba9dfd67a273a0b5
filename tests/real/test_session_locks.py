"""Processes' locks as sessions of a real PostgreSQL: what releases them, and who may take them."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import count

import pytest
import sqlalchemy as sa

from sfcutover.config.state import State
from sfcutover.config.values import Text
from sfcutover.errors import LockLostError, StillRunningError
from sfcutover.runs.database import Database
from sfcutover.runs.process import Process, Role, config_key
from sfcutover.runs.processlock import ProcessLock, alive
from sfcutover.runs.sessionlocks import GRACE_SECONDS, SessionLocks
from tests.chaos.databases import SharedDatabases, shared_databases
from tests.chaos.world import ROOT, wait_until
from tests.real import postgres

pytestmark = pytest.mark.slow  # programs that others wrote

TAKEN_OVER_SECONDS = 15.0
CONFIG = config_key("of the tests")
OpenLocks = Callable[[], SessionLocks]
_NUMBERS = count()
_HOLDER = """
import sys, time
from sfcutover.config.state import State
from sfcutover.config.values import Text
from sfcutover.runs.database import Database
from sfcutover.runs.process import Process
from sfcutover.runs.sessionlocks import SessionLocks
locks = SessionLocks(Database.open(State(url=Text(literal=sys.argv[1]))).engine, "acme")
process = Process.current("run", "config")
print(process.id if locks.acquire(process) else "", flush=True)
time.sleep(600)
"""


@pytest.fixture(scope="module")
def databases() -> Iterator[SharedDatabases]:
    postgres.require()
    with shared_databases() as running:
        yield running


@pytest.fixture
def url(databases: SharedDatabases) -> str:
    return databases.url(f"locks{next(_NUMBERS)}")


@pytest.fixture
def open_database() -> Iterator[Callable[[str], Database]]:
    """Opens a database by its URL; each represents a machine."""
    with ExitStack() as stack:

        def open_(url: str) -> Database:
            database = Database.open(State(url=Text(literal=url)))
            stack.callback(database.close)
            return database

        yield open_


@pytest.fixture
def open_locks(url: str, open_database: Callable[[str], Database]) -> Iterator[OpenLocks]:
    with ExitStack() as stack:

        def open_() -> SessionLocks:
            locks = SessionLocks(open_database(url).engine, "acme")
            stack.callback(locks.release)
            return locks

        yield open_


def process(role: Role) -> Process:
    return Process.current(role, CONFIG)


def end_sessions(database: Database, of: Process) -> None:
    """End the sessions as a server does that restarts, or loses the machine."""
    query = sa.text(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = :name"
    )
    name = {"name": f"sfcutover {of.id}"}
    assert database.read(lambda c: c.execute(query, name).scalars().all())


def is_taken(locks: SessionLocks, dead: Process) -> bool:
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
    assert all(each.place.endswith(f", process {os.getpid()}") for each in third.holders())
    first.release()
    assert second.acquire(process("run"))


def test_locks_of_cutovers_are_independent(
    open_database: Callable[[str], Database], url: str
) -> None:
    locks = [SessionLocks(open_database(url).engine, name) for name in ("acme", "other")]
    assert all(each.acquire(process("run")) for each in locks)
    assert [len(each.holders()) for each in locks] == [1, 1]
    for each in locks:
        each.release()


def test_locks_of_databases_on_one_server_are_independent(
    open_database: Callable[[str], Database], url: str, databases: SharedDatabases
) -> None:
    other = databases.url(f"locks{next(_NUMBERS)}")
    locks = [SessionLocks(open_database(each).engine, "acme") for each in (url, other)]
    assert all(each.acquire(process("run")) for each in locks)
    assert [len(each.holders()) for each in locks] == [1, 1]
    for each in locks:
        each.release()


def test_a_lock_lost_with_its_session_is_taken_again(
    open_locks: OpenLocks, url: str, open_database: Callable[[str], Database]
) -> None:
    mine, run = open_locks(), process("run")
    assert mine.acquire(run)
    end_sessions(open_database(url), run)
    wait_until(lambda: not open_locks().holders())
    assert mine.is_held()
    assert [each.id for each in open_locks().holders()] == [run.id]


def test_a_lock_that_another_process_has_taken_is_lost(
    open_locks: OpenLocks, url: str, open_database: Callable[[str], Database]
) -> None:
    mine, other, run = open_locks(), open_locks(), process("run")
    assert mine.acquire(run)
    end_sessions(open_database(url), run)
    wait_until(lambda: other.acquire(process("run")))
    assert not mine.is_held()
    other.release()
    assert mine.is_held()


def test_the_lock_of_a_dead_process_is_taken_only_after_the_grace_period(
    open_locks: OpenLocks, url: str, open_database: Callable[[str], Database]
) -> None:
    mine, other, worker = open_locks(), open_locks(), process("worker")
    assert mine.acquire(worker)
    assert not is_taken(other, worker)
    mine.release()
    started = time.monotonic()
    wait_until(lambda: is_taken(other, worker))
    assert GRACE_SECONDS <= time.monotonic() - started < TAKEN_OVER_SECONDS


def test_the_grace_period_starts_again_if_the_lock_was_held_again(
    open_locks: OpenLocks, url: str, open_database: Callable[[str], Database]
) -> None:
    mine, other, worker = open_locks(), open_locks(), process("worker")
    assert mine.acquire(worker)
    end_sessions(open_database(url), worker)
    wait_until(lambda: not other.holders())
    assert not is_taken(other, worker)
    assert mine.is_held()
    assert not is_taken(other, worker)
    mine.release()
    started = time.monotonic()
    wait_until(lambda: is_taken(other, worker))
    assert time.monotonic() - started >= GRACE_SECONDS


def test_only_one_process_takes_the_lock_of_a_dead_one(open_locks: OpenLocks) -> None:
    first, second, dead = open_locks(), open_locks(), process("worker")
    wait_until(lambda: is_taken(first, dead) and is_taken(second, dead))
    with first.taking(dead.id) as mine, second.taking(dead.id) as other:
        assert (mine, other) == (True, False)


def test_a_killed_process_releases_its_lock(open_locks: OpenLocks, url: str) -> None:
    locks = open_locks()
    holder = subprocess.Popen(
        [sys.executable, "-c", _HOLDER, url],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    )
    with holder:
        assert holder.stdout is not None
        identifier = holder.stdout.readline().strip()
        assert [each.id for each in locks.holders()] == [identifier]
        assert not locks.acquire(process("run"))
        holder.kill()
        killed = time.monotonic()
        wait_until(lambda: locks.acquire(process("run")))
        assert time.monotonic() - killed < TAKEN_OVER_SECONDS


def test_the_server_detects_silent_sessions(
    open_locks: OpenLocks, url: str, open_database: Callable[[str], Database]
) -> None:
    """A vanished machine, and a proxy that answers keepalives for it, lose it within seconds."""
    locks = open_locks()
    assert locks.acquire(process("worker"))
    settings = {}
    for name in ("idle", "interval", "count"):
        query = sa.text(f"SHOW tcp_keepalives_{name}")
        settings[name] = int(locks._connected().execute(query).scalar() or 0)
    assert settings == {"idle": 3, "interval": 2, "count": 2}
    silence = locks._connected().execute(sa.text("SHOW idle_session_timeout")).scalar()
    assert silence == "7s"
    seconds = settings["idle"] + settings["interval"] * settings["count"]
    assert max(seconds, 7) + GRACE_SECONDS < TAKEN_OVER_SECONDS
    others = open_database(url).read(lambda c: c.execute(sa.text("SHOW idle_session_timeout")))
    assert others.scalar() == "0"


def test_an_interrupted_connection_loses_its_lock_to_another_process(
    databases: SharedDatabases, url: str, open_database: Callable[[str], Database]
) -> None:
    """The proxy answers every keepalive: only the session's silence shows it."""
    far, near = open_database(databases.proxied(url)), open_database(url)
    with ProcessLock(far, "acme", "run", CONFIG) as cut_off:
        cut_off.require()
        with pytest.raises(StillRunningError, match=f"process {os.getpid()}"):
            ProcessLock(near, "acme", "run", CONFIG).__enter__()
        with databases.trouble("cut"):
            cut = time.monotonic()
            locks = SessionLocks(near.engine, "acme")
            wait_until(lambda: is_taken(locks, cut_off.process))
            assert time.monotonic() - cut < TAKEN_OVER_SECONDS
            assert locks.acquire(process("run"))
            assert not alive(near, "other")
            assert cut_off.id not in {each.id for each in alive(near, "acme")}
            cut_off.require_soon(lambda: True)  # without an answer, it continues
        with pytest.raises(LockLostError):
            cut_off.require()
        locks.release()
