"""sfcutover deploy: a phase into every target, one after the other."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from sfcutover.allowlist.phases import Phase, check_order
from sfcutover.allowlist.plan import PlannedPhase, plan_phase
from sfcutover.allowlist.templates import Templates
from sfcutover.cli.context import (
    Invocation,
    global_options,
    outside_run_option,
    phase_argument,
    require_no_open_run,
    templates_option,
)
from sfcutover.config.cutover import Target
from sfcutover.cutover.deployment import Rollout, RolloutOptions
from sfcutover.cutover.refusals import Clearance
from sfcutover.cutover.supportcase import require_deployable
from sfcutover.errors import (
    Advice,
    ConfigError,
    DriftError,
    InterruptedRunError,
    SfcutoverError,
    StillRunningError,
    commands_in,
)
from sfcutover.output.deployed import Deployed, Outcome, deployed_text
from sfcutover.output.diffs import phase_text
from sfcutover.output.progress import progress_for
from sfcutover.salesforce.connection import Connection
from sfcutover.salesforce.deployer import InterruptedWaitError

_OUTCOMES: dict[Outcome, str] = {
    "deployed": "holds the phase",
    "no-change": "held it already",
    "validated": "would accept it",
    "started": "was sent it",
}


@click.command("deploy")
@phase_argument
@click.option(
    "--plan",
    "plan_file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Deploy exactly what this plan holds; exit 4 if anything has changed since.",
)
@click.option("--dry-run", is_flag=True, help="Validate in the org (checkOnly); change nothing.")
@click.option("--async", "no_wait", is_flag=True, help="Start, print the id, and don't wait.")
@click.option(
    "--wait",
    "minutes",
    type=click.FloatRange(min=0, max=24 * 60),
    default=30,
    show_default=True,
    metavar="MIN",
    help="Minutes to wait for the org; exit 69 after that.",
)
@click.option("--yes", is_flag=True, help="Don't ask; needed where nobody can answer.")
@click.option(
    "--cancel-on-interrupt", is_flag=True, help="On Ctrl-C, ask the org to cancel the deployment."
)
@click.option(
    "--evidence",
    "evidence_file",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="For a phase that removes: the evidence of an earlier verify.",
)
@click.option(
    "--skip-verification",
    is_flag=True,
    help="Remove without proof; needs --reason, and the app's name typed at a terminal.",
)
@click.option("--reason", metavar="TEXT", help="Why nothing is verified; it is recorded.")
@outside_run_option
@templates_option
@global_options
@click.pass_context
def command(
    ctx: click.Context,
    phase: Phase,
    plan_file: Path | None,
    dry_run: bool,
    no_wait: bool,
    minutes: float,
    yes: bool,
    cancel_on_interrupt: bool,
    evidence_file: Path | None,
    skip_verification: bool,
    reason: str | None,
    outside_run: bool,
    templates: Templates,
) -> None:
    """Deploy PHASE, wait for the org, and read the list back. Asks before it changes anything.

    PHASE is add-new, or restore-old to undo remove-old.

    remove-old and remove-new take addresses away: they are refused (exit 5) until
    redemptions have proven the addresses that stay. They verify first, or take --evidence.
    While a run of the cutover has not ended, they are the run's to do (exit 69).
    """
    if skip_verification != bool(reason and reason.strip()):
        raise click.UsageError("--skip-verification and --reason TEXT go together.", ctx=ctx)
    run = Invocation.of(ctx)
    if phase.removes and not (outside_run or dry_run):
        require_no_open_run(run, f"{phase} was not deployed")
    deploy = Deploy(
        run,
        phase,
        templates,
        plan_file=plan_file,
        options=RolloutOptions(wait=minutes * 60, check_only=dry_run),
        no_wait=no_wait,
        ask=not (yes or dry_run),
        cancel_on_interrupt=cancel_on_interrupt,
        evidence_file=evidence_file,
        skip_reason=reason,
    )
    done: list[Deployed] = []
    for target in run.targets:
        try:
            done.append(deploy.target(target))
        except SfcutoverError as error:
            raise _on_target(error, target, done, run) from error
        except (KeyboardInterrupt, click.Abort):
            stop = InterruptedRunError("interrupted", hint="run the same command again when ready")
            raise _on_target(stop, target, done, run) from None
    show_json(run, done)


def show_json(run: Invocation, done: Sequence[Deployed]) -> None:
    """The document, if it was asked for."""
    if run.settings.json:
        from sfcutover.output.deployed import deploy_document
        from sfcutover.output.json import print_document

        print_document(deploy_document(run.cutover.name, done))


def _on_target(
    error: SfcutoverError, target: Target, done: Sequence[Deployed], run: Invocation
) -> SfcutoverError:
    """The error, saying which of several targets it is about and what the others hold by now."""
    if len(run.targets) > 1:
        error.message = f"{target.name}: {error.message}"
        others = [f"{each.target} {_OUTCOMES[each.outcome]}" for each in done]
        error.tokens += f" (on {target.name}; before it: {', '.join(others) or 'no target'})"
    return error


@dataclass(frozen=True)
class Deploy:
    """One phase for the targets of one run.

    evidence_file, skip_reason: for a phase that removes: what clears it.
    plan_binds: only what the plan file holds may be deployed; otherwise it is used for its
    baseline alone.
    """

    run: Invocation
    phase: Phase
    templates: Templates
    plan_file: Path | None
    options: RolloutOptions
    no_wait: bool
    ask: bool
    cancel_on_interrupt: bool
    evidence_file: Path | None = None
    skip_reason: str | None = None
    plan_binds: bool = True

    def target(self, target: Target) -> Deployed:
        """Bring the phase into one target and say what came of it."""
        require_deployable(self.run.cutover, self.phase)
        for note in self.run.cutover.notes:
            self.run.console.warn(note)
        with self.run.connection(target) as connection:
            planned = self._planned(connection)
            url = connection.org.instance_url
            self.run.console.data(phase_text(f"{target.name} ({url})", planned))
            if not planned.changed:
                return self._say(Deployed(target.name, url, "no-change", planned))
            clearance = None
            if not self.options.check_only:
                clearance = self._clear(connection, planned)
            if self.ask:
                self._confirm(target)
            if self.ask or clearance:
                self._require_unchanged(connection, planned)
            return self._roll_out(connection, planned, clearance)

    def _clear(self, connection: Connection, planned: PlannedPhase) -> Clearance | None:
        """The permission that a phase needs which removes addresses."""
        if not self.phase.removes:
            return None
        from sfcutover.cli.removal import Removal

        removal = Removal(self.run, self.phase, self.evidence_file, self.skip_reason)
        return removal.clear(connection, planned.start)

    def _planned(self, connection: Connection) -> PlannedPhase:
        run, live = self.run, connection.read()
        for component in live.carriers:
            check_order(self.phase, component.allowlist, run.cutover.change)
        if self.plan_file is None:
            return plan_phase(self.phase, live, run.cutover, self.templates)
        from sfcutover.allowlist.planfile import TargetPlan, read_plan

        plan = TargetPlan(
            read_plan(self.plan_file),
            self.plan_file,
            connection.target.name,
            run.cutover,
            self.templates,
        )
        if not self.plan_binds:
            return plan_phase(self.phase, live, run.cutover, self.templates, plan.baseline)
        planned = plan.planned(self.phase)
        plan.check_live(planned, live, connection.org.instance_url)
        if live.fingerprints == planned.start.fingerprints:
            return planned
        return plan_phase(self.phase, live, run.cutover, self.templates, plan.baseline)

    def _require_unchanged(self, connection: Connection, planned: PlannedPhase) -> None:
        """A person may think, and a gate wait, for minutes; what was shown must still be so."""
        if connection.read().fingerprints != planned.start.fingerprints:
            raise DriftError(
                "the list was changed by somebody else in the meantime",
                hint="look at the diff again: run the same command once more",
            )

    def _confirm(self, target: Target) -> None:
        if sys.stdin is None or not sys.stdin.isatty():
            raise ConfigError(
                "nobody can be asked here: standard input is no terminal",
                hint="look at the diff above, then run this again with --yes",
            )
        if not self.run.console.confirm(f"Deploy {self.phase} to {target.name}?"):
            raise InterruptedRunError("not confirmed", hint="run it again when you are ready")

    def _roll_out(
        self, connection: Connection, planned: PlannedPhase, clearance: Clearance | None
    ) -> Deployed:
        name = connection.target.name
        with progress_for(name, self.run.settings) as progress:
            rollout = Rollout(
                connection,
                planned,
                self.options,
                progress,
                templates=self.templates,
                clearance=clearance,
            )
            try:
                deployed = self._started(rollout) if self.no_wait else self._finished(rollout)
            except InterruptedWaitError as error:
                raise self._interrupted(connection, error) from None
            except StillRunningError as error:
                raise self._with_command(error, name) from error
        return self._say(deployed)

    def _finished(self, rollout: Rollout) -> Deployed:
        state = rollout.run()
        return Deployed(
            rollout.connection.target.name,
            rollout.connection.org.instance_url,
            "deployed" if state else "validated",
            rollout.planned,
            tuple(result.id for result in rollout.deployments),
            tuple(rollout.deployments),
            state,
            clearance=rollout.clearance,
        )

    def _started(self, rollout: Rollout) -> Deployed:
        name, deployment_id = rollout.connection.target.name, rollout.start()
        return Deployed(
            name,
            rollout.connection.org.instance_url,
            "started",
            rollout.planned,
            (deployment_id,),
            follow_up=self.run.command_line("deployment", "wait", deployment_id, target=name),
            clearance=rollout.clearance,
        )

    def _interrupted(
        self, connection: Connection, error: InterruptedWaitError
    ) -> InterruptedRunError:
        name = connection.target.name
        if error.deployment_id is None:
            words = ["diff", self.phase.value]
        else:
            words = ["deployment", "wait", error.deployment_id]
        message = error.message
        if self.cancel_on_interrupt and error.deployment_id is not None:
            message = _cancel(connection, error.deployment_id)
        hint = Advice("to go on: ", self.run.command(*words, target=name))
        return InterruptedRunError(message, hint=hint, tokens=error.tokens)

    def _with_command(self, error: StillRunningError, target: str) -> StillRunningError:
        words = [word for each in commands_in(error.advice) for word in each.command]
        hint = Advice("to go on: ", self.run.command(*words, target=target))
        return StillRunningError(error.message, hint=hint, tokens=error.tokens)

    def _say(self, deployed: Deployed) -> Deployed:
        self.run.console.data(deployed_text(deployed))
        return deployed


def _cancel(connection: Connection, deployment_id: str) -> str:
    """Ask the org to cancel; what came of it, in words."""
    try:
        status = connection.deployer.cancel(deployment_id).status
    except SfcutoverError as error:
        return f"interrupted; deployment {deployment_id} could not be canceled ({error})"
    return f"interrupted; after the request to cancel, deployment {deployment_id} is {status}"
