"""What the commands have in common: settings, the config, and connected targets."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import click

from sfcutover.allowlist.phases import Phase
from sfcutover.allowlist.snapshot import Snapshot, read_baseline
from sfcutover.allowlist.templates import Templates
from sfcutover.cli.options import settings_of
from sfcutover.config.cutover import Cutover, Target, load_config
from sfcutover.errors import Advice, Command, SfcutoverError, StillRunningError
from sfcutover.output.console import Console, Settings, shown
from sfcutover.salesforce.connection import Connection, connect
from sfcutover.util.secrets import log_to_stderr

F = TypeVar("F", bound=Callable[..., object])


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
        hint = Advice(error.advice, f"; if no run is under way, {_OUTSIDE}")
        raise error.replaced(hint=hint) from error
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
