"""The README is short, starts with the first commands, and explains its words."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest

import sfcutover
from sfcutover.cli import cli
from sfcutover.errors import EXIT_CODE_MEANINGS
from sfcutover.output.console import Settings

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
COMMANDS = (ROOT / "docs" / "reference" / "cli.md").read_text(encoding="utf-8")
EXIT_CODES = (ROOT / "docs" / "reference" / "schemas.md").read_text(encoding="utf-8")
LONGEST = 130


def section(title: str) -> str:
    return README.split(f"\n## {title}\n")[1].split("\n## ")[0]


def test_the_readme_is_short() -> None:
    assert len(README.splitlines()) <= LONGEST


def test_the_first_two_commands_are_at_the_top() -> None:
    first = re.findall(r"```console\n(.*?)```", README, re.DOTALL)[0]
    assert "make demo" in first
    assert "make test" in first
    assert README.index("make demo") < 400


def test_the_readme_starts_with_one_sentence_and_a_recording() -> None:
    paragraphs = README.split("\n\n")
    assert paragraphs[1].count(". ") == 0
    assert "](docs/images/demo.svg)" in paragraphs[3]


def test_the_readme_shows_the_order_as_a_picture() -> None:
    assert "](docs/images/cutover.svg)" in section("The problem, and the safe order")


def test_there_are_six_guarantees_and_five_rows_of_failures() -> None:
    assert len(re.findall(r"^- \*\*", section("Guarantees"), re.MULTILINE)) == 6
    assert len(re.findall(r"^\| (?!what|---)", section("When something fails"), re.MULTILINE)) == 5


def test_the_exit_codes_are_those_of_the_errors() -> None:
    named = {int(each) for each in re.findall(r"\bexit (\d+)", README)}
    assert {4, 5, 69, 75} <= named <= {int(each) for each in EXIT_CODE_MEANINGS}


@pytest.mark.parametrize("word", ["redemption", "canary", "egress", "carrier", "wave"])
def test_a_word_is_explained_at_its_first_use(word: str) -> None:
    first = re.search(rf"[^ ]*{word}[^ ]* ?[^ ]*", _prose(), re.IGNORECASE)
    assert first is not None
    assert re.search(rf"\*{word}s?\*(:| \()", first[0]), first[0]


def _prose() -> str:
    """The text without blocks, pictures and code."""
    text = re.sub(r"```.*?```|`[^`]*`|!\[.*?\]\(.*?\)|\]\(.*?\)", "", README, flags=re.DOTALL)
    return " ".join(text.split())


@pytest.mark.parametrize("option", ["--config", "--target", "--json", "-v", "-q", "--no-color"])
def test_every_global_option_is_in_the_reference(option: str) -> None:
    assert f"`{option}" in COMMANDS
    assert option in cli.get_help(click.Context(cli))


def test_every_command_is_in_the_reference() -> None:
    named = re.findall(r"^## ([a-z]+)$", COMMANDS, re.MULTILINE)
    assert named == cli.list_commands(click.Context(cli))


def test_the_exit_code_table_is_that_of_the_errors() -> None:
    rows = re.findall(r"^\| (\d+) \| (.+?) \|$", EXIT_CODES, re.MULTILINE)
    assert {int(code): meaning for code, meaning in rows} == {
        int(code): meaning for code, meaning in EXIT_CODE_MEANINGS.items()
    }


def test_the_variables_of_the_global_options_are_in_the_reference() -> None:
    names = {"config", "target", "json", "verbose", "quiet", "no_color"}
    assert len(names) == len(vars(Settings()))
    for name in names:
        assert f"`SFCUTOVER_{name.upper()}`" in COMMANDS


def test_the_public_names_can_be_imported() -> None:
    for name in sfcutover.__all__:
        assert getattr(sfcutover, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = sfcutover.nothing
