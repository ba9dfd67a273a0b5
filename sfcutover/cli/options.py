"""The options that several commands share. It imports little, as ``--help`` needs it."""

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
    """The settings of this run, shared by the group and its command."""
    return ctx.ensure_object(Settings)


def _store(ctx: click.Context, param: click.Parameter, value: object) -> None:
    """Keep the value in the setting that has the option's name."""
    settings, name = settings_of(ctx), param.name or ""
    source = ctx.get_parameter_source(name)
    # The outermost group has read the environment; what stands before a command beats it.
    inherited = source is ParameterSource.ENVIRONMENT and ctx.parent is None
    if source is ParameterSource.COMMANDLINE or inherited:
        setattr(settings, name, value)
    use_config(settings.config)


def _targets(ctx: click.Context, param: click.Parameter, word: str) -> list[CompletionItem]:
    from sfcutover.cli.completion import complete_targets

    return complete_targets(ctx, param, word)


_global_option = partial(click.option, expose_value=False, callback=_store)

_GLOBAL_OPTIONS = [
    _global_option(
        "--config",
        type=FILE,
        envvar="SFCUTOVER_CONFIG",
        help="The cutover's file.  [default: cutover.yaml]",
    ),
    _global_option(
        "--target",
        "targets",
        multiple=True,
        metavar="NAME",
        envvar="SFCUTOVER_TARGET",
        shell_complete=_targets,
        help="Only this target; repeatable.  [default: all]",
    ),
    _global_option(
        "--json",
        is_flag=True,
        envvar="SFCUTOVER_JSON",
        help="Print one JSON document to stdout; run, approve, cancel and --follow one a line.",
    ),
    _global_option(
        "-v",
        "--verbose",
        count=True,
        envvar="SFCUTOVER_VERBOSE",
        help="More on stderr; a traceback with an error.",
    ),
    _global_option(
        "-q", "--quiet", is_flag=True, envvar="SFCUTOVER_QUIET", help="No progress and no notes."
    ),
    _global_option(
        "--no-color",
        is_flag=True,
        envvar="SFCUTOVER_NO_COLOR",
        help="No colours (as NO_COLOR does).",
    ),
]


def global_options(function: F) -> F:
    """Add --config, --target, --json, -v, -q and --no-color; their values go to Settings."""
    for option in reversed(_GLOBAL_OPTIONS):
        function = option(function)
    return function


yes_option = click.option("--yes", is_flag=True, help="Don't ask; needed where nobody can answer.")
wait_option = click.option(
    "--wait",
    "minutes",
    type=click.FloatRange(min=0, max=24 * 60),
    default=30,
    show_default=True,
    metavar="MIN",
    help="Minutes to wait for the org; exit 69 after that.",
)
evidence_option = click.option(
    "--evidence",
    "evidence_file",
    type=FILE,
    help="For a phase that removes: the evidence of an earlier verify.",
)
traffic_moved_option = click.option(
    "--traffic-moved",
    is_flag=True,
    help="Say that customers have left the addresses to be removed, where nothing else shows it.",
)
out_option = click.option(
    "--out",
    type=FILE,
    help="Write the JSON document here, too, for report --from; an older file is replaced.",
)
outside_run_option = click.option(
    "--outside-run", is_flag=True, help="Do it although a run of this cutover has not ended."
)
