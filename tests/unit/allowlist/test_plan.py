"""The phases of a cutover that changes several lists of an app."""

from __future__ import annotations

import pytest

from sfcutover.allowlist.carriers import TOKEN_IP_RANGES, TRUSTED_IP_RANGES, Carrier
from sfcutover.allowlist.component import Component
from sfcutover.allowlist.phases import DONE_OR_SWAPPED, Change, Phase
from sfcutover.allowlist.plan import Planner, live_phase
from sfcutover.allowlist.ranges import Allowlist
from sfcutover.allowlist.resave import mark_description, unmark_description
from sfcutover.allowlist.snapshot import Snapshot
from sfcutover.allowlist.templates import Templates
from sfcutover.errors import LimitError
from tests.unit.strategies import ranges

OLD, NEW = "203.0.113.10", "198.51.100.20"
FULL = tuple(f"192.0.2.{number}" for number in range(0, 256, 2))
CHANGE = Change(ranges(OLD), ranges(NEW))
PLANNER = Planner("move", "Acme", CHANGE, "67.0", Templates())


def component(carrier: Carrier, *texts: str) -> Component:
    return Component(carrier.component_type, "Acme", (), carrier, Allowlist(ranges(*texts)))


def live(token: tuple[str, ...], trusted: tuple[str, ...]) -> Snapshot:
    return Snapshot((component(TOKEN_IP_RANGES, *token), component(TRUSTED_IP_RANGES, *trusted)))


@pytest.mark.parametrize(
    ("token", "trusted", "before"),
    [
        ((OLD, NEW), (OLD, NEW), None),
        ((OLD, NEW), (OLD,), Phase.ADD_NEW),
        ((OLD,), (OLD, NEW), Phase.ADD_NEW),
    ],
)
def test_add_new_is_live_only_if_every_list_has_it(
    token: tuple[str, ...], trusted: tuple[str, ...], before: Phase | None
) -> None:
    assert PLANNER.not_live_yet(Phase.REMOVE_OLD, live(token, trusted)) is before


@pytest.mark.parametrize(("address", "other"), [(OLD, NEW), (NEW, OLD)])
def test_an_address_on_one_of_two_lists_is_not_on_the_allowlist(address: str, other: str) -> None:
    first = live_phase(live((address, other), (other,)), CHANGE)
    second = live_phase(live((other,), (address, other)), CHANGE)
    assert first == second
    assert first != live_phase(live((OLD, NEW), (OLD, NEW)), CHANGE)
    assert "and no new one" in live_phase(live((OLD,), (OLD,)), CHANGE)
    assert "but not all new ones" in live_phase(live((OLD, NEW), (OLD,)), CHANGE)


def test_an_old_address_on_one_of_two_lists_is_not_removed() -> None:
    removed = live_phase(live((NEW,), (NEW,)), CHANGE)
    assert live_phase(live((OLD, NEW), (NEW,)), CHANGE) != removed
    assert live_phase(live((NEW,), (OLD, NEW)), CHANGE) != removed


def test_a_cutover_is_done_or_swapped_only_if_every_list_is() -> None:
    done, half = live((NEW,), (NEW,)), live((NEW,), (OLD,))
    assert live_phase(done, CHANGE, may_be_swapped=True) == DONE_OR_SWAPPED
    assert live_phase(half, CHANGE, may_be_swapped=True) != DONE_OR_SWAPPED
    assert live_phase(done, CHANGE) != DONE_OR_SWAPPED


def test_entries_are_added_again_to_their_own_list() -> None:
    start = live((NEW,), (NEW,))
    entries = {start.carriers[1].path: ranges("192.0.2.1")}
    extended = PLANNER.extend(Phase.REMOVE_OLD, start, entries)
    assert extended.after == live((NEW,), (NEW, "192.0.2.1"))
    full = {start.carriers[1].path: ranges(*FULL)}
    with pytest.raises(LimitError) as caught:
        PLANNER.extend(Phase.REMOVE_OLD, start, full)
    assert caught.value.where == start.carriers[1].path


def test_only_the_refresh_token_allowlist_is_saved_again() -> None:
    start = live((OLD, NEW), (OLD, NEW))
    planned = PLANNER.redescribe(start, mark_description)
    assert [diff.changed for diff in planned.diffs] == [True, False]
    assert PLANNER.redescribe(planned.after, unmark_description).after == start


def test_an_error_names_the_list_that_it_is_about() -> None:
    with pytest.raises(LimitError) as caught:
        PLANNER.plan(Phase.ADD_NEW, live((OLD,), (OLD, *FULL)))
    assert caught.value.where == "extlClntAppOauthSettings/Acme.ecaOauth"
