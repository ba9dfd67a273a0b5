"""What a target's list is sent, behind what may still be on its way to the org."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from sfcutover.allowlist.phases import Phase
from sfcutover.allowlist.plan import plan_phase
from sfcutover.config.cutover import load_config
from sfcutover.config.traffic import State
from sfcutover.config.values import Text
from sfcutover.cutover.deployment import Rollout, RolloutOptions
from sfcutover.cutover.lists import bring, remove, restore
from sfcutover.cutover.phase import (
    PROGRESS,
    SENDING,
    SENT,
    JournalObserver,
    PhaseDeployment,
    UnknownFateError,
)
from sfcutover.cutover.refusals import Clearance
from sfcutover.cutover.step import Connections, Probes, TargetWork, Work
from sfcutover.cutover.watching import watch_target
from sfcutover.emulator import Scenario
from sfcutover.errors import NetworkError
from sfcutover.runs.database import Database
from sfcutover.runs.journal import Journal, VigilJournal
from sfcutover.runs.processes import Executors, Presence, ReplacedError
from sfcutover.runs.store import Requests
from tests.chaos.world import NEW, OLD, World, world

REMOVAL = Phase.REMOVE_OLD.value


@contextmanager
def at_work(
    here: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[TargetWork, Database]]:
    """A step of a run on the world's one target, in this process."""
    for name, value in here.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(here.folder)
    cutover = load_config(here.folder / "cutover.yaml")
    database = Database.open(State(url=Text(literal=f"sqlite:///{tmp_path}/state.db")))
    with Presence(database, cutover.name, "run", "config") as presence:
        journal = Journal(database, "move.1")
        yield (
            Work(
                cutover,
                journal,
                Requests(database, "move.1"),
                presence,
                "a step",
                "key",
                Probes(cutover),
                Connections(cutover),
            ).at("packaging"),
            database,
        )
    database.close()


@pytest.fixture
def here(tmp_path: Path) -> Iterator[World]:
    with world(tmp_path / "world") as one:
        yield one


@pytest.fixture
def work(here: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TargetWork]:
    with at_work(here, tmp_path, monkeypatch) as (one, _):
        yield one


def test_nothing_is_sent_where_nothing_is_missing(here: World, work: TargetWork) -> None:
    restore(work)
    assert here.phases == []


@pytest.mark.parametrize(
    ("journal", "sent"),
    [
        ([(SENDING, {"latest": None})], 1),
        ([(SENDING, {"latest": None}), (SENT, {"id": "0Af1"})], 1),
        (
            [
                (SENDING, {"latest": None}),
                (SENT, {"id": "0Af1"}),
                (PROGRESS, {"id": "0Af1", "done": True}),
            ],
            0,
        ),
    ],
    ids=["nobody knows", "under way", "over"],
)
def test_behind_a_removal_that_may_still_land_the_old_addresses_are_sent_though_they_are_there(
    here: World, work: TargetWork, journal: list[tuple[str, dict[str, object]]], sent: int
) -> None:
    for kind, data in journal:
        work.tell(kind, phase=REMOVAL, **data)
    restore(work)
    assert here.phases == ["Succeeded"] * sent


def test_a_removal_that_lands_late_is_undone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is with the org, which works on it, when its run goes back."""
    with (
        world(tmp_path / "world", Scenario(deploy_seconds=1.0)) as here,
        at_work(here, tmp_path, monkeypatch) as (work, _),
    ):
        bring(work, Phase.ADD_NEW)
        with work.connection() as connection:
            deployment = PhaseDeployment(work, connection, Phase.REMOVE_OLD)
            planned = plan_phase(Phase.REMOVE_OLD, connection.read(), work.cutover, work.templates)
            Rollout(
                connection,
                planned,
                RolloutOptions(),
                JournalObserver(deployment),
                clearance=Clearance(Phase.REMOVE_OLD, "this test's"),
            ).start()
        assert here.live == {*OLD, *NEW}  # it has not landed
        restore(work)
        assert here.phases == ["Succeeded"] * 3
        assert here.live == {*OLD, *NEW}
        assert any(not each.covers(work.cutover.change.old) for each in here.lists)


def test_a_removal_of_which_the_org_says_nothing_is_for_a_person(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (
        world(tmp_path / "world", Scenario(deploy_request_query=False)) as here,
        at_work(here, tmp_path, monkeypatch) as (work, _),
    ):
        work.tell(SENDING, phase=REMOVAL, latest=None)
        with pytest.raises(UnknownFateError, match="may have been sent") as raised:
            remove(work, Phase.REMOVE_OLD, None)
        assert "Deployment Status in Setup" in raised.value.hint
        assert here.phases == []
        restore(work)  # adding is safe whatever became of it
        assert here.phases == ["Succeeded"]


def test_who_was_taken_for_dead_sends_nothing_but_old_addresses(
    here: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that was frozen until another one took over, and wakes up."""
    with at_work(here, tmp_path, monkeypatch) as (work, database):
        Executors(database).mark_ended(work.presence.id)
        with pytest.raises(NetworkError, match="taken for dead"):
            bring(work, Phase.ADD_NEW)
        assert here.phases == []
        work.tell(SENDING, phase=REMOVAL, latest=None)
        restore(work)
        assert here.phases == ["Succeeded"]


def test_a_removal_is_on_disk_before_it_is_sent_also_on_vigil(
    here: World, work: TargetWork
) -> None:
    """Whoever takes over has to know of it."""
    bring(work, Phase.ADD_NEW)
    journal = VigilJournal(work.journal, work.target.name, work.journal.read())
    with work.connection() as connection:
        deployment = PhaseDeployment(replace(work, journal=journal), connection, Phase.REMOVE_OLD)
        deployment.note_sending()
        told = Journal.all(work.journal, SENDING, target=work.target.name)
        assert told[-1].text("phase") == REMOVAL
        assert deployment.sendings.is_open


def test_who_was_replaced_watches_no_more_and_redeems_nothing(
    here: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two that redeem one rotating token kill it."""
    with at_work(here, tmp_path, monkeypatch) as (work, database):
        bring(work, Phase.ADD_NEW)
        Executors(database).mark_ended(work.presence.id)
        with pytest.raises(ReplacedError):
            watch_target(work)
        with pytest.raises(ReplacedError):
            work.perform(lambda: watch_target(work))
        assert here.emulator.redemptions == []
        assert work.journal.all("step-ended") == []
