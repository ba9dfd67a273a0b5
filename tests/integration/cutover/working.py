"""A step of a run in the test's own process, on a real org and a real database."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sfcutover.allowlist.phases import Phase
from sfcutover.allowlist.snapshot import Snapshot
from sfcutover.config.cutover import load_config
from sfcutover.config.state import State
from sfcutover.config.values import Text
from sfcutover.cutover.context import StepContext, TargetContext
from sfcutover.cutover.recordedbaselines import RecordedBaselines
from sfcutover.cutover.removalgate import RemovalPermit
from sfcutover.cutover.resources import Connections, Probes
from sfcutover.errors import GateError
from sfcutover.runs.database import Database
from sfcutover.runs.journal import Journal
from sfcutover.runs.processlock import ProcessLock
from sfcutover.runs.runcontrol import RunControl
from sfcutover.salesforce.connection import Connection
from tests.chaos.world import World


@contextmanager
def step_context(
    here: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[TargetContext, Journal, ProcessLock]]:
    """The context of a step on the world's one target, in this process."""
    for name, value in here.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(here.folder)
    cutover = load_config(here.folder / "cutover.yaml")
    database = Database.open(State(url=Text(literal=f"sqlite:///{tmp_path}/state.db")))
    with ProcessLock(database, cutover.name, "run", "config") as lock:
        journal = Journal(database, "move.1")
        context = StepContext(
            cutover,
            journal,
            RunControl(lock, journal, lambda: True),
            "a step",
            "key",
            Probes(cutover),
            Connections(cutover),
            RecordedBaselines(cutover),
        )
        yield context.at(cutover.targets[0]), journal, lock
    database.close()


class CountingGate:
    """Permits this many times, and then refuses."""

    def __init__(self, permits: int = 99) -> None:
        self.asked = 0
        self._permits = permits

    def permit(
        self, context: TargetContext, connection: Connection, phase: Phase, live: Snapshot
    ) -> RemovalPermit:
        self.asked += 1
        if self.asked > self._permits:
            raise GateError("it no longer holds", hint="verify")
        return RemovalPermit(phase, "this test's")
