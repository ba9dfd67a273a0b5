"""A phase that the org cannot deploy for now is sent again, all gates included."""

from __future__ import annotations

from pathlib import Path

import pytest

from sfcutover.allowlist.phases import Phase
from sfcutover.cutover.context import TargetContext
from sfcutover.cutover.deploy import DeployOptions, deploy
from sfcutover.cutover.resending import StillBusyError
from sfcutover.cutover.rollback import restore
from sfcutover.cutover.sentdeployments import BUSY, SentDeployments
from sfcutover.emulator import Edit, Fault, Scenario
from sfcutover.errors import BusyError, GateError, StillRunningError
from tests.chaos.world import NEW, OLD, World, world
from tests.integration.cutover.working import CountingGate, step_context

LOCKS = (
    {"kind": "failed", "code": "ALREADY_IN_PROCESS"},
    {"kind": "failed", "code": "UNKNOWN_EXCEPTION"},
    {"kind": "failed", "message": "admin operation already in progress"},
    {"kind": "finalizing_failed"},
    {"kind": "org_locked"},
    {"kind": "refuse", "code": "REQUEST_LIMIT_EXCEEDED"},
    {"kind": "refuse", "code": "UNABLE_TO_LOCK_ROW"},
)
READS = ("listMetadata", "retrieve", "checkRetrieveStatus", "tooling_query")


def trouble(here: World, count: int | None = 1, **keys: object) -> None:
    fault = {"operation": "deploy", "count": count} | keys
    here.emulator.set_fault(Fault.model_validate(fault))


@pytest.mark.parametrize("lock", LOCKS, ids=str)
def test_a_temporary_condition_is_awaited(
    here: World, context: TargetContext, lock: dict[str, object]
) -> None:
    trouble(here, **lock, count=2)
    evidence = deploy(context, Phase.ADD_NEW)
    assert evidence.outcome == "deployed"
    assert here.live == {*OLD, *NEW}
    assert here.phases[-1] == "Succeeded"
    assert len(context.memory.all(BUSY)) == 2


@pytest.mark.parametrize("operation", READS)
def test_a_limit_at_any_earlier_request_is_awaited(
    here: World, context: TargetContext, operation: str
) -> None:
    trouble(here, kind="refuse", code="REQUEST_LIMIT_EXCEEDED", operation=operation)
    deploy(context, Phase.ADD_NEW)
    assert here.phases == ["Succeeded"]


@pytest.mark.parametrize("lock", LOCKS, ids=str)
def test_a_condition_that_lasts_leaves_nothing_behind(
    here: World, context: TargetContext, lock: dict[str, object]
) -> None:
    trouble(here, **lock, count=None)
    with pytest.raises(StillBusyError) as caught:
        deploy(context, Phase.ADD_NEW, DeployOptions(wait=1.0))
    assert caught.value.exit_code == 69
    assert here.live == set(OLD)
    sent = SentDeployments(context.memory, context.target.name, Phase.ADD_NEW)
    assert not sent.may_exist


@pytest.mark.parametrize("phase", [Phase.ADD_NEW, Phase.RESTORE_OLD])
def test_a_deployment_left_pending_by_an_earlier_attempt_is_awaited(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, phase: Phase
) -> None:
    with (
        world(tmp_path / "slow", Scenario(deploy_seconds=1.5)) as here,
        step_context(here, tmp_path, monkeypatch) as (context, *_),
    ):
        if phase is Phase.RESTORE_OLD:
            deploy(context, Phase.ADD_NEW)
            deploy(context, Phase.REMOVE_OLD, DeployOptions(gate=CountingGate()))
        sent = len(here.phases)
        with pytest.raises(StillRunningError):
            deploy(context, phase, DeployOptions(wait=0.1))
        deploy(context, phase)
        assert here.phases[sent:] == ["Succeeded"]
        assert here.live == {*OLD, *NEW}


def test_a_refusal_is_not_sent_again(here: World, context: TargetContext) -> None:
    trouble(here, kind="failed")
    with pytest.raises(Exception, match="FIELD_INTEGRITY_EXCEPTION"):
        deploy(context, Phase.ADD_NEW)
    assert here.phases == ["Failed"]


def test_a_removal_is_proven_again_for_the_current_list(
    here: World, context: TargetContext
) -> None:
    deploy(context, Phase.ADD_NEW)
    trouble(here, kind="failed", code="ALREADY_IN_PROCESS")
    added = {"range": "192.0.2.99", "description": "colleague's"}
    edit = {"of": "deployment", "when": "after", "add": [added]}
    here.emulator.set_edit(Edit.model_validate(edit | {"of": "checkDeployStatus"}))
    gate = CountingGate()
    deploy(context, Phase.REMOVE_OLD, DeployOptions(gate=gate))
    assert gate.asked == 2
    assert here.live == set(NEW)
    assert here.emulator.allowlist_history[-1].holds("192.0.2.99")


def test_a_removal_whose_gate_fails_now_is_not_sent_again(
    here: World, context: TargetContext
) -> None:
    deploy(context, Phase.ADD_NEW)
    trouble(here, kind="failed", code="ALREADY_IN_PROCESS")
    with pytest.raises(GateError, match="no longer holds"):
        deploy(context, Phase.REMOVE_OLD, DeployOptions(gate=CountingGate(1)))
    assert here.phases == ["Succeeded", "Failed"]
    assert here.live == {*OLD, *NEW}


def test_a_restarted_step_does_not_count_a_locked_attempt_as_a_removal(
    here: World, context: TargetContext
) -> None:
    """A run removes once, and an attempt that a lock ended has removed nothing."""
    deploy(context, Phase.ADD_NEW)
    trouble(here, kind="failed", code="ALREADY_IN_PROCESS", count=None)
    with pytest.raises(StillBusyError):
        deploy(context, Phase.REMOVE_OLD, DeployOptions(gate=CountingGate(), wait=0.1))
    here.emulator.clear_faults()
    deploy(context, Phase.REMOVE_OLD, DeployOptions(gate=CountingGate()))
    assert here.live == set(NEW)


def test_restoring_without_resends_raises_the_first_error(
    here: World, context: TargetContext
) -> None:
    deploy(context, Phase.ADD_NEW)
    deploy(context, Phase.REMOVE_OLD, DeployOptions(gate=CountingGate()))
    trouble(here, kind="org_locked")
    with pytest.raises(BusyError):
        restore(context, DeployOptions(resends=False))
    restore(context)
    assert here.live == {*OLD, *NEW}
