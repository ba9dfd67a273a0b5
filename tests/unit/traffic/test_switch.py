"""The input and messages of a switch command, and of a manual switch."""

from __future__ import annotations

import pytest

from sfcutover.config.cutover import parse_config
from sfcutover.config.egress import Switch
from sfcutover.errors import ConfigError, ExitCode
from sfcutover.traffic.switch import (
    Direction,
    command_failed,
    command_of,
    facts_of,
    question_of,
)

OLD, NEW = "203.0.113.10,203.0.113.12-203.0.113.14", "198.51.100.20"
CUTOVER = parse_config(
    f"""\
version: 1
name: move
app: Acme_Connector
old: [{OLD}]
new: [{NEW}]
targets: [{{name: packaging, org: {{alias: acme}}}}]
""",
    "cutover.yaml",
)


def test_without_a_revert_command_the_operator_moves_the_traffic() -> None:
    with pytest.raises(ConfigError, match=r"no command for switch\.revert"):
        command_of(Switch(apply=("true",)), "revert")


@pytest.mark.parametrize(("direction", "to", "away"), [("apply", NEW, OLD), ("revert", OLD, NEW)])
def test_the_operator_is_asked_for_one_direction(direction: Direction, to: str, away: str) -> None:
    assert question_of(CUTOVER, direction) == (
        f"Move the traffic of Acme_Connector to {to} (away from {away}). Is this done?"
    )


def test_the_command_receives_the_cutover_and_the_direction() -> None:
    assert facts_of(CUTOVER, "revert") == {
        "SFCUTOVER_CUTOVER": "move",
        "SFCUTOVER_APP": "Acme_Connector",
        "SFCUTOVER_DIRECTION": "revert",
        "SFCUTOVER_OLD": OLD,
        "SFCUTOVER_NEW": NEW,
    }


def test_a_failed_command_reports_the_next_step() -> None:
    failed = command_failed("exit status 3", "move", "apply", "cutover.yaml:9")
    assert str(failed) == "cutover.yaml:9: the switch command move failed: exit status 3"
    assert failed.exit_code is ExitCode.FAILED
    assert str(failed.hint).endswith("or run it with --revert to move traffic back")
    assert "some traffic may already have moved" in failed.impact
    back = command_failed("exit status 1", "move", "revert", "cutover.yaml:9")
    assert str(back.hint).endswith(
        "or run it without --revert to move traffic to the new addresses"
    )
