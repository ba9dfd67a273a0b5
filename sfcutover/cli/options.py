"""The options that several commands share. It imports little, so that ``--help`` is fast."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click
from click.core import ParameterSource

from sfcutover.output.console import Settings, use_config

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

F = TypeVar("F", bound=Callable[..., object])
FILE = click.Path(dir_okay=False, path_type=Path)


def settings_of(ctx: click.Context) -> Settings:
    """The settings of this process, shared by the group and its command."""
    return ctx.ensure_object(Settings)


def _store(ctx: click.Context, param: click.Parameter, value: object) -> None:
    """Store the value in the setting that has the option's name."""
    settings, name = settings_of(ctx), param.name or ""
    source = ctx.get_parameter_source(name)
    # Only the outermost group reads the environment: an option before a command overrides it.
    inherited = source is ParameterSource.ENVIRONMENT and ctx.parent is None
    if source is ParameterSource.COMMANDLINE or inherited:
        setattr(settings, name, value)
    use_config(settings.config)


def _targets(ctx: click.Context, param: click.Parameter, word: str) -> list[CompletionItem]:
    from sfcutover.cli.completion import complete_targets

    return complete_targets(ctx, param, word)


class GlobalOption(click.Option):
    """An option that every command accepts. Only the help of ``sfcutover`` itself lists it."""

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        return super().get_help_record(ctx) if ctx.parent is None else None


_global_option = partial(click.option, cls=GlobalOption, expose_value=False, callback=_store)

_GLOBAL_OPTIONS = [
    _global_option(
        "--config",
        type=FILE,
        envvar="SFCUTOVER_CONFIG",
        help="The file that describes the cutover.  [default: cutover.yaml]",
    ),
    _global_option(
        "--target",
        "targets",
        multiple=True,
        metavar="NAME",
        envvar="SFCUTOVER_TARGET",
        shell_complete=_targets,
        help="Only this target; repeatable.  [default: all targets]",
    ),
    _global_option(
        "--json",
        is_flag=True,
        envvar="SFCUTOVER_JSON",
        help="Print one JSON document to stdout; run, approve, cancel and runs --follow print one "
        "per line.",
    ),
    _global_option(
        "-v",
        "--verbose",
        count=True,
        envvar="SFCUTOVER_VERBOSE",
        help="Print more to stderr, and a traceback with an error; -vv prints every request.",
    ),
    _global_option(
        "-q",
        "--quiet",
        is_flag=True,
        envvar="SFCUTOVER_QUIET",
        help="Print no progress and no notes.",
    ),
    _global_option(
        "--no-color",
        is_flag=True,
        envvar="SFCUTOVER_NO_COLOR",
        help="Print no colors; the variable NO_COLOR does the same.",
    ),
]


def global_options(function: F) -> F:
    """Add --config, --target, --json, -v, -q and --no-color, whose values Settings holds."""
    for option in reversed(_GLOBAL_OPTIONS):
        function = option(function)
    return function


yes_option = click.option(
    "--yes", is_flag=True, help="Skip confirmation (required when not interactive)."
)
wait_option = click.option(
    "--wait",
    "minutes",
    type=click.FloatRange(min=0, max=24 * 60),
    default=30,
    show_default=True,
    metavar="MIN",
    help="Wait this many minutes for the org, then exit 69.",
)
evidence_option = click.option(
    "--evidence",
    "evidence_file",
    type=FILE,
    help="For remove-old and remove-new: use the evidence in this file, which verify --out wrote.",
)
traffic_moved_option = click.option(
    "--traffic-moved",
    is_flag=True,
    help="Confirm that no customer uses the addresses to be removed, where no other evidence does.",
)
out_option = click.option(
    "--out",
    type=FILE,
    help="Also write the JSON document to this file, for report --from; replaces an older file.",
)
outside_run_option = click.option(
    "--outside-run",
    is_flag=True,
    help="Proceed although a run of this cutover has not ended.",
)
