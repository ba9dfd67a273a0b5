"""A switch by a person, and what can't work."""

from __future__ import annotations

import sys

import pytest

from sfcutover.config.traffic import Switch
from sfcutover.errors import ConfigError, InterruptedRunError
from sfcutover.traffic.switch import SwitchFacts, run_switch

OLD, NEW = "203.0.113.10,203.0.113.12-203.0.113.14", "198.51.100.20"
APPLY = SwitchFacts("move", "Acme_Connector", "apply", OLD, NEW)


REVERT = SwitchFacts("move", "Acme_Connector", "revert", OLD, NEW)


def python(code: str) -> Switch:
    return Switch(apply=(sys.executable, "-uc", code))


def test_without_a_way_back_a_person_must_go_it() -> None:
    with pytest.raises(ConfigError, match=r"no command for switch\.revert"):
        run_switch(python("pass"), REVERT, frozenset(), timeout=60)


def test_a_person_says_that_the_traffic_has_moved() -> None:
    questions: list[str] = []

    def yes(question: str) -> bool:
        questions.append(question)
        return True

    manual = Switch(manual=True)
    result = run_switch(manual, APPLY, frozenset(), timeout=60, ask=yes)
    assert (result.direction, result.manual) == ("apply", True)
    run_switch(manual, REVERT, frozenset(), timeout=60, ask=yes)
    assert questions == [
        f"Move the traffic of Acme_Connector to {NEW} (away from {OLD}). Is that done?",
        f"Move the traffic of Acme_Connector to {OLD} (away from {NEW}). Is that done?",
    ]


def test_no_answer_is_no() -> None:
    with pytest.raises(InterruptedRunError, match="was not confirmed"):
        run_switch(Switch(manual=True), APPLY, frozenset(), timeout=60)
