"""The steps of the timeline: how each try ended."""

from __future__ import annotations

import pytest

from tests.unit.output.report.stories import document
from tests.unit.output.report.story import TARGET, Story


@pytest.mark.parametrize(
    ("outcome", "counts", "problems"),
    [
        ("shown", (1, 0, 0), []),
        ("skipped", (0, 1, 0), ["packaging: the new addresses are on the allowlist"]),
        ("not-shown", (0, 0, 1), ["packaging: the new addresses are on the allowlist"]),
    ],
)
def test_a_control_that_shows_nothing_is_not_done(
    outcome: str, counts: tuple[int, int, int], problems: list[str]
) -> None:
    story = Story()
    story.start()
    reason = "the new addresses are on the allowlist"
    story.tell(1, "step-started", "control", TARGET)
    evidence = {"outcome": outcome, "reason": reason, "body": None}
    story.tell(2, "step-ended", "control", TARGET, seconds=1.0, evidence=evidence, problem=None)
    (found,) = (each for each in document(story).steps if each.step == "control")
    assert (found.done, found.skipped, found.unproven) == counts
    assert found.problems == problems
