"""A proof counts only for redemptions after the last change of the component."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from sfcutover.emulator import Edit
from tests.chaos.world import NEW, OLD, World
from tests.integration.safety.scene import configure_part, proven_between, removed_at

pytestmark = pytest.mark.slow  # whole runs, in processes of their own

REMOVE = ("deploy", "remove-old", "--yes", "--evidence", "evidence.json")


@pytest.fixture
def proven(here: World) -> World:
    """The new addresses are on the allowlist, and evidence.json proves them."""
    for words in (("deploy", "add-new", "--yes"), ("verify", "--out", "evidence.json")):
        code, out = here.call(*words)
        assert code == 0, out
    return here


def added_at(here: World) -> datetime:
    """When a new address was last added to the allowlist."""
    history = here.emulator.allowlist_history
    return next(
        after.time
        for before, after in reversed(list(pairwise(history)))
        if after.holds(NEW[0]) and not before.holds(NEW[0])
    )


def test_evidence_is_void_after_the_addresses_were_removed_and_added_again(proven: World) -> None:
    for state in (0, -2):  # the baseline, and the one with old and new again
        proven.emulator.set_edit(Edit(restore=state))
    assert proven.live == {*OLD, *NEW}
    code, out = proven.call(*REMOVE)
    assert code == 0, out  # it verifies again automatically
    assert proven_between(proven, added_at(proven), removed_at(proven))


def test_evidence_is_void_after_a_save_with_the_same_addresses(proven: World) -> None:
    """A changed description: the addresses are the same, but the allowlist was saved again."""
    described = {"range": NEW[0], "description": "region b"}
    proven.emulator.set_edit(Edit.model_validate({"describe": [described]}))
    saved = datetime.now(UTC)
    code, out = proven.call(*REMOVE)
    assert code == 0, out
    assert proven_between(proven, saved, removed_at(proven))


def test_evidence_is_void_if_the_list_changes_while_it_is_checked(
    proven: World,
) -> None:
    """The change comes between the read that is compared with the evidence, and the removal."""
    for state in (0, -2):
        proven.emulator.set_edit(Edit(of="query", restore=state))
    code, out = proven.call(*REMOVE)
    assert code == 0, out
    assert proven_between(proven, added_at(proven), removed_at(proven))


def test_a_deployment_of_another_component_voids_nothing(proven: World) -> None:
    other = {"type": "ExtlClntAppOauthSettings", "add": [{"range": "192.0.2.9"}], "by": "deploy"}
    proven.emulator.set_edit(Edit.model_validate(other))
    redeemed = len(proven.emulator.redemptions)
    code, out = proven.call(*REMOVE)
    assert code == 0, out
    assert len(proven.emulator.redemptions) == redeemed


def test_a_run_proves_again_after_a_rollback_during_the_switch(here: World) -> None:
    """A rollback from another folder while the switch command runs."""
    elsewhere = here.folder / "elsewhere"
    elsewhere.mkdir()
    here.call("plan", "--out", "elsewhere/plan.json")
    move = 'read released < gate; echo "$SFCUTOVER_DIRECTION" >> switches; echo new > egress'
    configure_part(here, "switch", apply=["sh", "-c", move])
    os.mkfifo(here.folder / "gate")
    process = here.start("run", "--yes")
    with (here.folder / "gate").open("w") as gate:  # opens when the switch command reads it
        state = here.environment["STATE_URL"]
        here.environment["STATE_URL"] = f"sqlite:///{elsewhere}/state.db"
        words = (
            "rollback",
            "--to",
            "baseline",
            "--plan",
            "elsewhere/plan.json",
            "--yes",
            "--traffic-moved",
        )
        code, out = here.call(*words)
        assert code == 0, out
        assert here.live == set(OLD)
        here.environment["STATE_URL"] = state
        gate.write("go\n")
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 0, out
    assert proven_between(here, added_at(here), removed_at(here)), out


def test_traffic_does_not_move_on_a_proof_older_than_the_addresses(here: World) -> None:
    """The allowlist returns to the baseline while the run waits before the switch."""
    here.call("run", "--yes", "--pause-before", "switch")
    here.emulator.set_edit(Edit(restore=0))
    assert here.live == set(OLD)
    code, out = here.call("approve")
    assert code == 0, out
    switched = datetime.fromtimestamp((here.folder / "switches").stat().st_mtime, UTC)
    assert proven_between(here, added_at(here), switched)


def test_redemptions_start_after_the_second_of_the_last_save(here: World) -> None:
    """Times have whole seconds: a later save in that second would have the same time."""
    code, out = here.call("run", "--yes")
    assert code == 0, out
    first = next(one.time for one in here.emulator.redemptions if one.result == "redeemed")
    assert first >= added_at(here).replace(microsecond=0) + timedelta(seconds=1)


@pytest.mark.parametrize("of", ["query", "retrieve"])
def test_a_run_proves_again_if_the_list_changes_while_it_checks(of: str, here: World) -> None:
    here.call("run", "--yes", "--pause-before", "remove-old")
    for state in (0, -2):
        here.emulator.set_edit(Edit(of=of, restore=state))
    code, out = here.call("approve")
    assert code == 0, out
    assert proven_between(here, added_at(here), removed_at(here))


def test_a_run_proves_again_after_the_addresses_were_removed_and_added_again(here: World) -> None:
    here.call("run", "--yes", "--pause-before", "remove-old")
    for state in (0, -2):
        here.emulator.set_edit(Edit(restore=state))
    assert here.live == {*OLD, *NEW}
    code, out = here.call("approve")
    assert code == 0, out
    assert proven_between(here, added_at(here), removed_at(here))
