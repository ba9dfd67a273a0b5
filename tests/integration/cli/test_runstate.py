"""Where runs are kept: one file that may be copied, of one version, for one run of a list."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import yaml

from sfcutover.emulator.scenario import Scenario
from tests.chaos.world import NEW, OLD, World, world

pytestmark = pytest.mark.slow  # runs, and each command in a process of its own

_SCENARIO = Scenario(deploy_seconds=1.0)


@pytest.fixture
def here(tmp_path: Path) -> Iterator[World]:
    with world(tmp_path / "world", _SCENARIO) as one:
        yield one


def state_of(here: World) -> Path:
    return here.folder / ".sfcutover" / "state.db"


def change(here: World, statement: str) -> None:
    with closing(sqlite3.connect(state_of(here))) as connection:
        connection.execute(statement)
        connection.commit()


def copied(here: World, folder: Path) -> World:
    """The same cutover in another folder, without its state."""
    shutil.copytree(here.folder, folder, ignore=shutil.ignore_patterns(".sfcutover", "xdg"))
    state = f"sqlite:///{folder}/.sfcutover/state.db"
    return World(folder, here.emulator, state, here.environment | {"STATE_URL": state})


def test_the_state_of_a_paused_run_is_one_file(here: World) -> None:
    assert here.call("run", "--yes", "--pause-before", "remove-old")[0] == 75
    names = {each.name for each in state_of(here).parent.iterdir() if each.is_file()}
    assert names == {"state.db"}


def test_a_copied_state_resumes_a_paused_run_elsewhere(here: World, tmp_path: Path) -> None:
    assert here.call("run", "--yes", "--pause-before", "remove-old")[0] == 75
    other = copied(here, tmp_path / "elsewhere")
    (other.folder / ".sfcutover").mkdir(mode=0o700)
    shutil.copy(state_of(here), state_of(other))
    other.environment["XDG_STATE_HOME"] = str(tmp_path / "another-machine")
    code, out = other.call("runs")
    assert "waiting" in out
    code, out = other.call("approve")
    assert code == 0, out
    assert other.live == set(NEW)
    assert other.phases == ["Succeeded", "Succeeded"]
    assert other.switches == ["apply"]


@pytest.mark.parametrize("words", [("run", "--yes"), ("runs",), ("approve",), ("report",)])
def test_the_database_of_another_program_is_refused_and_kept(
    here: World, words: tuple[str, ...]
) -> None:
    state_of(here).parent.mkdir(mode=0o700)
    change(here, "CREATE TABLE customers (name TEXT)")
    before = state_of(here).read_bytes()
    code, out = here.call(*words)
    assert code == 2, out
    assert "is the database of another program; it was not changed" in out
    assert state_of(here).read_bytes() == before
    assert here.live == set(OLD)


def test_a_state_of_another_version_is_named(here: World) -> None:
    assert here.call("run", "--yes", "--pause-before", "add-new")[0] == 75
    change(here, "UPDATE sfcutover_state SET version = '99'")
    code, out = here.call("run", "--yes")
    assert code == 2, out
    assert "has the state version 99" in out


def test_a_run_started_by_another_version_is_reported_and_resumed(here: World) -> None:
    assert here.call("run", "--yes", "--pause-before", "remove-old")[0] == 75
    change(here, "UPDATE sfcutover_runs SET program = '0.0.1'")
    code, out = here.call("approve")
    assert code == 0, out
    assert "sfcutover 0.0.1 started it" in out


def test_a_run_of_another_workflow_names_the_version_that_can_finish_it(here: World) -> None:
    assert here.call("run", "--yes", "--pause-before", "remove-old")[0] == 75
    change(here, "UPDATE sfcutover_runs SET program = '0.0.1', version = '1'")
    for words in (("run", "--yes"), ("approve",), ("cancel",)):
        code, out = here.call(*words)
        assert code == 2, out
        assert "sfcutover==0.0.1" in out
    assert here.live == {*OLD, *NEW}


def test_ended_runs_are_removed_and_others_kept(here: World) -> None:
    assert here.call("run", "--yes")[0] == 0
    assert here.call("run", "--yes", "--again", "--pause-before", "add-new")[0] == 75
    assert here.call("runs", "--prune", "1", "--yes") == (0, "removed: none\n")
    code, out = here.call("runs", "--prune", "0")
    assert code == 2, out
    assert here.call("runs", "--prune", "0", "--yes") == (0, "removed: emulated-cutover.1\n")
    code, out = here.call("runs")
    assert "emulated-cutover.1 " not in out
    assert "emulated-cutover.2" in out
    assert here.call("approve")[0] == 0


def test_two_folders_do_not_change_one_list_at_the_same_time(here: World, tmp_path: Path) -> None:
    """Each has a state of its own, and its own spelling of the org."""
    other = copied(here, tmp_path / "other")
    file = other.folder / "cutover.yaml"
    config = yaml.safe_load(file.read_text(encoding="utf-8"))
    file.write_text(yaml.safe_dump(config | {"name": "another"}), encoding="utf-8")
    process = here.start("run", "--yes", "--pause-before", "switch", "--stay")
    here.wait_for("paused")
    code, out = other.call("run", "--yes")
    assert code == 69, out
    assert "changes the same allowlist" in out
    assert "this run has changed nothing on this allowlist" in out
    assert here.call("approve")[0] == 0
    process.communicate(timeout=60)
    assert process.returncode == 0
    assert here.phases == ["Succeeded", "Succeeded"]
    assert other.switches == []


def test_a_run_is_not_resumed_beside_another_run_of_its_list(here: World, tmp_path: Path) -> None:
    assert here.call("run", "--yes", "--pause-before", "remove-old")[0] == 75
    other = copied(here, tmp_path / "other")
    process = other.start("run", "--yes", "--pause-before", "verify", "--stay")
    other.wait_for("paused")
    code, out = here.call("approve")
    assert code == 69, out
    assert "changes the same allowlist" in out
    assert other.call("approve")[0] == 0
    process.communicate(timeout=60)
    assert process.returncode == 0
