"""The phases of a cutover that changes several lists of an app."""

from __future__ import annotations

import pytest

from sfcutover.allowlist.carriers import TOKEN_IP_RANGES, TRUSTED_IP_RANGES, Carrier
from sfcutover.allowlist.component import Component
from sfcutover.allowlist.phases import Change, Phase
from sfcutover.allowlist.plan import Planner
from sfcutover.allowlist.ranges import Allowlist
from sfcutover.allowlist.snapshot import Snapshot
from sfcutover.allowlist.templates import Templates
from sfcutover.errors import LimitError
from tests.unit.strategies import ranges

OLD, NEW = "203.0.113.10", "198.51.100.20"
PLANNER = Planner("move", "Acme", Change(ranges(OLD), ranges(NEW)), "67.0", Templates())


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


def test_an_error_names_the_list_that_it_is_about() -> None:
    full = (OLD, *(f"192.0.2.{number}" for number in range(0, 254, 2)))
    with pytest.raises(LimitError) as caught:
        PLANNER.plan(Phase.ADD_NEW, live((OLD,), full))
    assert caught.value.where == "extlClntAppOauthSettings/Acme.ecaOauth"
