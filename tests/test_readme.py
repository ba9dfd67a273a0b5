"""The README says what is so: its commands, its exit codes, its examples."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest

import sfcutover
from sfcutover.cli import cli
from sfcutover.config.cutover import load_config
from sfcutover.errors import EXIT_CODE_MEANINGS
from sfcutover.output.console import Settings

README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")


def _blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def test_the_two_commands_of_a_newcomer_stand_at_the_top() -> None:
    first = _blocks("console")[0]
    assert "make demo" in first
    assert "make test" in first
    assert README.index("make demo") < 400


def test_the_exit_code_table_is_the_one_of_the_errors() -> None:
    rows = re.findall(r"^\| (\d+) \| (.+?) \|$", README, re.MULTILINE)
    assert {int(code): meaning for code, meaning in rows} == {
        int(code): meaning for code, meaning in EXIT_CODE_MEANINGS.items()
    }


def test_every_command_is_in_the_table_and_no_other() -> None:
    section = README.split("## Commands")[1].split("### Exit codes")[0]
    named = re.findall(r"^\| `(\w+)", section, re.MULTILINE)
    assert named == cli.list_commands(click.Context(cli))


@pytest.mark.parametrize("option", ["--config", "--target", "--json", "-v", "-q", "--no-color"])
def test_every_global_option_is_named(option: str) -> None:
    assert f"`{option}" in README
    assert option in cli.get_help(click.Context(cli))


def test_every_option_the_command_table_shows_exists() -> None:
    section = README.split("## Commands")[1].split("Global options")[0]
    for line in re.findall(r"^\| `(.+?)` \|", section, re.MULTILINE):
        command = cli.get_command(click.Context(cli), line.split()[0])
        assert command is not None
        known = {name for param in command.params for name in param.opts}
        assert set(re.findall(r"--[a-z-]+", line)) <= known, line


def test_the_example_configuration_loads(tmp_path: Path) -> None:
    path = tmp_path / "cutover.yaml"
    path.write_text(_blocks("yaml")[1], encoding="utf-8")
    assert load_config(path).app == "Acme_Connector"


def test_every_way_into_an_org_loads(tmp_path: Path) -> None:
    example, ways = _blocks("yaml")[1], _blocks("yaml")[2].strip().splitlines()
    head = example.split("targets:")[0]
    for way in ways:
        path = tmp_path / "cutover.yaml"
        path.write_text(f"{head}targets:\n  - name: one\n    org: {way}\n", encoding="utf-8")
        assert load_config(path).targets[0].org is not None


def test_the_public_names_can_be_imported() -> None:
    for name in sfcutover.__all__:
        assert getattr(sfcutover, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = sfcutover.nothing


def test_the_variables_of_the_global_options_are_named() -> None:
    names = {"config", "target", "json", "verbose", "quiet", "no_color"}
    assert len(names) == len(vars(Settings()))
    for name in names:
        assert f"`SFCUTOVER_{name.upper()}`" in README
