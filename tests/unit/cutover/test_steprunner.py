"""What the flow makes of the results of steps."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.cutover.stepresults import CANCELED
from tests.unit.cutover.test_workflow import ALL, Recorded, cutover_with, run


@pytest.mark.parametrize("step", ["probe", "switch", "settle"])
def test_a_step_of_the_whole_run_that_was_canceled_cancels_the_run(
    tmp_path: Path, step: str
) -> None:
    """The request came while the step ran: only its result shows it."""
    runner = Recorded({step: [CANCELED]})
    result = run(runner, cutover_with(tmp_path))
    assert (result.outcome, result.exit_code) == ("canceled", 9)
    assert runner.done[-2:] == [step, f"state {ALL}"]
