"""sfcutover run: the whole cutover, durably; starting it again goes on with it."""

from __future__ import annotations

import sys

import click

from sfcutover.announcement import announcement
from sfcutover.canary import Canary
from sfcutover.cli.invocation import Invocation
from sfcutover.cli.options import global_options
from sfcutover.cli.phase import templates_option
from sfcutover.cli.runs import open_store, view_for
from sfcutover.config import Cutover
from sfcutover.cutover import PAUSES
from sfcutover.errors import ConfigError, DriftError, InterruptedRunError
from sfcutover.output.runview import JsonView
from sfcutover.phases import Phase
from sfcutover.plan import live_phase, plan_phase
from sfcutover.runs.performing import (
    LEAVING_SECONDS,
    Performing,
    Permissions,
    failure_of_run,
    lists_at_risk,
)
from sfcutover.runs.progress import RunProgress
from sfcutover.runs.store import Run, RunOptions, RunStore
from sfcutover.steps.underway import BEFORE_LEAVING
from sfcutover.supportcase import require_self_serve
from sfcutover.switch import command_of
from sfcutover.templates import Templates


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
    performing = Performing(invocation.cutover, store, permissions, templates)
    run = performing.open_run()
    if run is not None and run.ended is not None:
        _require_still_done(invocation, run, templates)
        _say_done(invocation, run, store)
        return
    if run is None:
        _require_secrets(invocation.cutover)
        if not yes:
            _confirm(invocation, pause_before)
    options = RunOptions(pause_before)
    perform(invocation, performing, run, options, wait=wait)


def perform(
    invocation: Invocation,
    performing: Performing,
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
        if BEFORE_LEAVING:
            invocation.console.warn("finishing what must not be cut off; Ctrl-C again leaves now")
            BEFORE_LEAVING.wait(LEAVING_SECONDS)
        raise _interrupted(performing) from None
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


def _require_secrets(cutover: Cutover) -> None:
    """What a run is going to prove with must be there before it begins. Nothing is redeemed.

    Raises ConfigError, and what reading the canary's token raises.
    """
    canary = Canary(cutover)
    for name in ("old", "new"):
        canary.egress(name)
    _ = canary.endpoint
    canary.store.read()


def _require_still_done(invocation: Invocation, run: Run, templates: Templates) -> None:
    """Raises DriftError where a list is no longer as the run left it."""
    for target in invocation.targets:
        with invocation.connection(target) as connection:
            live = connection.read()
            try:
                is_done = not plan_phase(
                    Phase.REMOVE_OLD, live, invocation.cutover, templates
                ).changed
            except DriftError:
                is_done = False
            if not is_done:
                raise DriftError(
                    f"the run {run.id} has done this, but since then the list of {target.name} "
                    f"has changed; it is now {live_phase(live, invocation.cutover.change)}",
                    where=run.id,
                    hint="sfcutover diff remove-old shows the live list; sfcutover run --again "
                    "starts anew",
                )


def _interrupted(performing: Performing) -> InterruptedRunError:
    run = performing.store.active(performing.cutover.name)
    at_risk = run is not None and lists_at_risk(
        RunProgress.of(performing.store.journal(run.id).read())
    )
    if not at_risk:
        return InterruptedRunError(
            "interrupted; the run is kept, and nothing of it is lost",
            hint="go on: sfcutover run; end it: sfcutover cancel",
            tokens="each list is as the last finished step left it; a deployment that is under "
            "way goes on in the org",
        )
    return InterruptedRunError(
        f"interrupted while the old addresses come off the list of {', '.join(at_risk)}, or are "
        "off it; the run is kept",
        hint="go on at once, to watch: sfcutover run; or put the old addresses back: "
        "sfcutover rollback --yes",
        tokens="nobody watches now: if a new address is refused, its customers are locked out "
        "until somebody goes on",
    )


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


def require_runnable(invocation: Invocation) -> None:
    """What every step needs must be there before the first one. Raises ConfigError."""
    cutover = invocation.cutover
    require_self_serve(cutover, "run")
    if invocation.settings.targets:
        raise ConfigError(
            "a run takes all targets: one switch moves the traffic of all of them",
            where="--target",
            hint="leave --target out; single steps take it: sfcutover deploy add-new --target NAME",
        )
    if missing := cutover.missing_for_run:
        raise ConfigError(
            f"{', '.join(missing)} {'is' if len(missing) == 1 else 'are'} not configured",
            where=cutover.where,
            hint="a run moves and proves traffic: add what is missing; the README shows each",
        )
    if cutover.switch is not None and not cutover.switch.manual:
        command_of(cutover.switch, "revert")  # a run goes back by itself


def _confirm(invocation: Invocation, pause_before: tuple[str, ...]) -> None:
    cutover = invocation.cutover
    if not _at_terminal():
        raise ConfigError(
            "nobody can be asked here: standard input is no terminal",
            hint="look at sfcutover diff add-new first, then run this again with --yes",
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
