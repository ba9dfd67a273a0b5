"""How a deploy that removes addresses gets its clearance: verified now, by evidence, or skipped."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from sfcutover.allowlist.phases import Phase
from sfcutover.allowlist.snapshot import Snapshot
from sfcutover.cli.context import Invocation
from sfcutover.cutover.evidence import Evidence, read_evidence
from sfcutover.cutover.refusals import Clearance, require_clearance
from sfcutover.cutover.verification import TargetVerification, via_of
from sfcutover.errors import Advice, Command, ConfigError, GateError
from sfcutover.output.text import evidence_text
from sfcutover.salesforce.connection import Connection


@dataclass(frozen=True)
class Removal:
    """The options of a deploy that concern its gate.

    evidence_file: of an earlier verify. skip_reason: why nothing is verified.
    """

    run: Invocation
    phase: Phase
    evidence_file: Path | None
    skip_reason: str | None

    def clear(self, connection: Connection, live: Snapshot) -> Clearance | None:
        """None for a phase that only adds. Raises GateError and what verifying raises."""
        if not self.phase.removes:
            return None
        if self.skip_reason is not None:
            clearance = self._skip(self.skip_reason)
            self.run.console.warn(f"{connection.target.name}: {clearance.reason}")
            return clearance
        if self.run.cutover.verify is None:
            require_clearance(self.phase, None)
        verification = TargetVerification(connection, countdown=self._countdown)
        evidence = self._evidence(connection, verification, live)
        clearance = verification.clear(self.phase, evidence, live)
        self.run.console.note(f"{connection.target.name}: cleared: {clearance.reason}")
        return clearance

    def _evidence(
        self, connection: Connection, verification: TargetVerification, live: Snapshot
    ) -> Evidence:
        name = connection.target.name
        if self.evidence_file is None:
            self.run.console.note(f"{name}: verifying before anything is removed")
            evidence = verification.verify(via_of(self.phase), live)
            self.run.console.note(evidence_text(evidence))
            return evidence
        file = read_evidence(self.evidence_file)
        found = next((each for each in file.targets if each.target == name), None)
        if found is None or file.cutover != self.run.cutover.name:
            raise GateError(
                f"the evidence holds nothing about {name} in {self.run.cutover.name}",
                where=str(self.evidence_file),
                hint=Advice("verify again: ", Command("verify", "--out", "FILE")),
            )
        return found

    def _skip(self, reason: str) -> Clearance:
        """Without proof: only for a person at a terminal who types the app's name."""
        app = self.run.cutover.app
        if sys.stdin is None or not sys.stdin.isatty():
            raise ConfigError(
                "--skip-verification needs a person at a terminal who types the app's name",
                hint=Advice("verify instead: ", Command("verify", "--out", "evidence.json")),
            )
        self.run.console.warn(
            f"{self.phase} without proof: whoever redeems from a removed address is locked out"
        )
        typed = self.run.console.ask("Type the app's name to go on")
        if typed.strip() != app:
            raise GateError(
                "the app's name was not typed", hint=Advice("verify instead: ", Command("verify"))
            )
        return Clearance(self.phase, f"verification skipped: {reason}")

    def _countdown(self, seconds: float) -> None:
        self.run.console.countdown(f"settling: {seconds:.0f} s left")
