"""Waiting for deployments, finding them and canceling them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from sfcutover.allowlist.package import build_package
from sfcutover.allowlist.templates import Templates
from sfcutover.emulator.emulator import Emulator
from sfcutover.errors import (
    AuthError,
    OperationFailedError,
    SfcutoverError,
    StillRunningError,
)
from sfcutover.salesforce.connection import Connection
from sfcutover.salesforce.results import DeployState
from tests.support import FakeTime, OpenConnection, StartEmulator, operations

UNKNOWN = "0Af000000000001AAA"
Started = tuple[Emulator, Connection, str]


@pytest.fixture
def started(
    start_emulator: StartEmulator, open_connection: OpenConnection
) -> Callable[..., Started]:
    """An org with a deployment in progress; keywords are the scenario's settings."""

    def start(**scenario: object) -> Started:
        emulator = start_emulator(**scenario)
        connection = open_connection(emulator)
        package = build_package(connection.read().components, "67.0", Templates())
        return emulator, connection, connection.deployer.start(package.to_zip())

    return start


def test_the_first_poll_is_early_and_the_intervals_grow_gradually(
    started: Callable[..., Started], time_: FakeTime
) -> None:
    emulator, connection, deployment = started(deploy_seconds=600)
    time_.pauses.clear()
    connection.deployer.wait(deployment, 1800)
    assert time_.pauses[0] == 0.05
    assert max(time_.pauses) == 5.0
    assert time_.pauses == sorted(time_.pauses)
    assert time_.seconds - 600 <= 5
    assert len(operations(emulator, "checkDeployStatus")) < 230


def test_the_end_of_a_ten_second_deployment_is_detected_within_a_third_of_a_second(
    started: Callable[..., Started], time_: FakeTime
) -> None:
    _, connection, deployment = started(deploy_seconds=10)
    connection.deployer.wait(deployment, 1800)
    assert 10 <= time_.seconds <= 10.3


def test_a_wait_of_zero_seconds_polls_once(
    started: Callable[..., Started], time_: FakeTime
) -> None:
    emulator, connection, deployment = started(deploy_seconds=10)
    with pytest.raises(StillRunningError, match="Pending"):
        connection.deployer.wait(deployment, 0)
    assert len(operations(emulator, "checkDeployStatus")) == 1
    assert time_.seconds == 0


def test_a_wait_never_passes_its_deadline(started: Callable[..., Started], time_: FakeTime) -> None:
    _, connection, deployment = started(deploy_seconds=3600)
    with pytest.raises(StillRunningError):
        connection.deployer.wait(deployment, 100)
    assert time_.seconds == pytest.approx(100)


def test_short_and_long_ids_are_equivalent(started: Callable[..., Started]) -> None:
    _, connection, deployment = started()
    assert connection.deployer.report(deployment[:15]).id == deployment
    assert connection.deployer.wait(deployment[:15], 60).state is DeployState.SUCCEEDED


def test_an_unknown_id_is_reported(started: Callable[..., Started]) -> None:
    _, connection, _ = started()
    for ask in (connection.deployer.report, connection.deployer.cancel):
        with pytest.raises(OperationFailedError, match=f"no deployment {UNKNOWN}"):
            ask(UNKNOWN)


def test_a_wait_for_an_unknown_id_ends_early(
    started: Callable[..., Started], time_: FakeTime
) -> None:
    _, connection, _ = started()
    problems: list[SfcutoverError] = []
    with pytest.raises(OperationFailedError, match=f"no deployment {UNKNOWN}"):
        connection.deployer.wait(UNKNOWN, 1800, on_problem=problems.append)
    assert 30 <= time_.seconds < 35
    assert problems


def test_an_id_that_was_known_once_is_awaited(
    started: Callable[..., Started], time_: FakeTime
) -> None:
    """An org may lose an id for one answer, when the deployment leaves Pending, or for long."""
    stray = {
        "kind": "cross_reference_500",
        "operation": "checkDeployStatus",
        "count": 120,
        "skip": 1,
    }
    _, connection, deployment = started(deploy_seconds=200, faults=[stray])
    lost: list[float] = []
    result = connection.deployer.wait(
        deployment, 1800, on_problem=lambda _: lost.append(time_.seconds)
    )
    assert result.state is DeployState.SUCCEEDED
    assert lost[-1] > 60


def test_a_deployment_in_progress_keeps_the_org_busy(
    started: Callable[..., Started], time_: FakeTime
) -> None:
    _, connection, deployment = started(deploy_seconds=10)
    assert not connection.deployer.is_idle()
    time_.pause(11)
    assert connection.deployer.is_idle()
    assert [each.id for each in connection.deployer.requests() or ()] == [deployment]


def test_a_validation_is_none_of_the_deployments(
    started: Callable[..., Started], time_: FakeTime
) -> None:
    _, connection, deployment = started(deploy_seconds=10)
    time_.pause(11)
    connection.deployer.start(b"no zip", check_only=True)
    assert [each.id for each in connection.deployer.requests() or ()] == [deployment]
    assert connection.deployer.is_idle()


def test_a_cancellation_is_requested_and_awaited(started: Callable[..., Started]) -> None:
    emulator, connection, deployment = started(deploy_seconds=60, cancel_seconds=5)
    connection.deployer.cancel(deployment)
    result = connection.deployer.wait(deployment, 60)
    assert result.state is DeployState.CANCELED
    assert len(operations(emulator, "cancelDeploy")) == 1


def test_a_finished_deployment_is_not_canceled(started: Callable[..., Started]) -> None:
    emulator, connection, deployment = started()
    assert connection.deployer.cancel(deployment).state is DeployState.SUCCEEDED
    assert operations(emulator, "cancelDeploy") == []


def test_a_late_cancellation_is_refused_by_the_org(
    started: Callable[..., Started], time_: FakeTime
) -> None:
    _, connection, deployment = started(deploy_seconds=10)
    time_.pause(9)
    with pytest.raises(OperationFailedError, match="finalized"):
        connection.deployer.cancel(deployment)


def test_the_newest_deployment_is_found(started: Callable[..., Started]) -> None:
    _, connection, first = started()
    assert connection.deployer.find_latest() == first
    second = connection.deployer.start(b"no zip")
    assert connection.deployer.find_latest() == second


@pytest.mark.parametrize("kind", ["http_503", "drop_before", "html_body"])
def test_an_unreachable_org_names_no_deployment(kind: str, started: Callable[..., Started]) -> None:
    fault = {"kind": kind, "operation": "tooling_query"}
    _, connection, _ = started(faults=[fault])
    assert connection.deployer.find_latest() is None


def test_an_org_without_the_object_names_no_deployment(started: Callable[..., Started]) -> None:
    _, connection, _ = started(deploy_request_query=False)
    assert connection.deployer.find_latest() is None


@pytest.mark.parametrize(
    "code",
    [
        *("ORG_LOCKED", "REQUEST_LIMIT_EXCEEDED", "UNKNOWN_EXCEPTION", "SERVER_UNAVAILABLE"),
        *("INSUFFICIENT_ACCESS", "INVALID_CROSS_REFERENCE_KEY", "SOMETHING_NEW"),
    ],
)
def test_other_errors_do_not_end_the_polling(
    code: str, started: Callable[..., Started], time_: FakeTime
) -> None:
    """For longer than an unknown id is awaited, as the deployment was seen before."""
    refusal = {
        **{"kind": "refuse", "operation": "checkDeployStatus", "code": code},
        **{"message": "sorry", "skip": 1, "count": 120},
    }
    _, connection, deployment = started(deploy_seconds=200, faults=[refusal])
    failed: list[float] = []
    result = connection.deployer.wait(
        deployment, 1800, on_problem=lambda _: failed.append(time_.seconds)
    )
    assert result.state is DeployState.SUCCEEDED
    assert len(failed) == 120
    assert failed[-1] > 60


def test_a_lasting_limit_ends_the_wait_at_its_deadline(
    started: Callable[..., Started], time_: FakeTime
) -> None:
    limit = {"kind": "refuse", "operation": "checkDeployStatus", "count": None}
    _, connection, deployment = started(faults=[limit | {"code": "REQUEST_LIMIT_EXCEEDED"}])
    with pytest.raises(StillRunningError, match="REQUEST_LIMIT_EXCEEDED"):
        connection.deployer.wait(deployment, 100)
    assert time_.seconds == pytest.approx(100)


def test_a_user_without_the_right_to_poll_is_reported_early(
    started: Callable[..., Started], time_: FakeTime
) -> None:
    refusal = {"kind": "refuse", "operation": "checkDeployStatus", "count": None}
    _, connection, deployment = started(
        faults=[refusal | {"code": "INSUFFICIENT_ACCESS", "message": "no"}]
    )
    with pytest.raises(AuthError, match="INSUFFICIENT_ACCESS") as caught:
        connection.deployer.wait(deployment, 1800)
    assert 30 <= time_.seconds < 35
    assert "deployment wait" in caught.value.hint
