"""docs/explanation/procedure.md names only existing commands, and every step of a run."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest

from sfcutover.cli import cli

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "docs" / "explanation" / "procedure.md").read_text(encoding="utf-8")
NAMED = sorted({" ".join(each.split()) for each in re.findall(r"`sfcutover ([^`]+)`", TEXT)})


@pytest.mark.parametrize("line", NAMED)
def test_every_command_and_option_exists(line: str) -> None:
    command = cli.get_command(click.Context(cli), line.split()[0])
    assert command is not None
    known = {name for param in command.params for name in param.opts}
    assert set(re.findall(r"--[a-z-]+", line)) <= known


@pytest.mark.parametrize("step", ["probe", "deploy", "switch", "verify", "watch", "rollback"])
def test_every_step_is_named(step: str) -> None:
    assert any(line.split()[0] == step for line in NAMED)


def test_the_readme_links_to_the_procedure() -> None:
    assert "(docs/explanation/procedure.md)" in (ROOT / "README.md").read_text(encoding="utf-8")
