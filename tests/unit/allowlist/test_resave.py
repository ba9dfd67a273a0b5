"""The entry that a resave changes belongs to the cutover, and is restored exactly."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sfcutover.allowlist.ranges import Allowlist, IpRange
from sfcutover.allowlist.resave import mark_description, unmark_description
from tests.unit.strategies import ranges

OTHERS = IpRange.parse("192.0.2.1", "office")
FIRST, SECOND = OWN = ranges("198.51.100.20", "198.51.100.21")


@pytest.mark.parametrize("description", [None, "proxy a"])
def test_the_first_entry_of_the_cutover_is_changed_and_restored(description: str | None) -> None:
    live = Allowlist((OTHERS, replace(FIRST, description=description), SECOND))
    marked = mark_description(live, OWN)
    assert [one for one, other in zip(live, marked, strict=True) if one != other] == [
        live.ranges[1]
    ]
    assert mark_description(marked, OWN) == marked
    assert unmark_description(marked, OWN) == live


def test_entries_of_others_are_never_changed() -> None:
    alone = Allowlist((OTHERS, IpRange.parse("198.51.100.0/24", "wider")))
    assert mark_description(alone, OWN) == alone
    (marked,) = mark_description(Allowlist((FIRST,)), OWN)
    theirs = Allowlist((replace(OTHERS, description=marked.description), FIRST))
    assert unmark_description(theirs, OWN) == theirs
