"""Every command with its help and options, from click."""

from __future__ import annotations

import inspect
from collections.abc import Iterator

import click

from sfcutover.cli import cli
from tests.docs.markdown import code, table


def commands() -> str:
    """The global options, then each command and subcommand in the order of --help."""
    root = click.Context(cli, info_name="sfcutover")
    shared = {each.name or "" for each in cli.params}
    parts = [_global_options(root)]
    for name in cli.list_commands(root):
        command = cli.get_command(root, name)
        assert command is not None
        parts += _sections(command, click.Context(command, root, info_name=name), shared, 2)
    return "\n\n".join(parts)


def _global_options(root: click.Context) -> str:
    rows = [
        (code(record[0]), code(each.envvar) if isinstance(each.envvar, str) else "", record[1])
        for each in cli.params
        if (record := each.get_help_record(root))
    ]
    return f"## Global options\n\n{table(('option', 'variable', 'meaning'), rows)}"


def _sections(
    command: click.Command, ctx: click.Context, shared: set[str], level: int
) -> Iterator[str]:
    usage = " ".join([ctx.command_path, *command.collect_usage_pieces(ctx)])
    title = ctx.command_path.removeprefix("sfcutover ")
    options = _options(command, ctx, shared)
    described = [f"{'#' * level} {title}", *_help(command), f"```text\n{usage}\n```", options]
    yield "\n\n".join(each for each in described if each)
    if isinstance(command, click.Group):
        for name in command.list_commands(ctx):
            inner = command.get_command(ctx, name)
            assert inner is not None
            yield from _sections(inner, click.Context(inner, ctx, info_name=name), shared, 3)


def _help(command: click.Command) -> list[str]:
    """The paragraphs of the help; one that click does not rewrap becomes a block."""
    text = inspect.cleandoc(command.help or "").split("\f")[0]
    return [_paragraph(each) for each in text.split("\n\n")]


def _paragraph(text: str) -> str:
    if text.startswith("\b\n"):
        return f"```console\n{inspect.cleandoc(text.removeprefix(chr(8) + chr(10)))}\n```"
    return " ".join(text.split())


def _options(command: click.Command, ctx: click.Context, shared: set[str]) -> str:
    records = (
        each.get_help_record(ctx)
        for each in command.get_params(ctx)
        if each.name not in shared and "--help" not in each.opts
    )
    rows = [(code(name), described) for name, described in filter(None, records) if described]
    return table(("option", "meaning"), rows) if rows else ""
