"""Several processes share a run in PostgreSQL, and resume that of a killed process."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
import sqlalchemy as sa
import yaml

from sfcutover.config.state import State
from sfcutover.config.values import Text
from sfcutover.cutover.engine.client import EngineClient
from sfcutover.emulator.faults import Fault
from sfcutover.emulator.scenario import Scenario
from sfcutover.errors import LockLostError
from sfcutover.runs.database import Database
from sfcutover.runs.event import Event
from sfcutover.runs.process import Process
from sfcutover.runs.store import RunStore
from tests.chaos.world import NEW, OLD, Fleet, World, fleet, wait_until, world
from tests.real import postgres

pytestmark = pytest.mark.slow  # processes that are killed, databases that end

SECONDS = 120.0
TAKEN_OVER_SECONDS = 15.0
OpenStore = Callable[[World], RunStore]
WAVES = (1, 7)


@pytest.fixture(scope="module")
def cluster() -> Iterator[postgres.Postgres]:
    postgres.require()
    with postgres.running() as running:
        yield running


@pytest.fixture
def store_of() -> Iterator[OpenStore]:
    """Opens the state of a world in this process."""
    with ExitStack() as stack:

        def open_(here: World) -> RunStore:
            database = Database.open(State(url=Text(literal=here.state)))
            stack.callback(database.close)
            return RunStore(database)

        yield open_


def wait_for(store: RunStore, kind: str, count: int = 1) -> None:
    """Wait until the newest run's journal has this many events of a kind."""

    def there() -> bool:
        runs = store.all()
        return bool(runs) and len(store.journal(runs[0].id).all(kind)) >= count

    wait_until(there)


def ready(process: subprocess.Popen[str]) -> None:
    assert process.stdout is not None
    assert "ready" in process.stdout.readline()


def seconds_until_taken(store: RunStore, dead: subprocess.Popen[str]) -> float:
    """The time from a kill until no workflow belongs to that process."""
    killed = time.monotonic()
    dead.kill()
    dead.communicate()
    query = sa.text("SELECT DISTINCT executor_id FROM dbos.workflow_status WHERE status='PENDING'")

    def is_taken() -> bool:
        left = store.database.read(lambda c: c.execute(query).scalars().all())
        return not any(Process(each).place.endswith(f"process {dead.pid}") for each in left)

    wait_until(is_taken)
    return time.monotonic() - killed


def test_two_workers_and_a_run_complete_twenty_targets_although_each_is_killed(
    cluster: postgres.Postgres, tmp_path: Path, store_of: OpenStore
) -> None:
    """One after the other, at different points; the process that ends the run is the last."""
    scenario = Scenario(deploy_seconds=1.0)
    state = cluster.url("workers")
    # A process that continues seven watches at once starts seven helpers first.
    watch = {"duration": "2s", "interval": "1s", "failures": 2}
    with fleet(tmp_path / "fleet", 20, scenario, state, waves=list(WAVES), watch=watch) as whole:
        first, second = (whole.first.start("worker") for _ in range(2))
        ready(first)
        ready(second)
        starter = whole.first.start("run", "--yes")
        store = store_of(whole.first)
        seconds = []
        for sent, victim in ((1, starter), (12, first), (28, second)):
            wait_for(store, "deployment-sent", sent)
            if victim is second:
                last = whole.first.start("worker")
                ready(last)
            seconds.append(seconds_until_taken(store, victim))
        wait_for(store, "run-ended")
        last.terminate()
        last.communicate(timeout=SECONDS)
        print("taken over after", ", ".join(f"{each:.1f} s" for each in seconds))
        assert max(seconds) < TAKEN_OVER_SECONDS
        (run,) = store.all()
        assert run.outcome == "done"
        assert_everything_once(whole)
        assert_in_waves(whole, store.journal(run.id).read())


def test_a_worker_with_another_cutover_yaml_takes_no_part(
    cluster: postgres.Postgres, tmp_path: Path, store_of: OpenStore
) -> None:
    with world(tmp_path / "one", Scenario(deploy_seconds=1.0), cluster.url("other")) as here:
        config = yaml.safe_load((here.folder / "cutover.yaml").read_text(encoding="utf-8"))
        text = yaml.safe_dump(config | {"max_rollbacks": 7})
        (here.folder / "other.yaml").write_text(text, encoding="utf-8")
        other, worker = here.start("worker", "--config", "other.yaml"), here.start("worker")
        ready(other)
        ready(worker)
        starter = here.start("run", "--yes")
        store = store_of(here)
        wait_for(store, "deployment-sent")
        starter.kill()
        wait_for(store, "run-ended")
        assert store.all()[0].outcome == "done"
        assert here.phases == ["Succeeded", "Succeeded"]
        query = sa.text("SELECT DISTINCT executor_id FROM dbos.workflow_status")
        took_part = set(store.database.read(lambda c: c.execute(query).scalars().all()))
        places = {Process(each).place for each in took_part}
        assert any(each.endswith(f"process {worker.pid}") for each in places)
        assert not any(each.endswith(f"process {other.pid}") for each in places)


def assert_everything_once(whole: Fleet) -> None:
    for emulator in whole.emulators:
        assert whole.live(emulator) == set(NEW)
        assert [one.status.value for one in emulator.deployments] == ["Succeeded", "Succeeded"]
    assert whole.first.switches == ["apply"]


def assert_in_waves(whole: Fleet, events: list[Event]) -> None:
    """No allowlist of a wave is changed before every watch of the previous wave has passed."""
    waves = [event.data["targets"] for event in events if event.kind == "wave"]
    names = whole.names
    assert waves == [names[:1], names[1:8], names[8:15], names[15:]]
    begun = {e.target: e.seq for e in events if e.kind == "step-started" and e.step == "remove-old"}
    watched = {e.target: e.seq for e in events if e.kind == "step-ended" and e.step == "watch"}
    for before, after in (
        (names[:1], names[1:8]),
        (names[1:8], names[8:15]),
        (names[8:15], names[15:]),
    ):
        assert max(watched[each] for each in before) < min(begun[each] for each in after)


def test_another_machine_resumes_a_run_whose_process_died(
    cluster: postgres.Postgres, tmp_path: Path, store_of: OpenStore
) -> None:
    """Another state folder represents another machine."""
    with world(tmp_path / "one", Scenario(deploy_seconds=1.0), cluster.url("machines")) as here:
        process = here.start("run", "--yes")
        store = store_of(here)
        wait_for(store, "deployment-sent")
        process.kill()
        process.communicate()
        here.environment["XDG_STATE_HOME"] = str(tmp_path / "other-machine")
        code, out = here.call("run", "--yes")
        assert code == 0, out
        assert here.phases == ["Succeeded", "Succeeded"]


def test_a_restart_of_postgresql_stops_nothing(
    cluster: postgres.Postgres, tmp_path: Path, store_of: OpenStore
) -> None:
    with world(tmp_path / "one", Scenario(deploy_seconds=1.0), cluster.url("restart")) as here:
        process = here.start("run", "--yes")
        wait_for(store_of(here), "deployment-sent")
        cluster.restart()
        out, _ = process.communicate(timeout=SECONDS)
        assert process.returncode == 0, out
        assert here.phases == ["Succeeded", "Succeeded"]


def test_a_disconnected_database_does_not_stop_a_rollback(
    cluster: postgres.Postgres, tmp_path: Path, store_of: OpenStore
) -> None:
    watch = {"duration": "30s", "interval": "300ms", "failures": 2}
    with world(tmp_path / "one", None, cluster.url("away"), watch=watch) as here:
        process = here.start("run", "--yes")
        wait_for(store_of(here), "watch-started")
        cluster.control("-m", "immediate", "stop")
        try:
            here.emulator.set_fault(Fault(kind="ip_restricted", operation="redeem", count=3))
            wait_until(lambda: here.live == {*OLD, *NEW})
        finally:
            cluster.control("start")
        out, _ = process.communicate(timeout=SECONDS)
        assert process.returncode == 5, out
        assert "the watch rolled back" in out
        assert here.canary_redeems()


def test_a_second_run_is_refused_and_names_the_place_of_the_first(
    cluster: postgres.Postgres, tmp_path: Path, store_of: OpenStore
) -> None:
    with world(tmp_path / "one", Scenario(deploy_seconds=2.0), cluster.url("second")) as here:
        process = here.start("run", "--yes")
        wait_for(store_of(here), "deployment-sent")
        code, out = here.call("run", "--yes", "--json")
        assert code == 69
        assert str(process.pid) in out
        process.communicate(timeout=SECONDS)
        assert process.returncode == 0


def test_a_process_executes_no_workflow_twice(tmp_path: Path) -> None:
    """As when it loses its run for a moment, and takes it again itself before others do."""
    watch = {"duration": "6s", "interval": "300ms", "failures": 2}
    with world(tmp_path / "one", watch=watch) as here:
        process = here.start("run", "--yes")
        here.wait_for("watch-started")
        with closing(Database.open(State(url=Text(literal=here.state)))) as database:
            client = EngineClient(database)
            for each in client.unfinished(RunStore(database).all()[0].id):
                client.queue(each.workflow_id, each.queue_name or "")
        out, _ = process.communicate(timeout=SECONDS)
        assert process.returncode == LockLostError.exit_code, out
        assert "lost the run for a moment" in out
        code, out = here.call("run", "--yes")
        assert code == 0, out
        assert here.phases == ["Succeeded", "Succeeded"]
        watches = [each for each in here.events() if each["kind"] == "watch-started"]
        assert len(watches) <= 2
