"""Two readings of one allowlist, by retrieve and by query, differ in either direction."""

from __future__ import annotations

import pytest

from sfcutover.allowlist.carriers import SECURITY_SETTINGS, TOKEN_IP_RANGES
from sfcutover.allowlist.component import Component
from sfcutover.allowlist.ranges import Allowlist, IpRange
from sfcutover.cutover.crosscheck import difference_of
from sfcutover.salesforce.rangerecords import OBJECT, RangeRecord

A, B = IpRange.parse("203.0.113.10", "office"), IpRange.parse("198.51.100.20")


def difference(retrieved: tuple[IpRange, ...], queried: tuple[IpRange, ...]) -> str:
    listed = Component(SECURITY_SETTINGS, "Acme_sec", (), TOKEN_IP_RANGES)
    component = listed.with_allowlist(Allowlist(retrieved))
    return difference_of(component, [RangeRecord(each, "Casey", None) for each in queried])


@pytest.mark.parametrize(
    ("retrieved", "queried", "parts"),
    [
        ((A, B), (B, A), []),
        ((A, B), (B,), ["only the retrieved file has 203.0.113.10 (office)"]),
        ((B,), (A, B), [f"only {OBJECT} has 203.0.113.10 (office)"]),
        ((A, A), (A,), ["only the retrieved file has 203.0.113.10 (office)"]),
        (
            (A,),
            (B,),
            ["only the retrieved file has 203.0.113.10 (office)", f"only {OBJECT} has {B}"],
        ),
    ],
)
def test_entries_of_only_one_reading_are_named(
    retrieved: tuple[IpRange, ...], queried: tuple[IpRange, ...], parts: list[str]
) -> None:
    found = difference(retrieved, queried)
    assert found.partition(" differ: ")[2] == "; ".join(parts)
