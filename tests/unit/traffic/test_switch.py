"""What a switch command, or the operator, is told."""

from __future__ import annotations

import pytest

from sfcutover.config.traffic import Switch
from sfcutover.errors import ConfigError
from sfcutover.traffic.switch import Direction, SwitchFacts, command_of

OLD, NEW = "203.0.113.10,203.0.113.12-203.0.113.14", "198.51.100.20"


def test_without_a_command_for_the_way_back_the_operator_moves_it() -> None:
    with pytest.raises(ConfigError, match=r"no command for switch\.revert"):
        command_of(Switch(apply=("true",)), "revert")


@pytest.mark.parametrize(("direction", "to", "away"), [("apply", NEW, OLD), ("revert", OLD, NEW)])
def test_the_operator_is_asked_for_one_direction(direction: Direction, to: str, away: str) -> None:
    facts = SwitchFacts("move", "Acme_Connector", direction, OLD, NEW)
    assert facts.question == (
        f"Move the traffic of Acme_Connector to {to} (away from {away}). Is that done?"
    )
