"""The global options, before a command as well as after it. Light: --help loads no more."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import click
from click.core import ParameterSource

from sfcutover.output.console import Settings, use_config

F = TypeVar("F", bound=Callable[..., object])


def global_options(function: F) -> F:
    """Add --config, --target, --json, -v, -q and --no-color; their values go to Settings."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


def settings_of(ctx: click.Context) -> Settings:
    """The settings of this run, shared by the group and its command."""
    return ctx.ensure_object(Settings)


def _store(name: str) -> Callable[[click.Context, click.Parameter, object], None]:
    def callback(ctx: click.Context, param: click.Parameter, value: object) -> None:
        source = ctx.get_parameter_source(param.name or "")
        # The outermost group has read the environment; what stands before a command beats it.
        inherited = source is ParameterSource.ENVIRONMENT and ctx.parent is None
        if source is ParameterSource.COMMANDLINE or inherited:
            setattr(settings_of(ctx), name, value)

    return callback


def _store_config(ctx: click.Context, param: click.Parameter, value: object) -> None:
    _store("config")(ctx, param, value)
    use_config(settings_of(ctx).config)


_OPTIONS = [
    click.option(
        "--config",
        type=click.Path(dir_okay=False, path_type=Path),
        envvar="SFCUTOVER_CONFIG",
        expose_value=False,
        callback=_store_config,
        help="The cutover's file.  [default: cutover.yaml]",
    ),
    click.option(
        "--target",
        multiple=True,
        metavar="NAME",
        envvar="SFCUTOVER_TARGET",
        expose_value=False,
        callback=_store("targets"),
        help="Only this target; repeatable.  [default: all]",
    ),
    click.option(
        "--json",
        is_flag=True,
        envvar="SFCUTOVER_JSON",
        expose_value=False,
        callback=_store("json"),
        help="Print one JSON document to stdout; run, approve, cancel and --follow one a line.",
    ),
    click.option(
        "-v",
        "--verbose",
        count=True,
        envvar="SFCUTOVER_VERBOSE",
        expose_value=False,
        callback=_store("verbose"),
        help="More on stderr; a traceback with an error.",
    ),
    click.option(
        "-q",
        "--quiet",
        is_flag=True,
        envvar="SFCUTOVER_QUIET",
        expose_value=False,
        callback=_store("quiet"),
        help="No progress and no notes.",
    ),
    click.option(
        "--no-color",
        is_flag=True,
        envvar="SFCUTOVER_NO_COLOR",
        expose_value=False,
        callback=_store("no_color"),
        help="No colours (as NO_COLOR does).",
    ),
]
