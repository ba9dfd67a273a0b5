"""A PostgreSQL that never recovers ends every wait for it, but no watch and no restore."""

from __future__ import annotations

import subprocess
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from sfcutover.config.state import State
from sfcutover.config.values import Text
from sfcutover.emulator.scenario import Scenario
from sfcutover.errors import NetworkError
from sfcutover.runs.database import Database
from sfcutover.runs.store import RunStore
from tests.chaos.world import NEW, World, wait_until, world
from tests.real import postgres

pytestmark = pytest.mark.slow  # processes that are killed, databases that end

SECONDS = 180.0  # some 90 s of asking, and what a process does as it ends
WATCH = {"duration": "30s", "interval": "1s", "failures": 2}
PAUSED = ("--stay", "--pause-before", "switch")


def wait_for(here: World, kind: str) -> None:
    with closing(Database.open(State(url=Text(literal=here.state)))) as database:
        store = RunStore(database)
        wait_until(lambda: any(store.journal(each.id).all(kind) for each in store.all()))


def end_of(process: subprocess.Popen[str]) -> str:
    """The output at the end."""
    out, _ = process.communicate(timeout=SECONDS)
    assert process.returncode == NetworkError.exit_code, out
    assert "check that PostgreSQL is running" in out
    assert "next:" in out
    return out


def test_every_process_ends_without_a_signal(tmp_path: Path) -> None:
    """One deploys, one is paused, one watches, and one only serves the queue."""
    postgres.require()
    slow = Scenario(deploy_seconds=2.0)
    with ExitStack() as stack:
        cluster = stack.enter_context(postgres.running())
        deploying, paused, watching = (
            stack.enter_context(
                world(tmp_path / name, slow, cluster.url(name), watch=WATCH, name=f"{name}-cutover")
            )
            for name in ("deploying", "paused", "watching")
        )
        watches = watching.start("run", "--yes")
        waits = paused.start("run", "--yes", *PAUSED)
        serves = paused.start("worker")
        wait_for(paused, "paused")
        wait_for(watching, "watch-started")
        deploys = deploying.start("run", "--yes")
        wait_for(deploying, "deployment-sent")
        cluster.control("-m", "immediate", "stop")
        try:
            for process in (deploys, waits, serves, watches):
                end_of(process)
        finally:
            cluster.control("start")
        assert watching.live == set(NEW)  # it watched to the end
        for here in (deploying, paused):
            assert set(NEW) < here.live
        for here in (deploying, watching):
            code, out = here.call("run", "--yes")
            assert code == 0, out
            assert here.phases == ["Succeeded", "Succeeded"]
