"""rollback: immediate, from the live allowlist and cutover.yaml alone."""

from __future__ import annotations

import pytest
import yaml

from sfcutover.config.state import State
from sfcutover.config.values import Text
from sfcutover.emulator.faults import Fault
from sfcutover.runs.database import Database
from sfcutover.runs.store import RunOptions, RunStore
from tests.integration.cli.conftest import OpenDesk, StartOrg
from tests.integration.cli.harness import Desk, HeldClock
from tests.integration.cli.traffic import (
    NEW,
    OLD,
    RunningClock,
    application,
    keep_token,
    lists_held,
    verify_with,
)
from tests.integration.cutover.verifying import set_list
from tests.integration.runs.working import config_of


@pytest.fixture
def clock() -> HeldClock:
    return RunningClock()


@pytest.fixture
def removed(desk: Desk) -> Desk:
    """After step 5: the old addresses are not on the allowlist."""
    keep_token(desk)
    verify_with(desk, settle="0s")
    set_list(desk.emulator, *NEW)
    return desk


@pytest.fixture
def recorded(removed: Desk) -> Desk:
    """The same, after an add-new that recorded the baseline."""
    set_list(removed.emulator, *OLD)
    assert removed.run("deploy", "add-new", "--yes").code == 0
    set_list(removed.emulator, *NEW)
    return removed


def on_list(desk: Desk, *addresses: str) -> bool:
    version = desk.emulator.allowlist_history[-1]
    return all(version.holds(address) for address in addresses)


def test_rollback_restores_the_old_addresses_without_any_gate(removed: Desk) -> None:
    removed.configure(verify=None)
    (removed.folder / "canary.token").unlink()
    with application(removed, "new"):
        result = removed.run("rollback", "--yes", "--json")
    assert result.code == 0
    assert result.json("deploy")["targets"][0]["phase"]["phase"] == "restore-old"
    assert result.err.splitlines()[-1] == (
        "next: check that redemptions succeed; only if they still fail through the new egress: "
        "sfcutover switch --revert"
    )
    assert on_list(removed, *OLD, *NEW)
    assert {one.result for one in removed.emulator.redemptions} == {"redeemed"}
    assert sorted(path.name for path in removed.folder.iterdir()) == ["cutover.yaml"]


def test_a_run_that_has_not_ended_is_named_after_a_rollback(removed: Desk) -> None:
    database = Database.open(State(url=Text(literal=f"sqlite:///{removed.folder / 'kept.db'}")))
    removed.configure(state={"url": f"sqlite:///{removed.folder / 'kept.db'}"})
    name = yaml.safe_load(removed.config.read_text())["name"]
    assert RunStore(database).begin(name, config_of("Acme"), RunOptions()).id == f"{name}.1"
    result = removed.run("rollback", "--yes")
    assert result.err.splitlines()[-1] == (
        f"the run {name}.1 has not ended: sfcutover runs {name}.1 shows it; "
        f"sfcutover cancel {name}.1 ends it"
    )
    assert "  the old addresses are allowed again" in result.out.splitlines()
    database.close()


def test_an_unusable_state_does_not_fail_a_rollback(removed: Desk) -> None:
    (removed.folder / "kept.db").write_text("not a database")
    removed.configure(state={"url": f"sqlite:///{removed.folder / 'kept.db'}"})
    assert removed.run("rollback", "--yes").code == 0
    assert on_list(removed, *OLD, *NEW)


def test_rollback_deploys_nothing_if_nothing_changed(desk: Desk) -> None:
    result = desk.run("rollback", "--yes", "--json")
    assert result.code == 0
    assert result.json("deploy")["targets"][0]["outcome"] == "no-change"
    assert desk.asked("deploy") == 0


def test_the_plan_restores_the_descriptions(desk: Desk) -> None:
    keep_token(desk)
    verify_with(desk, settle="0s")
    before = desk.live()
    assert desk.run("plan", "--out", "plan.json").code == 0
    set_list(desk.emulator, *NEW)
    assert desk.run("rollback", "--plan", "plan.json", "--yes").code == 0
    described = [entry for entry in before if entry.startswith(OLD)]
    assert set(described) <= set(desk.live())


def test_the_baseline_is_restored_after_the_old_egress_is_proven(recorded: Desk) -> None:
    words = ("rollback", "--to", "baseline", "--yes")
    refused = recorded.run(*words)
    refused.refused(5, "nothing shows that customers have left the new addresses")
    assert "LoginHistory; still open: have customers left the new addresses?\n" in refused.err
    assert on_list(recorded, *OLD, *NEW)
    result = recorded.run(*words, "--traffic-moved", "--json")
    assert result.code == 0, result.err
    phases = [each["phase"]["phase"] for each in result.json("deploy")["targets"]]
    assert phases == ["restore-old", "remove-new"]
    assert on_list(recorded, *OLD)
    assert not on_list(recorded, NEW[0])
    assert {one.source for one in recorded.emulator.redemptions} == set(OLD)


def test_the_new_addresses_stay_if_the_old_egress_cannot_redeem(removed: Desk) -> None:
    fault = Fault(kind="proxy_refuses", operation="old_proxy", count=None)
    removed.emulator.set_fault(fault)
    result = removed.run("rollback", "--to", "baseline", "--yes", "--traffic-moved")
    assert result.code != 0
    assert on_list(removed, *OLD, *NEW)


def test_the_new_addresses_stay_if_the_old_ones_are_blocked(recorded: Desk) -> None:
    fault = Fault(kind="ip_restricted", operation="redeem", count=None)
    recorded.emulator.set_fault(fault)
    result = recorded.run("rollback", "--to", "baseline", "--yes", "--traffic-moved")
    result.refused(5, "was blocked")
    assert on_list(recorded, *OLD, *NEW)


def test_the_new_addresses_stay_while_traffic_uses_them(recorded: Desk) -> None:
    verify_with(recorded, settle="2s")
    with application(recorded, "new"):
        result = recorded.run("rollback", "--to", "baseline", "--yes", "--traffic-moved")
    result.refused(5, f"redemptions still come from {NEW[0]}, {NEW[1]}")
    assert lists_held(recorded, *OLD) is False
    assert on_list(recorded, *OLD, *NEW)
    assert {one.result for one in recorded.emulator.redemptions} == {"redeemed"}


def test_a_failing_org_does_not_prevent_the_rollback_of_another(
    removed: Desk, start_org: StartOrg
) -> None:
    second = start_org()
    set_list(second, *NEW)
    removed.add_target("second", second)
    removed.emulator.set_fault(Fault(kind="failed", operation="deploy", count=None))
    result = removed.run("rollback", "--yes")
    result.refused(1, "packaging: deployment")
    assert all(second.allowlist_history[-1].holds(address) for address in (*OLD, *NEW))


def test_rollback_without_a_terminal_requires_yes(removed: Desk) -> None:
    result = removed.call("rollback")
    result.refused(2, "confirmation is required")
    assert removed.asked("deploy") == 0


@pytest.mark.parametrize("query", [True, False], ids=["reported by the org", "not reported"])
def test_rollback_restores_after_a_removal_that_is_still_pending(
    open_desk: OpenDesk, query: bool
) -> None:
    """The allowlist still holds the old addresses, which the pending removal would remove."""
    desk = open_desk(deploy_seconds=4.0, deploy_request_query=query)
    keep_token(desk)
    verify_with(desk, settle="0s")
    set_list(desk.emulator, *OLD, *NEW)
    assert desk.run("deploy", "remove-old", "--async", "--yes").code == 0
    assert on_list(desk, *OLD)
    assert desk.run("rollback", "--yes").code == 0
    assert desk.asked("deploy") == 2
    assert all(one.done for one in desk.emulator.deployments)
    assert on_list(desk, *OLD, *NEW)


def test_rollback_after_a_finished_removal_sends_nothing(desk: Desk) -> None:
    """Its deployment is done, and another user restored the addresses."""
    keep_token(desk)
    verify_with(desk, settle="0s")
    set_list(desk.emulator, *OLD, *NEW)
    assert desk.run("deploy", "remove-old", "--yes").code == 0
    set_list(desk.emulator, *OLD, *NEW)
    assert desk.run("rollback", "--yes").code == 0
    assert desk.asked("deploy") == 1
