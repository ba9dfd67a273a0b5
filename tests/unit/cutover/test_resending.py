"""How long a request is repeated that the org cannot serve for now."""

from __future__ import annotations

import pytest

from sfcutover.cutover.resending import StillBusyError, until_not_busy
from sfcutover.cutover.stepresult import Problem
from sfcutover.errors import BusyError, NetworkError, SfcutoverError
from tests.support import FakeTime

LOCKED = BusyError("ORG_LOCKED: sorry", hint="again", impact="the list is as it was")


def busy(times: int, then: SfcutoverError | None = None) -> list[SfcutoverError | None]:
    return [*[LOCKED] * times, then]


def attempt_of(answers: list[SfcutoverError | None], time_: FakeTime, seconds: float) -> int:
    """A function that fails with these errors in turn, then returns the number of attempts."""
    made = 0

    def attempt() -> int:
        nonlocal made
        made += 1
        if (error := answers.pop(0)) is not None:
            raise error
        return made

    return until_not_busy(attempt, seconds, time_.clock)


def test_a_success_is_not_repeated() -> None:
    time_ = FakeTime()
    assert attempt_of(busy(0), time_, 100) == 1
    assert time_.pauses == []


def test_pauses_double_up_to_a_minute() -> None:
    time_ = FakeTime()
    assert attempt_of(busy(7), time_, 3600) == 8
    assert time_.pauses == [5, 10, 20, 40, 60, 60, 60]


def test_a_lasting_limit_is_an_error_that_names_the_time_to_wait() -> None:
    time_ = FakeTime()
    with pytest.raises(StillBusyError, match="not done within 100 s: ORG_LOCKED") as caught:
        attempt_of(busy(99), time_, 100)
    assert time_.seconds == pytest.approx(100)
    assert time_.pauses == [5, 10, 20, 40, 25]
    assert (caught.value.exit_code, caught.value.impact) == (69, LOCKED.impact)


def test_without_time_there_is_one_attempt() -> None:
    time_ = FakeTime()
    with pytest.raises(StillBusyError):
        attempt_of(busy(99), time_, 0)
    assert time_.pauses == []


def test_another_error_is_not_retried() -> None:
    time_ = FakeTime()
    lost = NetworkError("the answer was lost", hint="look")
    with pytest.raises(NetworkError, match="lost"):
        attempt_of(busy(1, lost), time_, 100)
    assert time_.pauses == [5]


def test_a_run_then_asks_the_operator_and_rolls_nothing_back() -> None:
    with pytest.raises(StillBusyError) as caught:
        attempt_of(busy(99), FakeTime(), 100)
    problem = Problem.of(caught.value)
    assert problem.kind == "person"
    assert not problem.is_failure
