"""sfcutover run: the whole cutover, durably; starting it again goes on with it."""

from __future__ import annotations

import click

from sfcutover.allowlist.phases import Phase
from sfcutover.allowlist.plan import live_phase
from sfcutover.allowlist.templates import Templates
from sfcutover.cli.context import Invocation, at_terminal, pass_invocation, templates_option
from sfcutover.cli.options import traffic_moved_option, yes_option
from sfcutover.cli.runs import metered_view_for, open_store
from sfcutover.config.cutover import Cutover
from sfcutover.cutover.announcement import Announcement, outline
from sfcutover.cutover.answers import approve
from sfcutover.cutover.progress import RunProgress
from sfcutover.cutover.removalgate import TRAFFIC_MOVED
from sfcutover.cutover.runcontroller import Permissions, RunController
from sfcutover.cutover.runfollower import failure_of_run
from sfcutover.cutover.stateconflict import state_conflict, unknown_deployments
from sfcutover.cutover.stepresult import ProblemKind
from sfcutover.cutover.supportcase import require_self_serve
from sfcutover.cutover.workflow import PAUSES
from sfcutover.errors import Advice, Command, ConfigError, DriftError
from sfcutover.output import cistep
from sfcutover.output.events import JsonView
from sfcutover.runs.event import IMPORTED
from sfcutover.runs.store import Run, RunOptions, RunStore
from sfcutover.traffic.egress import require_egresses
from sfcutover.traffic.redeemers import all_redeemers
from sfcutover.traffic.switch import command_of
from sfcutover.util.ciprovider import current_actor


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
@traffic_moved_option
@yes_option
@templates_option
@pass_invocation
def command(
    invocation: Invocation,
    pause_before: tuple[str, ...],
    wait: bool | None,
    accept_changes: bool,
    again: bool,
    traffic_moved: bool,
    yes: bool,
    templates: Templates,
) -> None:
    """The whole cutover: probe, add-new, verify, switch, verify, settle, remove-old, watch.

    Every step is kept on disk (state: in cutover.yaml). Started again after whatever
    happened, it goes on where it was. A gate that fails rolls back by itself.
    """
    require_runnable(invocation)
    invocation.warn_of_state_in_ci()
    store = open_store(invocation)
    permissions = Permissions(accept_changes, again)
    controller = RunController(
        invocation.cutover, store, invocation.resources, permissions, templates
    )
    run = controller.open_run()
    if run is not None and run.ended is not None:
        _require_still_done(invocation, run, templates)
        _say_done(invocation, run, store)
        return
    if run is not None:
        require_not_forked(invocation, store, run)
    since = 0 if run is None else store.journal(run.id).newest()
    if run is None:
        _require_secrets(invocation.cutover)
        if not yes:
            _confirm(invocation, pause_before)
    elif traffic_moved:
        _answer(run, store)
    options = RunOptions(pause_before, traffic_moved)
    execute(invocation, controller, run, options, wait=wait, since=since)


def _answer(run: Run, store: RunStore) -> None:
    """The run may wait for just this word; a list that does not block is another question."""
    pause = RunProgress.of(store.journal(run.id).read()).pause
    if pause is None or (pause.step, pause.reason) != ("remove-old", ProblemKind.DOUBT.value):
        return
    approve(store, run.id, pause, current_actor(), TRAFFIC_MOVED)


def require_runnable(invocation: Invocation) -> None:
    """What every step needs must be there before the first one. Raises ConfigError."""
    cutover = invocation.cutover
    invocation.require_addresses("run")
    require_self_serve(cutover, "run")
    if invocation.settings.targets:
        raise ConfigError(
            "a run takes all targets: one switch moves the traffic of all of them",
            where="--target",
            hint=Advice(
                "leave --target out; single steps take it: ",
                Command("deploy", "add-new", "--target", "NAME"),
            ),
        )
    if missing := cutover.missing_for_run:
        raise ConfigError(
            f"{', '.join(missing)} {'is' if len(missing) == 1 else 'are'} not configured",
            where=cutover.where,
            hint="a run needs each: add what is missing (docs/reference/cutover-yaml.md)",
        )
    if cutover.switch is not None and not cutover.switch.manual:
        command_of(cutover.switch, "revert")  # a run goes back by itself


def _require_secrets(cutover: Cutover) -> None:
    """What a run is going to prove with must be there before it begins. Nothing is redeemed.

    Raises ConfigError, and what keeps a canary from redeeming.
    """
    require_egresses(cutover)
    for redeemer in all_redeemers(cutover, cutover.targets):
        redeemer.require_ready()


def _require_still_done(invocation: Invocation, run: Run, templates: Templates) -> None:
    """Raises DriftError where a list is no longer as the run left it."""
    planner = invocation.cutover.planner(templates)
    for target, _, live in invocation.components():
        try:
            is_done = not planner.plan(Phase.REMOVE_OLD, live).changed
        except DriftError:
            is_done = False
        if not is_done:
            raise DriftError(
                f"the run {run.id} has done this, but since then the list of {target} has "
                f"changed; it is now {live_phase(live, invocation.cutover.change)}",
                where=run.id,
                hint=Advice(
                    Command("diff", "remove-old"),
                    " shows the live list; ",
                    Command("run", "--again"),
                    " starts anew",
                ),
            )


def require_not_forked(invocation: Invocation, store: RunStore, run: Run) -> None:
    """Before an imported run is continued: raises StateConflictError where another job has
    continued it, too, and what reading the org raises."""
    journal = store.journal(run.id)
    if journal.last(IMPORTED) is None:
        return
    for target in invocation.targets:
        with invocation.connection(target) as connection:
            live = connection.read()
            if found := unknown_deployments(journal, target.name, connection, live):
                raise state_conflict(target.name, found)


def execute(
    invocation: Invocation,
    controller: RunController,
    run: Run | None,
    options: RunOptions,
    *,
    wait: bool | None,
    since: int = 0,
) -> None:
    """Execute a run in the foreground. Raises what it ends with, unless it is done.

    since: the last event that was shown before.
    """
    stay = at_terminal() if wait is None else wait
    invocation.begun.store = controller.store
    with metered_view_for(invocation) as view:
        run = controller.execute(run, options, view, leave=not stay, since=since)
    journal = controller.store.journal(run.id)
    progress = RunProgress.of(journal.read())
    if failure := failure_of_run(run, progress):
        raise failure
    if progress.ended is not None and not invocation.settings.json:
        invocation.console.data(
            f"{click.style('done:', fg='green', bold=True)} run {run.id}: "
            f"{progress.ended.text('message')}"
        )
        invocation.console.note(f"next: {invocation.command_line('report', run.id)}")


def _say_done(invocation: Invocation, run: Run, store: RunStore) -> None:
    """The run that did it has ended, perhaps without this person's seeing it."""
    cistep.step().run = run.id
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
    names = [target.name for target in invocation.targets]
    steps = "".join(
        f"\n  {step + ':':11} "
        f"{Announcement(step=step, parts=dict.fromkeys(names, outline(step, cutover))).sentence}"
        for step in ("add-new", "switch", "remove-old")
    )
    invocation.console.data(f"{cutover.name} of {cutover.app}{steps}")
    if pause_before:
        invocation.console.data(f"  waits before: {', '.join(pause_before)}")
    invocation.confirm(
        "Start the cutover?",
        hint=Advice(
            "look at the change first: ",
            Command("diff", "add-new"),
            "; then run this again with --yes",
        ),
    )
