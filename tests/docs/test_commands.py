"""Every command in the README and docs/ exists, with its options and choices."""

from __future__ import annotations

import re
import subprocess

import click
import pytest

from sfcutover.cli import cli
from tests.docs.blocks import Block, blocks, script, sfcutover_lines, texts
from tests.docs.generated import ROOT

CONSOLE = blocks("console")
PROGRAMS = {
    *("sfcutover", "make", "cd", "export", "eval", "set", "until", "kill", "curl", "echo", "git"),
    *("python3", ".venv/bin/python", "uvx", "pipx", "docker", "vault"),
    "_SFCUTOVER_COMPLETE=fish_source",
}
INLINE = sorted(
    {
        (page, " ".join(found.replace(r"\|", "|").split()))
        for page in texts()
        for found in re.findall(r"`(sfcutover [a-z][^`]*)`", page.read_text(encoding="utf-8"))
    }
)


def problem_with(words: list[str]) -> str | None:
    """Why click would refuse these arguments; the values of files and ids are not checked."""
    ctx = click.Context(cli, info_name="sfcutover")
    command: click.Command = cli
    left = words
    try:
        while isinstance(command, click.Group):
            given, left, _ = _parsed(command, ctx, left)
            if not left:
                return _choice_problem(command, ctx, given)
            inner = command.get_command(ctx, left[0])
            if inner is None:
                return f"no command {left[0]}"
            command, left = inner, left[1:]
        given, _, _ = _parsed(command, ctx, left)
        return _choice_problem(command, ctx, given)
    except click.UsageError as error:
        return error.format_message()


def _parsed(
    command: click.Command, ctx: click.Context, words: list[str]
) -> tuple[dict[str, object], list[str], list[click.Parameter]]:
    parser = command.make_parser(ctx)
    parser.allow_interspersed_args = not isinstance(command, click.Group)
    return parser.parse_args(list(words))


def _choice_problem(
    command: click.Command, ctx: click.Context, given: dict[str, object]
) -> str | None:
    for param in command.params:
        value = given.get(param.name or "")
        if isinstance(param.type, click.Choice) and isinstance(value, str) and "…" not in value:
            param.type.convert(value, param, ctx)
    return None


@pytest.mark.parametrize("block", CONSOLE, ids=str)
def test_every_call_in_a_block_is_accepted_by_click(block: Block) -> None:
    for words in sfcutover_lines(script(block)):
        assert problem_with([each for each in words if each != "$phase"]) is None, words


@pytest.mark.parametrize(("page", "line"), INLINE, ids=lambda each: str(each)[-60:])
def test_every_call_within_a_text_is_accepted_by_click(page: object, line: str) -> None:
    for words in sfcutover_lines(line):
        assert problem_with(words) is None, (page, line)


def test_calls_are_found_and_mistakes_detected() -> None:
    found = sfcutover_lines("sfcutover plan --out p && sfcutover diff add-new > x || [ $? = 3 ]")
    assert found == [["plan", "--out", "p"], ["diff", "add-new"]]
    assert problem_with(["plan", "--no-such"]) is not None
    assert problem_with(["report", "--format", "pdf"]) is not None
    assert problem_with(["lint"]) is not None


@pytest.mark.parametrize("block", CONSOLE, ids=str)
def test_every_block_is_a_shell_text_of_known_programs(block: Block) -> None:
    text = script(block)
    done = subprocess.run(["bash", "-n"], input=text, text=True, capture_output=True, check=False)
    assert done.stderr == ""
    starts = [line.split()[0] for line in text.replace("\\\n", " ").splitlines() if line.strip()]
    assert set(starts) <= PROGRAMS


def test_every_make_target_exists() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):.*##", makefile, re.MULTILINE))
    shown = "\n".join(page.read_text(encoding="utf-8") for page in texts())
    named = set(re.findall(r"(?:^|`)make ([a-z-]+)", shown, re.MULTILINE))
    assert {"demo", "test"} <= named <= targets
