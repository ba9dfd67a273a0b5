"""A run's checks before its first change: the old egress, and the canary's token store."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from sfcutover.emulator.faults import Fault
from tests.chaos.world import NEW, World, world

pytestmark = pytest.mark.slow  # runs, and each command in a process of its own

WORDS = "no proven rollback path for traffic: 127.0.0.1:"


@pytest.fixture
def here(tmp_path: Path) -> Iterator[World]:
    with world(tmp_path / "world") as one:
        yield one


def probe_of(here: World) -> dict[str, object]:
    """The evidence of the run's first step."""
    ended = (each for each in here.events() if each["kind"] == "step-ended")
    data = next(each["data"] for each in ended if each["step"] == "probe")
    assert isinstance(data, dict)
    evidence: dict[str, object] = data["evidence"]
    return evidence


def test_an_unreachable_old_egress_is_recorded_and_does_not_stop_the_run(here: World) -> None:
    here.emulator.set_fault(Fault(kind="proxy_down", operation="old_proxy", count=None))
    code, out = here.call("run", "--yes", "--traffic-moved")
    assert code == 0, out
    assert here.live == set(NEW)
    assert f"warning: {WORDS}" in out
    assert str(probe_of(here)["no_way_back"]).startswith(WORDS)
    _, report = here.call("report", "--format", "json")
    unproven = json.loads(report)["unproven"]
    assert any(each.startswith(f"N{WORDS[1:]}") for each in unproven), unproven


def test_a_working_old_egress_is_recorded_without_a_warning(here: World) -> None:
    code, out = here.call("run", "--yes", "--pause-before", "add-new")
    assert code == 75, out
    assert probe_of(here)["no_way_back"] == ""
    assert "no proven rollback path" not in out


def test_a_token_that_could_not_be_stored_ends_the_run_before_any_change(
    here: World,
) -> None:
    file = here.folder / "cutover.yaml"
    config = yaml.safe_load(file.read_text())
    config["verify"]["refresh_token"] = {"env": "SF_REFRESH_TOKEN"}
    file.write_text(yaml.safe_dump(config))
    code, out = here.call("run", "--yes")
    assert code == 2, out
    assert "cannot take a new one" in out
    assert here.emulator.deployments == []
    assert here.emulator.redemptions == []
