"""What the commands have in common: settings, the config, and connected targets."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import click
from click.core import ParameterSource

from sfcutover.allowlist.phases import Phase
from sfcutover.allowlist.snapshot import Snapshot, read_baseline
from sfcutover.allowlist.templates import Templates
from sfcutover.config.cutover import Cutover, Target, load_config
from sfcutover.errors import Advice, Command, SfcutoverError, StillRunningError
from sfcutover.output.console import Console, Settings, shown, use_config
from sfcutover.salesforce.connection import Connection, connect
from sfcutover.util.secrets import log_to_stderr

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


@dataclass(frozen=True)
class Invocation:
    """One command's run. The config is read on construction."""

    settings: Settings
    console: Console
    cutover: Cutover

    @classmethod
    def of(cls, ctx: click.Context) -> Invocation:
        """Raises ConfigError or LimitError with file and line."""
        settings = settings_of(ctx)
        log_to_stderr(settings.verbose)
        return cls(settings, Console(settings), load_config(settings.config))

    @property
    def targets(self) -> tuple[Target, ...]:
        return self.cutover.select_targets(self.settings.targets)

    @contextmanager
    def connection(self, target: Target) -> Iterator[Connection]:
        """The target's org, its sockets closed in the end."""
        connection = connect(target, self.cutover)
        try:
            yield connection
        finally:
            connection.org.close()

    def command(self, *words: str, target: str | None = None) -> Command:
        """A command for this target, or for those of this invocation."""
        chosen = self.settings.targets if target is None else (target,)
        options = [word for name in chosen for word in ("--target", name)]
        return Command(*words, *(options if len(self.cutover.targets) > 1 else ()))

    def command_line(self, *words: str, target: str | None = None) -> str:
        """The same as it is shown."""
        return shown(self.command(*words, target=target))


_FOLDER = f"{__name__}.templates"
PHASE_NAMES = [phase.value for phase in Phase]


def phase_argument(function: F) -> F:
    """One phase, by name."""
    return click.argument(
        "phase",
        metavar="PHASE",
        type=click.Choice(PHASE_NAMES),
        callback=lambda _ctx, _param, value: Phase(value),
    )(function)


def templates_option(function: F) -> F:
    """--templates DIR, as the templates to render with."""
    return click.option(
        "--templates",
        type=click.Path(path_type=Path),
        callback=_open_templates,
        help="A folder whose templates override the built-in ones of the same name.",
    )(function)


def templates_words(ctx: click.Context) -> list[str]:
    """--templates DIR again, for a command that must see the same templates."""
    folder = ctx.meta.get(_FOLDER)
    return ["--templates", str(folder)] if folder else []


def _open_templates(ctx: click.Context, _param: click.Parameter, value: Path | None) -> Templates:
    ctx.meta[_FOLDER] = value
    return Templates(value)


def baseline_option(function: F) -> F:
    """--baseline FILE, repeatable."""
    return click.option(
        "--baseline",
        "baseline_files",
        multiple=True,
        type=click.Path(path_type=Path),
        metavar="FILE",
        help="Compute from this component file and don't ask the org; repeat it for each carrier.",
    )(function)


def baseline_from(files: tuple[Path, ...], cutover: Cutover) -> Snapshot:
    """The baseline a person keeps in files."""
    return read_baseline(files, cutover.app, cutover.carrier_rows, policies=bool(cutover.policies))


_OUTSIDE = "--outside-run does it all the same"


def outside_run_option(function: F) -> F:
    """--outside-run: a person takes it upon themselves."""
    return click.option(
        "--outside-run",
        is_flag=True,
        help="Do it although a run of this cutover has not ended.",
    )(function)


def require_no_open_run(invocation: Invocation, what: str) -> None:
    """Raises StillRunningError while a run has not ended, and what looking for one raises.

    what: what is not done, as ``remove-old was not deployed``.
    """
    from sfcutover.runs.store import open_run  # SQLAlchemy: only where it is needed

    try:
        run = open_run(invocation.cutover)
    except SfcutoverError as error:
        error.advice = Advice(error.advice, f"; if no run is under way, {_OUTSIDE}")
        raise
    if run is None:
        return
    raise StillRunningError(
        f"the run {run} of this cutover has not ended; {what} beside it",
        where=run,
        hint=Advice(
            "see how it stands: ",
            Command("runs", run),
            "; let it go on: ",
            Command("approve", run),
            "; end it: ",
            Command("cancel", run),
            f"; {_OUTSIDE}",
        ),
        tokens="this command changed nothing",
    )
