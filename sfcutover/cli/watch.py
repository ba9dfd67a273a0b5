"""sfcutover watch: step 5, monitor redemptions after a removal; restore the old addresses if
they fail."""

from __future__ import annotations

import click

from sfcutover.allowlist.phases import Phase
from sfcutover.allowlist.templates import Templates
from sfcutover.cli.context import (
    Invocation,
    command_step,
    metered,
    pass_invocation,
    templates_option,
)
from sfcutover.cli.rollback import WAIT_SECONDS, on_every_target
from sfcutover.config.checks import Watch
from sfcutover.config.cutover import Target
from sfcutover.cutover.context import StepContext
from sfcutover.cutover.deploy import DeployOptions, deploy
from sfcutover.cutover.rollback import restore_despite_signals
from sfcutover.cutover.supportcase import require_self_serve
from sfcutover.cutover.verify import prove_old
from sfcutover.cutover.watch import WatchEvidence, redeemers_of, watch
from sfcutover.cutover.watchtrigger import RoundDocument, WatchDocument, watch_failure
from sfcutover.cutover.wayback import plan_policies_of_add_new, plan_restore
from sfcutover.errors import ExitCode, GateError
from sfcutover.output.json import print_document
from sfcutover.traffic.egress import require_egresses


@click.command("watch")
@templates_option
@pass_invocation
def command(run: Invocation, templates: Templates) -> int:
    """Redeem through the new egress, and execute the checks, every interval for a while.

    Failures in a row restore the old addresses at once, before any diagnosis, and exit 5.
    """
    run.require_addresses("watch")
    require_self_serve(run.cutover, "watch")
    config = run.cutover.watch or Watch()
    with metered(run) as run, command_step(run, "watch", templates) as context:
        _require_way_back(run, context)
        run.console.note(
            f"watching for {config.duration:.0f} s, every {config.interval:.0f} s; "
            f"{config.failures} failures in a row restore the old addresses"
        )
        failure, evidence = _watched(run, context)
        if run.meter is not None and failure is not None:
            run.meter.close("rolled-back" if evidence.is_failed else "failed")
        if run.settings.json:
            print_document(_document(run, context, evidence))
    if failure is not None:
        return run.fail(failure)
    run.console.data(f"done: the watch passed after {evidence.rounds} rounds")
    return ExitCode.DONE


def _watched(run: Invocation, context: StepContext) -> tuple[GateError | None, WatchEvidence]:
    """How the watch ended, and with which error. Raises what restoring raises."""
    evidence = watch(context, run.targets)
    if evidence.is_failed:
        on_every_target(run, lambda target: _restore(run, context, target))
        if run.cutover.policies.removal_sets_more:
            on_every_target(run, lambda target: _restore_policies(run, context, target))
        run.console.note(prove_old(context, run.targets).sentence)
    return watch_failure(evidence.outcome, evidence.reasons), evidence


def _restore(run: Invocation, context: StepContext, target: Target) -> None:
    restore_despite_signals(context.at(target), DeployOptions(wait=WAIT_SECONDS))
    run.console.note(f"{target.name}: the old addresses are on the list again")


def _restore_policies(run: Invocation, context: StepContext, target: Target) -> None:
    options = DeployOptions(wait=WAIT_SECONDS, plan=plan_policies_of_add_new)
    deploy(context.at(target), Phase.RESTORE_POLICIES, options)
    run.console.note(f"{target.name}: the policies are as add-new has left them")


def _require_way_back(run: Invocation, context: StepContext) -> None:
    """Everything that restoring needs is there before it is needed. Nothing is redeemed."""
    require_egresses(run.cutover)
    for redeemer in redeemers_of(context, run.targets).values():
        redeemer.require_ready()
    for target in run.targets:
        on_target = context.at(target)
        with on_target.connection() as connection:
            planned = plan_restore(on_target, connection, connection.read())
            context.restores.keep(target.name, planned)


def _document(run: Invocation, context: StepContext, evidence: WatchEvidence) -> WatchDocument:
    rounds = [event.data["round"] for event in context.memory.all("watch-round")]
    return WatchDocument(
        cutover=run.cutover.name,
        outcome=evidence.outcome.value,
        reasons=evidence.reasons,
        counts=evidence.counts,
        rounds=[RoundDocument.model_validate(each) for each in rounds],
    )
