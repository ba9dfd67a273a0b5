from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sfcutover.allowlist.ranges import (
    Allowlist,
    IpRange,
    PartialOverlapError,
    RangeError,
    joined,
    subtract,
)
from tests.unit.strategies import (
    any_ranges,
    holds,
    is_subsequence,
    points,
    range_lists,
    ranges,
    same_addresses,
    wide_ranges,
)


def yes(_: IpRange) -> bool:
    return True


def no(_: IpRange) -> bool:
    return False


# Text


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("203.0.113.10", "203.0.113.10"),
        (" 203.0.113.10\t", "203.0.113.10"),
        ("203.0.113.8/30", "203.0.113.8-203.0.113.11"),
        ("203.0.113.8/32", "203.0.113.8"),
        ("203.0.113.10 - 203.0.113.12", "203.0.113.10-203.0.113.12"),
        ("203.0.113.10-203.0.113.10", "203.0.113.10"),
        ("2001:0DB8:0:0::1", "2001:db8::1"),
        ("2001:db8::/127", "2001:db8::-2001:db8::1"),
        ("2001:db8::1-2001:DB8::ff", "2001:db8::1-2001:db8::ff"),
        ("0.0.0.0/0", "0.0.0.0-255.255.255.255"),
        ("::/0", "::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
    ],
)
def test_a_range_has_a_canonical_text(text: str, canonical: str) -> None:
    assert str(IpRange.parse(text)) == canonical


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("300.1.1.1", "'300.1.1.1' is not an IP address"),
        ("", "'' is not an IP address"),
        ("acme.example", "'acme.example' is not an IP address"),
        ("203.0.113.010", "'203.0.113.010' is not an IP address"),
        ("٢٠٣.0.113.1", "'٢٠٣.0.113.1' is not an IP address"),
        ("203.0.113.1-", "'' in '203.0.113.1-' is not an IP address"),
        ("203.0.113.1-x", "'x' in '203.0.113.1-x' is not an IP address"),
        ("203.0.113.1-203.0.113.2-203.0.113.3", "'203.0.113.2-203.0.113.3' in "),
        ("203.0.113.9-203.0.113.8", "203.0.113.9-203.0.113.8 is reversed"),
        ("203.0.113.9-2001:db8::1", "203.0.113.9-2001:db8::1 mixes IPv4 and IPv6"),
        ("::cb00:7109-203.0.113.9", "mixes IPv4 and IPv6"),
        ("203.0.113.9/30", "'203.0.113.9/30' is not a CIDR block: 203.0.113.9/30 has host bits"),
        ("203.0.113.8/33", "'203.0.113.8/33' is not a CIDR block"),
        ("203.0.113.8/", "'203.0.113.8/' is not a CIDR block"),
        ("2001:db8::1/64", "'2001:db8::1/64' is not a CIDR block"),
        ("fe80::1%eth0", "'fe80::1%eth0' has a zone (eth0)"),
        ("fe80::1-fe80::2%eth0", "'fe80::2%eth0' has a zone (eth0)"),
        ("fe80::%eth0/64", "'fe80::%eth0/64' has a zone (eth0)"),
        ("fe80::1%eth0/128", "'fe80::1%eth0/128' has a zone (eth0)"),
    ],
)
def test_an_invalid_range_is_quoted_with_the_reason(text: str, message: str) -> None:
    with pytest.raises(RangeError) as caught:
        IpRange.parse(text)
    assert message in str(caught.value)


@given(any_ranges)
def test_the_canonical_text_parses_as_the_same_range(entry: IpRange) -> None:
    assert IpRange.parse(str(entry), entry.description) == entry


@given(st.ip_addresses(v=4) | st.ip_addresses(v=6))
def test_every_address_is_a_range_of_one(
    single: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> None:
    entry = IpRange.parse(str(single))
    assert (entry.start, entry.end, entry.size) == (single, single, 1)


@given(any_ranges, any_ranges)
@example(*ranges("203.0.113.1", "203.0.113.0-203.0.113.1"))
@example(*ranges("203.0.113.1", "203.0.113.1-203.0.113.2"))
def test_contains_and_overlaps_agree_with_the_integers(one: IpRange, other: IpRange) -> None:
    shared = [point for point in points([one], [other]) if holds([one], point)]
    assert one.overlaps(other) == any(holds([other], point) for point in shared)
    assert one.contains(other) == all(
        holds([one], point) for point in points([other]) if holds([other], point)
    )


# Lists


@given(range_lists, range_lists)
def test_subtract_leaves_the_difference(
    wanted: Sequence[IpRange], removed: Sequence[IpRange]
) -> None:
    rest = subtract(wanted, removed)
    for point in points(wanted, removed, rest):
        assert holds(rest, point) == (holds(wanted, point) and not holds(removed, point))


@given(range_lists, range_lists)
def test_subtract_keeps_order_and_descriptions(
    wanted: Sequence[IpRange], removed: Sequence[IpRange]
) -> None:
    expected = [part for entry in wanted for part in subtract([entry], removed)]
    assert list(subtract(wanted, removed)) == expected
    for entry in wanted:
        parts = subtract([entry], removed)
        assert all(part.description == entry.description for part in parts)
        assert list(parts) == sorted(parts, key=lambda part: int(part.start))
        assert not any(one.overlaps(two) for one in parts for two in parts if one is not two)


@given(range_lists, range_lists)
def test_add_appends_missing_ranges_and_moves_no_entry(
    live: list[IpRange], new: list[IpRange]
) -> None:
    before = Allowlist(tuple(live))
    after = before.add(new)
    assert after.ranges[: len(live)] == tuple(live)
    assert same_addresses(after, [*live, *new])
    appended = after.ranges[len(live) :]
    for position, entry in enumerate(appended):
        others = [*live, *appended[:position]]
        assert not any(entry.overlaps(other) for other in others)


@given(range_lists, range_lists)
def test_adding_twice_changes_nothing(live: list[IpRange], new: list[IpRange]) -> None:
    once = Allowlist(tuple(live)).add(new)
    assert once.add(new) == once


@given(range_lists, range_lists)
def test_covers_means_that_nothing_is_uncovered(live: list[IpRange], wanted: list[IpRange]) -> None:
    allowlist = Allowlist(tuple(live))
    missing = [
        point for point in points(live, wanted) if holds(wanted, point) and not holds(live, point)
    ]
    assert allowlist.covers(wanted) == (not missing)
    assert all(holds(allowlist.uncovered(wanted), point) for point in missing)


@given(range_lists, range_lists)
def test_unaffected_entries_stay_the_same_objects_in_order(
    live: list[IpRange], removed: list[IpRange]
) -> None:
    after = Allowlist(tuple(live)).subtract(removed, yes)
    untouched = [entry for entry in live if not any(entry.overlaps(each) for each in removed)]
    assert is_subsequence(untouched, after)
    assert not any(entry.overlaps(each) for entry in after for each in removed)


@given(range_lists, range_lists)
def test_without_permission_no_entry_is_ever_split(
    live: list[IpRange], removed: list[IpRange]
) -> None:
    allowlist = Allowlist(tuple(live))
    partly = [entry for entry in live if subtract([entry], removed) not in ((), (entry,))]
    if partly:
        with pytest.raises(PartialOverlapError) as caught:
            allowlist.subtract(removed, no)
        assert caught.value.entry == partly[0]
        assert same_addresses(caught.value.remainder, subtract([partly[0]], removed))
    else:
        assert is_subsequence(allowlist.subtract(removed, no), live)


@given(wide_ranges)
def test_a_hole_in_the_middle_of_a_wide_entry_leaves_its_two_sides(wide: IpRange) -> None:
    hole = IpRange(wide.start + 1, wide.start + 1) if wide.size > 2 else wide
    parts = subtract([wide], [hole])
    assert sum(part.size for part in parts) == wide.size - hole.size
    assert same_addresses([*parts, hole], [wide])


def test_adjacent_removals_leave_no_remainder_between_them() -> None:
    removed = ranges("203.0.113.0/25", "203.0.113.128-203.0.113.200", "203.0.113.201/32")
    assert subtract(ranges("203.0.113.0/24"), removed) == ranges("203.0.113.202-203.0.113.255")


@given(range_lists)
def test_joined_ranges_hold_the_same_addresses_and_do_not_touch(entries: list[IpRange]) -> None:
    result = joined(entries)
    assert same_addresses(result, entries)
    assert list(result) == sorted(result, key=lambda each: each.span)
    assert not any(
        one.span[0] == other.span[0] and other.span[1] <= one.span[2] + 1
        for one, other in pairwise(result)
    )


def test_adjacent_and_contained_ranges_are_joined_within_a_family() -> None:
    described = IpRange.parse("203.0.113.4", "proxy")
    assert joined([described, *ranges("203.0.113.2", "203.0.113.0-203.0.113.1")]) == ranges(
        "203.0.113.0-203.0.113.2", "203.0.113.4"
    )
    assert joined(ranges("203.0.113.0/24", "203.0.113.7")) == ranges("203.0.113.0/24")
    families = ranges("255.255.255.255", "::1:0:0")
    assert joined(families) == families


def test_equal_numbers_of_two_families_are_different_addresses() -> None:
    (four,), (six,) = ranges("0.0.0.1"), ranges("::1")
    assert not four.overlaps(six)
    assert not six.contains(four)
    assert Allowlist((four,)).uncovered([six]) == (six,)
    assert Allowlist((four,)).subtract([six], no) == Allowlist((four,))


def test_the_parts_of_a_split_entry_keep_its_description_and_unknown_elements() -> None:
    extra = (("note", "<note>x</note>"),)
    (bare,) = ranges("203.0.113.0/30")
    entry = IpRange(bare.start, bare.end, "office", extra)
    after = Allowlist((entry,)).subtract(ranges("203.0.113.1"), yes)
    assert [str(part) for part in after] == ["203.0.113.0", "203.0.113.2-203.0.113.3"]
    assert {(part.description, part.extra) for part in after} == {("office", extra)}


def test_addresses_of_overlapping_entries_are_counted_repeatedly() -> None:
    assert Allowlist(ranges("203.0.113.0/24", "203.0.113.7")).address_count == 257


def test_the_widest_range_is_counted_exactly() -> None:
    assert Allowlist(ranges("::/0")).address_count == 2**128
