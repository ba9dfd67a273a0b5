"""Moving traffic back: the operator is alerted where it was not done."""

from __future__ import annotations

from pathlib import Path

from tests.unit.cutover.stepresults import problem
from tests.unit.cutover.test_workflow import Recorded, cutover_with, run


def test_traffic_that_the_operator_does_not_move_back_is_an_alert(tmp_path: Path) -> None:
    cutover = cutover_with(tmp_path, switch={"manual": True})
    runner = Recorded({"verify one": [problem()] * 2}, approves=[True, False])
    result = run(runner, cutover)
    assert runner.pauses == [("switch", "switch"), ("switch-back", "switch")]
    assert "traffic was not moved back" in result.impact
    assert runner.done[-1] == "page"
