"""How long a step has run by the org's clock, whichever process asks."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from sfcutover.config.cutover import Cutover
from sfcutover.cutover.context import CommandControl, StepContext
from sfcutover.cutover.orgtime import seconds_under_way
from sfcutover.cutover.recordedbaselines import RecordedBaselines
from sfcutover.cutover.resources import Connections, Probes
from sfcutover.runs.event import CommandLog, Event
from sfcutover.util.serverclock import ServerTime
from tests.unit.cutover.test_workflow import cutover_with

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


@dataclass
class Step:
    """One step executed by successive processes that share a memory."""

    cutover: Cutover
    told: list[Event] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.context = StepContext(
            self.cutover,
            CommandLog(self.told.append),
            CommandControl(),
            "watch",
            "a key",
            Probes(self.cutover),
            Connections(self.cutover),
            RecordedBaselines(self.cutover),
        )

    def at(self, seconds: float | None, uncertainty: float = 0.5) -> float:
        time = None
        if seconds is not None:
            time = ServerTime.around(NOON + timedelta(seconds=seconds), uncertainty)
        return seconds_under_way(self.context, "watch-started", time)


@pytest.fixture
def step(tmp_path: Path) -> Step:
    return Step(cutover_with(tmp_path))


def test_a_new_attempt_has_taken_no_time(step: Step) -> None:
    assert step.at(0) == 0
    assert [each.kind for each in step.told] == ["watch-started"]


def test_a_later_process_continues_with_a_lower_bound(step: Step) -> None:
    step.at(0)
    assert step.at(60) == 59
    assert len(step.told) == 1


def test_a_clock_that_went_back_counts_nothing(step: Step) -> None:
    step.at(0)
    assert step.at(-300) == 0


def test_another_attempt_starts_at_zero(step: Step) -> None:
    step.at(0)
    step.context.tell("step-ended")
    assert step.at(60) == 0
    assert step.at(70) == 9


@pytest.mark.parametrize(("first", "then"), [(None, 60.0), (0.0, None)])
def test_unreported_org_time_is_not_counted(
    first: float | None, then: float | None, step: Step
) -> None:
    step.at(first)
    assert step.at(then) == 0
