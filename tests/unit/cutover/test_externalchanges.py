"""Which recorded changes our deployment replaced, and which of them are an error."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from sfcutover.allowlist.carriers import SECURITY_SETTINGS, TOKEN_IP_RANGES
from sfcutover.allowlist.component import Component, FileProperties
from sfcutover.allowlist.snapshot import Snapshot
from sfcutover.cutover.externalchanges import is_newest, require_none_lost
from sfcutover.errors import ExternalChangeError
from sfcutover.salesforce.changehistory import RecordedChange
from sfcutover.salesforce.results import DeployResult, ExternalChangeDocument

CASEY, OURS = "Casey Colleague", "Integration User"
SAVED = datetime(2026, 11, 23, 12, 0, 0, 400000, tzinfo=UTC)
CHANGE = RecordedChange("setup", CASEY, SAVED.replace(microsecond=0), "in Setup")


def live(by: str | None, saved: datetime = SAVED) -> Snapshot:
    """A list as its last save left it; by: None where the org does not list it."""
    listed = None if by is None else FileProperties("888000000000001AAA", saved, by)
    return Snapshot((Component(SECURITY_SETTINGS, "Acme", (), TOKEN_IP_RANGES, properties=listed),))


@pytest.mark.parametrize(
    ("state", "is_held"),
    [
        (live(CASEY), True),
        (live(CASEY, SAVED + timedelta(seconds=1)), False),
        (live("Another Colleague"), False),
        (live(OURS), False),
        (live(None), False),
    ],
    ids=["their save", "a later save", "of another user", "our deployment", "unlisted"],
)
def test_the_change_that_the_list_holds_was_not_replaced(state: Snapshot, is_held: bool) -> None:
    own = DeployResult(created_by=OURS)
    assert is_newest(CHANGE, own, state) is is_held
    of_a_deployment = replace(CHANGE, time=SAVED)
    assert is_newest(of_a_deployment, own, state) is is_held


def document(text: str, *, restored: bool) -> ExternalChangeDocument:
    return ExternalChangeDocument(
        source="list", by=CASEY, time="2026-11-23T12:00:00Z", text=text, restored=restored
    )


def test_only_changes_that_are_not_on_the_list_again_are_an_error() -> None:
    kept, lost = document("kept", restored=True), document("lost", restored=False)
    require_none_lost([kept])
    with pytest.raises(ExternalChangeError) as caught:
        require_none_lost([kept, lost])
    assert caught.value.message == "lost"
