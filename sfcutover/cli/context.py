"""What commands share: the configuration, connected targets, templates, a step's context."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field, replace
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Concatenate, ParamSpec, TypeVar

import click

from sfcutover.allowlist.phases import LIST_PHASES, Phase
from sfcutover.allowlist.snapshot import Snapshot, read_baseline
from sfcutover.allowlist.templates import Templates
from sfcutover.cli.interruption import Started, interrupted
from sfcutover.cli.options import global_options, settings_of
from sfcutover.config.cutover import Cutover, Target, load_config
from sfcutover.cutover.context import CommandControl, StepContext, bound_by
from sfcutover.cutover.recordedbaselines import RecordedBaselines
from sfcutover.cutover.resources import Connections, PreparedRestores, Probes
from sfcutover.errors import (
    DONE_SO_FAR,
    Advice,
    Command,
    ConfigError,
    InterruptedRunError,
    OperationFailedError,
    SfcutoverError,
    StillRunningError,
    Text,
)
from sfcutover.output import cilog, cistep
from sfcutover.output.console import Console, Settings, presentable, shown
from sfcutover.output.json import document_text
from sfcutover.output.stepview import StepView
from sfcutover.runs.event import CommandLog
from sfcutover.salesforce.connection import Connection, connect
from sfcutover.util.ciprovider import in_ci
from sfcutover.util.document import Document
from sfcutover.util.files import write_durably
from sfcutover.util.logs import log_to_stderr

if TYPE_CHECKING:
    from sfcutover.output.metrics import CommandMeter, MetricsFile

P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True)
class Invocation:
    """One execution of a command: its settings, its console, and cutover.yaml.

    meter: records the metrics of a command, if cutover.yaml names a file for them.
    """

    settings: Settings
    console: Console
    cutover: Cutover
    connections: Connections
    started: Started = field(default_factory=Started)
    resources: ExitStack = field(default_factory=ExitStack)  # closed after the last message
    meter: CommandMeter | None = None
    restores: PreparedRestores = field(default_factory=PreparedRestores)

    @property
    def targets(self) -> tuple[Target, ...]:
        return self.cutover.select_targets(self.settings.targets)

    @contextmanager
    def connection(self, target: Target) -> Iterator[Connection]:
        """The target's org; closes its sockets at the end. Raises IdentityError if it is not the
        org that the cutover is bound to."""
        connection = connect(target, self.cutover)
        with closing(connection.org), closing(RecordedBaselines(self.cutover)) as baselines:
            if (record := baselines.find_soon(target.name)) is not None:
                connection.org.bind(bound_by(record, self.cutover.api_version))
            yield connection

    def components(self, files: tuple[Path, ...] = ()) -> Iterator[tuple[str, str, Snapshot]]:
        """Name, URL of the org and live components of each target.

        files: those of --baseline, which replace the org; they have no URL.
        """
        if files:
            baseline = read_baseline(
                files,
                self.cutover.app,
                self.cutover.carrier_rows,
                policies=bool(self.cutover.policies),
            )
            yield "baseline", "", baseline
            return
        for target in self.targets:
            with self.connection(target) as connection:
                live, url = connection.read(), connection.org.instance_url
            yield target.name, url, live

    def metrics_file(self) -> MetricsFile | None:
        """The file for metrics, if cutover.yaml names one."""
        if self.cutover.metrics is None:
            return None
        from sfcutover.output.metrics import MetricsFile  # its library: only where it is needed

        return MetricsFile(self.cutover.metrics, self.cutover, self.console.warn)

    def command(self, *words: str, target: str | None = None) -> Command:
        """The command with --target for this target, or for those of this invocation."""
        chosen = self.settings.targets if target is None else (target,)
        options = [word for name in chosen for word in ("--target", name)]
        return Command(*words, *(options if len(self.cutover.targets) > 1 else ()))

    def command_line(self, *words: str, target: str | None = None) -> str:
        """The same as text."""
        return shown(self.command(*words, target=target))

    def confirm(self, question: str, *, hint: Text) -> None:
        """Raises ConfigError if standard input is not a terminal, and InterruptedRunError if the
        operator declines."""
        if not at_terminal():
            raise ConfigError(
                "confirmation is required, but standard input is not a terminal", hint=hint
            )
        if not self.console.confirm(question):
            raise InterruptedRunError("not confirmed", hint="run the command again when ready")

    def warn_of_state_in_ci(self) -> None:
        """Warn that the state of runs, a file in the job's checkout, may end with the job."""
        state = self.cutover.state
        if state.is_sqlite and in_ci():
            self.console.warn(
                f"{state.where}: this CI job keeps the state of runs in the file "
                f"{state.url.read()}. A job without that file starts a new run and executes the "
                "switch command again. To share the state between jobs, set state: {url: {env: "
                "NAME}}, where NAME holds the URL of a PostgreSQL database, or transfer the file "
                "with sfcutover state export and state import"
            )

    def fail(self, error: SfcutoverError) -> int:
        """Raise the error; with --json, whose document is printed, warn and return its code."""
        if not self.settings.json:
            raise error
        self.console.warn(Advice(f"{error}; next: ", error.advice))
        cilog.annotate(error, presentable)
        cistep.step().failure = error
        return error.exit_code

    def save(self, document: Document, out: Path | None, *, is_urgent: bool = False) -> None:
        """Write a step's document to --out, if given, completely or not at all.

        is_urgent: if the file can't be written, warn instead of raising OperationFailedError, as
        the next action is more urgent.
        """
        if out is None:
            return
        try:
            with written_to(out, "document", impact=DONE_SO_FAR):
                write_durably(out, f"{document_text(document)}\n")
        except OperationFailedError as error:
            if not is_urgent:
                raise
            self.console.warn(str(error))

    def require_addresses(self, command: str) -> None:
        """Raises ConfigError if the cutover only sets policies, so that it has none to prove."""
        if not self.cutover.carriers:
            raise ConfigError(
                f"{command} needs addresses, but this cutover only sets policies (carriers: [])",
                where=self.cutover.where,
                hint=Advice(
                    "deploy the policies: ",
                    Command("deploy", "add-new"),
                    ", ",
                    Command("deploy", "remove-old"),
                    "; ",
                    Command("rollback", "--to", "baseline"),
                    " restores them",
                ),
            )

    def require_no_open_run(self, what: str) -> None:
        """Raises StillRunningError while a run has not ended, and any error of reading the state.

        what: what the command did not do, such as ``remove-old was not deployed``.
        """
        from sfcutover.runs.store import open_run  # SQLAlchemy: only where it is needed

        try:
            run = open_run(self.cutover)
        except SfcutoverError as error:
            hint = Advice(error.advice, f"; if no run is in progress, {_OUTSIDE}")
            raise error.replaced(hint=hint) from error
        if run is None:
            return
        raise StillRunningError(
            f"this run of the cutover has not ended, so {what}",
            where=run,
            hint=Advice(
                "show its status: ",
                Command("runs", run),
                "; approve it, if it is paused: ",
                Command("approve", run),
                "; cancel it: ",
                Command("cancel", run),
                f"; {_OUTSIDE}",
            ),
            impact="this command changed nothing",
        )


_OUTSIDE = "--outside-run proceeds anyway"


def pass_invocation(command: Callable[Concatenate[Invocation, P], R]) -> Callable[P, R]:
    """The global options, and an Invocation as a command's first argument.

    Reading the config raises ConfigError or LimitError with file and line.
    """

    @global_options
    @click.pass_context
    @wraps(command)
    def invoke(ctx: click.Context, /, *args: P.args, **kwargs: P.kwargs) -> R:
        settings = settings_of(ctx)
        log_to_stderr(settings.verbose)
        cutover = load_config(settings.config)
        shared = Connections(cutover)
        invocation = Invocation(settings, Console(settings), cutover, shared)
        invocation.resources.callback(shared.close)
        with invocation.resources:
            try:
                return command(invocation, *args, **kwargs)
            except (KeyboardInterrupt, click.Abort):
                raise interrupted(invocation) from None
            except click.UsageError as error:
                error.ctx = ctx  # whose --help the error names
                raise

    return invoke


def at_terminal() -> bool:
    """True if the operator can be asked: standard input is a terminal."""
    return sys.stdin is not None and sys.stdin.isatty()


@contextmanager
def metered(invocation: Invocation) -> Iterator[Invocation]:
    """The invocation with a meter, if cutover.yaml names a file for metrics."""
    file = invocation.metrics_file()
    if file is None:
        yield invocation
        return
    from sfcutover.output.metrics import CommandMeter

    meter = CommandMeter(file)
    try:
        yield replace(invocation, meter=meter)
    except BaseException:
        meter.close("failed")
        raise
    meter.close("done")


@contextmanager
def written_to(
    path: Path, what: str, *, option: str = "--out", impact: str | None = None
) -> Iterator[None]:
    """Raises OperationFailedError if the file that an option names can't be written."""
    try:
        yield
    except OSError as error:
        raise OperationFailedError(
            f"the {what} was not written: {error.strerror}",
            where=str(path),
            hint=f"free space or choose another {option} file, then run the command again",
            impact=impact,
        ) from error


_FOLDER = f"{__name__}.templates"
PHASE_NAMES = [phase.value for phase in LIST_PHASES]

phase_argument = click.argument(
    "phase",
    metavar="PHASE",
    type=click.Choice(PHASE_NAMES),
    callback=lambda _ctx, _param, value: Phase(value),
)
baseline_option = click.option(
    "--baseline",
    "baseline_files",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="Read the allowlist from this component file, or from the app's components in "
    "this folder, "
    "instead of the org; repeat it for each carrier.",
)


def _open_templates(ctx: click.Context, _param: click.Parameter, value: Path | None) -> Templates:
    ctx.meta[_FOLDER] = value
    return Templates(value)


templates_option = click.option(
    "--templates",
    type=click.Path(path_type=Path),
    callback=_open_templates,
    help="Folder with templates that override built-in ones of the same name.",
)


def templates_words() -> list[str]:
    """--templates DIR, for a suggested command that needs the same templates."""
    folder = click.get_current_context().meta.get(_FOLDER)
    return ["--templates", str(folder)] if folder else []


@contextmanager
def command_step(
    invocation: Invocation, step: str, templates: Templates | None = None
) -> Iterator[StepContext]:
    """The context of a step that a command executes outside a run."""
    cutover = invocation.cutover
    with (
        closing(RecordedBaselines(cutover)) as baselines,
        ExitStack() as progress,
    ):
        view = StepView(invocation.settings, invocation.console, invocation.meter, progress)
        context = StepContext(
            cutover,
            CommandLog(view.show),
            CommandControl(),
            step,
            f"command {cutover.where} {cutover.name}",
            Probes(cutover),
            invocation.connections,
            baselines,
            templates or Templates(),
            invocation.restores,
        )
        invocation.started.steps.append(context)
        yield context
