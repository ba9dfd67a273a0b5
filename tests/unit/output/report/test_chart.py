"""The geometry of the report's chart: its time, its labels, its bars."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfcutover.output.report.chart import CHARACTER, Chart, Label, draw, place_labels, rate_text
from sfcutover.output.report.render import text_chart
from sfcutover.output.report.report import Report
from tests.unit.output.report.stories import canary_only, done, removed_by_hand, rolled_back
from tests.unit.output.report.story import NEW, NOON, OLD, Story

HOUR = 3600.0


def drawn(story: Story, width: float = 1000) -> Chart:
    return draw(Report.of(story.data()), "wide", width)


# Labels


def span(label: Label) -> tuple[float, float]:
    return label.left, label.left + len(label.text) * CHARACTER


@given(
    st.lists(st.tuples(st.floats(0, 1000), st.text("abc ", min_size=1, max_size=40)), max_size=12),
)
def test_labels_do_not_overlap(texts: list[tuple[float, str]]) -> None:
    labels = place_labels(sorted(texts), 1000)
    assert [label.text for label in labels] == [text for _, text in sorted(texts)]
    for one, other in pairwise(sorted(labels, key=lambda each: (each.level, span(each)))):
        assert one.level != other.level or span(one)[1] <= span(other)[0] + 1e-6


def test_an_earlier_label_is_above_a_later_one() -> None:
    first, second = place_labels([(10, "add-new live 12:00:09"), (20, "switch 12:00:24")], 1000)
    assert (first.level, second.level) == (1, 0)
    assert (first.left, second.left) == (10, 20)


def test_a_label_at_the_edge_is_above_its_line() -> None:
    (label,) = place_labels([(990, "rollback 12:01:35")], 1000)
    assert span(label) == pytest.approx((1000 - 17 * CHARACTER, 1000))
    assert label.x == 990


def test_every_label_of_a_wide_chart_starts_at_its_line() -> None:
    chart = drawn(rolled_back())
    assert chart.lines[-1].label.text.startswith("old restored")
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
        for top, foot in line.spans:
            assert top < foot <= chart.foot
            assert not any(start < foot and top < end for start, end in [*texts, *crossed])
        assert sum(foot - top for top, foot in line.spans) > len(texts) * 40


# Bars


def test_each_address_has_a_row_old_before_new() -> None:
    chart = drawn(done())
    assert [row.address for row in chart.rows] == [*OLD, *NEW]
    assert [row.side for row in chart.rows] == ["old", "old", "new", "new"]
    assert [row.totals["redeemed"] for row in chart.rows] == [115, 115, 535, 535]
    assert {row.peak for row in chart.rows} == {"5 per second"}
    assert chart.highest == "5 per second"


def test_the_bars_are_at_the_times_of_the_redemptions() -> None:
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


def test_blocked_redemptions_are_marked_without_color() -> None:
    chart = drawn(rolled_back(), width=1120)
    blocked = next(row for row in chart.rows if row.address == NEW[1])
    second = chart.plot / 112
    assert places(blocked.bars.paths["blocked"]) == pytest.approx(
        (80 * second, 110 * second), abs=0.1
    )
    assert blocked.totals["blocked"] == 150
    assert blocked.bars.marks[0][0] == pytest.approx(80.5 * second, abs=0.1)
    assert not any(row.bars.marks for row in chart.rows if row is not blocked)


def test_a_single_redemption_is_visible() -> None:
    story = done()
    story.traffic([100], NEW[0], count=5000)
    story.traffic([100], "192.0.2.9", count=1)
    row = next(row for row in drawn(story).rows if row.address == "192.0.2.9")
    top = float(re.findall(r"V([\d.]+)H", row.bars.paths["redeemed"])[0])
    assert row.base - top >= 2


def test_single_redemptions_look_different_from_steady_traffic() -> None:
    chart = drawn(canary_only(), width=2640)  # a second has 20 pixels
    assert chart.highest == "5 per second"
    for row in chart.rows:
        path = row.bars.paths["redeemed"]
        assert row.peak == ""
        assert all(row.base - float(top) == 8 for top in re.findall(r"V([\d.]+)H", path))
        sides = re.findall(r"M([\d.]+) .*?H([\d.]+)V", path)
        assert all(float(right) - float(left) <= 12 for left, right in sides)
    assert len(re.findall("M", chart.rows[2].bars.paths["redeemed"])) == 6
    assert "█" not in "".join(text_chart(Report.of(canary_only().data())))


def test_a_removal_by_others_is_not_drawn_as_one_of_the_run() -> None:
    labels = [line.label.text for line in drawn(removed_by_hand()).lines]
    assert "remove-old already done 12:01:34" in labels
    assert not any("remove-old live" in each for each in labels)


def test_phases_are_vertical_lines_in_the_chart() -> None:
    labels = [line.label.text for line in drawn(done()).lines]
    assert labels == [
        "add-new live 12:00:09",
        "switch 12:00:24",
        "verified 12:00:28",
        "remove-old live 12:01:06",
    ]
    kinds = {line.label.text[:8]: line.kind for line in drawn(rolled_back()).lines}
    assert kinds["rollback"] == kinds["old rest"] == "rollback"
    assert kinds["switch 1"] == "phase"


def test_a_wait_is_drawn_as_a_band_with_its_duration() -> None:
    story = done()
    story.tell(61, "paused", "remove-old", pause=1, reason="pause-before", message="next", next="")
    story.tell(62, "approved", "remove-old", pause=1, who="jo", time=NOON + 62, note=None)
    chart = drawn(story)
    assert len(chart.bands) == 1
    assert not any(line.kind == "idle" for line in chart.lines)  # too short for words
    long = Story()
    long.start()
    long.tell(60, "paused", "switch", pause=1, reason="pause-before", message="next", next="")
    chart = draw(Report.of(long.data(now=HOUR)), "wide", 1000)
    assert chart.bands[0].squeezed
    assert [line.label.text for line in chart.lines] == ["waits for approval 59 min"]


def test_a_range_is_one_row_that_names_its_addresses() -> None:
    story = Story(config={"new": [{"range": "198.51.100.0/26"}]})
    story.start()
    for number in range(64):
        story.traffic([number], f"198.51.100.{number}", count=2)
    row = drawn(story).rows[-1]
    assert [each.address for each in drawn(story).rows] == [*OLD, "198.51.100.0-198.51.100.63"]
    assert row.totals["redeemed"] == 128
    assert row.addresses == [f"198.51.100.{number}" for number in range(64)]
    assert places(row.bars.paths["redeemed"])[0] == 0


def test_a_pair_has_a_row_for_each_of_its_addresses() -> None:
    story = Story(config={"new": [{"range": "198.51.100.20/31"}]})
    story.start()
    story.traffic([1], NEW[1])
    assert [row.address for row in drawn(story).rows] == [*OLD, *NEW]


def test_an_old_and_new_address_has_a_row_of_its_own() -> None:
    config = {"old": [{"range": "192.0.2.0/28"}], "new": [{"range": "192.0.2.8-192.0.2.31"}]}
    story = Story(config=config)
    story.start()
    story.traffic([1], "192.0.2.9")
    assert [(row.address, row.side) for row in drawn(story).rows] == [
        ("192.0.2.0-192.0.2.7", "old"),
        ("192.0.2.8-192.0.2.15", "kept"),
        ("192.0.2.16-192.0.2.31", "new"),
    ]
    assert [row.totals["redeemed"] for row in drawn(story).rows] == [0, 5, 0]


def test_the_number_of_rows_is_limited() -> None:
    new = [{"range": f"198.51.100.{number}"} for number in range(60)]
    story = Story(config={"new": new})
    story.start()
    story.traffic([1], "198.51.100.0")
    assert (len(drawn(story).rows), drawn(story).left_out) == (40, 22)


# The right edge


def test_the_right_edge_is_marked_where_rows_may_still_arrive() -> None:
    """The steps that proved by LoginHistory took a second: rows may be that late."""
    story = done()
    story.traffic([129], NEW[0])  # read at 131, of a run that ends at 132
    chart = drawn(story, width=1320)
    assert chart.incomplete is not None
    assert (chart.incomplete.x, chart.incomplete.width) == (1300, 20)
    marks = text_chart(Report.of(story.data()))[-1]
    assert "░" in marks
    assert marks.endswith("rows may be missing here: they arrive late")


def test_without_a_proof_by_login_history_the_configured_wait_is_assumed() -> None:
    story = done()
    story.events = [each for each in story.events if each.step not in ("verify", "verify-new")]
    chart = drawn(story, width=1320)
    assert chart.incomplete is not None
    assert chart.incomplete.width == pytest.approx(610)  # from 60 s before the last reading at 131


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
def test_rates_have_a_suitable_unit(rate: float, words: str) -> None:
    assert rate_text(rate) == words
