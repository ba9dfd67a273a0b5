from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfcutover.allowlist.carriers import (
    CARRIERS,
    CONNECTED_APP_RANGES,
    TRUSTED_IP_RANGES,
    Carrier,
)
from sfcutover.allowlist.component import Component
from sfcutover.allowlist.phases import Change, Phase, apply_phase, check_order, notes_on
from sfcutover.allowlist.ranges import Allowlist, IpRange, subtract
from sfcutover.allowlist.snapshot import Snapshot
from sfcutover.errors import ConfigError, DriftError, ExitCode, LimitError
from tests.unit.strategies import (
    Cutover,
    cutovers,
    holds,
    is_subsequence,
    points,
    ranges,
    same_addresses,
)

OLD, NEW = ranges("203.0.113.10", "203.0.113.11"), ranges("198.51.100.20", "198.51.100.21")
OFFICE = IpRange.parse("192.0.2.0/28", "office VPN")
BASELINE = Allowlist((OLD[0], OFFICE, OLD[1]))
CHANGE = Change(OLD, NEW)


def texts(allowlist: Allowlist) -> list[str]:
    return [str(entry) for entry in allowlist]


def listed(*texts_: str) -> Allowlist:
    return Allowlist(ranges(*texts_))


def on(*lists: Allowlist, carriers: Sequence[Carrier] = tuple(CARRIERS.values())) -> Snapshot:
    """Components with these lists."""
    return Snapshot(
        tuple(
            Component(carrier.component_type, "Acme", (), carrier, allowlist)
            for carrier, allowlist in zip(carriers, lists, strict=False)
        )
    )


# Properties of every cutover


@given(cutovers())
def test_add_new_covers_exactly_the_baseline_and_the_new_addresses(cutover: Cutover) -> None:
    after = apply_phase(Phase.ADD_NEW, cutover.baseline, cutover.change)
    assert after.covers(cutover.baseline)
    assert after.covers(cutover.change.new)
    assert same_addresses(after, [*cutover.baseline, *cutover.change.new])


@given(cutovers())
def test_add_new_leaves_every_entry_unchanged_in_place(cutover: Cutover) -> None:
    after = apply_phase(Phase.ADD_NEW, cutover.baseline, cutover.change)
    assert after.ranges[: len(cutover.baseline)] == cutover.baseline.ranges


@given(cutovers(), st.booleans())
def test_remove_old_covers_the_new_addresses_and_those_of_others(
    cutover: Cutover, already_added: bool
) -> None:
    baseline, change = cutover.baseline, cutover.change
    start = apply_phase(Phase.ADD_NEW, baseline, change) if already_added else baseline
    after = apply_phase(Phase.REMOVE_OLD, start, change)
    assert after.covers(change.new)
    for point in points(baseline, change.old, change.new, after):
        kept = holds(baseline, point) and not holds(change.old, point)
        assert holds(after, point) == (kept or holds(change.new, point))


@given(cutovers())
def test_remove_old_leaves_entries_of_others_unchanged_in_order(cutover: Cutover) -> None:
    after = apply_phase(Phase.REMOVE_OLD, cutover.baseline, cutover.change)
    unrelated = [
        entry
        for entry in cutover.baseline
        if not any(entry.overlaps(each) for each in cutover.change.old)
    ]
    assert is_subsequence(unrelated, after)


@given(cutovers(split=False))
def test_an_entry_that_is_partly_old_is_never_split_by_default(cutover: Cutover) -> None:
    baseline, change = cutover.baseline, cutover.change
    gone = subtract(change.old, change.new)
    must_split = [
        entry
        for entry in apply_phase(Phase.ADD_NEW, baseline, change)
        if subtract([entry], gone) not in ((), (entry,)) and subtract([entry], change.old)
    ]
    if must_split:
        with pytest.raises(ConfigError, match=str(must_split[0])):
            apply_phase(Phase.REMOVE_OLD, baseline, change)
    else:
        allowed = Change(change.old, change.new, split_ranges=True)
        assert apply_phase(Phase.REMOVE_OLD, baseline, change) == apply_phase(
            Phase.REMOVE_OLD, baseline, allowed
        )


@given(cutovers(), st.booleans())
def test_restore_old_after_remove_old_covers_the_baseline_and_the_new_addresses(
    cutover: Cutover, baseline_known: bool
) -> None:
    baseline, change = cutover.baseline, cutover.change
    removed = apply_phase(Phase.REMOVE_OLD, baseline, change)
    restored = apply_phase(Phase.RESTORE_OLD, removed, change, baseline if baseline_known else None)
    assert restored.covers(baseline)
    assert restored.covers(change.old)
    assert restored.covers(change.new)
    if not baseline_known:
        assert restored.ranges[: len(removed)] == removed.ranges


@given(cutovers())
def test_rollbacks_restore_the_baseline_with_its_order_and_descriptions(
    cutover: Cutover,
) -> None:
    change = cutover.change
    baseline = Allowlist().add((*cutover.baseline, *change.old))  # no two of them overlap
    removed = apply_phase(Phase.REMOVE_OLD, baseline, change)
    restored = apply_phase(Phase.RESTORE_OLD, removed, change, baseline)
    assert apply_phase(Phase.REMOVE_NEW, restored, change, baseline) == baseline


@given(cutovers())
def test_restore_old_moves_no_entry_of_others(cutover: Cutover) -> None:
    baseline, change = cutover.baseline, cutover.change
    colleague = IpRange.parse("2001:db8:ffff::1", "a colleague's")
    removed = apply_phase(Phase.REMOVE_OLD, baseline, change)
    live = Allowlist((*removed.ranges[:1], colleague, *removed.ranges[1:]))
    restored = apply_phase(Phase.RESTORE_OLD, live, change, baseline)
    kept = [entry for entry in restored if entry in live.ranges]
    assert kept == [entry for entry in live if entry in restored.ranges]
    assert colleague in kept


@given(cutovers())
def test_restore_old_is_allowed_on_any_list_and_removes_nothing(cutover: Cutover) -> None:
    check_order(Phase.RESTORE_OLD, on(cutover.baseline), cutover.change)
    restored = apply_phase(Phase.RESTORE_OLD, cutover.baseline, cutover.change)
    assert restored.ranges[: len(cutover.baseline)] == cutover.baseline.ranges
    assert same_addresses(restored, [*cutover.baseline, *cutover.change.old])


@given(cutovers(split=False, old_is_live=True))
def test_remove_new_after_add_new_restores_exactly_the_baseline(cutover: Cutover) -> None:
    baseline, change = cutover.baseline, cutover.change
    added = apply_phase(Phase.ADD_NEW, baseline, change)
    check_order(Phase.REMOVE_NEW, on(added), change)
    assert apply_phase(Phase.REMOVE_NEW, added, change, baseline) == baseline


@given(cutovers(old_is_live=True))
def test_all_phases_in_turn_end_with_the_addresses_of_the_baseline(
    cutover: Cutover,
) -> None:
    baseline, change = cutover.baseline, cutover.change
    live = baseline
    for phase in (Phase.ADD_NEW, Phase.REMOVE_OLD, Phase.RESTORE_OLD, Phase.REMOVE_NEW):
        check_order(phase, on(live), change)
        live = apply_phase(phase, live, change, baseline)
    assert same_addresses(live, baseline)


@given(cutovers(old_is_live=True), st.sampled_from(Phase))
def test_a_live_phase_changes_nothing(cutover: Cutover, phase: Phase) -> None:
    baseline, change = cutover.baseline, cutover.change
    added = apply_phase(Phase.ADD_NEW, baseline, change)
    once = apply_phase(phase, added, change, baseline)
    assert apply_phase(phase, once, change, baseline) == once


@given(cutovers())
def test_an_address_that_is_both_old_and_new_is_never_removed(cutover: Cutover) -> None:
    change = cutover.change
    both = [
        point
        for point in points(change.old, change.new)
        if holds(change.old, point) and holds(change.new, point)
    ]
    added = apply_phase(Phase.ADD_NEW, cutover.baseline, change)
    for phase in Phase:
        after = apply_phase(phase, added, change, cutover.baseline)
        assert all(holds(after, point) for point in both)


# Examples


def test_the_phases_of_an_ordinary_cutover() -> None:
    added = apply_phase(Phase.ADD_NEW, BASELINE, CHANGE)
    removed = apply_phase(Phase.REMOVE_OLD, added, CHANGE)
    restored = apply_phase(Phase.RESTORE_OLD, removed, CHANGE, BASELINE)
    assert texts(added) == [*texts(BASELINE), "198.51.100.20", "198.51.100.21"]
    assert texts(removed) == ["192.0.2.0-192.0.2.15", "198.51.100.20", "198.51.100.21"]
    assert texts(restored) == texts(added)
    assert removed.ranges[0] == OFFICE
    assert apply_phase(Phase.REMOVE_NEW, added, CHANGE, BASELINE) == BASELINE


def test_restore_old_restores_descriptions_and_unknown_elements_of_the_baseline() -> None:
    extra = (("note", "<note>x</note>"),)
    entry = IpRange(OLD[0].start, OLD[1].end, "proxies", extra)
    baseline = Allowlist((entry, OFFICE))
    removed = apply_phase(Phase.REMOVE_OLD, baseline, CHANGE)
    assert entry not in removed.ranges
    restored = apply_phase(Phase.RESTORE_OLD, removed, CHANGE, baseline)
    assert restored.ranges[:2] == (entry, OFFICE)


def test_restore_old_joins_no_parts_around_an_entry_that_another_user_added() -> None:
    wide, theirs = IpRange.parse("203.0.113.8/30", "wide"), IpRange.parse(str(OLD[0]), "theirs")
    parts = subtract([wide], OLD)
    live = Allowlist((*parts, OFFICE, theirs))
    restored = apply_phase(Phase.RESTORE_OLD, live, CHANGE, Allowlist((wide, OFFICE)))
    assert is_subsequence(live, restored)
    assert same_addresses(restored, [wide, OFFICE])


@pytest.mark.parametrize(
    ("address", "side"),
    [
        ("203.0.113.10", "old"),
        ("198.51.100.21", "new"),
        ("203.0.113.11", "kept"),
        ("192.0.2.1", "other"),
    ],
)
def test_an_address_is_on_the_side_of_any_range_that_holds_it(address: str, side: str) -> None:
    assert Change(OLD, (*NEW, OLD[1])).side_of(address) == side


def test_remove_new_keeps_new_addresses_of_the_baseline() -> None:
    baseline = Allowlist((*BASELINE, NEW[0]))
    added = apply_phase(Phase.ADD_NEW, baseline, CHANGE)
    assert texts(apply_phase(Phase.REMOVE_NEW, added, CHANGE, baseline)) == texts(baseline)
    assert texts(apply_phase(Phase.REMOVE_NEW, added, CHANGE)) == texts(BASELINE)


def test_an_old_entry_shrinks_to_the_part_that_is_also_new() -> None:
    change = Change(ranges("203.0.113.0/30"), ranges("203.0.113.2-203.0.113.5"))
    removed = apply_phase(Phase.REMOVE_OLD, listed("203.0.113.0/30"), change)
    assert texts(removed) == ["203.0.113.2-203.0.113.3", "203.0.113.4-203.0.113.5"]


def test_an_old_address_inside_a_wider_range_is_refused_with_the_parts() -> None:
    live = Allowlist((IpRange.parse("203.0.113.8/29", "both proxies"),))
    with pytest.raises(ConfigError) as caught:
        apply_phase(Phase.REMOVE_OLD, live, CHANGE)
    assert caught.value.message == (
        "only a part of the live range 203.0.113.8-203.0.113.15 (both proxies) would be removed; "
        "it would have to be split into 203.0.113.8-203.0.113.9, 203.0.113.12-203.0.113.15"
    )
    assert "split_ranges: true" in caught.value.hint
    assert caught.value.exit_code is ExitCode.USAGE


def test_split_ranges_keeps_the_rest_of_a_wider_range_with_its_description() -> None:
    live = Allowlist((IpRange.parse("203.0.113.8/29", "both proxies"), OFFICE))
    removed = apply_phase(Phase.REMOVE_OLD, live, Change(OLD, NEW, split_ranges=True))
    assert texts(removed)[:2] == ["203.0.113.8-203.0.113.9", "203.0.113.12-203.0.113.15"]
    assert [entry.description for entry in removed][:3] == ["both proxies"] * 2 + ["office VPN"]


def test_new_addresses_inside_a_wider_range_are_not_split_off_by_default() -> None:
    live = Allowlist((*BASELINE, IpRange.parse("198.51.100.0/27", "a partner")))
    with pytest.raises(ConfigError, match="a partner"):
        apply_phase(Phase.REMOVE_NEW, live, CHANGE)
    assert apply_phase(Phase.REMOVE_NEW, live, CHANGE, live) == live


def test_only_the_removing_phases_are_marked_as_such() -> None:
    assert {phase for phase in Phase if phase.removes} == {Phase.REMOVE_OLD, Phase.REMOVE_NEW}


# Limits


def full_of(count: int) -> Allowlist:
    return listed(*(f"203.0.{number}.1" for number in range(count)))


def test_the_overlap_can_hold_128_ranges_and_not_129() -> None:
    change = Change(ranges("203.0.0.1"), NEW)
    assert len(apply_phase(Phase.ADD_NEW, full_of(126), change)) == 128
    with pytest.raises(LimitError) as caught:
        apply_phase(Phase.ADD_NEW, full_of(127), change)
    assert caught.value.message.startswith("add-new: the allowlist would have 129 ranges")
    assert caught.value.exit_code is ExitCode.LIMIT
    assert "smaller cutovers" in caught.value.hint


def test_the_overlap_can_hold_256_addresses_and_not_257() -> None:
    live = listed("203.0.113.0/25", "192.0.2.0-192.0.2.125")
    assert apply_phase(Phase.ADD_NEW, live, Change(OLD, NEW)).address_count == 256
    with pytest.raises(LimitError, match="257 addresses; the limit of tokenIpRanges is 256"):
        apply_phase(Phase.ADD_NEW, live.add(ranges("192.0.2.200")), Change(OLD, NEW))


def test_remove_old_is_refused_if_the_overlap_would_not_fit() -> None:
    with pytest.raises(LimitError, match="add-new"):
        apply_phase(Phase.REMOVE_OLD, full_of(127), Change(ranges("203.0.0.1"), NEW))


@pytest.mark.parametrize(("others", "fits"), [(124, True), (125, False)])
def test_remove_old_is_refused_if_restore_old_would_not_fit(others: int, fits: bool) -> None:
    (wide,) = ranges("192.0.2.0-192.0.2.2")
    live = Allowlist((wide, *full_of(others)))
    change = Change(ranges("192.0.2.1"), NEW[:1], split_ranges=True)
    if fits:
        removed = apply_phase(Phase.REMOVE_OLD, live, change)
        assert len(apply_phase(Phase.RESTORE_OLD, removed, change)) == 128
    else:
        with pytest.raises(LimitError, match="restore-old: the allowlist would have 129 ranges"):
            apply_phase(Phase.REMOVE_OLD, live, change)


def test_a_full_list_without_a_removal_is_accepted() -> None:
    live = Allowlist((*full_of(127), NEW[0]))
    assert apply_phase(Phase.REMOVE_OLD, live, Change(OLD, NEW[:1])) == live


@pytest.mark.parametrize("phase", [Phase.REMOVE_OLD, Phase.REMOVE_NEW])
def test_the_last_address_is_never_removed(phase: Phase) -> None:
    change = Change(OLD, ()) if phase is Phase.REMOVE_OLD else Change((), NEW)
    live = Allowlist(OLD if phase is Phase.REMOVE_OLD else NEW)
    with pytest.raises(LimitError) as caught:
        apply_phase(phase, live, change)
    assert caught.value.message == (
        f"{phase}: the allowlist would be empty; an empty allowlist is never deployed"
    )
    assert caught.value.exit_code is ExitCode.LIMIT


def test_trusted_ranges_have_no_limit_of_addresses() -> None:
    live = listed("192.0.2.0/24", "203.0.113.0/24")
    after = apply_phase(Phase.ADD_NEW, live, Change(OLD, NEW), carrier=TRUSTED_IP_RANGES)
    assert after.address_count == 514


def test_trusted_ranges_are_at_most_128() -> None:
    with pytest.raises(LimitError, match="129 ranges; the limit of trustedIpRanges is 128"):
        apply_phase(Phase.ADD_NEW, full_of(127), CHANGE, carrier=TRUSTED_IP_RANGES)


def test_a_connected_app_may_trust_every_address() -> None:
    live = listed("0.0.0.0-255.255.255.255", "2001:db8::1")
    for phase in (Phase.ADD_NEW, Phase.RESTORE_OLD):
        assert apply_phase(phase, live, CHANGE, carrier=CONNECTED_APP_RANGES) == live


@pytest.mark.parametrize("phase", [Phase.ADD_NEW, Phase.REMOVE_OLD, Phase.RESTORE_OLD])
def test_an_unchanged_list_exceeds_no_limit(phase: Phase) -> None:
    change = Change(NEW, NEW) if phase is Phase.REMOVE_OLD else Change(OLD, NEW)
    live = Allowlist((*ranges("192.0.2.0/24", "2001:db8::/120"), *OLD, *NEW))
    assert apply_phase(phase, live, change) == live


# Order


def test_the_error_names_its_list() -> None:
    with pytest.raises(DriftError) as caught:
        check_order(Phase.REMOVE_OLD, on(Allowlist((*OLD, *NEW)), BASELINE), CHANGE)
    assert caught.value.where == "extlClntAppOauthSettings/Acme.ecaOauth"


def test_add_new_is_refused_if_an_old_address_is_not_live() -> None:
    with pytest.raises(DriftError) as caught:
        check_order(Phase.ADD_NEW, on(listed("203.0.113.10")), CHANGE)
    assert caught.value.message == "the old address 203.0.113.11 is not on the live allowlist"
    assert "cutover.yaml" in caught.value.hint
    assert caught.value.exit_code is ExitCode.DRIFT


def test_a_live_add_new_is_accepted_with_any_old_addresses() -> None:
    check_order(Phase.ADD_NEW, on(BASELINE), CHANGE)
    check_order(Phase.ADD_NEW, on(Allowlist(NEW)), CHANGE)


def test_remove_old_is_refused_until_every_new_address_is_live() -> None:
    with pytest.raises(DriftError) as caught:
        check_order(Phase.REMOVE_OLD, on(Allowlist((*OLD, NEW[0]))), CHANGE)
    assert "198.51.100.21 is not on the live allowlist" in caught.value.message
    assert caught.value.hint == "deploy add-new first: sfcutover deploy add-new"
    check_order(Phase.REMOVE_OLD, on(Allowlist((*OLD, *NEW))), CHANGE)


def test_remove_new_is_refused_until_every_old_address_is_live() -> None:
    with pytest.raises(DriftError) as caught:
        check_order(Phase.REMOVE_NEW, on(Allowlist((*NEW, OLD[0]))), CHANGE)
    assert "203.0.113.11 is not on the live allowlist" in caught.value.message
    assert caught.value.hint.endswith("sfcutover rollback --yes")
    check_order(Phase.REMOVE_NEW, on(Allowlist((*OLD, *NEW))), CHANGE)


def test_a_missing_part_of_a_range_counts_as_missing() -> None:
    change = Change(ranges("203.0.113.8/30"), NEW)
    with pytest.raises(DriftError, match=r"203\.0\.113\.11 is not on the live allowlist"):
        check_order(Phase.ADD_NEW, on(listed("203.0.113.8-203.0.113.10")), change)


# Notes


def test_a_note_names_the_new_addresses_that_are_already_listed() -> None:
    live = Allowlist((*BASELINE, NEW[1]))
    assert notes_on(Phase.ADD_NEW, live, CHANGE) == ["198.51.100.21 is already on the allowlist"]
    assert notes_on(Phase.ADD_NEW, BASELINE, CHANGE) == []


@pytest.mark.parametrize("phase", [Phase.REMOVE_OLD, Phase.REMOVE_NEW])
def test_a_note_names_the_addresses_that_are_old_and_new(phase: Phase) -> None:
    change = Change(ranges("203.0.113.8/30"), ranges("203.0.113.10-203.0.113.20"))
    live = apply_phase(Phase.ADD_NEW, listed("203.0.113.8/30"), change)
    assert notes_on(phase, live, change) == [
        "203.0.113.10-203.0.113.11 is both old and new, so it stays"
    ]


def test_a_note_announces_that_remove_old_would_be_refused() -> None:
    assert notes_on(Phase.REMOVE_OLD, BASELINE, CHANGE) == [
        "add-new is not live yet: deploying remove-old now would be refused"
    ]
    assert notes_on(Phase.RESTORE_OLD, BASELINE, CHANGE) == []
