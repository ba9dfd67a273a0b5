"""Once addresses come off a list, nothing keeps this tool from watching it and putting them back:
no database that hangs, no disk that is full, no request to cancel."""

from __future__ import annotations

import os
import resource
import signal
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import make_url

from sfcutover.emulator import Scenario
from sfcutover.emulator.faults import Fault
from tests.chaos.world import NEW, OLD, World, world
from tests.real import postgres

SECONDS = 60.0
WATCH = {"duration": "20s", "interval": "300ms", "failures": 2}
SLOW = Scenario(deploy_seconds=2.0)
REFUSED = Fault(kind="ip_restricted", operation="redeem", count=3)


def until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SECONDS
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def has_both(here: World) -> bool:
    return here.live == {*OLD, *NEW}


def removal_is_under_way(here: World) -> bool:
    """The org works on the second deployment of the run."""
    here.wait_for("deployment-sent", 2)
    return len(here.phases) == 2


def test_a_state_file_that_somebody_locks_keeps_no_list_from_being_put_back(tmp_path: Path) -> None:
    """As a backup does, or a shell that was left open."""
    with world(tmp_path / "world", watch=WATCH) as here:
        process = here.start("run", "--yes")
        here.wait_for("watch-round", 2)
        path = make_url(here.state).database or ""
        with closing(sqlite3.connect(path, timeout=10, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            here.emulator.set_fault(REFUSED)
            until(lambda: has_both(here))
            other.execute("ROLLBACK")
        out, _ = process.communicate(timeout=SECONDS)
        assert process.returncode == 5, out
        assert "the watch rolled back" in out
        kinds = [event.get("kind") for event in here.events()]
        assert "rolling-back" in kinds  # nothing of it is lost


@pytest.fixture
def shared(tmp_path: Path) -> Iterator[tuple[World, postgres.Postgres]]:
    """A world whose state is kept by a PostgreSQL of its own."""
    if reason := postgres.missing():
        if os.environ.get("SFCUTOVER_REQUIRE_REAL"):
            pytest.fail(reason)
        pytest.skip(reason)
    with (
        postgres.running() as cluster,
        world(tmp_path / "world", None, cluster.url("state"), watch=WATCH) as here,
    ):
        yield here, cluster


def test_a_postgresql_that_hangs_keeps_no_list_from_being_put_back(
    shared: tuple[World, postgres.Postgres],
) -> None:
    here, cluster = shared
    process = here.start("run", "--yes")
    until(lambda: here.live == set(NEW))
    with cluster.hanging():
        here.emulator.set_fault(REFUSED)
        until(lambda: has_both(here))
    out, _ = process.communicate(timeout=SECONDS)
    assert process.returncode == 5, out
    assert here.canary_redeems()


def test_a_removal_that_lands_on_a_full_disk_is_watched_and_undone(tmp_path: Path) -> None:
    with world(tmp_path / "world", SLOW, watch=WATCH) as here:
        here.emulator.set_fault(
            Fault(kind="save_drops_address", operation="deploy", skip=1, count=1, address=NEW[1])
        )
        process = here.start("run", "--yes")
        until(lambda: removal_is_under_way(here))
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
        out, _ = process.communicate(timeout=SECONDS)
        assert process.returncode == 1, out
        assert "a list that lost addresses was watched to the end, or has them back" in out
        assert set(OLD) < here.live
        here.call("run", "--yes")
        assert here.runs()[0]["state"] == "rolled-back"
        assert has_both(here)
        assert here.canary_redeems()


def test_a_removal_that_was_sent_is_watched_though_the_run_is_canceled(tmp_path: Path) -> None:
    with world(tmp_path / "world", SLOW) as here:
        process = here.start("run", "--yes")
        until(lambda: removal_is_under_way(here))
        process.kill()
        process.communicate()
        code, out = here.call("cancel")
        assert code == 0, out
        assert "watch: done" in out
        assert here.phases == ["Succeeded", "Succeeded"]


def test_who_leaves_a_list_unwatched_is_told_so(tmp_path: Path) -> None:
    with world(tmp_path / "world", watch=WATCH) as here:
        process = here.start("run", "--yes")
        here.wait_for("watch-round", 1)
        process.send_signal(signal.SIGTERM)
        out, _ = process.communicate(timeout=SECONDS)
        assert process.returncode == 9
        assert "interrupted while the old addresses come off the list of packaging" in out
        assert "nobody watches now" in out
        assert "sfcutover rollback --yes" in out


def test_a_call_for_a_person_is_finished_before_the_command_leaves(tmp_path: Path) -> None:
    script = 'sleep 0.5; echo talks; echo "$SFCUTOVER_EVENT" >> called'
    with world(tmp_path / "world", notify=["sh", "-c", script]) as here:
        here.call("run", "--yes", "--pause-before", "switch")
        here.call("approve")
        called = (here.folder / "called").read_text(encoding="utf-8").split()
        assert called == ["paused", "done"]


def test_whose_state_is_full_is_known_to_be_gone(tmp_path: Path) -> None:
    """Somebody makes room and starts again at once."""
    with world(tmp_path / "world", SLOW) as here:
        process = here.start("run", "--yes")
        here.wait_for("deployment-sent", 1)
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
        out, _ = process.communicate(timeout=SECONDS)
        assert process.returncode == 1, out
        code, out = here.call("run", "--yes")
        assert code == 0, out


def test_what_a_person_has_put_back_is_not_taken_off_again(tmp_path: Path) -> None:
    """Interrupted in its watch, rolled back by hand as the message says, and started again."""
    with world(tmp_path / "world", watch=WATCH | {"duration": "6s"}) as here:
        process = here.start("run", "--yes")
        here.wait_for("watch-round", 1)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=SECONDS)
        code, out = here.call("rollback", "--yes")
        assert code == 0, out
        code, out = here.call("run", "--yes")
        assert code == 4, out
        assert "or somebody has put them back since" in out
        assert "this run moves no traffic" in out
        assert has_both(here)
        code, out = here.call("run", "--yes")  # that is another run
        assert code == 0, out
        assert here.live == set(NEW)


def test_a_removal_that_failed_is_not_sent_again_by_whoever_takes_over(tmp_path: Path) -> None:
    with world(tmp_path / "world") as here:
        here.emulator.set_fault(Fault(kind="failed", operation="deploy", skip=1, count=1))
        code, out = here.call("run", "--yes", point="write journal rolling-back#1")
        assert code == -signal.SIGKILL, out
        for command in (("cancel",), ("run", "--yes")):
            code, out = here.call(*command)
        assert here.phases[:2] == ["Succeeded", "Failed"]
        assert here.runs()[-1]["state"] == "rolled-back"


def test_a_postgresql_that_turns_read_only_keeps_no_list_from_being_put_back(
    shared: tuple[World, postgres.Postgres],
) -> None:
    """As it does while it hands over to another server."""
    here, cluster = shared
    process = here.start("run", "--yes")
    until(lambda: here.live == set(NEW))
    cluster.set_read_only(True)
    here.emulator.set_fault(REFUSED)
    until(lambda: has_both(here))
    cluster.set_read_only(False)
    out, _ = process.communicate(timeout=SECONDS)
    assert process.returncode == 5, out


def test_ctrl_c_is_obeyed_while_postgresql_hangs(shared: tuple[World, postgres.Postgres]) -> None:
    here, cluster = shared
    process = here.start("run", "--yes")
    until(lambda: here.live == set(NEW))
    with cluster.hanging():
        process.send_signal(signal.SIGTERM)
        out, _ = process.communicate(timeout=SECONDS)
    assert process.returncode == 9, out
    assert "nobody watches now" in out
