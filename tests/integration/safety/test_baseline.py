"""Every rollback restores what was there before the cutover, and removes nothing else."""

from __future__ import annotations

import pytest

from sfcutover.emulator import Fault
from tests.chaos.world import NEW, OLD, World
from tests.integration.cli.harness import range_xml, with_entry
from tests.integration.safety.conftest import OpenWorld
from tests.integration.safety.scene import (
    PARTNER,
    POLICIES,
    change_list,
    configure,
    configure_part,
    describe,
    entries,
    entry,
    policy,
)

pytestmark = pytest.mark.slow  # whole runs, in processes of their own

DESCRIBED = {OLD[0]: "proxy a", OLD[1]: "proxy b"}
TO_BASELINE = ("rollback", "--to", "baseline", "--yes", "--traffic-moved")
TIMEOUT = "sessionTimeoutInMinutes"


@pytest.fixture
def shared(open_world: OpenWorld) -> World:
    """A world in which a partner's entry is one of the new addresses."""
    return open_world(unrelated=[{"range": NEW[0], "description": PARTNER}])


@pytest.fixture
def described(here: World) -> World:
    """A world whose old entries have descriptions."""
    describe(here.emulator, DESCRIBED)
    return here


def roll_back_by_watch(here: World) -> None:
    """A run whose watch fails and that restores the old addresses automatically."""
    process = here.start("run", "--yes")
    here.wait_for("watch-started")
    here.emulator.set_fault(Fault(kind="ip_restricted", operation="redeem", count=4))
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 5, out


def test_rollback_keeps_an_entry_older_than_the_first_command(shared: World) -> None:
    before = entries(shared.emulator)
    code, out = shared.call("deploy", "add-new", "--yes")
    assert code == 0, out
    code, out = shared.call(*TO_BASELINE)
    assert code == 0, out
    assert entries(shared.emulator) == before


def test_rollback_after_a_run_keeps_an_entry_older_than_the_run(shared: World) -> None:
    before = entries(shared.emulator)
    code, out = shared.call("run", "--yes")
    assert code == 0, out
    code, out = shared.call(*TO_BASELINE)
    assert code == 0, out
    assert entries(shared.emulator) == before


def test_remove_new_keeps_an_entry_that_was_there_before(shared: World) -> None:
    code, out = shared.call("deploy", "add-new", "--yes")
    assert code == 0, out
    code, out = shared.call("deploy", "remove-new", "--yes", "--traffic-moved")
    assert code == 0, out
    assert entry(NEW[0], PARTNER) in entries(shared.emulator)
    assert entry(NEW[1]) not in entries(shared.emulator)


def test_rollback_restores_descriptions(described: World) -> None:
    code, out = described.call("run", "--yes")
    assert code == 0, out
    code, out = described.call("rollback", "--yes")
    assert code == 0, out
    wanted = {entry(address, text) for address, text in DESCRIBED.items()}
    assert wanted <= set(entries(described.emulator))


def test_the_automatic_rollback_restores_descriptions(described: World) -> None:
    roll_back_by_watch(described)
    wanted = {entry(address, text) for address, text in DESCRIBED.items()}
    assert wanted <= set(entries(described.emulator))


def test_rollback_restores_the_order(here: World) -> None:
    before = entries(here.emulator)
    code, out = here.call("run", "--yes")
    assert code == 0, out
    code, out = here.call(*TO_BASELINE)
    assert code == 0, out
    assert entries(here.emulator) == before


@pytest.mark.parametrize("planned", [False, True], ids=["without plan", "with plan"])
def test_rollback_restores_policies_after_the_ranges(here: World, planned: bool) -> None:
    configure(here, policies={TIMEOUT: 30})
    before = policy(here.emulator, TIMEOUT)
    plan = ("--plan", "plan.json") if planned else ()
    if planned:
        code, out = here.call("plan", "--out", "plan.json")
        assert code == 0, out
    code, out = here.call("deploy", "add-new", "--yes", *plan)
    assert code == 0, out
    assert policy(here.emulator, TIMEOUT) == "30"
    sent = len(here.emulator.deployments)
    code, out = here.call(*TO_BASELINE, *plan)
    assert code == 0, out
    assert policy(here.emulator, TIMEOUT) == before
    assert len(here.emulator.deployments) >= sent + 2  # ranges alone, then policies


def test_rollback_after_a_failed_run_restores_policies(here: World) -> None:
    configure(here, policies={TIMEOUT: 30}, switch={"apply": ["false"], "revert": ["true"]})
    before = policy(here.emulator, TIMEOUT)
    code, out = here.call("run", "--yes")
    assert code == 1, out
    code, out = here.call(*TO_BASELINE)
    assert code == 0, out
    assert policy(here.emulator, TIMEOUT) == before


def test_a_later_run_inherits_the_baseline(shared: World) -> None:
    """The earlier run added only 127.0.0.22 and ended; the later one rolls back."""
    before = entries(shared.emulator)
    shared.call("run", "--yes", "--pause-before", "switch")
    code, out = shared.call("cancel")
    assert code == 0, out
    shared.call("run", "--yes", "--again", "--pause-before", "switch")
    code, out = shared.call("cancel")
    assert code == 0, out
    code, out = shared.call(*TO_BASELINE)
    assert code == 0, out
    assert entries(shared.emulator) == before


@pytest.mark.parametrize(
    "words",
    [TO_BASELINE, ("deploy", "remove-new", "--yes", "--traffic-moved")],
    ids=["rollback", "remove-new"],
)
def test_nothing_is_removed_without_a_record(here: World, words: tuple[str, ...]) -> None:
    """The new addresses are on the allowlist, and no deployment of this cutover was recorded."""
    for address in NEW:
        change_list(here.emulator, with_entry(range_xml(address, address)))
    code, out = here.call(*words)
    assert code == 4, out
    assert "--plan" in out
    assert here.live == {*OLD, *NEW}
    assert here.emulator.deployments == []


def test_old_cannot_change_until_the_baseline_is_restored(here: World) -> None:
    code, out = here.call("deploy", "add-new", "--yes")
    assert code == 0, out
    configure(here, old=[*OLD, "192.0.2.64-192.0.2.71"])
    for phase in ("add-new", "remove-old", "remove-new"):
        code, out = here.call("deploy", phase, "--yes")
        assert code == 2, out
        assert "192.0.2.64-192.0.2.71" in out
    configure(here, old=list(OLD))
    code, out = here.call(*TO_BASELINE)
    assert code == 0, out
    configure(here, old=[*OLD, "192.0.2.64-192.0.2.71"])
    code, out = here.call("deploy", "add-new", "--yes")
    assert code == 0, out


def test_nothing_is_deployed_if_the_record_cannot_be_written(here: World) -> None:
    (here.folder / "folder").write_text("a file", encoding="utf-8")
    here.environment["STATE_URL"] = f"sqlite:///{here.folder}/folder/state.db"
    code, out = here.call("deploy", "add-new", "--yes")
    assert code != 0, out
    assert here.emulator.deployments == []


def test_old_addresses_are_restored_although_the_state_cannot_be_read(here: World) -> None:
    code, out = here.call("run", "--yes")
    assert code == 0, out
    here.environment["STATE_URL"] = "postgresql://127.0.0.1:1/none"
    code, out = here.call("rollback", "--yes")
    assert code == 0, out
    assert here.live == {*OLD, *NEW}


def test_a_validation_records_nothing(here: World) -> None:
    code, out = here.call("deploy", "add-new", "--dry-run")
    assert code == 0, out
    configure(here, old=[OLD[0]])
    code, out = here.call("deploy", "add-new", "--yes")
    assert code == 0, out


def test_a_first_removal_records_the_list_that_is_restored(here: World) -> None:
    """add-new was deployed from another machine; what was there before it is unknown."""
    describe(here.emulator, DESCRIBED)
    before = entries(here.emulator)
    for address in NEW:
        change_list(here.emulator, with_entry(range_xml(address, address)))
    code, out = here.call("deploy", "remove-old", "--yes")
    assert code == 0, out
    code, out = here.call("rollback", "--yes")
    assert code == 0, out
    assert entries(here.emulator)[: len(before)] == before
    code, out = here.call(*TO_BASELINE)
    assert code == 4, out
    assert here.live == {*OLD, *NEW}


def test_a_plan_names_the_baseline_if_none_was_recorded(shared: World) -> None:
    before = entries(shared.emulator)
    code, out = shared.call("plan", "--out", "plan.json")
    assert code == 0, out
    change_list(shared.emulator, with_entry(range_xml(NEW[1], NEW[1])))
    code, out = shared.call(*TO_BASELINE, "--plan", "plan.json")
    assert code == 0, out
    assert entries(shared.emulator) == before


def test_a_plan_that_contradicts_the_record_is_refused_and_both_are_named(
    shared: World,
) -> None:
    code, out = shared.call("plan", "--out", "plan.json")
    assert code == 0, out
    describe(shared.emulator, {NEW[0]: "the partner's new name"})
    code, out = shared.call("deploy", "add-new", "--yes")
    assert code == 0, out
    code, out = shared.call(*TO_BASELINE, "--plan", "plan.json")
    assert code == 4, out
    assert "plan.json" in out
    assert PARTNER in out
    assert "the partner's new name" in out
    assert shared.live == {*OLD, *NEW}


def test_a_policy_that_a_colleague_changed_since_stays(here: World) -> None:
    configure(here, policies={TIMEOUT: 30})
    code, out = here.call("deploy", "add-new", "--yes")
    assert code == 0, out
    xml = here.emulator.component_xml(*POLICIES)
    here.emulator.put_component(*POLICIES, xml.replace(b">30<", b">60<"))
    code, out = here.call(*TO_BASELINE)
    assert code == 0, out
    assert policy(here.emulator, TIMEOUT) == "60"
    assert f"{TIMEOUT} stays" in out


def test_a_loosened_control_is_named(here: World) -> None:
    configure(here, policies={TIMEOUT: 30})
    for words in (
        ("deploy", "add-new", "--yes"),
        ("deploy", "remove-new", "--yes", "--traffic-moved"),
    ):
        code, out = here.call(*words)
        assert code == 0, out
    assert "loosens this control" in out
    assert policy(here.emulator, TIMEOUT) == "120"


def test_the_automatic_rollback_restores_policies_before_the_switch(here: World) -> None:
    configure(here, policies={TIMEOUT: 30})
    configure_part(here, "verify", patience="0s")
    before = policy(here.emulator, TIMEOUT)
    here.emulator.set_fault(Fault(kind="ip_restricted", operation="redeem", count=3))
    code, out = here.call("run", "--yes")
    assert code == 5, out
    assert here.live == set(OLD)
    assert policy(here.emulator, TIMEOUT) == before


BY_PHASE = {"add-new": {TIMEOUT: 30}, "remove-old": {TIMEOUT: 15, "policyAction": "Block"}}


def test_undoing_remove_old_restores_the_policies_of_add_new(here: World) -> None:
    configure(here, policies=BY_PHASE)
    for phase in ("add-new", "remove-old"):
        code, out = here.call("deploy", phase, "--yes")
        assert code == 0, out
    assert policy(here.emulator, TIMEOUT) == "15"
    code, out = here.call("rollback", "--yes")
    assert code == 0, out
    assert policy(here.emulator, TIMEOUT) == "30"
    assert policy(here.emulator, "policyAction") is None
    code, out = here.call(*TO_BASELINE)
    assert code == 0, out
    assert policy(here.emulator, TIMEOUT) == "120"


def test_the_automatic_rollback_of_a_removal_restores_the_policies_of_add_new(here: World) -> None:
    configure(here, policies=BY_PHASE)
    roll_back_by_watch(here)
    assert set(OLD) <= here.live
    assert policy(here.emulator, TIMEOUT) == "30"
    assert policy(here.emulator, "policyAction") is None
    *_, ranges, policies = here.emulator.deployments
    assert ranges.ended is not None
    assert ranges.ended <= policies.created  # addresses first, alone
