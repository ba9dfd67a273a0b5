"""What evidence is bound to: an allowlist as it was saved, and the permit based on it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from sfcutover.allowlist.carriers import CARRIERS
from sfcutover.allowlist.component import Component, FileProperties
from sfcutover.allowlist.phases import Phase
from sfcutover.allowlist.ranges import Allowlist, IpRange
from sfcutover.allowlist.snapshot import Snapshot
from sfcutover.cutover.evidence import evidence_lists
from sfcutover.cutover.removalgate import PermitVoidError, RemovalPermit

CARRIER = CARRIERS["token-ip-ranges"]
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
LISTED = FileProperties("888000000000001AAA", NOON, "Casey Colleague")
RANGES = ("203.0.113.10", "198.51.100.20")


def live(*ranges: str, listed: FileProperties | None = LISTED) -> Snapshot:
    entries = Allowlist(tuple(map(IpRange.parse, ranges or RANGES)))
    component = Component(CARRIER.component_type, "Acme", (), CARRIER, entries, listed)
    return Snapshot((component,))


@pytest.mark.parametrize(
    "later",
    [
        live("203.0.113.10"),
        live(listed=replace(LISTED, last_modified=NOON + timedelta(seconds=1))),
        live(listed=replace(LISTED, id="888000000000002AAA")),
        live(listed=None),
    ],
    ids=["another range", "a save without changes", "another component", "unlisted now"],
)
def test_a_saved_list_requires_another_proof(later: Snapshot) -> None:
    permit = RemovalPermit(Phase.REMOVE_OLD, "proven", lists=evidence_lists(live(), None))
    with pytest.raises(PermitVoidError, match="saved after its proof"):
        permit.require_holding(later)


@pytest.mark.parametrize(
    "same",
    [
        live(),
        live(*reversed(RANGES)),
        live(listed=replace(LISTED, modified_by="Casey Colleague-Jones")),
    ],
    ids=["unchanged", "in another order", "a renamed user"],
)
def test_an_unchanged_list_keeps_the_proof(same: Snapshot) -> None:
    permit = RemovalPermit(Phase.REMOVE_OLD, "proven", lists=evidence_lists(live(), None))
    permit.require_holding(same)


def test_without_file_properties_only_the_ranges_count() -> None:
    permit = RemovalPermit(
        Phase.REMOVE_OLD, "proven", lists=evidence_lists(live(listed=None), None)
    )
    permit.require_holding(live(listed=None))
    with pytest.raises(PermitVoidError):
        permit.require_holding(live("203.0.113.10", listed=None))


def test_a_permit_without_a_proof_is_valid_for_any_list() -> None:
    RemovalPermit(Phase.REMOVE_OLD, "verification skipped: the grant is gone").require_holding(
        live()
    )
