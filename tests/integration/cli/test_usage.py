"""Help, the places of options, environment variables, and suggestions for typos."""

from __future__ import annotations

import re

import click
import pytest

from sfcutover.cli import cli
from sfcutover.errors import EXIT_CODE_MEANINGS, ExitCode
from tests.integration.cli.harness import Desk

GLOBAL_OPTIONS = {"--config", "--target", "--json", "--verbose", "--quiet", "--no-color"}


def _commands(words: tuple[str, ...], command: click.Command) -> dict[str, click.Command]:
    """The command and all its subcommands, by their words."""
    found = {" ".join(words): command}
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            assert inner is not None
            found |= _commands((*words, name), inner)
    return found


COMMANDS = _commands((), cli)


@pytest.mark.parametrize("words", COMMANDS)
def test_every_help_names_and_describes_every_option(desk: Desk, words: str) -> None:
    result = desk.run(*words.split(), "--help")
    assert (result.code, result.err) == (0, "")
    options = [one for one in COMMANDS[words].params if isinstance(one, click.Option)]
    names = {name for option in options for name in option.opts}
    assert names >= GLOBAL_OPTIONS
    for name in names - GLOBAL_OPTIONS - {"-v", "-q"} if words else names:
        assert re.search(rf"(^|\s){name}\b", result.out)
    for option in options:
        assert option.help, option.opts


def test_only_the_help_of_the_program_lists_the_global_options(desk: Desk) -> None:
    program = desk.run("--help").out
    options, rest = program.split("\nGlobal options (before or after the command):\n")
    listed = rest.split("\nCommands:\n")[0]
    assert all(name in listed and name not in options for name in GLOBAL_OPTIONS)
    for words in filter(None, COMMANDS):
        help_text = desk.run(*words.split(), "--help").out
        assert not re.search(r"^  --(config|target|quiet)(?![\w-])", help_text, re.MULTILINE)
        assert help_text.endswith("see sfcutover --help.\n")


def test_every_command_exists() -> None:
    first = {"init", "doctor", "plan", "render", "diff", "deploy", "deployment", "emulator", "demo"}
    assert {*first, "deployment report", "deployment wait", "deployment cancel"} <= set(COMMANDS)


def test_the_help_ends_with_the_exit_codes_of_the_errors(desk: Desk) -> None:
    table = desk.run("--help").out.split("Exit codes:\n")[1]
    rows = dict(line.strip().split("  ", 1) for line in table.strip().splitlines())
    assert rows == {str(int(code)): text for code, text in EXIT_CODE_MEANINGS.items()}
    assert set(EXIT_CODE_MEANINGS) == set(ExitCode)


def test_version_is_printed(desk: Desk) -> None:
    assert desk.run("--version").out.startswith("sfcutover 0.")


@pytest.mark.parametrize("words", [(), ("deployment",)], ids=" ".join)
def test_a_missing_command_prints_the_help_on_stderr(desk: Desk, words: tuple[str, ...]) -> None:
    result = desk.run(*words)
    result.refused(2, "no command was given")
    assert "Commands:" in result.err
    assert result.out == ""


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (("deplo",), "no command 'deplo'; did you mean 'deploy'?"),
        (("deployment", "canel"), "no command 'canel'; did you mean 'cancel'?"),
        (("zzz",), "the commands are init, doctor,"),
        (("deploy", "add-new", "--dryrun"), "Did you mean '--dry-run'?"),
        (("diff", "add-old"), "'add-old' is not one of 'add-new', 'remove-old',"),
        (("deploy",), "Missing argument 'PHASE'. Choose from: add-new, remove-old,"),
        (("render",), "Missing option '--out'"),
        (("render", "--out"), "'--out' requires an argument"),
        (("render", "--out", "x", "--zip", "--format", "source"), "requires --format mdapi"),
        (("deploy", "add-new", "--wait", "soon"), "'soon' is not a valid"),
        (("deploy", "add-new", "--wait", "-1"), "is not in the range 0<=x<=1440"),
        (("--target", "packagin", "diff", "add-new"), "no target 'packagin'"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_a_typo_is_answered_in_one_line(desk: Desk, words: tuple[str, ...], error: str) -> None:
    desk.run(*words).refused(2, error)
    assert len(desk.emulator.log) == 0


def test_an_unknown_target_suggests_the_known_one(desk: Desk) -> None:
    assert desk.run("diff", "add-new", "--target", "packagin").hint == "did you mean packaging?"


@pytest.mark.parametrize(
    "words",
    [
        ("--json", "diff", "add-new"),
        ("diff", "--json", "add-new"),
        ("diff", "add-new", "--json"),
        ("diff", "add-new", "--format", "json"),
    ],
    ids=" ".join,
)
def test_global_options_are_accepted_before_and_after_the_command(
    desk: Desk, words: tuple[str, ...]
) -> None:
    result = desk.run(*words)
    assert (result.code, result.err) == (0, "")
    assert result.json("diff")["changed"] is True


def test_global_options_are_accepted_within_deployment_commands(desk: Desk) -> None:
    result = desk.run("deployment", "--json", "report", "0Af000000000001")
    assert result.json("error")["exit_code"] == result.code == 1


def test_environment_variables_set_options(desk: Desk) -> None:
    desk.config.rename(desk.folder / "other.yaml")
    desk.monkeypatch.setenv("SFCUTOVER_CONFIG", "other.yaml")
    desk.monkeypatch.setenv("SFCUTOVER_JSON", "1")
    desk.monkeypatch.setenv("SFCUTOVER_TARGET", "packaging")
    assert desk.run("plan").json("plan")["targets"][0]["name"] == "packaging"


@pytest.mark.parametrize("before", [True, False])
def test_an_option_overrides_its_variable(desk: Desk, before: bool) -> None:
    desk.monkeypatch.setenv("SFCUTOVER_CONFIG", "missing.yaml")
    option = ("--config", "cutover.yaml")
    words = (*option, "diff", "add-new") if before else ("diff", "add-new", *option)
    assert desk.run(*words).code == 0


@pytest.mark.parametrize(
    "words",
    [
        ("--json", "diff", "add-old"),
        ("diff", "add-old", "--json"),
        ("diff", "add-old", "--format=json"),
        ("--json", "nothing"),
        ("--json", "--nothing"),
        ("--json",),
        ("--json", "--config", "missing.yaml", "plan"),
    ],
    ids=" ".join,
)
def test_errors_are_reported_as_json(desk: Desk, words: tuple[str, ...]) -> None:
    result = desk.run(*words)
    document = result.json("error")
    assert document["exit_code"] == result.code == 2
    assert document["error"] in result.err
    assert document["next"] == result.hint


def test_a_variable_selects_json_errors(desk: Desk) -> None:
    desk.monkeypatch.setenv("SFCUTOVER_JSON", "true")
    assert desk.run("diff").json("error")["exit_code"] == 2


def test_quiet_prints_errors_and_data_only(desk: Desk) -> None:
    result = desk.run("-q", "deploy", "add-new", "--yes")
    assert (result.code, result.err) == (0, "")
    assert "done: add-new is live" in result.out
    desk.run("-q", "--config", "missing.yaml", "plan").refused(2, "no missing.yaml in /")


def test_verbose_prints_the_traceback_of_an_error(desk: Desk) -> None:
    result = desk.run("-v", "--config", "missing.yaml", "plan")
    assert "Traceback" in result.err
    assert result.err.rstrip().endswith("exit:   2")


def test_verbose_twice_logs_requests_on_stderr(desk: Desk) -> None:
    result = desk.run("-vv", "diff", "add-new")
    assert "POST /services/Soap/m/67.0" in result.err
    assert "DEBUG" not in result.out


def test_no_colors_without_a_terminal(desk: Desk) -> None:
    result = desk.run("deploy", "add-new", "--yes")
    assert "\x1b" not in result.out + result.err
