"""The geometry of the report's chart: its time, its labels, its bars."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfcutover.report.bars import rate_text
from sfcutover.report.chart import Chart, draw
from sfcutover.report.document import Report
from sfcutover.report.durations import duration
from sfcutover.report.labels import CHARACTER, Label, place_labels
from sfcutover.report.textchart import text_chart
from sfcutover.report.timeline import Quiet
from sfcutover.report.timescale import TimeScale, nice_step
from tests.unit.reporting import (
    NEW,
    NOON,
    OLD,
    Story,
    canary_only,
    done,
    removed_by_hand,
    rolled_back,
)

HOUR = 3600.0


def drawn(story: Story, width: float = 1000) -> Chart:
    return draw(Report.of(story.facts()), "wide", width)


def scales() -> st.SearchStrategy[TimeScale]:
    """Any run of up to three days, with waits anywhere in it."""
    moment = st.floats(0, 3 * 86400, allow_nan=False)
    wait = st.tuples(moment, moment).map(lambda pair: Quiet(min(pair), max(pair), "waits"))
    waits = st.lists(wait, max_size=4).map(lambda found: sorted(found, key=lambda q: q.start))
    return st.builds(lambda end, quiet: TimeScale.of(0, end, quiet), moment, waits)


# Time


@given(scales(), st.lists(st.floats(0, 3 * 86400), max_size=9))
def test_later_is_never_further_left(scale: TimeScale, times: list[float]) -> None:
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
def test_ticks_are_apart(scale: TimeScale, count: int) -> None:
    places = [scale.x(tick) for tick in scale.ticks(count)]
    assert len(places) <= count + 1
    assert all(after - before >= 1 / count - 1e-9 for before, after in pairwise(places))


def test_a_night_does_not_squeeze_the_minutes_around_it() -> None:
    night = Quiet(600, 600 + 11 * HOUR, "waits for a person")
    scale = TimeScale.of(0, 1200 + 11 * HOUR, [night])
    assert [each.squeezed for each in scale.pieces] == [False, True, False]
    assert scale.x(600) == pytest.approx(5 / 12)
    assert scale.x(night.end) == pytest.approx(7 / 12)
    plain = TimeScale.of(0, 1200 + 11 * HOUR)
    assert plain.x(600) < 0.02


def test_a_short_wait_is_to_scale() -> None:
    scale = TimeScale.of(0, 100, [Quiet(40, 60, "waits for a person")])
    assert [each.squeezed for each in scale.pieces] == [False]
    assert scale.x(50) == pytest.approx(0.5)


def test_a_run_of_no_time_can_be_drawn() -> None:
    assert TimeScale.of(5.5, 5.5).bins(100) == TimeScale.of(5, 6).bins(1)


def test_steps_are_those_of_a_clock() -> None:
    assert [nice_step(each) for each in (0.1, 3, 61, 4000, 90000)] == [1, 5, 120, 7200, 172800]


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


# Labels


def span(label: Label) -> tuple[float, float]:
    return label.left, label.left + len(label.text) * CHARACTER


@given(
    st.lists(st.tuples(st.floats(0, 1000), st.text("abc ", min_size=1, max_size=40)), max_size=12),
)
def test_no_label_lies_on_another(texts: list[tuple[float, str]]) -> None:
    labels = place_labels(sorted(texts), 1000)
    assert [label.text for label in labels] == [text for _, text in sorted(texts)]
    for one, other in pairwise(sorted(labels, key=lambda each: (each.level, span(each)))):
        assert one.level != other.level or span(one)[1] <= span(other)[0] + 1e-6


def test_an_earlier_label_stands_above_a_later_one() -> None:
    first, second = place_labels([(10, "add-new live 12:00:09"), (20, "switch 12:00:24")], 1000)
    assert (first.level, second.level) == (1, 0)
    assert (first.left, second.left) == (10, 20)


def test_a_label_at_the_edge_stands_above_its_line() -> None:
    (label,) = place_labels([(990, "rollback 12:01:35")], 1000)
    assert span(label) == pytest.approx((1000 - 17 * CHARACTER, 1000))
    assert label.x == 990


def test_every_label_of_a_wide_chart_begins_at_its_line() -> None:
    chart = drawn(rolled_back())
    assert chart.lines[-1].label.text.startswith("old back on the list")
    assert all(line.label.left == pytest.approx(line.label.x) for line in chart.lines)
    assert 750 <= chart.plot < 1000
    assert drawn(rolled_back(), width=340).plot == 340


@pytest.mark.parametrize("width", [340, 640, 1000])
def test_no_line_crosses_a_text(width: float) -> None:
    chart = drawn(rolled_back(), width)
    texts = [(row.top, row.clear) for row in chart.rows]
    for line in chart.lines:
        crossed = [
            (other.y - 9, other.y)
            for other in chart.lines
            if other is not line and span(other.label)[0] < line.label.x < span(other.label)[1]
        ]
        for top, foot in line.parts:
            assert top < foot <= chart.foot
            assert not any(start < foot and top < end for start, end in [*texts, *crossed])
        assert sum(foot - top for top, foot in line.parts) > len(texts) * 40


# Bars


def test_each_address_has_a_row_old_before_new() -> None:
    chart = drawn(done())
    assert [row.address for row in chart.rows] == [*OLD, *NEW]
    assert [row.side for row in chart.rows] == ["old", "old", "new", "new"]
    assert [row.totals["redeemed"] for row in chart.rows] == [115, 115, 535, 535]
    assert {row.peak for row in chart.rows} == {"5 per second"}
    assert chart.highest == "5 per second"


def test_the_bars_stand_where_the_redemptions_were() -> None:
    chart = drawn(done(), width=1320)  # ten pixels a second
    old, new = chart.rows[0].bars.paths["redeemed"], chart.rows[2].bars.paths["redeemed"]
    assert places(old) == (0, 230)
    assert places(new) == (230, 1300)
    top = float(re.findall(r"V([\d.]+)H", old)[0])
    assert chart.rows[0].base - top == pytest.approx(40)


def places(path: str) -> tuple[float, float]:
    """The left and the right end of a path's bars."""
    lefts = [float(each) for each in re.findall(r"M([\d.]+) ", path)]
    rights = [float(each) for each in re.findall(r"H([\d.]+)V", path)]
    return min(lefts), max(rights)


def test_blocked_redemptions_are_told_apart_without_colour() -> None:
    chart = drawn(rolled_back(), width=1120)
    blocked = next(row for row in chart.rows if row.address == NEW[1])
    second = chart.plot / 112
    assert places(blocked.bars.paths["blocked"]) == pytest.approx(
        (80 * second, 110 * second), abs=0.1
    )
    assert blocked.totals["blocked"] == 150
    assert blocked.bars.marks[0][0] == pytest.approx(80.5 * second, abs=0.1)
    assert not any(row.bars.marks for row in chart.rows if row is not blocked)


def test_a_single_redemption_can_be_seen() -> None:
    story = done()
    story.traffic([100], NEW[0], count=5000)
    story.traffic([100], "192.0.2.9", count=1)
    row = next(row for row in drawn(story).rows if row.address == "192.0.2.9")
    top = float(re.findall(r"V([\d.]+)H", row.bars.paths["redeemed"])[0])
    assert row.base - top >= 2


def test_single_redemptions_do_not_look_like_steady_traffic() -> None:
    chart = drawn(canary_only(), width=2640)  # a second has 20 pixels
    assert chart.highest == "5 per second"
    for row in chart.rows:
        path = row.bars.paths["redeemed"]
        assert row.peak == ""
        assert all(row.base - float(top) == 8 for top in re.findall(r"V([\d.]+)H", path))
        sides = re.findall(r"M([\d.]+) .*?H([\d.]+)V", path)
        assert all(float(right) - float(left) <= 12 for left, right in sides)
    assert len(re.findall("M", chart.rows[2].bars.paths["redeemed"])) == 6
    assert "█" not in "".join(text_chart(Report.of(canary_only().facts())))


def test_a_removal_that_was_found_is_not_drawn_as_the_runs_own() -> None:
    labels = [line.label.text for line in drawn(removed_by_hand()).lines]
    assert "remove-old found so 12:01:34" in labels
    assert not any("remove-old live" in each for each in labels)


def test_the_phases_cut_the_chart() -> None:
    labels = [line.label.text for line in drawn(done()).lines]
    assert labels == [
        "add-new live 12:00:09",
        "switch 12:00:24",
        "verified 12:00:28",
        "remove-old live 12:01:06",
    ]
    kinds = {line.label.text[:8]: line.kind for line in drawn(rolled_back()).lines}
    assert kinds["rollback"] == kinds["old back"] == "rollback"
    assert kinds["switch 1"] == "phase"


def test_a_wait_is_a_band_with_its_length() -> None:
    story = done()
    story.tell(61, "paused", "remove-old", pause=1, reason="pause-before", message="next", next="")
    story.tell(62, "approved", "remove-old", pause=1, who="jo", time=NOON + 62, note=None)
    chart = drawn(story)
    assert len(chart.bands) == 1
    assert not any(line.kind == "quiet" for line in chart.lines)  # too short for words
    long = Story()
    long.begin()
    long.tell(60, "paused", "switch", pause=1, reason="pause-before", message="next", next="")
    chart = draw(Report.of(long.facts(now=HOUR)), "wide", 1000)
    assert chart.bands[0].squeezed
    assert [line.label.text for line in chart.lines] == ["waits for a person 59 min"]


def test_a_run_without_traffic_has_empty_rows() -> None:
    story = Story()
    story.begin()
    chart = drawn(story)
    assert [row.address for row in chart.rows] == [*OLD, *NEW]
    assert not any("".join(row.bars.paths.values()) for row in chart.rows)


def test_a_large_range_has_a_row_for_what_came_and_many_addresses_end_somewhere() -> None:
    story = Story(config={"new": [{"range": "198.51.100.0-198.51.100.127"}]})
    story.begin()
    assert [row.address for row in drawn(story).rows][2:] == ["198.51.100.0-198.51.100.127"]
    for number in range(60):
        story.traffic([number], f"198.51.100.{number}")
    chart = drawn(story)
    assert len(chart.rows) == 40
    assert chart.left_out == 22


def test_addresses_of_others_share_a_row() -> None:
    story = done()
    for number in range(5):
        story.traffic([number], f"192.0.2.{number}")
    row = drawn(story).rows[-1]
    assert (row.address, row.side) == ("5 other addresses", "other")
    assert row.totals["redeemed"] == 25


@pytest.mark.parametrize(
    ("rate", "words"),
    [(13.04, "13 per second"), (1234.5, "1,234 per second"), (0.2, "12 per minute")],
)
def test_rates_are_told_in_their_own_unit(rate: float, words: str) -> None:
    assert rate_text(rate) == words


# As text


def test_the_text_chart_says_the_same() -> None:
    lines = text_chart(Report.of(rolled_back().facts()))
    ruler, *rows = [line[19:] for line in lines]
    assert ruler.split() == ["1", "2", "3", "4", "5", "6"]
    assert [line[:19].strip() for line in lines[1:]] == [
        f"{OLD[0]} old",
        f"{OLD[1]} old",
        f"{NEW[0]} new",
        f"{NEW[1]} new",
        "blocked",
    ]
    assert rows[0].startswith("█████")
    assert set(rows[1].split()[0]) == {"·"}
    blocked = rows[4].index("x")
    assert rows[4].endswith("150 blocked")
    assert ruler.index("4") < blocked < ruler.index("5")
