"""Texts that suggest commands, as they are displayed."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import pytest

from sfcutover.errors import DEFAULT_CONFIG, Advice, Command, GateError
from sfcutover.output.console import presentable, shown, use_config
from sfcutover.output.json import ErrorDocument, document_text
from sfcutover.util.document import commands_of, text_of
from sfcutover.util.secrets import Secret

ADVICE = Advice("resume: ", Command("run"), "; end it: ", Command("cancel", "move.1"))


@pytest.fixture(autouse=True)
def _default_afterwards() -> Iterator[None]:
    yield
    use_config(DEFAULT_CONFIG)


def test_the_default_file_is_not_named() -> None:
    use_config(Path(DEFAULT_CONFIG))
    assert shown(ADVICE) == "resume: sfcutover run; end it: sfcutover cancel move.1"


def test_every_command_names_another_file() -> None:
    use_config(Path("eu/cutover.yaml"))
    assert shown(ADVICE) == (
        "resume: sfcutover --config eu/cutover.yaml run; "
        "end it: sfcutover --config eu/cutover.yaml cancel move.1"
    )


def test_words_are_quoted_for_the_shell() -> None:
    use_config(Path(r"it's \1.yaml"))
    words = shlex.split(shown(Command("plan", "--out", "a plan.json")))
    assert words == ["sfcutover", "--config", r"it's \1.yaml", "plan", "--out", "a plan.json"]


def test_a_plain_text_is_unchanged() -> None:
    use_config(Path("eu/cutover.yaml"))
    assert presentable("sfcutover run is the command") == "sfcutover run is the command"


def test_advice_within_advice_becomes_part_of_it() -> None:
    whole = Advice("first ", ADVICE, ", then look")
    assert whole.advice == ("first ", *ADVICE.advice, ", then look")


def test_advice_from_json_is_equal() -> None:
    kept = json.loads(json.dumps({"next": ADVICE, "commands": [Command("run")]}, default=asdict))
    assert text_of(kept["next"]) == ADVICE
    assert text_of("plain") == "plain"
    assert commands_of(kept["commands"]) == [Command("run")]


def test_json_has_the_text_with_its_commands_and_without_secrets() -> None:
    use_config(Path('my "eu".yaml'))
    secret = Secret("a-secret-nobody-may-see")
    hint = Advice(f"not {secret.reveal()}: ", Command("run"))
    document = ErrorDocument.of(GateError("refused", hint=hint))
    text = json.loads(document_text(document))["next"]
    assert text.endswith(": sfcutover --config 'my \"eu\".yaml' run")
    assert "nobody-may-see" not in text


def test_the_hint_of_an_error_has_a_plain_text() -> None:
    assert GateError("refused", hint=Advice("see how: ", Command("runs"))).hint == (
        "see how: sfcutover runs"
    )
