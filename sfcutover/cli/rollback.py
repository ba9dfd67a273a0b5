"""sfcutover rollback: undo the last phase, by the recorded baseline."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import click

from sfcutover.allowlist.phases import Phase
from sfcutover.allowlist.templates import Templates
from sfcutover.cli.context import Invocation, pass_invocation, templates_option
from sfcutover.cli.deployphase import DeployCommand
from sfcutover.cli.gates import CommandGate, Terminal
from sfcutover.cli.options import out_option, outside_run_option, traffic_moved_option, yes_option
from sfcutover.cli.planfile import PlanFile
from sfcutover.config.cutover import Target
from sfcutover.cutover.deploy import DeployOptions, deploy
from sfcutover.cutover.removalgate import TRAFFIC_MOVED
from sfcutover.cutover.rollback import restore_despite_signals
from sfcutover.cutover.stepdocuments import DeployDocument
from sfcutover.cutover.supportcase import require_self_serve
from sfcutover.errors import Advice, Command, InterruptedRunError, SfcutoverError
from sfcutover.output.json import print_document
from sfcutover.output.text import RESTORED

T = TypeVar("T")
WAIT_SECONDS = 1800.0  # for one deployment


@click.command("rollback")
@click.option(
    "--to",
    "state",
    type=click.Choice(["add-new", "baseline"]),
    default="add-new",
    show_default=True,
    help="add-new: old and new addresses are on the allowlist, which is always safe. "
    "baseline: also "
    "remove the new addresses.",
)
@click.option(
    "--plan",
    "plan_file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Plan with the baseline to restore, if none is recorded here; must agree with a recorded "
    "one.",
)
@traffic_moved_option
@yes_option
@outside_run_option
@out_option
@templates_option
@pass_invocation
def command(
    run: Invocation,
    state: str,
    plan_file: Path | None,
    traffic_moved: bool,
    yes: bool,
    outside_run: bool,
    out: Path | None,
    templates: Templates,
) -> None:
    """Undo the last phase, in the safe order.

    Restores the old addresses immediately, as adding needs no gate; then the policies that only
    remove-old set. With --to baseline, proves next that traffic is back on the old egress, then
    removes the new addresses that were not on the allowlist before the cutover, and restores
    the other policies last.
    """
    require_self_serve(run.cutover, "rollback")
    if state == "baseline" and not outside_run:
        run.require_no_open_run("nothing was rolled back")
    operator = Terminal(run, ask=not yes)
    command = DeployCommand(
        run,
        Phase.RESTORE_OLD,
        templates,
        DeployOptions(
            wait=WAIT_SECONDS,
            named=None if plan_file is None else PlanFile(plan_file).baseline,
            operator=operator,
            binding=True,
        ),
        execute=lambda context, _phase, options: restore_despite_signals(
            context, options, lambda: operator.has_agreed(context.target.name)
        ),
    )
    done = on_every_target(run, command.deploy, run.targets) if run.cutover.carriers else []
    if state == "baseline":
        said = TRAFFIC_MOVED if traffic_moved else ""
        options = replace(command.options, gate=CommandGate(run), traffic_moved=said)
        remove = replace(command, phase=Phase.REMOVE_NEW, options=options, execute=deploy)
        back = remove.whole if run.cutover.carriers else remove.policies_of_baseline
        done += [one for target in run.targets for one in back(target)]
    else:
        restored = on_every_target(run, command.policies_of_add_new, run.targets)
        done += [one for each in restored for one in each]
        if run.cutover.carriers:
            run.console.note(Advice("next: ", RESTORED))
            note_open_run(run)
    document = DeployDocument(cutover=run.cutover.name, targets=done)
    run.save(document, out)
    if run.settings.json:
        print_document(document)


def note_open_run(run: Invocation) -> None:
    """Name the run that has not ended, if the state can be read: restoring needs no state."""
    from sfcutover.runs.store import open_run  # SQLAlchemy: only where it is needed

    with suppress(SfcutoverError):
        if found := open_run(run.cutover):
            shows, ends = Command("runs", found), Command("cancel", found)
            run.console.note(
                Advice(f"the run {found} has not ended: ", shows, " shows it; ", ends, " ends it")
            )


def on_every_target(
    run: Invocation, restore: Callable[[Target], T], targets: Sequence[Target]
) -> list[T]:
    """Call restore for each of these targets, even if another fails; then raise the first failure.

    Adding addresses is always safe, so a failure in one org must not leave another org without
    them. A declined confirmation, or Ctrl-C, ends it immediately.
    """
    done: list[T] = []
    failures: list[SfcutoverError] = []
    for target in targets:
        try:
            done.append(restore(target))
        except InterruptedRunError:
            raise
        except SfcutoverError as error:
            failures.append(error)
            if len(targets) > 1:
                failures[-1] = error.replaced(message=f"{target.name}: {error.message}")
                run.console.warn(f"not rolled back: {failures[-1]}")
    if failures:
        raise failures[0]
    return done
