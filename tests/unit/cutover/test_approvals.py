"""What an approval covers: it is asked for once while the step stays the same."""

from __future__ import annotations

from pathlib import Path

from tests.unit.cutover.test_workflow import ALL, CHANGED, Recorded, cutover_with, run


def test_an_approved_step_that_is_repeated_unchanged_is_not_asked_about_again(
    tmp_path: Path,
) -> None:
    runner = Recorded({"switch": [CHANGED]}, approves=[True], waits_before=("add-new",))
    assert run(runner, cutover_with(tmp_path)).outcome == "done"
    assert runner.pauses == [("add-new", "pause-before")]
    assert runner.done.count(f"add-new {ALL}") == 2
