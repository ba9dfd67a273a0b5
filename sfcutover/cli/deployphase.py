"""One phase for the targets of one command, and what a rollback restores after it."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial

from sfcutover.allowlist.phases import Phase
from sfcutover.allowlist.templates import Templates
from sfcutover.cli.context import Invocation, command_step
from sfcutover.config.cutover import Target
from sfcutover.cutover.context import TargetContext
from sfcutover.cutover.deploy import DeployOptions, Plan, deploy
from sfcutover.cutover.deployevidence import DeployEvidence
from sfcutover.cutover.recordedbaselines import RecordedBaselines
from sfcutover.cutover.rollbackbaseline import plan_policies_of_add_new
from sfcutover.cutover.stepdocuments import DeployTargetDocument
from sfcutover.cutover.supportcase import require_deployable
from sfcutover.errors import Advice, StillRunningError, commands_in
from sfcutover.output import cistep
from sfcutover.output.text import deployed_text

Execution = Callable[[TargetContext, Phase, DeployOptions], DeployEvidence]


@dataclass(frozen=True)
class DeployCommand:
    """One phase for the targets of one command. is_watched: whether its watch follows."""

    run: Invocation
    phase: Phase
    templates: Templates
    options: DeployOptions
    execute: Execution = deploy
    is_watched: bool = False

    def deploy(self, target: Target) -> DeployTargetDocument:
        """Deploy the phase to one target and print the result."""
        require_deployable(self.run.cutover, self.phase)
        for note in self.run.cutover.notes:
            self.run.console.warn(note)
        started = time.time()
        with command_step(self.run, self.phase.value, self.templates) as step:
            context = step.at(target)
            try:
                evidence = self.execute(context, self.phase, self.options)
            except StillRunningError as error:
                raise self._with_command(error, target.name) from error
        document = self._document(target.name, evidence, started)
        cistep.step().deployed(document)
        self.run.console.data(deployed_text(document, is_watched=self.is_watched))
        return document

    def whole(self, target: Target) -> list[DeployTargetDocument]:
        """Deploy the phase and what follows it: a rollback restores addresses, then policies."""
        done = [self.deploy(target)]
        match self.phase:
            case Phase.RESTORE_OLD:
                return done + self.policies_of_add_new(target)
            case Phase.REMOVE_NEW:
                return done + self.policies_of_baseline(target)
            case _:
                return done

    def policies_of_add_new(self, target: Target) -> list[DeployTargetDocument]:
        """Restore the policies that only remove-old set on one target."""
        if not self.run.cutover.policies.removal_sets_more:
            return []
        plan = partial(plan_policies_of_add_new, named=self.options.named)
        return [self._restore_policies(target, plan)]

    def policies_of_baseline(self, target: Target) -> list[DeployTargetDocument]:
        """Restore the policies that the cutover set on one target."""
        return [self._restore_policies(target, None)] if self._has_policies(target) else []

    def _restore_policies(self, target: Target, plan: Plan | None) -> DeployTargetDocument:
        options = replace(self.options, plan=plan)
        policies = replace(self, phase=Phase.RESTORE_POLICIES, options=options, execute=deploy)
        return policies.deploy(target)

    def _has_policies(self, target: Target) -> bool:
        """By the recorded baseline, which is removed once restored, or by the plan."""
        cutover = self.run.cutover
        with closing(RecordedBaselines(cutover)) as baselines:
            record = baselines.find(target.name)
        if record is not None:
            return bool(record.policies)
        return self.options.named is not None and bool(cutover.policies)

    def _document(
        self, target: str, evidence: DeployEvidence, started: float
    ) -> DeployTargetDocument:
        document = DeployTargetDocument.of(target, evidence, started, time.time())
        if evidence.outcome != "started":
            return document
        ids = document.deployment_ids
        wait = self.run.command_line("deployment", "wait", *ids, target=target)
        return document.model_copy(update={"follow_up": wait})

    def _with_command(self, error: StillRunningError, target: str) -> StillRunningError:
        words = [word for each in commands_in(error.advice) for word in each.command]
        return error.replaced(hint=Advice("wait for it: ", self.run.command(*words, target=target)))
