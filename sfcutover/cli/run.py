"""sfcutover run: the whole cutover, durably; starting it again goes on with it."""

from __future__ import annotations

import sys
from contextlib import suppress

import click

from sfcutover.allowlist.templates import Templates
from sfcutover.cli.context import Invocation, templates_option
from sfcutover.cli.options import global_options
from sfcutover.cli.readiness import require_runnable, require_secrets, require_still_done
from sfcutover.cli.runs import open_store, view_for
from sfcutover.cutover.alerts import announcement
from sfcutover.cutover.controller import LEAVING_SECONDS, Permissions, RunController
from sfcutover.cutover.following import failure_of_run, interruption_of_run
from sfcutover.cutover.progress import RunProgress
from sfcutover.cutover.shared import SHUTDOWN_GUARD
from sfcutover.cutover.workflow import PAUSES
from sfcutover.errors import Advice, Command, ConfigError, InterruptedRunError
from sfcutover.output.events import JsonView
from sfcutover.runs.database import BackgroundThread
from sfcutover.runs.store import Run, RunOptions, RunStore


@click.command("run")
@click.option(
    "--pause-before",
    multiple=True,
    type=click.Choice(PAUSES),
    help="Wait for sfcutover approve before this step; repeatable.",
)
@click.option(
    "--wait/--no-wait",
    "wait",
    default=None,
    help="Stay while the run waits for a person. [default: at a terminal]",
)
@click.option("--accept-changes", is_flag=True, help="Go on although cutover.yaml has changed.")
@click.option(
    "--again", is_flag=True, help="Start anew, though it is done or was rolled back in a row."
)
@click.option("--yes", is_flag=True, help="Don't ask; needed where nobody can answer.")
@templates_option
@global_options
@click.pass_context
def command(
    ctx: click.Context,
    pause_before: tuple[str, ...],
    wait: bool | None,
    accept_changes: bool,
    again: bool,
    yes: bool,
    templates: Templates,
) -> None:
    """The whole cutover: probe, add-new, verify, switch, verify, settle, remove-old, watch.

    Every step is kept on disk (state: in cutover.yaml). Started again after whatever
    happened, it goes on where it was. A gate that fails rolls back by itself.
    """
    invocation = Invocation.of(ctx)
    require_runnable(invocation)
    store = open_store(invocation)
    permissions = Permissions(accept_changes, again)
    performing = RunController(invocation.cutover, store, permissions, templates)
    run = performing.open_run()
    if run is not None and run.ended is not None:
        require_still_done(invocation, run, templates)
        _say_done(invocation, run, store)
        return
    if run is None:
        require_secrets(invocation.cutover)
        if not yes:
            _confirm(invocation, pause_before)
    options = RunOptions(pause_before)
    perform(invocation, performing, run, options, wait=wait)


def perform(
    invocation: Invocation,
    performing: RunController,
    run: Run | None,
    options: RunOptions,
    *,
    wait: bool | None,
) -> None:
    """Perform a run in the foreground. Raises what it ends with, unless it is done."""
    stay = _at_terminal() if wait is None else wait
    try:
        with view_for(invocation) as view:
            run = performing.perform(run, options, view, leave=not stay)
    except KeyboardInterrupt:
        with suppress(KeyboardInterrupt):
            _finish(invocation)
        progress = BackgroundThread("last look").do(lambda: _progress_of(performing))
        raise interruption_of_run(progress) from None
    journal = performing.store.journal(run.id)
    progress = RunProgress.of(journal.read())
    if failure := failure_of_run(run, progress):
        raise failure
    if progress.ended is not None and not invocation.settings.json:
        invocation.console.data(
            f"{click.style('done:', fg='green', bold=True)} run {run.id}: "
            f"{progress.ended.text('message')}"
        )
        invocation.console.note(f"next: {invocation.command_line('report', run.id)}")


def _finish(invocation: Invocation) -> None:
    if SHUTDOWN_GUARD:
        invocation.console.warn("finishing what must not be cut off; Ctrl-C again leaves now")
        SHUTDOWN_GUARD.wait(LEAVING_SECONDS)


def _progress_of(performing: RunController) -> RunProgress:
    """How the run stands that has not ended; of none, nothing."""
    run = performing.store.active(performing.cutover.name)
    return RunProgress.of(performing.store.journal(run.id).read() if run else ())


def _say_done(invocation: Invocation, run: Run, store: RunStore) -> None:
    """The run that did it has ended, perhaps without this person's seeing it."""
    if invocation.settings.json:
        for event in store.journal(run.id).all("run-ended"):
            JsonView().show(event, RunProgress.of([event]))
        return
    invocation.console.data(
        f"{click.style('done:', fg='green', bold=True)} run {run.id} has done this already; "
        "nothing was started"
    )
    invocation.console.note(
        f"next: {invocation.command_line('diff', 'remove-old')} shows the live list; "
        "--again starts anew"
    )


def _confirm(invocation: Invocation, pause_before: tuple[str, ...]) -> None:
    cutover = invocation.cutover
    if not _at_terminal():
        raise ConfigError(
            "confirmation is required, but standard input is not a terminal",
            hint=Advice(
                "look at the change first: ",
                Command("diff", "add-new"),
                "; then run this again with --yes",
            ),
        )
    names = [target.name for target in invocation.targets]
    steps = "".join(
        f"\n  {step + ':':11} {announcement(step, cutover, names)}"
        for step in ("add-new", "switch", "remove-old")
    )
    invocation.console.data(f"{cutover.name} of {cutover.app}{steps}")
    if pause_before:
        invocation.console.data(f"  waits before: {', '.join(pause_before)}")
    if not invocation.console.confirm("Start the cutover?"):
        raise InterruptedRunError("not confirmed", hint="run it again when you are ready")


def _at_terminal() -> bool:
    return sys.stdin is not None and sys.stdin.isatty()
