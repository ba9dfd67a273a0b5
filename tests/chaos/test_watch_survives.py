"""After a removal, nothing stops the watch and the restore: no hanging database, no full disk, no
cancellation."""

from __future__ import annotations

import resource
import signal
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import make_url

from sfcutover.emulator.faults import Fault
from sfcutover.emulator.scenario import Scenario
from tests.chaos.world import NEW, OLD, World, wait_until, world
from tests.integration.safety.scene import configure
from tests.real import postgres

pytestmark = pytest.mark.slow  # processes that are killed, databases that end

SECONDS = 60.0
WATCH = {"duration": "20s", "interval": "300ms", "failures": 2}
SLOW = Scenario(deploy_seconds=2.0)
REFUSED = Fault(kind="ip_restricted", operation="redeem", count=3)


def has_both(here: World) -> bool:
    return here.live == {*OLD, *NEW}


def removal_is_deploying(here: World) -> bool:
    """The org executes the second deployment of the run."""
    here.wait_for("deployment-sent", 2)
    return len(here.phases) == 2


def test_a_locked_state_file_does_not_stop_a_rollback(tmp_path: Path) -> None:
    """As by a backup, or by a shell that was left open."""
    with world(tmp_path / "world", watch=WATCH) as here:
        process = here.start("run", "--yes")
        here.wait_for("watch-round", 2)
        path = make_url(here.state).database or ""
        with closing(sqlite3.connect(path, timeout=10, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            here.emulator.set_fault(REFUSED)
            wait_until(lambda: has_both(here))
            other.execute("ROLLBACK")
        out, _ = process.communicate(timeout=SECONDS)
        assert process.returncode == 5, out
        assert "the watch rolled back" in out
        kinds = [event.get("kind") for event in here.events()]
        assert "rolling-back" in kinds  # the journal is complete


@pytest.fixture
def shared(tmp_path: Path) -> Iterator[tuple[World, postgres.Postgres]]:
    """A world whose state is in its own PostgreSQL."""
    postgres.require()
    with (
        postgres.running() as cluster,
        world(tmp_path / "world", None, cluster.url("state"), watch=WATCH) as here,
    ):
        yield here, cluster


def test_a_postgresql_that_hangs_does_not_stop_a_rollback(
    shared: tuple[World, postgres.Postgres],
) -> None:
    here, cluster = shared
    process = here.start("run", "--yes")
    wait_until(lambda: here.live == set(NEW))
    with cluster.hanging():
        here.emulator.set_fault(REFUSED)
        wait_until(lambda: has_both(here))
    out, _ = process.communicate(timeout=SECONDS)
    assert process.returncode == 5, out
    assert here.canary_redeems()


def test_a_full_disk_does_not_stop_the_watch_of_a_removal(tmp_path: Path) -> None:
    with world(tmp_path / "world", SLOW, watch=WATCH) as here:
        here.emulator.set_fault(
            Fault(kind="save_drops_address", operation="deploy", skip=1, count=1, address=NEW[1])
        )
        process = here.start("run", "--yes")
        wait_until(lambda: removal_is_deploying(here))
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
        out, _ = process.communicate(timeout=SECONDS)
        assert process.returncode == 1, out
        assert "an allowlist that lost addresses was monitored to the end, or has them back" in out
        assert set(OLD) < here.live
        here.call("run", "--yes")
        assert here.runs()[0]["state"] == "rolled-back"
        assert has_both(here)
        assert here.canary_redeems()


def test_a_sent_removal_is_watched_although_the_run_is_canceled(tmp_path: Path) -> None:
    with world(tmp_path / "world", SLOW) as here:
        process = here.start("run", "--yes")
        wait_until(lambda: removal_is_deploying(here))
        process.kill()
        process.communicate()
        code, out = here.call("cancel")
        assert code == 0, out
        assert "watch: done" in out
        assert here.phases == ["Succeeded", "Succeeded"]


def test_an_interrupted_watch_reports_that_the_list_is_unwatched(tmp_path: Path) -> None:
    with world(tmp_path / "world", watch=WATCH) as here:
        process = here.start("run", "--yes")
        here.wait_for("watch-round", 1)
        process.send_signal(signal.SIGTERM)
        out, _ = process.communicate(timeout=SECONDS)
        assert process.returncode == 9
        assert (
            "the old addresses are removed from the allowlist of packaging; no process watches"
            in out
        )
        assert "sfcutover rollback --yes" in out


def test_a_notification_is_finished_before_the_command_ends(tmp_path: Path) -> None:
    script = 'sleep 0.5; echo talks; echo "$SFCUTOVER_EVENT" >> called'
    with world(tmp_path / "world", notify=[{"command": ["sh", "-c", script]}]) as here:
        here.call("run", "--yes", "--pause-before", "switch")
        here.call("approve")
        called = (here.folder / "called").read_text(encoding="utf-8").split()
        assert called == ["waiting", "done"]


def test_a_run_that_ended_on_a_full_disk_can_be_resumed_immediately(tmp_path: Path) -> None:
    with world(tmp_path / "world", SLOW) as here:
        process = here.start("run", "--yes")
        here.wait_for("deployment-sent", 1)
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
        out, _ = process.communicate(timeout=SECONDS)
        assert process.returncode == 1, out
        code, out = here.call("run", "--yes")
        assert code == 0, out


def test_a_run_does_not_remove_what_an_operator_has_restored(tmp_path: Path) -> None:
    """Interrupted in its watch, rolled back as the message suggests, and started again."""
    with world(tmp_path / "world", watch=WATCH | {"duration": "6s"}) as here:
        process = here.start("run", "--yes")
        here.wait_for("watch-round", 1)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=SECONDS)
        code, out = here.call("rollback", "--yes")
        assert code == 0, out
        code, out = here.call("run", "--yes")
        assert code == 4, out
        assert "on the allowlist: a rollback or another deployment has restored them since" in out
        assert "this run moves no traffic" in out
        assert has_both(here)
        code, out = here.call("run", "--yes")  # a new run
        assert code == 0, out
        assert here.live == set(NEW)


def test_a_failed_removal_is_not_sent_again_by_another_process(tmp_path: Path) -> None:
    with world(tmp_path / "world") as here:
        here.emulator.set_fault(Fault(kind="failed", operation="deploy", skip=1, count=1))
        code, out = here.call("run", "--yes", point="write journal rolling-back#1")
        assert code == -signal.SIGKILL, out
        for command in (("cancel",), ("run", "--yes")):
            code, out = here.call(*command)
        assert here.phases[:2] == ["Succeeded", "Failed"]
        assert here.runs()[-1]["state"] == "rolled-back"


def test_a_read_only_postgresql_does_not_stop_a_rollback(
    shared: tuple[World, postgres.Postgres],
) -> None:
    """As during a failover to another server."""
    here, cluster = shared
    process = here.start("run", "--yes")
    wait_until(lambda: here.live == set(NEW))
    cluster.set_read_only(True)
    here.emulator.set_fault(REFUSED)
    wait_until(lambda: has_both(here))
    cluster.set_read_only(False)
    out, _ = process.communicate(timeout=SECONDS)
    assert process.returncode == 5, out


def test_ctrl_c_is_obeyed_while_postgresql_hangs(shared: tuple[World, postgres.Postgres]) -> None:
    here, cluster = shared
    process = here.start("run", "--yes")
    wait_until(lambda: here.live == set(NEW))
    with cluster.hanging():
        process.send_signal(signal.SIGTERM)
        out, _ = process.communicate(timeout=SECONDS)
    assert process.returncode == 9, out
    assert "no process watches" in out


def test_a_stopped_worker_reports_whether_another_one_watches(
    shared: tuple[World, postgres.Postgres],
) -> None:
    here, _ = shared
    configure(here, watch=WATCH | {"duration": "90s"})
    run = here.start("run", "--yes")
    wait_until(lambda: here.live == set(NEW))
    workers = [here.start("worker") for _ in range(2)]
    for worker in workers:
        assert worker.stdout is not None
        assert "ready" in worker.stdout.readline()
    run.kill()
    run.communicate()
    first, last = workers
    before = len(here.emulator.redemptions)
    wait_until(lambda: len(here.emulator.redemptions) > before + 2)  # taken over
    first.send_signal(signal.SIGTERM)
    out, _ = first.communicate(timeout=SECONDS)
    assert first.returncode == 0, out
    before = len(here.emulator.redemptions)
    wait_until(lambda: len(here.emulator.redemptions) > before + 2)
    last.send_signal(signal.SIGTERM)
    out, _ = last.communicate(timeout=SECONDS)
    assert last.returncode == 9, out
    assert (
        "the old addresses are removed from the allowlist of packaging; no process watches" in out
    )
