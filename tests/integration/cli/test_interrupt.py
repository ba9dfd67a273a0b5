"""Interrupting a deployment's wait, and answering its question, in child processes."""

from __future__ import annotations

import os
import signal
from contextlib import suppress

import pytest

from sfcutover.emulator.faults import Fault
from tests.integration.cli.conftest import OpenDesk, StartOrg
from tests.integration.cli.harness import (
    Desk,
    Process,
    at_terminal,
    environment,
    eventually,
    range_xml,
    terminal,
    with_entry,
)
from tests.integration.cli.test_deploy import OVERLAP, YES, follow_up


@pytest.fixture
def slow_desk(open_desk: OpenDesk) -> Desk:
    """An org whose deployments run until the test advances its clock."""
    return open_desk(deploy_seconds=20)


def _interrupted_wait(desk: Desk, *words: str, by: signal.Signals = signal.SIGINT) -> Process:
    process = desk.start(*YES, *words)
    process.wait_for("[Pending]")
    process.send(by)
    return process


@pytest.mark.parametrize("by", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_wait_and_names_the_command_that_continues(
    slow_desk: Desk, by: signal.Signals
) -> None:
    result = _interrupted_wait(slow_desk, by=by).result()
    identifier = slow_desk.emulator.deployments[0].id
    result.refused(9, f"interrupted by {by.name}; deployment {identifier} (add-new, packaging) is")
    assert "read back now: the old addresses are on the allowlist, and no new" in result.impact
    assert "may still take effect" in result.impact
    assert slow_desk.asked("cancelDeploy") == 0
    slow_desk.clock.seconds = 30
    assert slow_desk.run(*follow_up(result.hint)).code == 0
    assert slow_desk.live() == OVERLAP


def test_a_signal_is_reported_as_json(slow_desk: Desk) -> None:
    result = _interrupted_wait(slow_desk, "--json").result()
    document = result.json("error")
    assert document["exit_code"] == result.code == 9
    assert slow_desk.emulator.deployments[0].id in document["next"]


def test_cancel_on_interrupt_cancels_once(slow_desk: Desk) -> None:
    result = _interrupted_wait(slow_desk, "--cancel-on-interrupt").result()
    identifier = slow_desk.emulator.deployments[0].id
    result.refused(9, f"deployment {identifier} (add-new, packaging) ended as Canceled")
    assert "may still take effect" not in result.impact
    assert slow_desk.asked("cancelDeploy") == 1
    slow_desk.clock.seconds = 30
    assert slow_desk.run(*follow_up(result.hint)).code == 0
    assert slow_desk.live() == OVERLAP[:3]


def test_a_refused_cancellation_names_the_command_that_continues(slow_desk: Desk) -> None:
    slow_desk.emulator.set_fault(Fault(kind="org_locked", operation="cancelDeploy"))
    result = _interrupted_wait(slow_desk, "--cancel-on-interrupt").result()
    result.refused(9, "could not be canceled", "and is Pending")
    assert "may still take effect" in result.impact
    assert slow_desk.emulator.deployments[0].id in result.hint


def test_an_interrupted_read_back_claims_nothing(desk: Desk) -> None:
    desk.emulator.set_fault(Fault(kind="slow", operation="retrieve", skip=1, seconds=60))
    process = desk.start(*YES)
    process.wait_for("Reading back")
    process.send(signal.SIGINT)
    result = process.result()
    result.refused(9, desk.emulator.deployments[0].id)
    assert "nothing was changed" not in result.impact


def test_an_interrupted_request_names_where_to_check(desk: Desk) -> None:
    desk.emulator.set_fault(Fault(kind="slow", operation="deploy", seconds=60))
    process = desk.start(*YES)
    process.wait_for("Preparing")
    eventually(lambda: desk.asked("deploy") == 1)
    process.send(signal.SIGINT)
    result = process.result()
    result.refused(9, "a deployment was being sent")
    assert "nothing was changed" not in result.impact
    assert follow_up(result.hint)[:2] == ["diff", "add-new"]


def test_an_interrupt_on_the_second_target_names_the_first(desk: Desk, start_org: StartOrg) -> None:
    second = start_org(deploy_seconds=20)
    desk.add_target("second", second)
    process = desk.start(*YES)
    process.wait_for("second: Waiting for the org [Pending]")
    process.send(signal.SIGTERM)
    result = process.result()
    result.refused(9, second.deployments[0].id)
    assert "packaging, read back now: old and new addresses are on the allowlist" in result.impact
    assert "second, read back now: the old addresses are on the allowlist, and no" in result.impact
    assert follow_up(result.hint)[-2:] == ["--target", "second"]


def test_an_interrupted_plan_reports_that_nothing_was_changed(desk: Desk) -> None:
    desk.emulator.set_fault(Fault(kind="slow", operation="listMetadata", seconds=60))
    process = desk.start("plan")
    eventually(lambda: desk.asked("listMetadata") == 1)
    process.send(signal.SIGINT)
    result = process.result()
    result.refused(9, "interrupted")
    assert "nothing was changed" in result.impact


def test_deployment_wait_can_be_interrupted_and_continued(slow_desk: Desk) -> None:
    started = slow_desk.run(*YES, "--async")
    process = slow_desk.start(*follow_up(started.out))
    process.wait_for("[Pending]")
    process.send(signal.SIGINT)
    result = process.result()
    result.refused(9, "interrupted by SIGINT; deployment")
    assert follow_up(result.hint) == follow_up(started.out)


def test_yes_confirms_the_question(desk: Desk) -> None:
    result = at_terminal(desk, "y\n", "deploy", "add-new")
    assert result.code == 0, result.err
    assert "Deploy add-new to packaging? [y/N]:" in result.err
    assert desk.asked("deploy") == 1


@pytest.mark.parametrize("answer", ["\n", "\x04"], ids=["return", "end"])
def test_any_other_answer_declines_the_question(desk: Desk, answer: str) -> None:
    result = at_terminal(desk, answer, "deploy", "add-new")
    assert result.code == 9
    assert "nothing was changed" in result.impact
    assert desk.asked("deploy") == 0


def test_a_change_while_the_question_is_open_is_drift(desk: Desk) -> None:
    with terminal() as (operator, process):
        started = desk.start("deploy", "add-new", stdin=process)
        started.wait_for("of 256 addresses", "stdout")
        desk.put_live(with_entry(range_xml("192.0.2.200", "192.0.2.200", "added in Setup")))
        os.write(operator, b"y\n")
        result = started.result()
    assert result.code == 4
    assert "another user changed" in result.err
    assert desk.asked("deploy") == 0


def _screen(desk: Desk, *words: str, **variables: str) -> tuple[int, str]:
    """What a terminal shows of the command, and its exit code."""
    with terminal() as (operator, process):
        streams = {"stdin": process, "stdout": process, "stderr": process}
        variables = {"TERM": "xterm", "COLUMNS": "120", **variables}
        started = desk.start(*words, env=environment(**variables), **streams)
        os.close(process)
        parts = []
        with suppress(OSError):  # Linux: the other end is closed
            while part := os.read(operator, 65536):
                parts.append(part)
        return started.result().code, b"".join(parts).decode()


def test_a_terminal_gets_colors_and_a_live_line(desk: Desk) -> None:
    code, text = _screen(desk, *YES)
    assert code == 0
    assert "\x1b[32m    + 127.0.0.21" in text
    assert f"packaging: deployment {desk.emulator.deployments[0].id}" in text
    assert "\x1b[?25l" in text


@pytest.mark.parametrize(
    ("words", "variables"),
    [
        ((*YES, "--no-color"), {}),
        (("plan", "--config", "missing.yaml"), {"NO_COLOR": "1"}),
        (("plan", "--config", "missing.yaml"), {"SFCUTOVER_NO_COLOR": "1"}),
    ],
)
def test_colors_can_be_disabled(
    desk: Desk, words: tuple[str, ...], variables: dict[str, str]
) -> None:
    _, text = _screen(desk, *words, **variables)
    assert "\x1b[3" not in text
    assert "\x1b[1m" not in text


def test_ci_lines_are_never_redrawn(desk: Desk) -> None:
    code, text = _screen(desk, *YES, CI="true")
    assert code == 0
    assert "packaging: Reading back" in text
    assert "\x1b[?25l" not in text
