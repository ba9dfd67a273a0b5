"""What a colleague saves between our read and the org's commit is restored or reported."""

from __future__ import annotations

from datetime import datetime

import pytest

from sfcutover.emulator import Edit
from tests.chaos.world import NEW, OLD, World
from tests.integration.safety.conftest import OpenWorld
from tests.integration.safety.scene import OFFICE, configure, entries, entry

pytestmark = pytest.mark.slow  # whole runs, in processes of their own

COLLEAGUE = "Casey Colleague"
ADDED = "192.0.2.200"
DESCRIBED = "billing system"
OFFICE_ENTRY = {"range": "192.0.2.64-192.0.2.71", "description": "office, second floor"}
ADD = ({"range": ADDED, "description": DESCRIBED},)


@pytest.fixture
def slow(open_world: OpenWorld) -> World:
    """A world whose org takes two seconds for a deployment."""
    return open_world(deploy_seconds=2)


def set_edit(here: World, **keys: object) -> None:
    here.emulator.set_edit(Edit.model_validate(keys))


def test_an_entry_saved_during_our_deployment_is_restored(slow: World) -> None:
    set_edit(slow, of="checkDeployStatus", when="before", add=ADD)
    slow.call("deploy", "add-new", "--yes")
    assert entry(ADDED, DESCRIBED) in entries(slow.emulator)
    assert slow.live == {*OLD, *NEW}


def test_an_entry_saved_before_our_commit_is_reported_with_its_user(slow: World) -> None:
    set_edit(slow, of="deployment", when="before", add=ADD)
    code, out = slow.call("deploy", "add-new", "--yes")
    assert code == 4, out
    assert COLLEAGUE in out


def test_an_entry_that_a_colleague_removed_is_reported_and_not_removed_again(slow: World) -> None:
    set_edit(slow, of="deployment", when="before", remove=["192.0.2.64-192.0.2.71"])
    code, out = slow.call("deploy", "add-new", "--yes")
    assert code == 4, out
    assert COLLEAGUE in out
    assert slow.emulator.allowlist_history[-1].holds(OFFICE)


def test_a_run_pauses_after_add_new_replaced_an_entry_and_can_be_resumed(slow: World) -> None:
    set_edit(slow, of="deployment", when="before", add=ADD)
    code, out = slow.call("run", "--yes")
    assert code == 69, out
    assert COLLEAGUE in out
    assert slow.live == {*OLD, *NEW}, "nothing is rolled back"
    code, out = slow.call("approve")
    assert code == 0, out
    assert slow.live == set(NEW)


def test_the_watch_continues_after_a_replaced_entry_and_the_report_warns(slow: World) -> None:
    set_edit(slow, of="deployment", when="before", nth=2, add=ADD)
    _, out = slow.call("run", "--yes")
    assert slow.live == set(NEW), out
    kinds = [event["kind"] for event in slow.events()]
    assert "watch-started" in kinds
    _, report = slow.call("report", "--format", "md")
    assert COLLEAGUE in report


def test_no_phase_is_sent_while_the_deployment_of_a_colleague_is_pending(here: World) -> None:
    set_edit(here, of="retrieve", when="after", add=ADD, by="deploy", seconds=3)
    here.call("deploy", "add-new", "--yes")
    assert entry(ADDED, DESCRIBED) in entries(here.emulator)
    assert here.live == {*OLD, *NEW}


def test_a_run_sends_no_removal_while_the_deployment_of_a_colleague_is_pending(here: World) -> None:
    _, out = here.call("run", "--yes", "--pause-before", "remove-old")
    assert here.live == {*OLD, *NEW}, out
    set_edit(here, of="retrieve", when="after", add=ADD, by="deploy", seconds=3)
    _, out = here.call("approve")
    assert entry(ADDED, DESCRIBED) in entries(here.emulator), out


def test_traffic_does_not_move_while_the_deployment_of_a_colleague_is_pending(here: World) -> None:
    """It was made from the allowlist before add-new, and removes the new addresses when it
    lands."""
    set_edit(here, of="deployment", when="before", describe=[OFFICE_ENTRY], by="deploy", seconds=2)
    code, out = here.call("run", "--yes")
    assert code == 0, out
    times = [str(each["time"]) for each in here.events() if each["kind"] == "switching"]
    history = here.emulator.allowlist_history
    lost = [one.time for one in history[2:] if not one.holds(NEW[0])]
    assert lost, "the colleague's deployment removes them"
    assert lost[-1] < datetime.fromisoformat(times[0])
    assert here.live == set(NEW)


def test_the_switch_command_waits_for_the_deployment_of_a_colleague(here: World) -> None:
    set_edit(here, of="deployment", when="before", describe=[OFFICE_ENTRY], by="deploy", seconds=3)
    code, out = here.call("deploy", "add-new", "--yes")
    assert code == 0, out
    code, out = here.call("switch")
    assert code == 4, out
    assert not here.switches


def test_the_user_who_added_an_old_address_again_is_named_at_the_end(here: World) -> None:
    configure(here, watch={"duration": "3s", "interval": "500ms", "failures": 2})
    process = here.start("run", "--yes")
    here.wait_for("watch-round")
    set_edit(here, add=({"range": OLD[0]},))
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 4, out
    assert f"{OLD[0]} is on the allowlist again ({OLD[0]} was saved by {COLLEAGUE} at " in out
