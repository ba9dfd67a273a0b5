"""Times in words, and the scale of a chart's axis."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfcutover.output.report.timescale import IdleTime, TimeScale, duration, round_step

HOUR = 3600.0


def scales() -> st.SearchStrategy[TimeScale]:
    """Any run of up to three days, with waits anywhere in it."""
    moment = st.floats(0, 3 * 86400, allow_nan=False)
    wait = st.tuples(moment, moment).map(lambda pair: IdleTime(min(pair), max(pair), "waits"))
    waits = st.lists(wait, max_size=4).map(lambda found: sorted(found, key=lambda q: q.start))
    return st.builds(lambda end, idle: TimeScale.of(0, end, idle), moment, waits)


@given(scales(), st.lists(st.floats(0, 3 * 86400), max_size=9))
def test_a_later_time_is_never_further_left(scale: TimeScale, times: list[float]) -> None:
    places = [scale.x(time) for time in sorted(times)]
    assert places == sorted(places)
    assert all(-1e-9 <= place <= 1 + 1e-9 for place in places)
    assert scale.x(scale.start) == pytest.approx(0)
    assert scale.x(scale.end) == pytest.approx(1)


@given(scales(), st.integers(1, 300))
def test_the_bins_cover_all_the_time_once(scale: TimeScale, count: int) -> None:
    bins = scale.bins(count)
    assert bins[0].start == scale.start
    assert bins[-1].end == scale.end
    assert all(before.end == after.start for before, after in pairwise(bins))
    assert all(each.end > each.start for each in bins)
    assert len(bins) <= count + 2 * len(scale.pieces)


@given(scales(), st.integers(2, 12))
def test_ticks_do_not_overlap(scale: TimeScale, count: int) -> None:
    places = [scale.x(tick) for tick in scale.round_times(count)]
    assert len(places) <= count + 1
    assert all(after - before >= 1 / count - 1e-9 for before, after in pairwise(places))


def test_a_wait_of_a_night_does_not_compress_the_minutes_around_it() -> None:
    night = IdleTime(600, 600 + 11 * HOUR, "waits for a person")
    scale = TimeScale.of(0, 1200 + 11 * HOUR, [night])
    assert [each.squeezed for each in scale.pieces] == [False, True, False]
    assert scale.x(600) == pytest.approx(5 / 12)
    assert scale.x(night.end) == pytest.approx(7 / 12)
    plain = TimeScale.of(0, 1200 + 11 * HOUR)
    assert plain.x(600) < 0.02


def test_a_short_wait_is_drawn_to_scale() -> None:
    scale = TimeScale.of(0, 100, [IdleTime(40, 60, "waits for a person")])
    assert [each.squeezed for each in scale.pieces] == [False]
    assert scale.x(50) == pytest.approx(0.5)


def test_a_run_without_duration_can_be_drawn() -> None:
    assert TimeScale.of(5.5, 5.5).bins(100) == TimeScale.of(5, 6).bins(1)


def test_tick_intervals_are_round_clock_intervals() -> None:
    assert [round_step(each) for each in (0.1, 3, 61, 4000, 90000)] == [1, 5, 120, 7200, 172800]


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.019, "0.02 s"),
        (7.134, "7.1 s"),
        (60, "1 min"),
        (850, "14 min 10 s"),
        (41634, "11 h 33 min"),
        (180000, "2 d 2 h"),
    ],
)
def test_durations_have_two_units(seconds: float, words: str) -> None:
    assert duration(seconds) == words
