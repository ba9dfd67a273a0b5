"""Temporary conditions are not refusals, pending deployments are awaited, and blocks are
classified."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from sfcutover.emulator import Edit, Fault
from tests.chaos.world import NEW, OLD, World, fleet
from tests.integration.cli.harness import eventually
from tests.integration.safety.conftest import OpenWorld
from tests.integration.safety.scene import configure

pytestmark = pytest.mark.slow  # whole runs, in processes of their own

LOCKED_CODE = {"code": "ALREADY_IN_PROCESS"}
LOCKED_COMPONENT = {"message": "admin operation already in progress"}
AS_BEFORE = "the allowlists are as they were before"
BACK = "the old addresses are back"
LOCKED_OUT = "locked out"


def locked(here: World, skip: int, **how: str) -> None:
    """Let one deployment end as Failed because another one locks the org."""
    fault = {"kind": "failed", "operation": "deploy", "skip": skip, "count": 1}
    here.emulator.set_fault(Fault.model_validate(fault | how))


def refuse(here: World, operation: str, code: str, count: int) -> None:
    fault = {"kind": "refuse", "operation": operation, "code": code, "count": count}
    here.emulator.set_fault(Fault.model_validate(fault))


@pytest.mark.parametrize("how", [LOCKED_CODE, LOCKED_COMPONENT], ids=["code", "component"])
@pytest.mark.parametrize("skip", [0, 1], ids=["add-new", "remove-old"])
def test_a_locked_org_is_awaited(here: World, skip: int, how: dict[str, str]) -> None:
    """errorStatusCode ALREADY_IN_PROCESS, or a component with the same problem."""
    locked(here, skip, **how)
    code, out = here.call("run", "--yes")
    assert code == 0, out
    assert here.phases == [*["Succeeded"] * skip, "Failed", *["Succeeded"] * (2 - skip)]
    assert here.live == set(NEW)


def test_a_locked_org_affects_no_other_target(tmp_path: Path) -> None:
    with fleet(tmp_path / "world", 2) as whole:
        whole.emulators[1].set_fault(
            Fault.model_validate({"kind": "failed", "operation": "deploy"} | LOCKED_CODE)
        )
        code, out = whole.first.call("run", "--yes", "--pause-before", "switch")
        assert [whole.live(each) for each in whole.emulators] == [{*OLD, *NEW}] * 2, out
        assert code in (69, 75)


def test_deploy_sends_a_phase_again_after_a_lock_ended_it(here: World) -> None:
    locked(here, 0, **LOCKED_CODE)
    code, out = here.call("deploy", "add-new", "--yes")
    assert code == 0, out
    assert here.live == {*OLD, *NEW}


def test_a_request_limit_during_add_new_is_awaited(open_world: OpenWorld) -> None:
    """The deployment is pending in the meantime, and lands."""
    here = open_world(deploy_seconds=3)
    refuse(here, "checkDeployStatus", "REQUEST_LIMIT_EXCEEDED", 1)
    code, out = here.call("run", "--yes", "--pause-before", "switch")
    assert AS_BEFORE not in out
    assert code in (69, 75), out
    assert here.phases == ["Succeeded"]
    assert here.live == {*OLD, *NEW}


def test_a_request_limit_during_remove_old_is_awaited(open_world: OpenWorld) -> None:
    here = open_world(deploy_seconds=3)
    here.call("run", "--yes", "--pause-before", "remove-old")
    refuse(here, "checkDeployStatus", "REQUEST_LIMIT_EXCEEDED", 1)
    code, out = here.call("approve")
    assert BACK not in out
    assert LOCKED_OUT not in out
    assert code == 0, out
    assert here.live == set(NEW)


def test_deploy_polls_through_a_request_limit(open_world: OpenWorld) -> None:
    here = open_world(deploy_seconds=3)
    refuse(here, "checkDeployStatus", "REQUEST_LIMIT_EXCEEDED", 1)
    code, out = here.call("deploy", "add-new", "--yes")
    assert code == 0, out
    assert here.live == {*OLD, *NEW}


def test_an_unknown_error_of_the_token_endpoint_is_retried(here: World) -> None:
    """unknown_error: retry your request."""
    code, out = here.call("deploy", "add-new", "--yes")
    assert code == 0, out
    here.emulator.set_fault(Fault(kind="retry_request", operation="redeem"))
    code, out = here.call("verify")
    assert code == 0, out


def test_a_run_continues_after_an_unknown_error_of_the_token_endpoint(here: World) -> None:
    here.emulator.set_fault(Fault(kind="retry_request", operation="redeem"))
    code, out = here.call("run", "--yes")
    assert code == 0, out
    assert here.live == set(NEW)


def test_a_lasting_request_limit_is_an_error_that_names_the_time_to_wait(here: World) -> None:
    fault = {"kind": "refuse", "operation": "deploy", "code": "REQUEST_LIMIT_EXCEEDED"}
    here.emulator.set_fault(Fault.model_validate(fault | {"count": None}))
    code, out = here.call("deploy", "add-new", "--yes", "--wait", "0.02")
    assert code == 69, out
    assert "REQUEST_LIMIT_EXCEEDED" in out
    assert here.phases == []
    assert here.live == set(OLD)


# Pending deployments


def leave_removal_pending(here: World) -> None:
    """Leave a removal pending for longer than any command takes to start."""
    slow = {"kind": "unknown_status", "operation": "deploy", "skip": 1, "seconds": 90}
    here.emulator.set_fault(Fault.model_validate(slow))
    for words in (("deploy", "add-new", "--yes"), ("deploy", "remove-old", "--yes", "--async")):
        code, out = here.call(*words)
        assert code == 0, out


def test_a_rollback_cancels_a_pending_removal(here: World) -> None:
    """The restore is sent after it, and read back when both have ended."""
    leave_removal_pending(here)
    code, out = here.call("rollback", "--yes")
    assert code == 0, out
    assert all(one.done for one in here.emulator.deployments)
    assert any(event["operation"] == "cancelDeploy" for event in here.emulator.log)
    assert here.live == {*OLD, *NEW}


def test_restore_old_cancels_a_pending_removal(here: World) -> None:
    leave_removal_pending(here)
    code, out = here.call("deploy", "restore-old", "--yes")
    assert code == 0, out
    assert here.phases == ["Succeeded", "Canceled", "Succeeded"]
    assert here.live == {*OLD, *NEW}


def test_a_rollback_waits_for_a_deployment_that_can_still_land(open_world: OpenWorld) -> None:
    here = open_world(deploy_seconds=10)
    code, out = here.call("deploy", "add-new", "--yes", "--async")
    assert code == 0, out
    code, out = here.call("rollback", "--to", "baseline", "--yes", "--traffic-moved")
    assert code == 0, out
    eventually(lambda: all(one.done for one in here.emulator.deployments))
    assert here.live == set(OLD)


# Blocks by the allowlist and by a rule of the user


def test_the_message_attributes_the_block_to_a_rule_of_the_user(here: World) -> None:
    code, out = here.call("deploy", "add-new", "--yes")
    assert code == 0, out
    here.emulator.set_login_ranges("canary", list(OLD))
    code, out = here.call("verify")
    assert code == 5, out
    assert "profile" in out, "whose rule it probably is"


def test_a_rule_of_the_user_moves_no_traffic(here: World) -> None:
    """After the removal the old addresses are restored, as after any refused address."""
    configure(here, watch={"duration": "10s", "interval": "300ms", "failures": 2})
    process = here.start("run", "--yes")
    here.wait_for("watch-started")
    here.emulator.set_login_ranges("canary", list(OLD))
    out, _ = process.communicate(timeout=60)
    assert here.live == {*OLD, *NEW}, out
    assert here.switches == ["apply"]
    assert "profile" in out, "whose rule it probably is"


def test_a_rule_of_the_user_during_verify_moves_no_traffic_back(here: World) -> None:
    """The operator has to decide: nothing is rolled back, and the answer's body is kept."""
    process = here.start("run", "--yes", "--pause-before", "verify")
    process.communicate(timeout=60)
    here.emulator.set_login_ranges("canary", list(OLD))
    code, out = here.call("approve")
    assert code == 69, out
    assert here.switches == ["apply"]
    assert here.live == {*OLD, *NEW}
    assert "profile" in out
    told = [event["data"] for event in here.events() if event.get("kind") == "redemption-blocked"]
    assert told
    assert "ip restricted" in str(told[0])


def test_a_block_with_an_unknown_body_is_a_block(open_world: OpenWorld) -> None:
    here = open_world(block_description="the IP address is not permitted here")
    configure(here, watch={"duration": "10s", "interval": "300ms", "failures": 2})
    process = here.start("run", "--yes")
    here.wait_for("watch-started")
    here.emulator.set_edit(Edit(remove=NEW))
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 5, out
    assert set(OLD) <= here.live
    assert "a rule that the answer does not name" in out


# The time until a rollback


def test_a_blocked_canary_is_confirmed_one_second_later(here: World) -> None:
    configure(here, watch={"duration": "40s", "interval": "8s", "failures": 2})
    process = here.start("run", "--yes")
    here.wait_for("watch-started")
    here.emulator.set_edit(Edit(remove=NEW))
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 5, out
    blocked = next(one.time for one in here.emulator.redemptions if one.result == "blocked")
    restored = next(
        one.time
        for one in here.emulator.allowlist_history
        if one.time > blocked and one.holds(OLD[0])
    )
    assert restored - blocked <= timedelta(seconds=2 + 3)  # failures + 3 s
