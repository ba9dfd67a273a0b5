"""sfcutover runs: list the runs, show one in detail, or follow one."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager

import click

from sfcutover.cli.context import Invocation, pass_invocation
from sfcutover.cli.options import yes_option
from sfcutover.cutover.progress import RunProgress
from sfcutover.cutover.rundocument import RunDocument, RunsDocument
from sfcutover.cutover.runfollower import View, failure_of_run, follow
from sfcutover.errors import Advice, InterruptedRunError
from sfcutover.output import cistep
from sfcutover.output.console import is_redrawn
from sfcutover.output.events import JsonView, LineView
from sfcutover.output.json import print_document
from sfcutover.output.text import run_text, runs_text
from sfcutover.runs.database import Database
from sfcutover.runs.store import Run, RunStore

_DAY_SECONDS = 86400.0


@click.command("runs")
@click.argument("run_id", metavar="[ID]", required=False)
@click.option(
    "--follow", is_flag=True, help="Show the run live until it ends; by default, the newest run."
)
@click.option(
    "--prune",
    metavar="DAYS",
    type=click.IntRange(min=0),
    help="Remove the runs that ended at least this many days ago, with their journals.",
)
@yes_option
@pass_invocation
def command(
    invocation: Invocation, run_id: str | None, follow: bool, prune: int | None, yes: bool
) -> None:
    """List the runs. With ID (or a cutover's name, for its newest run), show the steps of one run
    and their times.

    --follow works on any machine that can read the state of runs. A run that --prune removes can
    no longer be reported; recorded baselines are kept.
    """
    if prune is not None:
        if run_id is not None or follow:
            raise click.UsageError("--prune excludes ID and --follow")
        _prune(invocation, prune, yes=yes)
        return
    if follow:
        _follow(invocation, *find_run(invocation, run_id))
        return
    store = open_store(invocation, create=False)
    runs = store.all() if run_id is None else [store.find(run_id)]
    documents = [describe(store, run) for run in runs]
    if invocation.settings.json:
        print_document(RunsDocument(runs=documents))
    elif run_id is None:
        invocation.console.data(runs_text(documents))
    else:
        invocation.console.data(run_text(documents[0]))


def describe(store: RunStore, run: Run) -> RunDocument:
    """A run with its steps, and the process that executes it."""
    progress = RunProgress.of(store.journal(run.id).read())
    return RunDocument.of(run, progress, store.place(run))


def open_store(invocation: Invocation, *, create: bool = True) -> RunStore:
    """The runs of the state that cutover.yaml names. Raises what Database.open raises."""
    database = Database.open(invocation.cutover.state, create=create)
    invocation.resources.callback(database.close)
    return RunStore(database)


def find_run(invocation: Invocation, run_id: str | None) -> tuple[RunStore, Run]:
    """The run of this id, or the newest of a cutover's name, by default of this cutover."""
    store = open_store(invocation, create=False)
    run = store.find(run_id or invocation.cutover.name)
    cistep.step().run = run.id
    return store, run


def _prune(invocation: Invocation, days: int, *, yes: bool) -> None:
    from sfcutover.cutover.engine.client import remove_runs  # DBOS: only where it is needed

    store = open_store(invocation, create=False)
    runs = store.ended_before(time.time() - days * _DAY_SECONDS)
    documents = [describe(store, run) for run in runs]
    if runs and not yes:
        invocation.console.data(runs_text(documents))
        invocation.confirm(
            f"Remove these {len(runs)} runs?",
            hint="run the command again with --yes to remove them",
        )
    remove_runs(store, runs)
    if invocation.settings.json:
        print_document(RunsDocument(runs=documents))
    else:
        invocation.console.data(f"removed: {', '.join(run.id for run in runs) or 'none'}")


@contextmanager
def view_for(
    invocation: Invocation,
    *,
    takes_keys: bool = False,
    ends_at_pause: bool = False,
    executes: bool = False,
) -> Iterator[View]:
    """JSON lines, a live view at a terminal, or one line an event.

    takes_keys: True if keys answer a pause, which the view then says. ends_at_pause: True if the
    command ends at a pause, with an error that states it. executes: True if this process executes
    the run, which stops with it.
    """
    settings = invocation.settings
    if settings.json:
        documents = JsonView()
        yield documents
        documents.require_written()
    elif is_redrawn(settings, os.environ):
        from sfcutover.output.live.view import LiveView

        with LiveView(
            settings, takes_keys=takes_keys, ends_at_pause=ends_at_pause, executes=executes
        ) as view:
            yield view
    else:
        console = invocation.console
        with LineView(console, takes_keys=takes_keys, ends_at_pause=ends_at_pause) as lines:
            yield lines


@contextmanager
def metered_view_for(
    invocation: Invocation, *, takes_keys: bool = False, ends_at_pause: bool = False
) -> Iterator[View]:
    """As view_for, in the process that executes the run: it also records the metrics."""
    with view_for(
        invocation, takes_keys=takes_keys, ends_at_pause=ends_at_pause, executes=True
    ) as view:
        file = invocation.metrics_file()
        if file is None:
            yield view
            return
        from sfcutover.output.metrics import MeteredView

        yield MeteredView(view, file)


def _follow(invocation: Invocation, store: RunStore, run: Run) -> None:
    def is_left() -> bool:
        return store.place(run) is None

    try:
        with view_for(invocation) as view:
            progress = follow(store, run.id, view, leave=False, is_left=is_left)
    except KeyboardInterrupt:
        raise InterruptedRunError(
            f"interrupted; {run.id} is no longer followed, and continues unchanged",
            hint=Advice("follow it again: ", invocation.command("runs", run.id, "--follow")),
            impact="this command changes nothing",
        ) from None
    if failure := failure_of_run(store.find(run.id), progress):
        raise failure
