"""Every difference between the expected allowlist and the live one is reported exactly once."""

from __future__ import annotations

from sfcutover.allowlist.diff import RangeDocument
from sfcutover.allowlist.drift import EntriesDriftDocument, compare_entries, component_drift
from tests.unit.allowlist.test_diff_readback import listed


def entries(*texts: str) -> list[RangeDocument]:
    """An entry for each text: its range, and after ``:`` its description."""
    parts = [text.partition(":") for text in texts]
    return [RangeDocument(range=name, description=rest or None) for name, _, rest in parts]


def names(found: list[RangeDocument]) -> list[str]:
    return [each.range for each in found]


def moves(found: EntriesDriftDocument) -> list[tuple[str, int, int]]:
    return [(each.range, each.before, each.after) for each in found.moved]


def test_a_move_ignores_the_places_of_added_and_removed_entries() -> None:
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


def test_a_duplicate_entry_is_missing_once() -> None:
    found = compare_entries(entries("a", "b", "a"), entries("a", "b"))
    assert names(found.removed) == ["a"]
    assert (found.added, moves(found)) == ([], [])
    found = compare_entries(entries("a", "b"), entries("a", "b", "a"))
    assert names(found.added) == ["a"]
    assert (found.removed, moves(found)) == ([], [])


def test_each_description_of_two_equal_ranges_is_matched_once() -> None:
    found = compare_entries(entries("a:one", "a:two"), entries("a:three", "a:four"))
    texts = [(each.before, each.after) for each in found.described]
    assert texts == [("one", "three"), ("two", "four")]
    assert (found.added, found.removed) == ([], [])


def test_the_order_of_a_component_s_entries_is_no_drift() -> None:
    (before,) = listed("203.0.113.10", "198.51.100.20").carriers
    (after,) = listed("198.51.100.20", "203.0.113.10", label="Other").carriers
    assert component_drift(before, after) == ["<label> is 'Other', not 'Acme'"]
