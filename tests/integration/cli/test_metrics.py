"""metrics: in cutover.yaml: the figures that run, verify and watch write, and never fail for."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from sfcutover.emulator.faults import Fault
from tests.chaos.world import NEW, OLD, World, world
from tests.unit.output.test_metrics import labels_of

pytestmark = pytest.mark.slow  # whole runs, in processes of their own

Figures = dict[tuple[str, ...], float]


@pytest.fixture
def here(tmp_path: Path) -> Iterator[World]:
    with world(tmp_path / "world", metrics="metrics.prom") as one:
        yield one


def figures(here: World) -> Figures:
    text = (here.folder / "metrics.prom").read_text(encoding="utf-8")
    return {
        (each.name.removeprefix("sfcutover_"), *labels_of(each)): each.value
        for family in text_string_to_metric_families(text)
        for each in family.samples
    }


def test_a_run_writes_its_metrics(here: World) -> None:
    assert here.call("run", "--yes", "--pause-before", "remove-old")[0] == 75
    waiting = figures(here)
    assert waiting["state", "waiting"] == 1
    assert waiting["old_addresses_off", "packaging"] == 0
    assert ("waiting_since_timestamp_seconds", "pause-before", "remove-old") in waiting
    code, out = here.call("approve")
    assert code == 0, out
    done = figures(here)
    assert done["state", "done"] == 1
    assert done["old_addresses_off", "packaging"] == len(OLD)
    assert done["canary_redemptions_total", "redeemed"] > 0
    for address in NEW:
        assert done["redemptions_total", address, "redeemed"] > 0
        assert done["proven_redemptions", address, "canary", "packaging"] > 0
    assert not [key for key in done if key[0] == "step"]


def test_a_rollback_of_the_watch_is_in_the_metrics(here: World) -> None:
    process = here.start("run", "--yes")
    here.wait_for("watch-started")
    here.emulator.set_fault(Fault(kind="ip_restricted", operation="redeem", count=4))
    out, _ = process.communicate(timeout=120)
    assert process.returncode == 5, out
    found = figures(here)
    assert found["state", "rolled-back"] == 1
    assert found["old_addresses_off", "packaging"] == 0
    assert found["canary_redemptions_total", "blocked"] > 0


def test_verify_and_watch_write_their_metrics(here: World) -> None:
    assert here.call("deploy", "add-new", "--yes")[0] == 0
    assert not (here.folder / "metrics.prom").exists()
    code, out = here.call("verify")
    assert code == 0, out
    found = figures(here)
    assert found["state", "done"] == 1
    assert found["canary_redemptions_total", "redeemed"] > 0
    for address in NEW:
        assert found["proven_redemptions", address, "canary", "packaging"] > 0
    code, out = here.call("watch")
    assert code == 0, out
    found = figures(here)
    assert found["watch_results_total", "canary redemption", "passed"] > 0
    assert found["state", "done"] == 1


def test_a_failed_verify_is_in_the_metrics(here: World) -> None:
    assert here.call("verify")[0] == 5
    assert figures(here)["state", "failed"] == 1


def test_an_unwritable_metrics_file_does_not_fail_the_run(tmp_path: Path) -> None:
    with world(tmp_path / "world", metrics="missing/metrics.prom") as here:
        code, out = here.call("run", "--yes")
    assert code == 0, out
    assert out.count("missing/metrics.prom can't be written: No such file or directory") == 1
