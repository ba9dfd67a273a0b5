"""Commands named in text take the cutover.yaml that was given."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from sfcutover.util.hints import pasteable, use_config, use_default_config

NAMES = ("run", "rollback", "deployment")


@pytest.fixture(autouse=True)
def _default_afterwards() -> Iterator[None]:
    yield
    use_default_config()


def test_the_file_of_that_name_is_found_without_being_named() -> None:
    use_config(Path("cutover.yaml"), NAMES)
    assert pasteable("go on: sfcutover run") == "go on: sfcutover run"


def test_every_command_takes_the_file() -> None:
    use_config(Path("eu/cutover.yaml"), NAMES)
    assert pasteable("go on: sfcutover run; sfcutover rollback --yes") == (
        "go on: sfcutover --config eu/cutover.yaml run; "
        "sfcutover --config eu/cutover.yaml rollback --yes"
    )


def test_the_file_is_quoted_as_a_shell_wants_it() -> None:
    use_config(Path(r"it's \1.yaml"), NAMES)
    words = shlex.split(pasteable("sfcutover deployment wait 0Af"))
    assert words == ["sfcutover", "--config", r"it's \1.yaml", "deployment", "wait", "0Af"]


@pytest.mark.parametrize(
    "text",
    [
        "a defect in sfcutover stopped it",
        "sfcutover runner",
        "sfcutover --config eu/cutover.yaml run",
        "/usr/share/sfcutover run",
        "my-sfcutover run",
    ],
)
def test_other_text_stays(text: str) -> None:
    use_config(Path("eu/cutover.yaml"), NAMES)
    assert pasteable(text) == text
