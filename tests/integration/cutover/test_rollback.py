"""What a rollback sends while an earlier deployment may still reach the org."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from sfcutover.allowlist.phases import Phase
from sfcutover.allowlist.snapshot import Snapshot
from sfcutover.cutover.context import TargetContext
from sfcutover.cutover.deploy import DeployOptions, PhaseDeployment, deploy
from sfcutover.cutover.deploymentobserver import DeploymentObserver, UnknownFateError
from sfcutover.cutover.removalgate import RemovalPermit
from sfcutover.cutover.rollback import restore
from sfcutover.cutover.rollout import Rollout, RolloutOptions
from sfcutover.cutover.sentdeployments import PROGRESS, SENDING, SENT, SentDeployments
from sfcutover.cutover.verify import ProofGate, verify
from sfcutover.cutover.watch import watch
from sfcutover.emulator import Edit, Fault
from sfcutover.emulator.lists import Entry
from sfcutover.emulator.scenario import Scenario
from sfcutover.errors import LockLostError, NetworkError
from sfcutover.runs.journal import BufferedJournal
from sfcutover.salesforce.connection import Connection
from tests.chaos.world import NEW, OLD, World, world
from tests.integration.cutover.working import step_context

REMOVAL = Phase.REMOVE_OLD.value


def test_a_complete_list_is_not_sent(here: World, context: TargetContext) -> None:
    restore(context)
    assert here.phases == []


@pytest.mark.parametrize(
    ("journal", "sent"),
    [
        ([(SENDING, {"latest": None})], 1),
        ([(SENDING, {"latest": None}), (SENT, {"id": "0Af1"})], 1),
        (
            [
                (SENDING, {"latest": None}),
                (SENT, {"id": "0Af1"}),
                (PROGRESS, {"id": "0Af1", "done": True}),
            ],
            0,
        ),
    ],
    ids=["unknown", "in progress", "ended"],
)
def test_old_addresses_are_sent_after_a_removal_that_may_still_land(
    here: World, context: TargetContext, journal: list[tuple[str, dict[str, object]]], sent: int
) -> None:
    for kind, data in journal:
        context.tell(kind, phase=REMOVAL, **data)
    restore(context)
    assert here.phases == ["Succeeded"] * sent


def send_removal(context: TargetContext) -> None:
    """Send a removal of which the run knows the id, and nothing more."""
    with context.connection() as connection:
        planned = context.planner.plan(Phase.REMOVE_OLD, connection.read())
        Rollout(
            connection,
            planned,
            RolloutOptions(),
            DeploymentObserver(context, connection, Phase.REMOVE_OLD),
            permit=RemovalPermit(Phase.REMOVE_OLD, "this test's"),
        ).start()


def test_a_pending_removal_is_canceled_and_the_list_read_after_both_have_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The org works on the removal when the run rolls back."""
    with (
        world(tmp_path / "world", Scenario(deploy_seconds=1.0, cancel_seconds=1.0)) as here,
        step_context(here, tmp_path, monkeypatch) as (context, *_),
    ):
        deploy(context, Phase.ADD_NEW)
        send_removal(context)
        restore(context)
        assert here.phases == ["Succeeded", "Canceled", "Succeeded"]
        assert here.live == {*OLD, *NEW}
        assert all(each.covers(context.cutover.change.old) for each in here.lists)
        restore(context)  # nothing is pending
        assert len(here.phases) == 3


def test_a_removal_that_lands_late_is_undone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The org does not cancel it."""
    with (
        world(tmp_path / "world", Scenario(deploy_seconds=1.0)) as here,
        step_context(here, tmp_path, monkeypatch) as (context, *_),
    ):
        deploy(context, Phase.ADD_NEW)
        send_removal(context)
        assert here.live == {*OLD, *NEW}  # it has not landed
        refusal = {"kind": "refuse", "operation": "cancelDeploy", "code": "INVALID_ID_FIELD"}
        here.emulator.set_fault(Fault.model_validate(refusal | {"message": "too late"}))
        restore(context)
        assert here.phases == ["Succeeded"] * 3
        assert here.live == {*OLD, *NEW}
        assert any(not each.covers(context.cutover.change.old) for each in here.lists)


def test_a_deployment_that_may_belong_to_another_user_is_not_canceled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (
        world(tmp_path / "world", Scenario(deploy_seconds=0.2)) as here,
        step_context(here, tmp_path, monkeypatch) as (context, *_),
    ):
        deploy(context, Phase.ADD_NEW)
        here.emulator.set_edit(Edit(add=(Entry(range="192.0.2.99"),), by="deploy", seconds=1.0))
        with context.connection() as connection:
            observer = DeploymentObserver(context, connection, Phase.REMOVE_OLD)
            observer.sending()
            observer.found(here.emulator.deployments[-1].id)
        evidence = restore(context)
        assert set(here.phases) == {"Succeeded"}
        restored = all(each.restored for each in evidence.external_changes)
        assert [each.by for each in evidence.external_changes] == ["Casey Colleague"]
        assert here.emulator.allowlist_history[-1].holds("192.0.2.99") == restored


def test_a_removal_whose_result_is_unknown_requires_the_operator(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (
        world(tmp_path / "world", Scenario(deploy_request_query=False)) as here,
        step_context(here, tmp_path, monkeypatch) as (context, *_),
    ):
        context.tell(SENDING, phase=REMOVAL, latest=None)
        with pytest.raises(UnknownFateError, match="may have been sent") as raised:
            deploy(context, Phase.REMOVE_OLD, DeployOptions(gate=ProofGate()))
        assert "Deployment Status in Setup" in raised.value.hint
        assert here.phases == []
        restore(context)  # adding is safe with any result of it
        assert here.phases == ["Succeeded"]


def test_a_process_without_its_lock_sends_only_old_addresses(
    here: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that was frozen until another one took over, and resumes."""
    with step_context(here, tmp_path, monkeypatch) as (context, _, lock):
        lock._locks.release()
        with pytest.raises(NetworkError, match="lost its lock"):
            deploy(context, Phase.ADD_NEW)
        assert here.phases == []
        context.tell(SENDING, phase=REMOVAL, latest=None)
        restore(context)
        assert here.phases == ["Succeeded"]


def test_a_removal_is_journaled_on_disk_before_it_is_sent(
    here: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process that takes over has to know of it."""
    with step_context(here, tmp_path, monkeypatch) as (context, journal, _):
        deploy(context, Phase.ADD_NEW)
        buffered = BufferedJournal(journal, context.target.name, journal.read())
        with context.connection() as connection:
            deployment = PhaseDeployment(
                replace(context, memory=buffered), connection, Phase.REMOVE_OLD, DeployOptions()
            )
            deployment.observer.sending()
            told = journal.all(SENDING, target=context.target.name)
            assert told[-1].text("phase") == REMOVAL
            assert deployment.sent.is_open


def test_a_process_without_its_lock_stops_watching_and_redeeming(
    here: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two processes that redeem one rotating token void it."""
    with step_context(here, tmp_path, monkeypatch) as (context, journal, lock):
        deploy(context, Phase.ADD_NEW)
        lock._locks.release()
        with pytest.raises(LockLostError):
            watch(context, [context.target])
        with pytest.raises(LockLostError):
            context.execute(lambda: watch(context, [context.target]))
        with pytest.raises(LockLostError):
            verify(context, "new")
        assert here.emulator.redemptions == []
        assert journal.all("step-ended") == []


# The rollback is prepared


class PermittingGate:
    """A gate that permits everything."""

    def permit(
        self, context: TargetContext, connection: Connection, phase: Phase, live: Snapshot
    ) -> RemovalPermit:
        return RemovalPermit(phase, "this test's")


def test_a_baseline_recorded_by_a_removal_does_not_know_what_was_there_before(
    context: TargetContext,
) -> None:
    deploy(context, Phase.ADD_NEW)
    record = context.baselines.find("packaging")
    assert record is not None
    assert record.before_add_new
    context.baselines.forget("packaging")
    deploy(context, Phase.REMOVE_OLD, DeployOptions(gate=PermittingGate()))
    record = context.baselines.find("packaging")
    assert record is not None
    assert not record.before_add_new


def read_count(here: World) -> int:
    """How many times the list was read."""
    return sum(event["operation"] == "retrieve" for event in here.emulator.log)


def test_restoring_needs_no_read_if_nothing_was_saved_since_the_removal(
    here: World, context: TargetContext
) -> None:
    deploy(context, Phase.ADD_NEW)
    deploy(context, Phase.REMOVE_OLD, DeployOptions(gate=PermittingGate()))
    before = read_count(here)
    restore(context)
    assert read_count(here) == before + 1  # only to read it back
    removal, restored = (
        SentDeployments(context.memory, "packaging", phase)
        for phase in (Phase.REMOVE_OLD, Phase.RESTORE_OLD)
    )
    assert [restored.latest_before] == removal.ids  # noted before it was sent
    assert here.live == {*OLD, *NEW}


def test_changes_by_others_since_the_removal_are_read_and_kept(
    here: World, context: TargetContext
) -> None:
    deploy(context, Phase.ADD_NEW)
    deploy(context, Phase.REMOVE_OLD, DeployOptions(gate=PermittingGate()))
    before = read_count(here)
    here.emulator.set_edit(Edit(add=(Entry(range="192.0.2.99"),)))
    restore(context)
    assert read_count(here) == before + 2
    assert here.live == {*OLD, *NEW}
    assert here.emulator.allowlist_history[-1].holds("192.0.2.99")


def test_the_session_is_confirmed_directly_before_a_removal(
    here: World, context: TargetContext
) -> None:
    """One more request reads the list directly before the removal is sent."""
    deploy(context, Phase.ADD_NEW)
    deploy(context, Phase.REMOVE_OLD, DeployOptions(gate=PermittingGate()))
    asked = [str(event["operation"]) for event in here.emulator.log]
    removal = len(asked) - 1 - asked[::-1].index("deploy")
    assert "listMetadata" in asked[removal - 2 : removal]
    assert asked[:removal].count("retrieve") == 4  # not again where nothing was saved
