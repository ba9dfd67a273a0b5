"""What permits a command to change an allowlist: evidence, and the operator."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from sfcutover.allowlist.phases import Phase
from sfcutover.allowlist.plan import PlannedPhase
from sfcutover.allowlist.snapshot import Snapshot
from sfcutover.cli.context import Invocation, at_terminal
from sfcutover.cutover.context import TargetContext
from sfcutover.cutover.removalgate import RemovalPermit, unproven
from sfcutover.errors import Advice, Command, ConfigError, GateError
from sfcutover.output.diffs import phase_text
from sfcutover.salesforce.connection import Connection

if TYPE_CHECKING:
    from sfcutover.cutover.evidence import Evidence


@dataclass(frozen=True)
class CommandGate:
    """Permits a removal by evidence, and shows it. evidence_file: from an earlier verify."""

    run: Invocation
    evidence_file: Path | None = None

    def permit(
        self, context: TargetContext, connection: Connection, phase: Phase, live: Snapshot
    ) -> RemovalPermit:
        """Raises GateError, and any error of verifying."""
        from sfcutover.cutover.verify import ProofGate  # only a removal verifies

        if context.cutover.verify is None:
            raise unproven(phase)
        proof = self._proof(context.target.name)
        if proof is None:
            context.note("verifying the addresses that stay, before any address is removed")
        gate = ProofGate(proof, tries=1, countdown=self._countdown)
        permit = gate.permit(context, connection, phase, live)
        context.note(_noted(permit))
        return permit

    def _proof(self, target: str) -> Evidence | None:
        if self.evidence_file is None:
            return None
        from sfcutover.cutover.evidence import read_evidence

        file = read_evidence(self.evidence_file)
        found = next((each for each in file.targets if each.target == target), None)
        if found is None or file.cutover != self.run.cutover.name:
            raise GateError(
                f"the evidence does not cover {target} in {self.run.cutover.name}",
                where=str(self.evidence_file),
                hint=Advice("verify again: ", Command("verify", "--out", str(self.evidence_file))),
            )
        return found

    def _countdown(self, seconds: float) -> None:
        self.run.console.countdown(f"settling: {seconds:.0f} s left")


def _noted(permit: RemovalPermit) -> str:
    """What was proven, and the question that no proof answers, which the operator is asked."""
    if permit.doubt is None:
        return f"permitted: {permit.reason}"
    left = "old" if permit.phase is Phase.REMOVE_OLD else "new"
    return f"{permit.reason}; still open: have customers left the {left} addresses?"


@dataclass(frozen=True)
class SkippedGate:
    """Permits without proof, if an operator at a terminal types the app's name."""

    run: Invocation
    reason: str

    def permit(
        self, context: TargetContext, _connection: Connection, phase: Phase, _live: Snapshot
    ) -> RemovalPermit:
        """Raises ConfigError without a terminal, and GateError for a different name."""
        if not at_terminal():
            raise ConfigError(
                "--skip-verification requires a terminal, where the operator types the app's name",
                hint=Advice("verify instead: ", Command("verify", "--out", "evidence.json")),
            )
        self.run.console.warn(
            f"{phase} without proof: customers whose traffic uses a removed address are locked out"
        )
        typed = self.run.console.ask("Type the app's name to continue")
        if typed.strip() != self.run.cutover.app:
            raise GateError(
                "the typed text is not the app's name",
                hint=Advice("verify instead: ", Command("verify")),
            )
        permit = RemovalPermit(phase, f"verification skipped: {self.reason}")
        self.run.console.warn(f"{context.target.name}: {permit.reason}")
        return permit


@dataclass(frozen=True)
class Terminal:
    """The operator who started the command. ask: False with --yes."""

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
            hint="check the diff above, then run the command again with --yes",
        )
        self._agreed.add(target)
        return True

    def has_agreed(self, target: str) -> bool:
        """True once no further confirmation is required."""
        return not self.ask or target in self._agreed
