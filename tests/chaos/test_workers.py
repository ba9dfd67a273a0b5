"""Several processes share a run in PostgreSQL, and resume that of a process that is killed."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import sqlalchemy as sa
import yaml

from sfcutover.config.traffic import State
from sfcutover.config.values import Text
from sfcutover.emulator.faults import Fault
from sfcutover.emulator.scenario import Scenario
from sfcutover.runs.database import Database
from sfcutover.runs.event import Event
from sfcutover.runs.store import RunStore
from tests.chaos.world import NEW, OLD, Fleet, World, fleet, wait_until, world
from tests.real import postgres

SECONDS = 120.0
OpenStore = Callable[[World], RunStore]
WAVES = (1, 7)


@pytest.fixture(scope="module")
def cluster() -> Iterator[postgres.Postgres]:
    postgres.require()
    with postgres.running() as running:
        yield running


@pytest.fixture
def store_of() -> Iterator[OpenStore]:
    """Opens a world's state beside its processes."""
    with ExitStack() as stack:

        def open_(here: World) -> RunStore:
            database = Database.open(State(url=Text(literal=here.state)))
            stack.callback(database.close)
            return RunStore(database)

        yield open_


def wait_for(store: RunStore, kind: str, count: int = 1) -> None:
    """Until the newest run's journal has so many events of a kind."""

    def there() -> bool:
        runs = store.all()
        return bool(runs) and len(store.journal(runs[0].id).all(kind)) >= count

    wait_until(there)


def ready(process: subprocess.Popen[str]) -> None:
    assert process.stdout is not None
    assert "ready" in process.stdout.readline()


def test_two_workers_do_twenty_targets_though_one_is_killed(
    cluster: postgres.Postgres, tmp_path: Path, store_of: OpenStore
) -> None:
    scenario = Scenario(deploy_seconds=1.0)
    state = cluster.url("workers")
    with fleet(tmp_path / "fleet", 20, scenario, state, waves=list(WAVES)) as whole:
        first, second = (whole.first.start("worker") for _ in range(2))
        ready(first)
        ready(second)
        starter = whole.first.start("run", "--yes")
        store = store_of(whole.first)
        wait_for(store, "deployment-sent", 1)
        starter.kill()  # from now on the workers are alone
        wait_for(store, "deployment-sent", 12)
        first.kill()
        wait_for(store, "run-ended")
        second.terminate()
        for process in (starter, first, second):
            process.communicate(timeout=SECONDS)
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
        ids = {each.pid: each.id for each in store.executors.alive(store.all()[0].cutover)}
        assert ids[worker.pid] in took_part
        assert ids[other.pid] not in took_part


def assert_everything_once(whole: Fleet) -> None:
    for emulator in whole.emulators:
        assert whole.live(emulator) == set(NEW)
        assert [one.status.value for one in emulator.deployments] == ["Succeeded", "Succeeded"]
    assert whole.first.switches == ["apply"]


def assert_in_waves(whole: Fleet, events: list[Event]) -> None:
    """No list of a wave is changed before every watch of the wave before it has passed."""
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


def test_another_machine_takes_over_once_the_lease_has_run_out(
    cluster: postgres.Postgres, tmp_path: Path, store_of: OpenStore
) -> None:
    """Another state folder stands for another machine: it sees no lock of this one."""
    with world(tmp_path / "one", Scenario(deploy_seconds=1.0), cluster.url("machines")) as here:
        process = here.start("run", "--yes")
        store = store_of(here)
        wait_for(store, "deployment-sent")
        process.kill()
        process.communicate()
        here.environment["XDG_STATE_HOME"] = str(tmp_path / "other-machine")
        code, out = here.call("run", "--yes")
        assert code == 69, out
        assert "is under way at" in out
        wait_until(lambda: not store.executors.alive(store.all()[0].cutover))
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


def test_a_database_that_is_away_does_not_stop_a_rollback(
    cluster: postgres.Postgres, tmp_path: Path, store_of: OpenStore
) -> None:
    watch = {"duration": "30s", "interval": "300ms", "failures": 2}
    with world(tmp_path / "one", None, cluster.url("away"), watch=watch) as here:
        process = here.start("run", "--yes")
        wait_for(store_of(here), "watch-begun")
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


def test_a_second_run_is_refused_and_says_where_the_first_is(
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
