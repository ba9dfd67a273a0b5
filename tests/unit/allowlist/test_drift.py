"""Every difference between the expected list and the live one has one place in the answer."""

from __future__ import annotations

from sfcutover.allowlist.diff import RangeDocument
from sfcutover.allowlist.drift import EntriesDriftDocument, compare_entries


def entries(*texts: str) -> list[RangeDocument]:
    """An entry a text: its range, and behind ``:`` its description."""
    parts = [text.partition(":") for text in texts]
    return [RangeDocument(range=name, description=rest or None) for name, _, rest in parts]


def names(found: list[RangeDocument]) -> list[str]:
    return [each.range for each in found]


def moves(found: EntriesDriftDocument) -> list[tuple[str, int, int]]:
    return [(each.range, each.before, each.after) for each in found.moved]


def test_a_move_counts_the_places_of_entries_that_came_or_went() -> None:
    found = compare_entries(entries("gone", "a", "b", "c"), entries("c", "new", "a", "b"))
    assert names(found.added) == ["new"]
    assert names(found.removed) == ["gone"]
    assert found.described == []
    assert moves(found) == [("c", 4, 1)]


def test_entries_that_keep_their_order_have_not_moved() -> None:
    found = compare_entries(entries("gone", "a", "b"), entries("a", "new", "b"))
    assert moves(found) == []


def test_a_changed_description_is_neither_added_nor_removed() -> None:
    found = compare_entries(entries("a:one", "b", "gone"), entries("new", "b", "a:two"))
    [described] = found.described
    assert (described.range, described.before, described.after) == ("a", "one", "two")
    assert (names(found.added), names(found.removed)) == (["new"], ["gone"])


def test_an_entry_that_is_there_twice_is_missed_once() -> None:
    found = compare_entries(entries("a", "b", "a"), entries("a", "b"))
    assert names(found.removed) == ["a"]
    assert (found.added, moves(found)) == ([], [])
    found = compare_entries(entries("a", "b"), entries("a", "b", "a"))
    assert names(found.added) == ["a"]
    assert (found.removed, moves(found)) == ([], [])


def test_of_two_equal_ranges_each_description_is_met_once() -> None:
    found = compare_entries(entries("a:one", "a:two"), entries("a:three", "a:four"))
    texts = [(each.before, each.after) for each in found.described]
    assert texts == [("one", "three"), ("two", "four")]
    assert (found.added, found.removed) == ([], [])
