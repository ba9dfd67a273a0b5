"""Removals where the org shows no LoginHistory: the operator confirms that customers have left."""

from __future__ import annotations

import pytest

from tests.integration.cli.conftest import OpenDesk
from tests.integration.cli.harness import Desk, HeldClock, at_terminal
from tests.integration.cli.test_case import confirm_add_new, set_up
from tests.integration.cli.traffic import OLD, RunningClock, keep_token, lists_held, verify_with

SILENCE = (
    "othing shows that customers have left the old addresses: LoginHistory is not "
    "available in the org"
)


@pytest.fixture
def clock() -> HeldClock:
    return RunningClock()


@pytest.fixture
def silent(open_desk: OpenDesk) -> Desk:
    """Old and new addresses are on the allowlist of an org that shows no LoginHistory."""
    desk = open_desk(login_history="unavailable")
    keep_token(desk)
    desk.configure(quiet=None)
    verify_with(desk, settle="0s")
    assert desk.run("deploy", "add-new", "--yes").code == 0
    return desk


def test_confirming_that_traffic_moved_removes_the_addresses(silent: Desk) -> None:
    result = at_terminal(silent, "y\n", "deploy", "remove-old", "--json")
    assert result.code == 0, result.err
    assert result.err.count("Deploy remove-old to packaging?") == 1
    assert SILENCE in result.err
    clearance = result.json("deploy")["targets"][0]["clearance"]
    assert clearance.endswith("; confirmed: at the terminal")


def test_denying_that_traffic_moved_removes_nothing(silent: Desk) -> None:
    result = at_terminal(silent, "n\n", "deploy", "remove-old")
    assert result.code == 9, result.err
    assert lists_held(silent, *OLD)


def test_yes_option_does_not_confirm_that_traffic_moved(silent: Desk) -> None:
    at_terminal(silent, "y\n", "deploy", "remove-old", "--yes").refused(5, SILENCE)
    assert lists_held(silent, *OLD)


def test_the_answer_is_recorded(silent: Desk) -> None:
    result = silent.run("deploy", "remove-old", "--yes", "--traffic-moved", "--json")
    assert result.code == 0, result.err
    clearance = result.json("deploy")["targets"][0]["clearance"]
    assert SILENCE in clearance
    assert clearance.endswith("; confirmed: --traffic-moved")


def test_a_support_case_asks_the_same_question(open_desk: OpenDesk) -> None:
    legacy = set_up(open_desk(login_history="unavailable"))
    legacy.configure(quiet=None)
    confirm_add_new(legacy)
    legacy.run("case", "remove-old").refused(5, SILENCE)
    result = legacy.run("case", "remove-old", "--traffic-moved")
    assert result.code == 0, result.err
    assert "; confirmed: --traffic-moved" in result.out
