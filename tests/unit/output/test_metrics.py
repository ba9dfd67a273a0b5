"""A run's figures as a file for Prometheus."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from sfcutover.cutover.progress import RunProgress
from sfcutover.output.metrics import CommandMeter, Figures, MetricsFile
from sfcutover.runs.event import Event
from tests.unit.cutover.test_notification import CUTOVER

OLD, NEW = "203.0.113.10", "198.51.100.20"
Told = tuple[str, str | None, str | None, dict[str, object]]
STARTED: Told = (
    "run-started",
    None,
    None,
    {"app": "Acme", "targets": ["packaging"], "old": [OLD], "new": [NEW]},
)
REMOVED: Told = (
    "deployment-sent",
    "remove-old",
    "packaging",
    {"id": "0Af1", "phase": "remove-old"},
)


def progress_of(*told: Told) -> RunProgress:
    events = [Event(n, "move.1", 100.0 + n, *each) for n, each in enumerate(told, 1)]
    return RunProgress.of(events)


def labels_of(sample: Sample) -> list[str]:
    """The values of its labels except the cutover's, in the order of their names."""
    return [value for name, value in sorted(sample.labels.items()) if name != "cutover"]


def samples(progress: RunProgress, **options: str) -> dict[tuple[str, ...], float]:
    text = generate_latest(Figures(CUTOVER, progress, **options)).decode()
    return {
        (each.name.removeprefix("sfcutover_"), *labels_of(each)): each.value
        for family in text_string_to_metric_families(text)
        for each in family.samples
    }


def test_redemptions_are_counted_by_address_and_outcome() -> None:
    buckets = [[1, OLD, "redeemed", 3], [1, NEW, "blocked", 1], [2, OLD, "redeemed", 2]]
    found = samples(
        progress_of(
            STARTED,
            ("traffic", None, "packaging", {"buckets": buckets}),
            ("step-started", "verify", "packaging", {}),
            ("redeemed", "verify", "packaging", {"count": 4}),
            ("redemption-blocked", "verify", "packaging", {"rule": "list", "body": ""}),
        ),
        run="move.1",
    )
    assert found["redemptions_total", OLD, "redeemed"] == 5
    assert found["redemptions_total", NEW, "blocked"] == 1
    assert found["canary_redemptions_total", "redeemed"] == 4
    assert found["canary_redemptions_total", "blocked"] == 1
    assert found["step", "verify", "packaging"] == 1
    assert found["info", "Acme_Connector", "move.1"] == 1


@pytest.mark.parametrize(
    ("told", "off"),
    [
        ((STARTED,), 0),
        ((STARTED, REMOVED), 1),
        ((STARTED, ("deployment-sending", "remove-old", "packaging", {"phase": "remove-old"})), 1),
        (
            (
                STARTED,
                ("step-started", "remove-old", "packaging", {}),
                REMOVED,
                ("step-started", "restore-old", "packaging", {}),
                ("step-ended", "restore-old", "packaging", {"problem": None, "evidence": None}),
            ),
            0,
        ),
    ],
    ids=["before", "removed", "perhaps removed", "restored"],
)
def test_removed_old_addresses_are_counted(told: tuple[Told, ...], off: int) -> None:
    found = samples(progress_of(*told), run="move.1")
    assert found["old_addresses_off", "packaging"] == off


def test_a_command_reports_no_figure_that_it_has_not_read() -> None:
    assert not [key for key in samples(progress_of()) if key[0] == "old_addresses_off"]


PAUSED: Told = ("paused", "switch", None, {"pause": 1, "reason": "pause-before", "message": "?"})
ENDED: Told = ("run-ended", None, None, {"outcome": "rolled-back", "exit_code": 5})


@pytest.mark.parametrize(
    ("told", "state"),
    [
        ((STARTED,), "running"),
        ((STARTED, PAUSED), "waiting"),
        ((STARTED, ("rollback-started", None, None, {"reason": "?"})), "rolling-back"),
        ((STARTED, ENDED), "rolled-back"),
    ],
)
def test_exactly_one_state_is_set(told: tuple[Told, ...], state: str) -> None:
    found = samples(progress_of(*told), run="move.1")
    assert [key[1] for key, value in found.items() if key[0] == "state" and value] == [state]
    waits = [key for key in found if key[0] == "waiting_since_timestamp_seconds"]
    assert bool(waits) == (state == "waiting")


def test_labels_are_escaped() -> None:
    name = 'a "check"\nwith \\ and {'
    progress = progress_of(STARTED)
    progress.results[name] = {"passed": 2}
    assert samples(progress)["watch_results_total", 'a "check" with \\ and {', "passed"] == 2


def test_an_unwritable_file_is_one_warning(tmp_path: Path) -> None:
    warned: list[str] = []
    file = MetricsFile(tmp_path / "missing" / "metrics.prom", CUTOVER, warned.append)
    for ended in ("", "done"):
        file.update(progress_of(STARTED), ended=ended)
    (warning,) = warned
    assert warning.endswith("metrics.prom can't be written: No such file or directory")


def test_the_file_is_replaced_completely(tmp_path: Path) -> None:
    path = tmp_path / "metrics.prom"
    path.write_text("of another time")
    file = MetricsFile(path, CUTOVER, pytest.fail)
    file.update(progress_of(STARTED), run="move.1")
    assert path.read_text().startswith("# HELP sfcutover_info ")
    assert path.read_text().endswith("\n")
    assert list(tmp_path.iterdir()) == [path]


def test_unchanged_figures_are_not_written_again(tmp_path: Path) -> None:
    path, progress = tmp_path / "metrics.prom", progress_of(STARTED)
    file = MetricsFile(path, CUTOVER, pytest.fail)
    file.update(progress, run="move.1")
    path.unlink()
    file.update(progress, run="move.1")
    assert not path.exists()
    progress.apply(Event(9, "move.1", 200.0, *PAUSED))
    file.update(progress, run="move.1")
    assert path.exists()


def test_the_first_reported_end_of_a_command_counts(tmp_path: Path) -> None:
    meter = CommandMeter(MetricsFile(tmp_path / "m.prom", CUTOVER, pytest.fail))
    meter.close("rolled-back")
    meter.close("done")
    assert 'state="rolled-back"} 1.0' in (tmp_path / "m.prom").read_text()


@pytest.mark.skipif(shutil.which("promtool") is None, reason="apt-get install prometheus")
def test_promtool_finds_no_problem(tmp_path: Path) -> None:
    buckets = [[1, OLD, "redeemed", 3]]
    progress = progress_of(
        STARTED, PAUSED, ("traffic", None, "packaging", {"buckets": buckets}), REMOVED
    )
    path = tmp_path / "metrics.prom"
    MetricsFile(path, CUTOVER, pytest.fail).update(progress, run="move.1")
    done = subprocess.run(
        ["promtool", "check", "metrics"], input=path.read_text(), capture_output=True, text=True
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
