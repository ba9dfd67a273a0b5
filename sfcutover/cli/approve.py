"""sfcutover approve: a person lets a run go on that waits for one."""

from __future__ import annotations

import click

from sfcutover.allowlist.templates import Templates
from sfcutover.cli.context import Invocation, pass_invocation, templates_option
from sfcutover.cli.run import perform, require_runnable
from sfcutover.cli.runs import find_run
from sfcutover.cutover.progress import FORWARDS, Pause, RunProgress
from sfcutover.cutover.runcontroller import AlreadyClaimedError, RunController
from sfcutover.errors import Advice, Command, ConfigError, GateError
from sfcutover.runs.store import Run, RunStore
from sfcutover.util.processes import current_actor


@click.command("approve")
@click.argument("run_id", metavar="[ID]", required=False)
@click.option("--note", metavar="TEXT", help="Why; it is recorded and stands in the report.")
@click.option(
    "--step",
    type=click.Choice(FORWARDS),
    help="Only if it waits before this step; refused at any other pause.",
)
@click.option("--record-only", is_flag=True, help="Don't go on with the run here.")
@templates_option
@pass_invocation
def command(
    invocation: Invocation,
    run_id: str | None,
    note: str | None,
    step: str | None,
    record_only: bool,
    templates: Templates,
) -> None:
    """Let a run go on that waits; who, when and the note are recorded.

    Where a process performs the run, that one goes on. Else this one does, as run would.
    """
    store, run = find_run(invocation, run_id)
    performing = RunController(invocation.cutover, store, templates=templates)
    performing.require_mine(run)
    pause = _pause_of(store, run)
    _require_step(run, pause, step)
    alive = run.owner is not None and store.executors.is_alive(run.owner)
    goes_on_here = not (alive or record_only)
    if goes_on_here:
        require_runnable(invocation)
        performing.require_fit(run)
    store.requests(run.id).add("approve", current_actor(), note, pause.seq)
    invocation.console.note(f"approved: {run.id}, {pause.step}: {pause.message}")
    if not goes_on_here:
        follow = invocation.command_line("runs", run.id, "--follow")
        invocation.console.data(f"approved; {'it goes on' if alive else 'recorded'}: {follow}")
        return
    try:
        perform(invocation, performing, run, run.options, wait=None)
    except AlreadyClaimedError as error:
        tokens = "the approval is recorded, and the run continues with it"
        raise error.replaced(tokens=tokens) from error


def _require_step(run: Run, pause: Pause, step: str | None) -> None:
    if step not in (None, pause.step):
        raise GateError(
            f"the run {run.id} waits at {pause.step}, not at {step}: {pause.message}",
            where=run.id,
            hint=Advice(
                "see how it stands: ",
                Command("runs", run.id),
                f"; to approve what it waits for: --step {pause.step}",
            ),
            tokens="nothing was approved; the lists stay as they are while it waits",
        )


def _pause_of(store: RunStore, run: Run) -> Pause:
    pause = RunProgress.of(store.journal(run.id).read()).pause
    if run.ended is not None or pause is None:
        raise ConfigError(
            f"the run {run.id} waits for nobody",
            where=run.id,
            hint=Advice("see how it stands: ", Command("runs", run.id)),
        )
    if store.requests(run.id).approval_of(pause.seq) is not None:
        pause.message += " (approved already)"
    return pause
