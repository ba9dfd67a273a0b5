"""Troubles of the PostgreSQL that keeps a run affect no customer, no watch and no restore, and each
effect occurs once."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import pytest

from sfcutover.config.state import State
from sfcutover.config.values import Text
from sfcutover.emulator.faults import Fault
from sfcutover.emulator.scenario import Scenario
from sfcutover.errors import LockLostError
from sfcutover.runs.database import Database
from sfcutover.runs.event import Event
from sfcutover.runs.store import RunStore
from tests.chaos.databases import CUT, KINDS, SharedDatabases, shared_databases
from tests.chaos.world import NEW, OLD, Customers, World, wait_until, world
from tests.real import postgres

pytestmark = pytest.mark.slow  # processes that are killed, databases that end

SECONDS = 180.0
TAKEN_OVER_SECONDS = 15.0

REFUSED = Fault(
    kind="ip_restricted", operation="redeem", count=2
)  # what the watch takes for a failure
SLOW = Scenario(deploy_seconds=2.0)
_NUMBERS = count()


@pytest.fixture(scope="module")
def databases() -> Iterator[SharedDatabases]:
    postgres.require()
    with shared_databases() as running:
        yield running


@dataclass
class Scene:
    """A world with live customers, whose processes reach their state through the proxy.

    store: reads the state without the proxy.
    """

    here: World
    customers: Customers
    store: RunStore

    def events(self, kind: str, step: str | None = None) -> list[Event]:
        runs = self.store.all()
        return self.store.journal(runs[0].id).all(kind, step) if runs else []

    def wait_for(self, kind: str, step: str | None = None) -> None:
        wait_until(lambda: bool(self.events(kind, step)))

    def wait_for_redemptions(self, more: int = 4) -> None:
        """Wait for redemptions of the canary."""
        before = self._redeemed()
        wait_until(lambda: self._redeemed() >= before + more)

    def wait_for_customers(self, more: int = 20) -> None:
        """Wait for customers to redeem."""
        before = self.customers.redeemed
        wait_until(lambda: self.customers.redeemed >= before + more)

    def wait_until_unlocked(self) -> None:
        """Wait until the server holds no lock of the run's process."""
        wait_until(lambda: not self.store.alive(self.store.all()[0].cutover))

    def worker(self) -> subprocess.Popen[str]:
        """A worker that reaches the state without the proxy."""
        self.here.environment["STATE_URL"] = str(self.store.database.engine_url)
        process = self.here.start("worker")
        assert process.stdout is not None
        assert "ready" in process.stdout.readline()
        return process

    def _redeemed(self) -> int:
        return sum(not one.grant.startswith("customer") for one in self.here.emulator.redemptions)


@contextmanager
def scene(databases: SharedDatabases, folder: Path, **keys: object) -> Iterator[Scene]:
    url = databases.url(f"troubles{next(_NUMBERS)}")
    with ExitStack() as stack:
        here = stack.enter_context(world(folder, SLOW, databases.proxied(url), **keys))
        customers = Customers(here.emulator, folder)
        stack.enter_context(customers.at_work())
        database = Database.open(State(url=Text(literal=url)))
        stack.callback(database.close)
        yield Scene(here, customers, RunStore(database))


def assert_done_once(at: Scene) -> None:
    assert not at.customers.failures
    assert at.here.live == set(NEW)
    assert at.here.phases == ["Succeeded", "Succeeded"]
    assert at.here.switches == ["apply"]
    assert at.here.canary_redeems()
    (run,) = at.store.all()
    assert run.outcome == "done"


def assert_rolled_back_once(at: Scene) -> None:
    assert not at.customers.failures
    assert set(OLD) <= at.here.live
    assert at.here.switches == ["apply"]  # each new address redeems again
    assert set(at.here.phases) == {"Succeeded"}
    assert len(at.here.phases) == 3  # add-new, remove-old, restore-old
    assert at.here.canary_redeems()
    (run,) = at.store.all()
    assert run.outcome == "rolled-back"


Meanwhile = Callable[[Scene], None]


def _until_added(at: Scene) -> None:
    wait_until(lambda: at.here.phases == ["Succeeded"])


@pytest.mark.parametrize("kind", KINDS)
def test_a_run_survives_database_trouble_during_a_deployment(
    kind: str, databases: SharedDatabases, tmp_path: Path
) -> None:
    with scene(databases, tmp_path / "world") as at:
        process = at.here.start("run", "--yes")
        at.wait_for("deployment-sent")
        with databases.trouble(kind):
            _until_added(at)
            if kind == CUT:
                at.wait_until_unlocked()
        out, _ = process.communicate(timeout=SECONDS)
        assert process.returncode == 0, out
        assert_done_once(at)


@pytest.mark.parametrize("kind", KINDS)
def test_a_run_survives_database_trouble_between_two_steps(
    kind: str, databases: SharedDatabases, tmp_path: Path
) -> None:
    """While the run waits for an approval."""
    with scene(databases, tmp_path / "world") as at:
        process = at.here.start("run", "--yes", "--stay", "--pause-before", "switch")
        at.wait_for("paused")
        with databases.trouble(kind):
            at.wait_for_customers()
            if kind == CUT:
                at.wait_until_unlocked()
        code, out = at.here.call("approve", "--record-only")
        assert code == 0, out
        out, _ = process.communicate(timeout=SECONDS)
        assert process.returncode == 0, out
        assert_done_once(at)


@pytest.mark.parametrize("kind", KINDS)
def test_a_run_survives_database_trouble_during_the_watch(
    kind: str, databases: SharedDatabases, tmp_path: Path
) -> None:
    watch = {"duration": "15s", "interval": "1s", "failures": 2}
    with scene(databases, tmp_path / "world", watch=watch) as at:
        process = at.here.start("run", "--yes")
        at.wait_for("watch-started")
        with databases.trouble(kind):
            at.wait_for_redemptions()  # it watches
            if kind == CUT:
                at.wait_until_unlocked()
                at.wait_for_redemptions()
        out, _ = process.communicate(timeout=SECONDS)
        assert process.returncode == 0, out
        assert_done_once(at)


@pytest.mark.parametrize("kind", KINDS)
def test_a_run_survives_database_trouble_during_a_restore(
    kind: str, databases: SharedDatabases, tmp_path: Path
) -> None:
    watch = {"duration": "60s", "interval": "300ms", "failures": 2}
    with scene(databases, tmp_path / "world", watch=watch) as at:
        process = at.here.start("run", "--yes")
        at.wait_for("watch-started")
        with at.customers.held():  # the canary alone is refused
            at.here.emulator.set_fault(REFUSED)
            wait_until(lambda: len(at.here.phases) == 3)
        with databases.trouble(kind):
            wait_until(lambda: set(OLD) <= at.here.live)
            if kind == CUT:
                at.wait_until_unlocked()
        out, _ = process.communicate(timeout=SECONDS)
        assert process.returncode == 5, out
        assert_rolled_back_once(at)


@pytest.mark.parametrize("moment", ["deployment-sent", "paused", "watch-started"])
def test_a_disconnected_process_loses_its_run_to_a_worker(
    moment: str, databases: SharedDatabases, tmp_path: Path
) -> None:
    """It is connected again while the worker executes the run, and does nothing that needs the
    lock."""
    watch = {"duration": "20s", "interval": "1s", "failures": 2}
    with scene(databases, tmp_path / "world", watch=watch) as at:
        words = ("--stay", "--pause-before", "remove-old") if moment == "paused" else ()
        process = at.here.start("run", "--yes", *words)
        at.wait_for("deployment-sent")
        worker = at.worker()
        at.wait_for(moment)
        with databases.trouble(CUT):
            cut = time.time()
            at.wait_for("taken-over")
        seconds = at.events("taken-over")[0].time - cut
        print(f"taken over after {seconds:.1f} s")
        assert seconds < TAKEN_OVER_SECONDS
        if moment == "paused":
            at.here.call("approve", "--record-only")
        at.wait_for("run-ended")
        out, _ = process.communicate(timeout=SECONDS)
        assert process.returncode in (0, LockLostError.exit_code), out
        assert worker.poll() is None
        assert_done_once(at)
