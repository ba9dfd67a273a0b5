"""sfcutover watch: step 5, monitor redemptions after a removal; restore the old addresses if
they fail."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

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
from sfcutover.cli.options import out_option
from sfcutover.cli.rollback import WAIT_SECONDS, on_every_target
from sfcutover.config.checks import Watch
from sfcutover.config.cutover import Target
from sfcutover.cutover.context import StepContext
from sfcutover.cutover.deploy import DeployOptions, deploy
from sfcutover.cutover.rollback import restore_despite_signals
from sfcutover.cutover.rollbackbaseline import plan_policies_of_add_new, plan_restore
from sfcutover.cutover.stepdocuments import (
    DeployTargetDocument,
    WatchDocument,
    WatchedTargetDocument,
)
from sfcutover.cutover.supportcase import require_self_serve
from sfcutover.cutover.verify import prove_old
from sfcutover.cutover.watch import STARTED, WatchEvidence, redeemers_of, watch
from sfcutover.cutover.watchtrigger import RoundDocument, watch_failure
from sfcutover.errors import ExitCode, GateError, SfcutoverError
from sfcutover.output.json import print_document
from sfcutover.runs.event import moment_text
from sfcutover.traffic.egress import require_egresses


@click.command("watch")
@out_option
@templates_option
@pass_invocation
def command(run: Invocation, out: Path | None, templates: Templates) -> int:
    """Step 5: monitor redemptions after remove-old; restore the old addresses if they fail.

    Redeems through the new egress and runs the checks at every interval, as watch: in
    cutover.yaml sets. Consecutive failures restore the old addresses immediately, before any
    diagnosis, and exit 5.
    """
    require_ready(run)
    _prepare_way_back(run, templates)
    watched = watch_targets(run, templates, run.targets)
    run.save(watched.document, out, is_urgent=not watched.is_passed)
    if watched.problem is not None:
        raise watched.problem
    if run.settings.json:
        print_document(watched.document)
    return watched.settled(run)


@dataclass(frozen=True)
class Watched:
    """The result of a watch. failure: if it did not pass. problem: an error after that, in
    restoring or proving the old addresses."""

    document: WatchDocument
    failure: GateError | None
    problem: SfcutoverError | None

    @property
    def is_passed(self) -> bool:
        return self.failure is None

    def settled(self, run: Invocation) -> int:
        """Print the result, after its document, and return the exit code. Raises the failure."""
        if self.failure is not None:
            return run.fail(self.failure)
        run.console.data(f"done: the watch passed after {len(self.document.rounds)} rounds")
        return ExitCode.DONE


def require_ready(run: Invocation) -> None:
    """What a watch redeems with must be available before it starts. Redeems nothing. Raises
    ConfigError, and the error that prevents a canary from redeeming."""
    run.require_addresses("watch")
    require_self_serve(run.cutover, "watch")
    require_egresses(run.cutover)
    for redeemer in redeemers_of(run.cutover, run.targets).values():
        redeemer.require_ready()


def watch_targets(run: Invocation, templates: Templates, targets: Sequence[Target]) -> Watched:
    """Watch these targets with the settings of watch:, and restore the old addresses if it fails.
    Raises only the error that prevents a watch from starting."""
    config = run.cutover.watch or Watch()
    with metered(run) as run, command_step(run, "watch", templates) as context:
        run.console.note(
            f"watching for {config.duration:.0f} s, every {config.interval:.0f} s; "
            f"{config.failures} consecutive failures restore the old addresses"
        )
        evidence = watch(context, targets)
        ended = time.time()
        restoring = _Restoring(run, context, targets)
        problem = restoring.execute() if evidence.is_failed else None
        failure = watch_failure(evidence.outcome, evidence.reasons)
        if run.meter is not None and failure is not None:
            is_restored = evidence.is_failed and problem is None
            run.meter.close("rolled-back" if is_restored else "failed")
    return Watched(_document(context, evidence, ended, restoring), failure, problem)


@dataclass
class _Restoring:
    """Restores the old addresses of these targets. done: the deployments, in order. old_proof: the
    proof of the old addresses, in words."""

    run: Invocation
    context: StepContext
    targets: Sequence[Target]
    done: list[DeployTargetDocument] = field(default_factory=list)
    old_proof: str | None = None

    def execute(self) -> SfcutoverError | None:
        """Restore and prove the old addresses; the error, if one of the two failed."""
        try:
            on_every_target(self.run, self._restore, self.targets)
            if self.run.cutover.policies.removal_sets_more:
                on_every_target(self.run, self._restore_policies, self.targets)
            self.old_proof = prove_old(self.context, self.targets).sentence
        except SfcutoverError as error:
            self.old_proof = str(error) if isinstance(error, GateError) else None
            return error
        self.run.console.note(self.old_proof)
        return None

    def _restore(self, target: Target) -> None:
        started = time.time()
        options = DeployOptions(wait=WAIT_SECONDS)
        evidence = restore_despite_signals(self.context.at(target), options)
        self.done.append(DeployTargetDocument.of(target.name, evidence, started, time.time()))
        self.run.console.note(f"{target.name}: the old addresses are on the allowlist again")

    def _restore_policies(self, target: Target) -> None:
        started = time.time()
        options = DeployOptions(wait=WAIT_SECONDS, plan=plan_policies_of_add_new)
        evidence = deploy(self.context.at(target), Phase.RESTORE_POLICIES, options)
        self.done.append(DeployTargetDocument.of(target.name, evidence, started, time.time()))
        self.run.console.note(
            f"{target.name}: the policies are restored to their state after add-new"
        )


def _prepare_way_back(run: Invocation, templates: Templates) -> None:
    """Render the package that restores the old addresses before it is needed."""
    with command_step(run, "watch", templates) as context:
        for target in run.targets:
            on_target = context.at(target)
            with on_target.connection() as connection:
                planned = plan_restore(on_target, connection, connection.read())
                context.restores.keep(target.name, planned)


def _document(
    context: StepContext, evidence: WatchEvidence, ended: float, restoring: _Restoring
) -> WatchDocument:
    started = context.memory.all(STARTED)[0]
    rounds = [event.data["round"] for event in context.memory.all("watch-round")]
    return WatchDocument(
        cutover=context.cutover.name,
        targets=[_watched(context, each) for each in restoring.targets],
        started=moment_text(started.time),
        until=moment_text(started.number("until")),
        ended=moment_text(ended),
        interval=started.number("interval"),
        outcome=evidence.outcome.value,
        reasons=evidence.reasons,
        counts=evidence.counts,
        rounds=[RoundDocument.model_validate(each) for each in rounds],
        restored=restoring.done,
        old_proof=restoring.old_proof,
    )


def _watched(context: StepContext, target: Target) -> WatchedTargetDocument:
    with context.connections.of(target) as connection:
        known = connection.org.known_organization
    return WatchedTargetDocument(target=target.name, organization_id=known)
