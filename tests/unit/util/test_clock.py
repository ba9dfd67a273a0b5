from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfcutover.util.clock import FIRST_SECONDS, LARGEST_SECONDS, Clock, next_interval


@given(st.floats(min_value=0, max_value=1e9))
def test_an_interval_is_between_the_first_and_the_largest(elapsed: float) -> None:
    assert FIRST_SECONDS <= next_interval(elapsed) <= LARGEST_SECONDS


@given(st.floats(min_value=0, max_value=1e6), st.floats(min_value=0, max_value=1e6))
def test_intervals_never_shrink(one: float, other: float) -> None:
    early, late = sorted((one, other))
    assert next_interval(early) <= next_interval(late)


@pytest.mark.parametrize(
    ("elapsed", "interval"),
    [(0, 0.05), (0.3, 0.15), (4, 0.25), (10, 0.3), (50, 1.5), (167, 5), (1e6, 5)],
)
def test_an_interval_grows_with_the_elapsed_time(elapsed: float, interval: float) -> None:
    assert next_interval(elapsed) == pytest.approx(interval, abs=0.01)


def poll_times(total: float) -> list[float]:
    """The times of all polls until something that takes this many seconds is done."""
    moments = [0.0]
    while moments[-1] < total:
        moments.append(moments[-1] + next_interval(moments[-1]))
    return moments


@given(st.floats(min_value=0.01, max_value=10))
def test_the_end_of_ten_seconds_is_detected_within_a_third_of_a_second(total: float) -> None:
    assert poll_times(total)[-1] - total <= 0.3 + 1e-9


@given(st.floats(min_value=0.01, max_value=3600))
def test_an_end_is_detected_within_a_share_of_the_time(total: float) -> None:
    assert poll_times(total)[-1] - total <= max(0.25, 0.03 * total) + 1e-9


@pytest.mark.parametrize(("total", "polls"), [(1, 8), (10, 44), (600, 226), (3600, 826)])
def test_a_wait_needs_few_requests(total: float, polls: int) -> None:
    assert len(poll_times(total)) - 1 == polls


def test_the_clock_is_that_of_the_system() -> None:
    clock = Clock()
    assert clock.now is time.monotonic
    assert clock.pause is time.sleep
