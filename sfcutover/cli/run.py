"""sfcutover run: run the whole cutover; running it again resumes it."""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager, nullcontext

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
from sfcutover.cutover.runfollower import View, failure_of_run
from sfcutover.cutover.stateconflict import state_conflict, unknown_deployments
from sfcutover.cutover.stepresult import ProblemKind
from sfcutover.cutover.supportcase import require_self_serve
from sfcutover.cutover.workflow import PAUSES
from sfcutover.errors import Advice, Command, ConfigError, DriftError
from sfcutover.output import cistep
from sfcutover.output.console import Settings
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
    help="Pause for approval before this step; repeatable.",
)
@click.option(
    "--stay/--no-stay",
    "stay",
    default=None,
    help="Whether to stay while the run is paused, or to exit (75 or 69) and resume later.  "
    "[default: stay if standard input and standard error are terminals]",
)
@click.option(
    "--accept-changes", is_flag=True, help="Resume the run although cutover.yaml has changed."
)
@click.option(
    "--again",
    is_flag=True,
    help="Start a new run, although the last one is done or was rolled back repeatedly.",
)
@traffic_moved_option
@yes_option
@templates_option
@pass_invocation
def command(
    invocation: Invocation,
    pause_before: tuple[str, ...],
    stay: bool | None,
    accept_changes: bool,
    again: bool,
    traffic_moved: bool,
    yes: bool,
    templates: Templates,
) -> None:
    """Run the whole cutover: probe, snapshot, control, add-new, verify-new, switch,
    verify, settle, remove-old, watch.

    Each step is recorded (state: in cutover.yaml), so that running the command again after an
    interruption resumes the run where it stopped. A gate that fails triggers the rollback.

    A paused run awaits approval. At a terminal, type a and Enter to approve, or c and Enter to
    cancel; elsewhere, use sfcutover approve or sfcutover cancel.
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
    execute(invocation, controller, run, options, stay=stay, since=since)


def _answer(run: Run, store: RunStore) -> None:
    """Approve the pause that --traffic-moved answers; no other pause."""
    pause = RunProgress.of(store.journal(run.id).read()).pause
    if pause is None or (pause.step, pause.reason) != ("remove-old", ProblemKind.DOUBT.value):
        return
    approve(store, run.id, pause, current_actor(), TRAFFIC_MOVED)


def require_runnable(invocation: Invocation) -> None:
    """What every step needs must be configured before the first step. Raises ConfigError."""
    cutover = invocation.cutover
    invocation.require_addresses("run")
    require_self_serve(cutover, "run")
    if invocation.settings.targets:
        raise ConfigError(
            "a run always covers all targets, as one switch moves the traffic of all of them",
            where="--target",
            hint=Advice(
                "omit --target, or use a single step: ",
                Command("deploy", "add-new", "--target", "NAME"),
            ),
        )
    if missing := cutover.missing_for_run:
        are = "is" if len(missing) == 1 else "are"
        raise ConfigError(
            f"a run needs {', '.join(missing)}, which {are} missing",
            where=cutover.where,
            hint=Advice("add what is missing; an example of each: ", Command("schema")),
        )
    if cutover.switch is not None and not cutover.switch.manual:
        command_of(cutover.switch, "revert")  # for the rollback


def _require_secrets(cutover: Cutover) -> None:
    """What the proofs of a run need must be available before it starts. Redeems nothing.

    Raises ConfigError, and the error that prevents a canary from redeeming.
    """
    require_egresses(cutover)
    for redeemer in all_redeemers(cutover, cutover.targets):
        redeemer.require_ready()


def _require_still_done(invocation: Invocation, run: Run, templates: Templates) -> None:
    """Raises DriftError if an allowlist is no longer as the run left it."""
    planner = invocation.cutover.planner(templates)
    for target, _, live in invocation.components():
        try:
            is_done = not planner.plan(Phase.REMOVE_OLD, live).changed
        except DriftError:
            is_done = False
        if not is_done:
            raise DriftError(
                f"the run is done, but the allowlist of {target} has changed since; "
                f"now: {live_phase(live, invocation.cutover.change)}",
                where=run.id,
                hint=Advice(
                    Command("diff", "remove-old"),
                    " shows the live allowlist; ",
                    Command("run", "--again"),
                    " starts a new run",
                ),
            )


def require_not_forked(invocation: Invocation, store: RunStore, run: Run) -> None:
    """Raises StateConflictError before an imported run resumes that another job has resumed, too,
    and any error of reading the org."""
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
    stay: bool | None,
    since: int = 0,
) -> None:
    """Execute a run in the foreground. Raises the error that it ends with, unless it is done.

    stay: whether to stay while it is paused; None: where an operator sees the pause.
    since: the last event that was shown before.
    """
    stays = _is_attended() if stay is None else stay
    takes_keys = stays and _takes_keys(invocation.settings)
    invocation.started.store = controller.store
    with (
        metered_view_for(invocation, takes_keys=takes_keys, ends_at_pause=not stays) as shown,
        _answering(shown, controller.store, takes_keys) as view,
    ):
        run = controller.execute(run, options, view, leave=not stays, since=since)
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


def _takes_keys(settings: Settings) -> bool:
    """True if an operator at a terminal is shown that keys answer a pause."""
    return _is_attended() and not (settings.json or settings.quiet)


def _is_attended() -> bool:
    """True at a terminal that also shows the pause: with its output in a file, no operator sees
    what the run waits for."""
    return at_terminal() and sys.stderr is not None and sys.stderr.isatty()


def _answering(view: View, store: RunStore, takes_keys: bool) -> AbstractContextManager[View]:
    if not takes_keys:
        return nullcontext(view)
    from sfcutover.cli.answerkeys import AnsweringView  # termios: only at a terminal

    return AnsweringView(view, store)


def _say_done(invocation: Invocation, run: Run, store: RunStore) -> None:
    """Report that an earlier run has completed the cutover."""
    cistep.step().run = run.id
    if invocation.settings.json:
        for event in store.journal(run.id).all("run-ended"):
            JsonView().show(event, RunProgress.of([event]))
        return
    invocation.console.data(
        f"{click.style('done:', fg='green', bold=True)} run {run.id} has already "
        "completed this cutover; "
        "nothing was started"
    )
    invocation.console.note(
        f"next: {invocation.command_line('diff', 'remove-old')} shows the live allowlist; "
        f"{invocation.command_line('run', '--again')} starts a new run"
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
        invocation.console.data(f"  pauses before: {', '.join(pause_before)}")
    invocation.confirm(
        "Start the cutover?",
        hint=Advice(
            "check the change: ",
            Command("diff", "add-new"),
            ", then run the command again with --yes",
        ),
    )
