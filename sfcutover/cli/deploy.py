"""sfcutover deploy: deploy a phase to each target in turn, and watch a removal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sfcutover.allowlist.phases import Phase
from sfcutover.allowlist.templates import Templates
from sfcutover.cli.context import (
    Invocation,
    pass_invocation,
    phase_argument,
    templates_option,
)
from sfcutover.cli.deployphase import DeployCommand, Execution
from sfcutover.cli.gates import CommandGate, SkippedGate, Terminal
from sfcutover.cli.options import (
    evidence_option,
    out_option,
    outside_run_option,
    traffic_moved_option,
    wait_option,
    yes_option,
)
from sfcutover.config.cutover import Target
from sfcutover.cutover.context import TargetContext
from sfcutover.cutover.deploy import DeployOptions, deploy
from sfcutover.cutover.deployevidence import DeployEvidence
from sfcutover.cutover.interruption import query_targets, sent_by
from sfcutover.cutover.removalgate import TRAFFIC_MOVED, Gate
from sfcutover.cutover.stepdocuments import DeployDocument, DeployTargetDocument
from sfcutover.errors import ExitCode, SfcutoverError
from sfcutover.output.json import print_document

if TYPE_CHECKING:  # what only some phases and options need is imported where they are handled
    from sfcutover.cli.planfile import PlanFile
    from sfcutover.cli.watch import Watched

_OUTCOMES = {
    "deployed": "holds the phase",
    "no-change": "already held the phase",
    "validated": "would accept the phase",
    "started": "was sent the phase",
}


@click.command("deploy")
@phase_argument
@click.option(
    "--plan",
    "plan_file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Deploy exactly this plan; exit 4 if the org, cutover.yaml or a template has "
    "changed since.",
)
@click.option(
    "--watch",
    "then_watch",
    is_flag=True,
    help="After remove-old: watch, as the watch command does, and restore the old addresses if "
    "redemptions fail.",
)
@click.option(
    "--resave",
    is_flag=True,
    help="With add-new, if the org refuses new addresses although they are on the allowlist: save "
    "the allowlist with one description changed, then with the original one (Salesforce Help "
    "005387022).",
)
@click.option("--dry-run", is_flag=True, help="Validate in the org (checkOnly) and change nothing.")
@click.option(
    "--async",
    "no_wait",
    is_flag=True,
    help="Start the deployment, print its id, and exit without waiting.",
)
@wait_option
@yes_option
@click.option(
    "--cancel-on-interrupt", is_flag=True, help="On Ctrl-C, ask the org to cancel the deployment."
)
@evidence_option
@traffic_moved_option
@click.option(
    "--skip-verification",
    is_flag=True,
    help="Remove without proof. Requires --reason, and the app's name typed at a terminal.",
)
@click.option("--reason", metavar="TEXT", help="Why verification is skipped; recorded.")
@outside_run_option
@out_option
@templates_option
@pass_invocation
def command(
    run: Invocation,
    phase: Phase,
    plan_file: Path | None,
    then_watch: bool,
    resave: bool,
    dry_run: bool,
    no_wait: bool,
    minutes: float,
    yes: bool,
    cancel_on_interrupt: bool,
    evidence_file: Path | None,
    traffic_moved: bool,
    skip_verification: bool,
    reason: str | None,
    outside_run: bool,
    out: Path | None,
    templates: Templates,
) -> int:
    """Deploy PHASE, wait for the org, and read the allowlist back. Asks for confirmation before it
    changes anything.

    PHASE is add-new (step 2), remove-old (step 5), restore-old (adds the old addresses again,
    which undoes remove-old) or remove-new (undoes add-new).

    remove-old and remove-new are refused (exit 5) until redemptions have proven the addresses
    that stay: they verify first, or use --evidence. If nothing shows that customers have left
    the addresses to be removed, they require --traffic-moved. While a run of this cutover has
    not ended, only the run may remove addresses (exit 69).
    """
    if skip_verification != bool(reason and reason.strip()):
        raise click.UsageError("--skip-verification and --reason TEXT require each other")
    if resave and (phase is not Phase.ADD_NEW or plan_file or dry_run or no_wait):
        raise click.UsageError(
            "--resave requires add-new, and excludes --plan, --dry-run and --async"
        )
    if then_watch and (phase is not Phase.REMOVE_OLD or dry_run or no_wait):
        raise click.UsageError("--watch requires remove-old, and excludes --dry-run and --async")
    if phase.removes and not (outside_run or dry_run):
        run.require_no_open_run(f"{phase} was not deployed")
    if then_watch:
        from sfcutover.cli.watch import require_ready

        require_ready(run)
    gate: Gate = CommandGate(run, evidence_file)
    if skip_verification and reason:
        gate = SkippedGate(run, reason)
    plan = _plan_in(plan_file)
    options = DeployOptions(
        wait=minutes * 60,
        check_only=dry_run,
        no_wait=no_wait,
        gate=gate,
        traffic_moved=TRAFFIC_MOVED if traffic_moved else "",
        plan=None if plan is None else plan.plan,
        named=None if plan is None else plan.baseline,
        operator=Terminal(run, ask=not (yes or dry_run)),
        binding=True,
    )
    run.started.cancels = cancel_on_interrupt
    execute = _execution(phase, resave)
    command = DeployCommand(run, phase, templates, options, execute, is_watched=then_watch)
    deployments = _Deployments(command, out)
    return _deployed_and_watched(deployments) if then_watch else _deployed(deployments)


def _plan_in(file: Path | None) -> PlanFile | None:
    if file is None:
        return None
    from sfcutover.cli.planfile import PlanFile

    return PlanFile(file)


def _deployed(deployments: _Deployments) -> int:
    if error := deployments.execute():
        raise error
    show_json(deployments.run, deployments.document())
    return ExitCode.DONE


def _deployed_and_watched(deployments: _Deployments) -> int:
    """An allowlist that lost addresses is watched even if the removal on another target fails."""
    from sfcutover.cli.watch import watch_targets

    run, error = deployments.run, deployments.execute()
    targets = deployments.removed(error)
    if error is not None and not targets:
        raise error
    watched = watch_targets(run, deployments.command.templates, targets)
    deployments.save(watched, is_urgent=error is not None or not watched.is_passed)
    if error is not None:
        raise _with_watch(error, watched)
    if watched.problem is not None:
        raise watched.problem
    show_json(run, deployments.document(watched))
    return watched.settled(run)


@dataclass
class _Deployments:
    """The deployments of one command. out: where its document is saved after each of them."""

    command: DeployCommand
    out: Path | None
    done: list[DeployTargetDocument] = field(default_factory=list)

    @property
    def run(self) -> Invocation:
        return self.command.run

    def execute(self) -> SfcutoverError | None:
        """Deploy the phase to each target in turn; the error that stopped this, if one did."""
        options = self.command.options
        is_whole = not (options.check_only or options.no_wait)
        for target in self.run.targets:
            try:
                each = self.command
                self.done += each.whole(target) if is_whole else [each.deploy(target)]
            except SfcutoverError as error:
                return _on_target(error, target, self.done, self.run)
            self.save(is_urgent=each.is_watched)
        return None

    def save(self, watched: Watched | None = None, *, is_urgent: bool = False) -> None:
        """Save the document to --out. is_urgent: as for Invocation.save."""
        self.run.save(self.document(watched), self.out, is_urgent=is_urgent)

    def document(self, watched: Watched | None = None) -> DeployDocument:
        """What has been done so far."""
        watch = watched.document if watched else None
        return DeployDocument(cutover=self.run.cutover.name, targets=list(self.done), watch=watch)

    def removed(self, error: SfcutoverError | None) -> list[Target]:
        """The targets whose allowlists lack the old addresses, or may. error: of the last one."""
        names = {each.target for each in self.done}
        found = [each for each in self.run.targets if each.name in names]
        if error is not None:
            found += self._failed()
        return found

    def _failed(self) -> list[Target]:
        """The target whose removal failed, unless its allowlist still holds the old addresses."""
        target = self.run.targets[len({each.target for each in self.done})]
        sent = [one for step in self.run.started.steps for one in sent_by(step.memory, target.name)]
        if not sent:
            return []
        now = query_targets(self.run.cutover, [target], sent, cancels=False)[0]
        return [] if now.holds_old(self.run.cutover) else [target]


def show_json(run: Invocation, document: DeployDocument) -> None:
    """The document, if it was asked for."""
    if run.settings.json:
        print_document(document)


def _with_watch(error: SfcutoverError, watched: Watched) -> SfcutoverError:
    """The error of a removal, and how the watch of the allowlists that lost addresses ended."""
    names = ", ".join(each.target for each in watched.document.targets)
    ended = watched.problem or watched.failure
    how = f"failed: {ended}" if ended else "passed"
    impact = "; ".join(filter(None, (error.impact, f"the watch of {names} {how}")))
    return error.replaced(impact=impact)


def _on_target(
    error: SfcutoverError, target: Target, done: Sequence[DeployTargetDocument], run: Invocation
) -> SfcutoverError:
    """The error, which names its target, and states what was done on the targets before it."""
    if len(run.targets) == 1:
        return error
    before = ", ".join(f"{each.target} {_OUTCOMES[each.outcome]}" for each in done)
    parts = (
        error.impact and f"{target.name}: {error.impact}",
        before and f"before {target.name}: {before}",
    )
    return error.replaced(
        message=f"{target.name}: {error.message}", impact="; ".join(filter(None, parts))
    )


def _execution(phase: Phase, is_resave: bool) -> Execution:
    if is_resave:
        from sfcutover.cutover.resave import resave

        return lambda context, _phase, options: resave(context, options)
    return restore_phase if phase is Phase.RESTORE_OLD else deploy


def restore_phase(context: TargetContext, _phase: Phase, options: DeployOptions) -> DeployEvidence:
    """Restore-old as every rollback deploys it."""
    from sfcutover.cutover.rollback import restore

    return restore(context, options)
