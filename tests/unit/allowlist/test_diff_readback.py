"""The read back: the live component compared with the deployed one."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfcutover.allowlist.carriers import CARRIERS, OAUTH_POLICIES
from sfcutover.allowlist.component import Component, Field
from sfcutover.allowlist.diff import ReadBack, read_back
from sfcutover.allowlist.ranges import Allowlist, IpRange, subtract
from sfcutover.allowlist.snapshot import Snapshot
from tests.unit.strategies import described_ranges

allowlists = st.lists(described_ranges(), max_size=6).map(lambda found: Allowlist(tuple(found)))
CARRIER = CARRIERS["token-ip-ranges"]
OFFICE = IpRange.parse("192.0.2.64-192.0.2.71", "office VPN")


def listed(*entries: str | IpRange, label: str = "Acme") -> Snapshot:
    ranges = tuple(IpRange.parse(each) if isinstance(each, str) else each for each in entries)
    fields = (Field.of_text("label", label),)
    component = Component(CARRIER.component_type, "Acme", fields, CARRIER, Allowlist(ranges))
    return Snapshot((component,))


def with_policies(snapshot: Snapshot, **values: str) -> Snapshot:
    fields = tuple(Field.of_text(name, text) for name, text in values.items())
    return Snapshot(snapshot.carriers, Component(OAUTH_POLICIES, "Acme_plcy", fields))


def compared(
    wanted: Snapshot, live: Snapshot, *set_fields: str, start: Snapshot | None = None
) -> ReadBack:
    return read_back(start or wanted, wanted, live, frozenset(set_fields))


WANTED = listed("203.0.113.10", OFFICE, "198.51.100.20")


def test_an_equal_component_is_saved() -> None:
    state = compared(WANTED, WANTED)
    assert state.taken
    assert state.blocking == state.cosmetic == ()
    assert state.live is WANTED


@given(allowlists, st.randoms())
def test_another_order_is_equal(allowlist: Allowlist, random: Random) -> None:
    entries = list(allowlist)
    random.shuffle(entries)
    state = compared(listed(*allowlist), listed(*entries))
    assert state.taken
    assert state.cosmetic == ()


@given(allowlists, allowlists, allowlists)
def test_a_list_is_saved_if_nothing_is_missing_and_nothing_remains(
    start: Allowlist, wanted: Allowlist, live: Allowlist
) -> None:
    state = compared(listed(*wanted), listed(*live), start=listed(*start))
    should_be_gone = subtract(start, wanted)
    is_there = any(entry.overlaps(gone) for entry in live for gone in should_be_gone)
    assert state.taken == (live.covers(wanted) and not is_there)


@given(allowlists, allowlists)
def test_only_equal_addresses_are_reported_as_equal(wanted: Allowlist, live: Allowlist) -> None:
    state = compared(listed(*wanted), listed(*live))
    told = [each for each in (*state.blocking, *state.cosmetic) if each.missing or each.foreign]
    assert (not told) == (wanted.covers(live) and live.covers(wanted))


def test_a_missing_address_blocks_and_is_named() -> None:
    state = compared(WANTED, listed("203.0.113.10", OFFICE))
    assert not state.taken
    assert [str(each) for each in state.blocking[0].missing] == ["198.51.100.20"]
    assert "missing 198.51.100.20" in str(state.blocking[0])


def test_an_address_that_remains_blocks_and_is_named() -> None:
    before = listed("203.0.113.10", "198.51.100.20")
    state = compared(listed("198.51.100.20"), before, start=before)
    assert not state.taken
    assert "still there 203.0.113.10" in str(state.blocking[0])


def test_an_address_that_another_user_added_is_reported_and_does_not_block() -> None:
    live = listed(*WANTED.carriers[0].allowlist, "192.0.2.1")
    state = compared(WANTED, live)
    assert state.taken
    assert "added by other users meanwhile 192.0.2.1" in str(state.cosmetic[0])


def test_a_missing_part_of_a_range_is_named() -> None:
    live = listed("203.0.113.10", "192.0.2.64-192.0.2.69", "198.51.100.20")
    assert "missing 192.0.2.70-192.0.2.71" in str(compared(WANTED, live).blocking[0])


def test_adjacent_entries_that_the_org_joined_are_saved() -> None:
    state = compared(listed("203.0.113.10", "203.0.113.11"), listed("203.0.113.10-203.0.113.11"))
    assert state.taken


def test_a_lost_description_is_reported_and_does_not_block() -> None:
    plain = IpRange(OFFICE.start, OFFICE.end)
    state = compared(WANTED, listed("203.0.113.10", plain, "198.51.100.20"))
    assert state.taken
    assert "192.0.2.64-192.0.2.71 has another description" in str(state.cosmetic[0])


def test_another_changed_field_is_reported_and_does_not_block() -> None:
    state = compared(WANTED, listed(*WANTED.carriers[0].allowlist, label="Renamed"))
    assert state.taken
    assert "<label> is 'Renamed', not 'Acme'" in str(state.cosmetic[0])


def test_a_missing_component_blocks() -> None:
    state = compared(WANTED, Snapshot(()))
    assert not state.taken
    assert state.blocking[0].missing == WANTED.carriers[0].allowlist.ranges


@pytest.mark.parametrize(
    ("live", "taken"), [("Bypass", True), ("Enforce", False), ("bypass", False), ("", False)]
)
def test_a_policy_that_the_cutover_sets_must_be_saved(live: str, taken: bool) -> None:
    wanted = with_policies(WANTED, ipRelaxationPolicyType="Bypass")
    state = compared(
        wanted, with_policies(WANTED, ipRelaxationPolicyType=live), "ipRelaxationPolicyType"
    )
    assert state.taken is taken


def test_a_missing_policy_that_the_cutover_sets_blocks() -> None:
    wanted = with_policies(WANTED, ipRelaxationPolicyType="Bypass")
    assert not compared(wanted, with_policies(WANTED), "ipRelaxationPolicyType").taken


def test_another_policy_that_the_org_changed_does_not_block() -> None:
    wanted = with_policies(WANTED, startUrl="a", ipRelaxationPolicyType="Bypass")
    live = with_policies(WANTED, startUrl="b", ipRelaxationPolicyType="Bypass")
    state = compared(wanted, live, "ipRelaxationPolicyType")
    assert state.taken
    assert len(state.cosmetic) == 1
