"""Shell completion, without loading a command's module.

Tab reads ``completion.json``, an index of all commands, their options and values, from which it
builds the commands that click completes. ``python -m sfcutover.cli.completion`` writes the index; a
test compares it with the commands. Targets and run ids come from cutover.yaml and the state that it
names; what can't be read is not suggested. Nothing is written.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NotRequired, TypedDict

import click
from click.shell_completion import CompletionItem

from sfcutover.cli.options import global_options, settings_of

INDEX = Path(__file__).with_name("completion.json")
_GLOBAL = {"config", "targets", "json", "verbose", "quiet", "no_color"}
_RUNS = ("run_id", "run_or_files")
_RUNS_SHOWN = 50
_BUSY_SECONDS = 0.2  # the longest wait for a state that is being written


class Parameter(TypedDict):
    """An option, or an argument (without flags). type: choice, file, folder or text."""

    name: str
    flags: list[str]
    type: str
    choices: list[str]
    takes_value: bool
    repeats: bool
    help: str


class Entry(TypedDict):
    """A command; of a group, with its commands."""

    help: str
    parameters: list[Parameter]
    commands: NotRequired[dict[str, Entry]]


def indexed_command(name: str) -> click.Command | None:
    """The command, as far as completion needs it; None if there is none of this name."""
    index: dict[str, Entry] = json.loads(INDEX.read_text(encoding="utf-8"))
    return _command(name, index[name]) if name in index else None


def _command(name: str, entry: Entry) -> click.Command:
    parameters = [_parameter(each) for each in entry["parameters"]]
    if "commands" in entry:
        commands = [_command(*each) for each in entry["commands"].items()]
        group = click.Group(name, commands=commands, params=parameters, help=entry["help"])
        return global_options(group)
    return global_options(click.Command(name, params=parameters, help=entry["help"]))


def _parameter(entry: Parameter) -> click.Parameter:
    kind = _type_of(entry)
    complete = complete_runs if entry["name"] in _RUNS else None
    if not entry["flags"]:
        nargs = -1 if entry["repeats"] else 1
        return click.Argument(
            [entry["name"]], type=kind, nargs=nargs, required=False, shell_complete=complete
        )
    return click.Option(
        [entry["name"], *entry["flags"]],
        type=kind if entry["takes_value"] else None,
        is_flag=not entry["takes_value"],
        multiple=entry["repeats"],
        help=entry["help"],
    )


def _type_of(entry: Parameter) -> click.Choice[str] | click.Path | None:
    match entry["type"]:
        case "choice":
            return click.Choice(entry["choices"])
        case "file":
            return click.Path()
        case "folder":
            return click.Path(file_okay=False)
        case _:
            return None


Complete = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]


def complete_targets(ctx: click.Context, _: click.Parameter, word: str) -> list[CompletionItem]:
    """The names of cutover.yaml's targets."""
    targets = _config(ctx).get("targets")
    listed = targets if isinstance(targets, list) else []
    return _items((str(each["name"]) for each in listed if _is_named(each)), word)


def _is_named(target: object) -> bool:
    return isinstance(target, dict) and "name" in target


def complete_runs(ctx: click.Context, _: click.Parameter, word: str) -> list[CompletionItem]:
    """The ids of the newest runs in the state, if that is a SQLite file."""
    path = _state_file(ctx)
    return _items(_run_ids(path) if path is not None and path.is_file() else [], word)


def _items(values: Iterable[str], word: str) -> list[CompletionItem]:
    return [CompletionItem(value) for value in values if value.startswith(word)]


def _config(ctx: click.Context) -> dict[object, object]:
    from sfcutover.config.yamlfile import parse_yaml, read_text
    from sfcutover.errors import ConfigError

    path = settings_of(ctx).config
    try:
        data = parse_yaml(read_text(path), str(path)).data
    except (ConfigError, OSError):
        return {}
    return data if isinstance(data, dict) else {}


def _state_file(ctx: click.Context) -> Path | None:
    state = _config(ctx).get("state", {})
    url = state.get("url", "sqlite:///.sfcutover/state.db") if isinstance(state, dict) else None
    if isinstance(url, dict):
        url = os.environ.get(str(url.get("env")))
    scheme, found, path = str(url).partition(":///")
    if not found or not path or scheme.partition("+")[0] != "sqlite":
        return None
    return settings_of(ctx).config.parent / path.partition("?")[0]


def _run_ids(path: Path) -> list[str]:
    import sqlite3

    # Without its log, no process has the file open; immutable then creates no file.
    is_open = path.with_name(f"{path.name}-wal").exists()
    mode = "mode=ro" if is_open else "immutable=1"
    query = f"SELECT id FROM sfcutover_runs ORDER BY started DESC LIMIT {_RUNS_SHOWN}"  # noqa: S608
    try:
        connection = sqlite3.connect(
            f"{path.absolute().as_uri()}?{mode}", uri=True, timeout=_BUSY_SECONDS
        )
        try:
            return [str(row[0]) for row in connection.execute(query)]
        finally:
            connection.close()
    except sqlite3.Error:
        return []


def index_text() -> str:
    """The index of all commands, as its file holds it."""
    from sfcutover.cli import cli

    context = click.Context(cli)
    commands = {name: cli.get_command(context, name) for name in cli.list_commands(context)}
    index = {name: _entry(each) for name, each in commands.items() if each is not None}
    return json.dumps(index, indent=1, ensure_ascii=False) + "\n"


def _entry(command: click.Command) -> Entry:
    own = [each for each in command.params if each.name not in _GLOBAL]
    entry = Entry(
        help=command.get_short_help_str(limit=80), parameters=[_described(each) for each in own]
    )
    if isinstance(command, click.Group):
        entry["commands"] = {name: _entry(each) for name, each in command.commands.items()}
    return entry


def _described(parameter: click.Parameter) -> Parameter:
    is_option = isinstance(parameter, click.Option)
    return Parameter(
        name=parameter.name or "",
        flags=[*parameter.opts, *parameter.secondary_opts] if is_option else [],
        type=_kind(parameter.type),
        choices=[str(each) for each in getattr(parameter.type, "choices", ())],
        takes_value=not (isinstance(parameter, click.Option) and _is_bare(parameter)),
        repeats=parameter.multiple or parameter.nargs == -1,
        help=(parameter.help or "") if isinstance(parameter, click.Option) else "",
    )


def _is_bare(option: click.Option) -> bool:
    return option.is_flag or option.count


def _kind(kind: object) -> str:
    if isinstance(kind, click.Choice):
        return "choice"
    if isinstance(kind, click.Path):
        return "file" if kind.file_okay else "folder"
    return "text"


if __name__ == "__main__":
    INDEX.write_text(index_text(), encoding="utf-8")
