"""sfcutover deploy: a phase into every target, one after the other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import click

from sfcutover.allowlist.phases import Phase
from sfcutover.allowlist.plan import PlannedPhase
from sfcutover.allowlist.planfile import TargetPlan, read_plan
from sfcutover.allowlist.snapshot import Snapshot
from sfcutover.allowlist.templates import Templates
from sfcutover.cli.context import (
    Invocation,
    command_step,
    pass_invocation,
    phase_argument,
    templates_option,
)
from sfcutover.cli.gates import CommandGate, SkippedGate
from sfcutover.cli.options import (
    evidence_option,
    outside_run_option,
    traffic_moved_option,
    wait_option,
    yes_option,
)
from sfcutover.config.cutover import Target
from sfcutover.cutover.context import TargetContext
from sfcutover.cutover.deploy import DeployEvidence, DeployOptions, Plan, deploy
from sfcutover.cutover.recordedbaselines import RecordedBaselines
from sfcutover.cutover.removalgate import TRAFFIC_MOVED, Gate
from sfcutover.cutover.resave import resave as save_again
from sfcutover.cutover.rollback import restore
from sfcutover.cutover.secondreading import who_changed
from sfcutover.cutover.supportcase import require_deployable
from sfcutover.cutover.wayback import (
    Baseline,
    baseline_for,
    bind_to,
    plan_phase,
    plan_policies_of_add_new,
)
from sfcutover.errors import (
    Advice,
    DriftError,
    SfcutoverError,
    StillRunningError,
    commands_in,
)
from sfcutover.output import cistep
from sfcutover.output.diffs import phase_text
from sfcutover.output.json import print_document
from sfcutover.output.text import deployed_text
from sfcutover.salesforce.connection import Connection
from sfcutover.salesforce.results import DeployDocument, DeployTargetDocument

_OUTCOMES = {
    "deployed": "holds the phase",
    "no-change": "held it already",
    "validated": "would accept it",
    "started": "was sent it",
}


Execution = Callable[[TargetContext, Phase, DeployOptions], DeployEvidence]


@click.command("deploy")
@phase_argument
@click.option(
    "--plan",
    "plan_file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Deploy exactly what this plan holds; exit 4 if anything has changed since.",
)
@click.option(
    "--resave",
    is_flag=True,
    help="Of add-new, where the list holds the new addresses and they are refused: save it once "
    "more with one description changed, and then as it was (Salesforce Help 005387022).",
)
@click.option("--dry-run", is_flag=True, help="Validate in the org (checkOnly); change nothing.")
@click.option("--async", "no_wait", is_flag=True, help="Start, print the id, and don't wait.")
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
    help="Remove without proof; needs --reason, and the app's name typed at a terminal.",
)
@click.option("--reason", metavar="TEXT", help="Why nothing is verified; it is recorded.")
@outside_run_option
@templates_option
@pass_invocation
def command(
    run: Invocation,
    phase: Phase,
    plan_file: Path | None,
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
    templates: Templates,
) -> None:
    """Deploy PHASE, wait for the org, and read the list back. Asks before it changes anything.

    PHASE is add-new, or restore-old to undo remove-old.

    remove-old and remove-new take addresses away: they are refused (exit 5) until
    redemptions have proven the addresses that stay. They verify first, or take --evidence.
    Where nothing shows that customers have left the others, they need --traffic-moved.
    While a run of the cutover has not ended, they are the run's to do (exit 69).
    """
    if skip_verification != bool(reason and reason.strip()):
        raise click.UsageError("--skip-verification and --reason TEXT go together.")
    if resave and (phase is not Phase.ADD_NEW or plan_file or dry_run or no_wait):
        raise click.UsageError("--resave goes with add-new, without --plan, --dry-run and --async.")
    if phase.removes and not (outside_run or dry_run):
        run.require_no_open_run(f"{phase} was not deployed")
    gate: Gate = CommandGate(run, evidence_file)
    if skip_verification and reason:
        gate = SkippedGate(run, reason)
    command = DeployCommand(
        run,
        phase,
        templates,
        DeployOptions(
            wait=minutes * 60,
            check_only=dry_run,
            no_wait=no_wait,
            gate=gate,
            traffic_moved=TRAFFIC_MOVED if traffic_moved else "",
            plan=None if plan_file is None else PlanFile(plan_file).plan,
            named=None if plan_file is None else PlanFile(plan_file).baseline,
            operator=Terminal(run, ask=not (yes or dry_run)),
            binding=True,
        ),
        execute=_execution(phase, resave),
    )
    run.begun.cancels = cancel_on_interrupt
    done: list[DeployTargetDocument] = []
    is_whole = not (dry_run or no_wait)
    for target in run.targets:
        try:
            done += command.whole(target) if is_whole else [command.deploy(target)]
        except SfcutoverError as error:
            raise _on_target(error, target, done, run) from error
    show_json(run, done)


def show_json(run: Invocation, done: Sequence[DeployTargetDocument]) -> None:
    """The document, if it was asked for."""
    if run.settings.json:
        print_document(DeployDocument(cutover=run.cutover.name, targets=list(done)))


def _on_target(
    error: SfcutoverError, target: Target, done: Sequence[DeployTargetDocument], run: Invocation
) -> SfcutoverError:
    """The error, saying which of several targets it is about and what the others hold by now."""
    if len(run.targets) == 1:
        return error
    others = [f"{each.target} {_OUTCOMES[each.outcome]}" for each in done]
    return error.replaced(
        message=f"{target.name}: {error.message}",
        impact=f"{error.impact} (on {target.name}; before it: {', '.join(others) or 'no target'})",
    )


def _execution(phase: Phase, is_resave: bool) -> Execution:
    if is_resave:
        return lambda context, _phase, options: save_again(context, options)
    return restore_phase if phase is Phase.RESTORE_OLD else deploy


def restore_phase(context: TargetContext, _phase: Phase, options: DeployOptions) -> DeployEvidence:
    """Restore-old as every way back deploys it."""
    return restore(context, options)


@dataclass(frozen=True)
class DeployCommand:
    """One phase for the targets of one command."""

    run: Invocation
    phase: Phase
    templates: Templates
    options: DeployOptions
    execute: Execution = deploy

    def deploy(self, target: Target) -> DeployTargetDocument:
        """Bring the phase into one target and say what came of it."""
        require_deployable(self.run.cutover, self.phase)
        for note in self.run.cutover.notes:
            self.run.console.warn(note)
        with command_step(self.run, self.phase.value, self.templates) as step:
            context = step.at(target)
            try:
                evidence = self.execute(context, self.phase, self.options)
            except StillRunningError as error:
                raise self._with_command(error, target.name) from error
        document = self._document(target.name, evidence)
        cistep.step().deployed(document)
        self.run.console.data(deployed_text(document))
        return document

    def whole(self, target: Target) -> list[DeployTargetDocument]:
        """The phase, and what follows it: a way back restores addresses, and then policies."""
        done = [self.deploy(target)]
        match self.phase:
            case Phase.RESTORE_OLD:
                return done + self.policies_of_add_new(target)
            case Phase.REMOVE_NEW:
                return done + self.policies_of_baseline(target)
            case _:
                return done

    def policies_of_add_new(self, target: Target) -> list[DeployTargetDocument]:
        """Restore what remove-old alone has set on one target."""
        if not self.run.cutover.policies.removal_sets_more:
            return []
        plan = partial(plan_policies_of_add_new, named=self.options.named)
        return [self._restore_policies(target, plan)]

    def policies_of_baseline(self, target: Target) -> list[DeployTargetDocument]:
        """Restore what the cutover has set on one target."""
        return [self._restore_policies(target, None)] if self._has_policies(target) else []

    def _restore_policies(self, target: Target, plan: Plan | None) -> DeployTargetDocument:
        options = replace(self.options, plan=plan)
        policies = replace(self, phase=Phase.RESTORE_POLICIES, options=options, execute=deploy)
        return policies.deploy(target)

    def _has_policies(self, target: Target) -> bool:
        """By the record, which is gone where nothing is left to restore, or by the plan."""
        cutover = self.run.cutover
        with closing(RecordedBaselines(cutover)) as baselines:
            record = baselines.find(target.name)
        if record is not None:
            return bool(record.policies)
        return self.options.named is not None and bool(cutover.policies)

    def _document(self, target: str, evidence: DeployEvidence) -> DeployTargetDocument:
        is_started = evidence.outcome == "started"
        ids = evidence.sent[-1:] if is_started else [each.id for each in evidence.deployments]
        wait = self.run.command_line("deployment", "wait", *ids, target=target)
        return DeployTargetDocument(
            target=target,
            instance_url=evidence.instance_url,
            outcome=evidence.outcome,
            deployment_ids=ids,
            deployments=evidence.deployments,
            phase=evidence.diff,
            live=evidence.live if evidence.outcome == "deployed" else [],
            differences=evidence.differences,
            follow_up=wait if is_started else None,
            clearance=evidence.clearance,
            external_changes=evidence.external_changes,
        )

    def _with_command(self, error: StillRunningError, target: str) -> StillRunningError:
        words = [word for each in commands_in(error.advice) for word in each.command]
        return error.replaced(hint=Advice("to continue: ", self.run.command(*words, target=target)))


@dataclass(frozen=True)
class Terminal:
    """The person who started the command. ask: False with --yes."""

    run: Invocation
    ask: bool
    _agreed: set[str] = field(default_factory=set, init=False)

    def show(self, connection: Connection, planned: PlannedPhase) -> None:
        """The diff."""
        where = f"{connection.target.name} ({connection.org.instance_url})"
        self.run.console.data(phase_text(where, planned))

    def confirm(self, target: str, phase: Phase, doubt: str | None) -> bool:
        """Raises what Invocation.confirm raises."""
        if not self.ask:
            return False
        question = f"Deploy {phase} to {target}?"
        if doubt is not None:
            question = f"{doubt[0].upper()}{doubt[1:]}.\n{question}"
        self.run.confirm(
            question,
            hint="look at the diff above, then run this again with --yes",
        )
        self._agreed.add(target)
        return True

    def has_agreed(self, target: str) -> bool:
        """True once nothing need be asked any more."""
        return not self.ask or target in self._agreed


@dataclass(frozen=True)
class PlanFile:
    """A plan that was written before."""

    path: Path

    def plan(
        self, context: TargetContext, connection: Connection, phase: Phase, live: Snapshot
    ) -> PlannedPhase:
        """Exactly what it holds. Raises ConfigError for a file that is no plan, DriftError where
        it no longer fits, and IdentityError for another org."""
        plan, baseline = self._read(context), self.baseline(context)
        bind_to(baseline, connection, live, any_component=phase is Phase.RESTORE_OLD)
        planned = plan.planned(phase)
        try:
            plan.check_live(planned, live)
        except DriftError as error:
            if how := who_changed(connection, planned.start.lists, live):
                raise error.replaced(message=f"{error.message}; {how}") from error
            raise
        if phase.goes_back:  # where a baseline was recorded, the two must agree
            used = baseline_for(context, connection, phase, live, self.baseline)
            return plan_phase(context, phase, live, used)
        now = live.like(planned.start)
        if now.fingerprints == planned.start.fingerprints:
            return replace(planned, start=now)  # the same, and it knows who saved it when
        return plan_phase(context, phase, live, None)

    def baseline(self, context: TargetContext) -> Baseline:
        """The components before anything changed, as it holds them. Raises as plan does."""
        cutover, plan = context.cutover, self._read(context)
        return Baseline(
            plan.baseline,
            cutover.change,
            cutover.policies.every_value,
            knows_new=True,
            organization_id=plan.organization_id,
            component_ids=plan.component_ids,
            origin=f"the plan {self.path}",
        )

    def _read(self, context: TargetContext) -> TargetPlan:
        return TargetPlan(read_plan(self.path), self.path, context.target.name, context.planner)
