"""An earlier deployment: report, wait and cancel, by an id of either length."""

from __future__ import annotations

import pytest

from sfcutover.emulator.faults import Fault
from tests.integration.cli.conftest import OpenDesk, StartOrg
from tests.integration.cli.harness import Desk
from tests.integration.cli.test_deploy import YES, follow_up

COMMANDS = ["report", "wait", "cancel"]


def _deployed(desk: Desk, *words: str) -> str:
    desk.run(*YES, *words)
    return desk.emulator.deployments[0].id


@pytest.mark.parametrize("length", [15, 18])
@pytest.mark.parametrize("command", ["report", "wait"])
def test_a_finished_deployment_is_shown_with_the_live_list(
    desk: Desk, command: str, length: int
) -> None:
    identifier = _deployed(desk)
    result = desk.run("deployment", command, identifier[:length])
    assert result.code == 0
    assert f"deployment {identifier}: Succeeded" in result.out
    assert "created:    2026-11-23T12:00:00" in result.out
    assert "by Release Engineer" in result.out
    assert "live now: old and new addresses are on the allowlist (phase add-new)" in result.out


@pytest.mark.parametrize("command", ["report", "wait"])
def test_a_finished_deployment_is_shown_as_json(desk: Desk, command: str) -> None:
    identifier = _deployed(desk)
    document = desk.run("deployment", command, identifier[:15], "--json").json("deployment")
    assert document["deployment"]["id"] == identifier
    assert document["deployment"]["state"] == "succeeded"
    assert len(document["allowlists"][0]["ranges"]) == 5


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("identifier", ["0Af000000000001", "0Af000000000001AAA"])
def test_an_unknown_id_is_refused(desk: Desk, command: str, identifier: str) -> None:
    words = ["--wait", "0"] if command == "wait" else []
    result = desk.run("deployment", command, identifier, *words)
    result.refused(1, identifier)
    assert desk.asked("cancelDeploy") == 0


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("identifier", ["x", "0Af", "001000000000001", "0Af00000000000"])
def test_a_malformed_id_is_refused_without_a_request(
    desk: Desk, command: str, identifier: str
) -> None:
    result = desk.run("deployment", command, identifier)
    result.refused(2, f"'{identifier}' is not a deployment id")
    assert "0Af" in result.hint
    assert len(desk.emulator.log) == 0


def test_a_running_deployment_is_reported_as_running(open_desk: OpenDesk) -> None:
    desk = open_desk(deploy_seconds=20)
    identifier = _deployed(desk, "--async")
    desk.clock.seconds = 10
    result = desk.run("deployment", "report", identifier)
    assert result.code == 69
    assert f"deployment {identifier}: InProgress" in result.out
    assert "phase add-new is not live" in result.out
    document = desk.run("deployment", "report", identifier, "--json").json("deployment")
    assert document["deployment"]["done"] is False


def test_a_wait_timeout_reports_that_the_deployment_is_running(open_desk: OpenDesk) -> None:
    desk = open_desk(deploy_seconds=20)
    identifier = _deployed(desk, "--async")
    result = desk.run("deployment", "wait", identifier, "--wait", "0")
    result.refused(69, f"deployment {identifier} is not done")
    assert follow_up(result.hint) == ["deployment", "wait", identifier]


def test_a_failed_deployment_shows_the_component_problems(desk: Desk) -> None:
    desk.emulator.set_fault(Fault(kind="failed", operation="deploy"))
    result = desk.run("deployment", "report", _deployed(desk))
    assert result.code == 1
    assert "error: " in result.out
    assert "FIELD_INTEGRITY_EXCEPTION" in result.out


def test_a_validation_is_reported_as_a_validation(desk: Desk) -> None:
    desk.run("deploy", "add-new", "--dry-run")
    result = desk.run("deployment", "report", desk.emulator.deployments[0].id)
    assert result.code == 0
    assert "validation only: nothing was changed" in result.out


def test_cancel_ends_a_pending_deployment(open_desk: OpenDesk) -> None:
    desk = open_desk(deploy_seconds=20)
    identifier = _deployed(desk, "--async")
    desk.clock.seconds = 1
    result = desk.run("deployment", "cancel", identifier[:15])
    assert result.code == 0, result.err
    assert f"deployment {identifier}: Canceled" in result.out
    assert "phase add-new is not live" in result.out
    assert desk.asked("cancelDeploy") == 1


def test_a_cancellation_in_progress_names_the_command_that_waits(open_desk: OpenDesk) -> None:
    desk = open_desk(deploy_seconds=20, cancel_seconds=5)
    identifier = _deployed(desk, "--async")
    desk.clock.seconds = 10
    result = desk.run("deployment", "cancel", identifier)
    assert result.code == 69
    assert "Canceling" in result.out
    desk.clock.seconds = 20
    ended = desk.run(*follow_up(result.err))
    assert ended.code == 1
    assert "Canceled" in ended.out


@pytest.mark.parametrize("option", [(), ("--json",)])
def test_cancel_of_a_finished_deployment_fails(desk: Desk, option: tuple[str, ...]) -> None:
    identifier = _deployed(desk)
    result = desk.run("deployment", "cancel", identifier, *option)
    assert result.code == 1
    assert "warning: not canceled: the deployment had already ended as Succeeded" in result.err
    if option:
        assert result.json("deployment")["deployment"]["state"] == "succeeded"


def test_several_targets_require_a_target_option(desk: Desk, start_org: StartOrg) -> None:
    identifier = _deployed(desk)
    desk.add_target("second", start_org())
    result = desk.run("deployment", "report", identifier)
    result.refused(2, "a deployment belongs to one org")
    assert "packaging, second" in result.hint
    assert desk.run("deployment", "report", identifier, "--target", "packaging").code == 0
