"""Two runs of one allowlist are never executed at the same time, wherever they are started."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from sfcutover.config.state import State
from sfcutover.config.values import Text
from sfcutover.emulator.scenario import Scenario
from sfcutover.runs.database import Database
from sfcutover.runs.store import RunStore
from tests.chaos.world import NEW, World, wait_until, world
from tests.real import postgres

pytestmark = pytest.mark.slow  # processes that are killed, databases that end

SLOW = Scenario(deploy_seconds=2.0)
SECONDS = 120.0
REFUSED_CODE = 69


@pytest.fixture(scope="module")
def cluster() -> Iterator[postgres.Postgres]:
    postgres.require()
    with postgres.running() as running:
        yield running


def sibling(here: World, beside: str, state: str = "", **keys: object) -> World:
    """Another folder on the same machine, with a cutover.yaml for the same allowlist and these
    keys."""
    folder = here.folder.with_name(beside)
    shutil.copytree(here.folder, folder, ignore=shutil.ignore_patterns(".sfcutover", "xdg"))
    file = folder / "cutover.yaml"
    config = yaml.safe_load(file.read_text(encoding="utf-8")) | keys
    file.write_text(yaml.safe_dump(config), encoding="utf-8")
    url = state or f"sqlite:///{folder}/.sfcutover/state.db"
    environment = here.environment | {"STATE_URL": url}
    return replace(here, folder=folder, state=url, environment=environment)


def same_org_by_another_name(here: World) -> list[object]:
    """The target with another spelling of its login_url."""
    file = here.folder / "cutover.yaml"
    (target,) = yaml.safe_load(file.read_text(encoding="utf-8"))["targets"]
    login = target["org"]["client_credentials"]
    login["login_url"] = login["login_url"].replace("127.0.0.1", "localhost") + "/"
    return [target | {"name": "the-packaging-org"}]


def assert_refused(process: subprocess.Popen[str]) -> None:
    out, _ = process.communicate(timeout=SECONDS)
    assert process.returncode == REFUSED_CODE, out
    assert "the same allowlist" in out or "is in progress" in out, out
    assert "next:" in out


def assert_done_once(here: World) -> None:
    assert here.live == set(NEW)
    assert here.phases == ["Succeeded", "Succeeded"]


def test_a_run_of_the_same_list_in_another_folder_is_refused(tmp_path: Path) -> None:
    with world(tmp_path / "one", SLOW) as here:
        first = here.start("run", "--yes", "--stay", "--pause-before", "switch")
        here.wait_for("paused")
        other = sibling(here, "two")
        assert_refused(other.start("run", "--yes"))
        assert not other.switches
        here.call("approve")
        out, _ = first.communicate(timeout=SECONDS)
        assert first.returncode == 0, out
        assert_done_once(here)


def test_simultaneous_runs_of_one_list_in_two_folders_exclude_each_other(tmp_path: Path) -> None:
    """At least one is refused; if both are, nothing was changed."""
    with world(tmp_path / "one", SLOW) as here:
        worlds = (here, sibling(here, "two"))
        processes = [each.start("run", "--yes") for each in worlds]
        for each in processes:
            each.communicate(timeout=SECONDS)
        codes = sorted(each.returncode for each in processes)
        assert codes in ([0, REFUSED_CODE], [REFUSED_CODE, REFUSED_CODE])
        assert len(here.phases) == 2 * codes.count(0)


def test_a_resumed_run_waits_for_that_of_another_folder(tmp_path: Path) -> None:
    with world(tmp_path / "one", SLOW) as here:
        code, out = here.call("run", "--yes", "--pause-before", "switch")
        assert code == 75, out
        other = sibling(here, "two")
        second = other.start("run", "--yes")
        other.wait_for("step-started", 5)
        code, out = here.call("approve")
        assert code == REFUSED_CODE, out
        assert "the same allowlist" in out
        assert not here.switches
        out, _ = second.communicate(timeout=SECONDS)


def test_a_run_of_the_same_list_under_other_names_is_refused(
    cluster: postgres.Postgres, tmp_path: Path
) -> None:
    """Another name of the cutover, another of the target, another spelling of the org."""
    state = cluster.url("names")
    with world(tmp_path / "one", SLOW, state) as here:
        first = here.start("run", "--yes", "--stay", "--pause-before", "switch")
        with closing(Database.open(State(url=Text(literal=state)))) as database:
            store = RunStore(database)
            wait_until(lambda: any(store.journal(each.id).all("paused") for each in store.all()))
        other = sibling(
            here, "two", state, name="another-cutover", targets=same_org_by_another_name(here)
        )
        assert_refused(other.start("run", "--yes"))
        here.call("approve")
        out, _ = first.communicate(timeout=SECONDS)
        assert first.returncode == 0, out
        assert_done_once(here)


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_only_one_of_three_simultaneous_runs_of_a_state_executes(
    kind: str, cluster: postgres.Postgres, tmp_path: Path
) -> None:
    state = cluster.url("moment") if kind == "postgresql" else ""
    with world(tmp_path / "one", SLOW, state) as here:
        processes = [here.start("run", "--yes") for _ in range(3)]
        for each in processes:
            each.wait(SECONDS)
        assert sorted(each.returncode for each in processes) == [0, REFUSED_CODE, REFUSED_CODE]
        for each in processes:
            if each.returncode:
                assert_refused(each)
        assert_done_once(here)
        assert here.switches == ["apply"]
