"""sfcutover cancel: cancel a run at the next safe point, and show the state of its allowlists."""

from __future__ import annotations

import click

from sfcutover.allowlist.templates import Templates
from sfcutover.cli.context import Invocation, pass_invocation, templates_option
from sfcutover.cli.run import require_runnable
from sfcutover.cli.runs import find_run, metered_view_for, view_for
from sfcutover.cutover.answers import cancel
from sfcutover.cutover.progress import RunProgress
from sfcutover.cutover.runcontroller import Permissions, RunController
from sfcutover.cutover.runfollower import View, failure_of_run, follow
from sfcutover.errors import Advice, Command, ConfigError, InterruptedRunError
from sfcutover.output.console import shown
from sfcutover.runs.store import RunStore
from sfcutover.util.ciprovider import current_actor


@click.command("cancel")
@click.argument("run_id", metavar="[ID]", required=False)
@click.option("--note", metavar="TEXT", help="Reason, which the journal records.")
@templates_option
@pass_invocation
def command(
    invocation: Invocation, run_id: str | None, note: str | None, templates: Templates
) -> None:
    """Cancel a run at the next safe point. ID is a run's, or a cutover's name for its newest run;
    by default, the newest run of cutover.yaml.

    A deployment in progress is awaited, and a watch that has started is completed. Waits
    until the run has ended, and shows the phase of each allowlist.
    """
    store, run = find_run(invocation, run_id)
    if run.ended is not None:
        raise ConfigError(
            f"the run has already ended ({run.outcome})",
            where=run.id,
            hint=Advice("show how it ended: ", Command("runs", run.id)),
        )
    permissions = Permissions(accept_changes=True)
    controller = RunController(
        invocation.cutover, store, invocation.resources, permissions, templates
    )
    controller.require_mine(run)
    alive = store.place(run) is not None
    if not alive:
        require_runnable(invocation)
        controller.require_fit(run)
    before = store.journal(run.id).newest()
    cancel(store, run.id, current_actor(), note)
    with (view_for if alive else metered_view_for)(invocation) as view:
        if alive:
            progress = _followed(store, run.id, view, before)
        else:
            invocation.started.store = store
            controller.execute(run, run.options, view, leave=False, since=before)
            progress = RunProgress.of(store.journal(run.id).read())
    if progress.ended is not None and not invocation.settings.json:
        ended = progress.ended
        invocation.console.data(f"{ended.text('outcome')}: {ended.text('message')}")
        invocation.console.data(f"  impact: {ended.text('impact')}")
        invocation.console.note(f"  next:   {shown(ended.advice('next'))}")
    if (failure := failure_of_run(store.find(run.id), progress)) and not _is_canceled(progress):
        raise failure


def _followed(store: RunStore, run: str, view: View, before: int) -> RunProgress:
    try:
        return follow(store, run, view, leave=False, since=before)
    except KeyboardInterrupt:
        raise InterruptedRunError(
            f"interrupted; the request to cancel {run} is recorded, and the process that executes "
            "the run cancels it",
            hint=Advice("follow the run: ", Command("runs", run, "--follow")),
            impact="this command sent nothing to the org",
        ) from None


def _is_canceled(progress: RunProgress) -> bool:
    """True if the run was canceled, as requested; every other outcome has its own exit code."""
    return progress.ended is not None and progress.ended.text("outcome") == "canceled"
