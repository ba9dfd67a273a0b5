from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfcutover.allowlist.component import Component, Field
from sfcutover.allowlist.diff import compare
from sfcutover.allowlist.phases import Phase, apply_phase
from sfcutover.allowlist.ranges import Allowlist, IpRange
from tests.unit.strategies import TOKEN_RANGES, Cutover, components, cutovers, ranges

A, B, C, D = ranges("203.0.113.1", "203.0.113.2", "203.0.113.3", "203.0.113.4")


def of(*entries: IpRange, fields: tuple[Field, ...] = ()) -> Component:
    return Component(TOKEN_RANGES.component_type, "Acme", fields, TOKEN_RANGES, Allowlist(entries))


def lines(before: Component, after: Component) -> list[str]:
    return [f"{line.sign}{line.entry}" for line in compare(before, after).lines]


@given(components)
def test_a_component_does_not_differ_from_itself(component: Component) -> None:
    diff = compare(component, component)
    assert not diff.changed
    assert [line.entry for line in diff.lines] == list(component.allowlist)


# Drawn from a few entries, so that they repeat and move.
few = st.lists(st.sampled_from([A, B, C, D]), max_size=6)


@given(few, few)
def test_added_and_removed_are_the_difference_and_nothing_else(
    before: list[IpRange], after: list[IpRange]
) -> None:
    diff = compare(of(*before), of(*after))
    assert Counter(diff.removed) == Counter(before) - Counter(after)
    assert Counter(diff.added) == Counter(after) - Counter(before)
    assert diff.changed == (Counter(before) != Counter(after))


@given(few, few)
def test_the_lines_that_are_not_removed_are_the_resulting_list(
    before: list[IpRange], after: list[IpRange]
) -> None:
    diff = compare(of(*before), of(*after))
    assert [line.entry for line in diff.lines if line.sign != "-"] == after
    assert Counter(line.entry for line in diff.lines if line.sign != "+") == Counter(before)


@given(cutovers())
def test_add_new_shows_exactly_the_new_lines_as_added(cutover: Cutover) -> None:
    before = of(*cutover.baseline)
    after = before.with_allowlist(apply_phase(Phase.ADD_NEW, cutover.baseline, cutover.change))
    diff = compare(before, after)
    assert diff.removed == ()
    assert diff.added == after.allowlist.ranges[len(cutover.baseline) :]


def test_a_change_of_order_alone_is_no_difference() -> None:
    assert lines(of(A, B, C), of(C, A, B)) == [f" {C}", f" {A}", f" {B}"]


def test_an_entry_moved_by_another_change_is_not_shown_as_removed() -> None:
    assert lines(of(A, B), of(B, A, C)) == [f" {B}", f" {A}", f"+{C}"]


def test_removed_lines_are_shown_at_their_places() -> None:
    assert lines(of(A, B, C), of(A, C, D)) == [f" {A}", f"-{B}", f" {C}", f"+{D}"]


def test_a_changed_description_is_a_change() -> None:
    diff = compare(of(A), of(replace(A, description="")))
    assert diff.removed == (A,)
    assert diff.added == (replace(A, description=""),)


@pytest.mark.parametrize(
    ("before", "after", "change"),
    [
        ([], ["<a/>"], ("a", None, "")),
        (["<a>1</a>"], [], ("a", "1", None)),
        (["<a>1</a>"], ["<a>2</a>"], ("a", "1", "2")),
        (["<a>1</a>"], ["<a/>"], ("a", "1", "")),
        (["<a>1</a>"], ["<a>1</a>", "<a/>"], ("a", "1", "<a>1</a><a/>")),
        (
            ["<a>12</a>", "<a>3</a>"],
            ["<a>1</a>", "<a>23</a>"],
            ("a", "<a>12</a><a>3</a>", "<a>1</a><a>23</a>"),
        ),
        (
            ["<a>1</a>", "<a>2</a>"],
            ["<a>2</a>", "<a>1</a>"],
            ("a", "<a>1</a><a>2</a>", "<a>2</a><a>1</a>"),
        ),
    ],
)
def test_a_changed_field_shows_both_contents(
    before: list[str], after: list[str], change: tuple[str, str | None, str | None]
) -> None:
    same = Field("b", "<b>same</b>")
    diff = compare(
        of(A, fields=(*(Field("a", xml) for xml in before), same)),
        of(A, fields=(*(Field("a", xml) for xml in after), same)),
    )
    assert [(each.name, each.before, each.after) for each in diff.fields] == [change]
    assert diff.changed


def test_another_spelling_of_the_same_content_is_no_change() -> None:
    plain = of(fields=(Field("a", "<a>1</a>"),))
    assert not compare(plain, of(fields=(Field("a", '<a xmlns:x="urn:x">1</a>'),))).changed


def test_changed_fields_are_sorted_by_name() -> None:
    diff = compare(of(), of(fields=(Field("b", "<b/>"), Field("a", "<a/>"))))
    assert [change.name for change in diff.fields] == ["a", "b"]


def test_the_capacity_is_that_of_the_resulting_list() -> None:
    capacity = compare(of(A), of(*ranges("203.0.113.0/28"), A)).capacity
    assert (capacity.ranges, capacity.addresses) == (2, 17)
    assert (capacity.max_ranges, capacity.max_addresses) == (128, 256)
