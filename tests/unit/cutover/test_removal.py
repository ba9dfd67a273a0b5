"""Step 5 between two waves: the checks run again, and a question is about what is left."""

from __future__ import annotations

from pathlib import Path

from sfcutover.cutover.stepresult import StepResult
from tests.unit.cutover.stepresults import problem, settled
from tests.unit.cutover.test_workflow import (
    ALL,
    ANNOUNCED,
    CHANGED,
    DOUBT,
    OTHERWISE,
    Recorded,
    cutover_with,
    run,
)


def test_a_check_that_fails_while_a_removal_waits_restores_every_list(tmp_path: Path) -> None:
    cutover = cutover_with(tmp_path, checks=[{"command": ["true"]}])
    passed, failed = StepResult(), problem()
    runner = Recorded(
        {"remove-and-watch two": [problem("person")], "checks": [passed, passed, failed]}
    )
    assert run(runner, cutover).outcome == "rolled-back"
    assert runner.pauses == []
    place = runner.done.index("remove-and-watch two three")
    ends = ["checks", "rollback-started", f"restore {ALL}", "switch-back", "prove-old"]
    assert runner.done[place + 1 :] == ends


def test_a_later_wave_is_asked_about_without_the_limitations_of_finished_targets(
    tmp_path: Path,
) -> None:
    runner = Recorded(
        {
            "settle": [settled(one=DOUBT, four=DOUBT)],
            "remove-and-watch two": [CHANGED],
            "announce two": [ANNOUNCED, OTHERWISE],
        },
        approves=[True, True],
        waits_before=("remove-old",),
    )
    assert run(runner, cutover_with(tmp_path)).outcome == "done"
    assert [f"{DOUBT} (one, four)" in each for each in runner.questions] == [True, False]
    assert f"{DOUBT} (four)" in runner.questions[1]
