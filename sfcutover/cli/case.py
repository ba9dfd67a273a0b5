"""sfcutover case: the change that only Salesforce Support can make to a legacy connected app."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import click

from sfcutover.allowlist.phases import Phase
from sfcutover.allowlist.templates import Templates
from sfcutover.cli.context import (
    Invocation,
    command_step,
    pass_invocation,
    templates_option,
    written_to,
)
from sfcutover.cli.gates import CommandGate
from sfcutover.cli.options import FILE, evidence_option, traffic_moved_option
from sfcutover.config.cutover import Target
from sfcutover.cutover.removalgate import TRAFFIC_MOVED, require_permit
from sfcutover.cutover.supportcase import (
    PHASES,
    CaseDocument,
    CasePhase,
    CaseTargetDocument,
    Confirmations,
    SupportCase,
    read_organization,
    require_legacy,
)
from sfcutover.errors import ConfigError
from sfcutover.output.json import print_document
from sfcutover.salesforce.connection import Connection
from sfcutover.util.files import write_durably
from sfcutover.util.secrets import redact


@click.command("case")
@click.argument("phase", metavar="PHASE", type=click.Choice(PHASES))
@click.option(
    "--confirmed", is_flag=True, help="Record that Salesforce Support has made the change."
)
@click.option("--window", metavar="TEXT", help="When Support may make the change.")
@click.option("--contact", metavar="TEXT", help="Contact for Support: name, email, phone.")
@evidence_option
@traffic_moved_option
@click.option("--out", type=FILE, help="Write the text to this file instead of stdout.")
@templates_option
@pass_invocation
def command(
    run: Invocation,
    phase: CasePhase,
    confirmed: bool,
    window: str | None,
    contact: str | None,
    evidence_file: Path | None,
    traffic_moved: bool,
    out: Path | None,
    templates: Templates,
) -> None:
    """Write the support case for a legacy connected app, or record that Salesforce Support has
    made the change.

    PHASE is add-new or remove-old. The case for remove-old is written only once redemptions
    have proven the new addresses (exit 5 otherwise): it verifies them first, or uses
    --evidence.
    """
    if confirmed and (window or contact or evidence_file or out):
        raise click.UsageError(
            "--confirmed excludes --window, --contact, --evidence and --out",
            ctx=click.get_current_context(),
        )
    require_legacy(run.cutover)
    if out is not None and len(run.targets) > 1:
        raise ConfigError(
            "--out writes the case of one org, but the cutover has several targets",
            hint="choose one with --target NAME",
        )
    case = Case(run, phase, templates, window, contact, evidence_file, traffic_moved, out)
    documents = [
        case.confirm(target) if confirmed else case.write(target) for target in run.targets
    ]
    if run.settings.json:
        print_document(CaseDocument(cutover=run.cutover.name, phase=phase, targets=documents))


@dataclass(frozen=True)
class Case:
    """The case of one phase, for the targets of one command."""

    run: Invocation
    phase: CasePhase
    templates: Templates
    window: str | None
    contact: str | None
    evidence_file: Path | None
    traffic_moved: bool
    out: Path | None

    def write(self, target: Target) -> CaseTargetDocument:
        """The text of one target's case. Raises GateError if it removes unproven addresses."""
        with self.run.connection(target) as connection:
            proof = self._proof(connection)
            organization = read_organization(connection.org, self.run.cutover.api_version)
        case = SupportCase(
            self.run.cutover, self.phase, organization, self.window, self.contact, proof
        )
        text = redact(case.text(self.templates))
        self._give_out(text)
        follow_up = self.run.command_line("case", self.phase, "--confirmed", target=target.name)
        self.run.console.note(
            f"{target.name}: open a case with this text; once Support has made the "
            f"change: {follow_up}"
        )
        return CaseTargetDocument(
            target=target.name,
            instance_url=organization.url,
            organization_id=organization.id,
            ranges=[str(entry) for entry in case.moved],
            afterwards=[str(entry) for entry in case.afterwards],
            proof=proof,
            text=text,
            confirmed=None,
            confirmed_by=None,
            next=follow_up,
        )

    def confirm(self, target: Target) -> CaseTargetDocument:
        """Record that Support has made the change for one target."""
        with self.run.connection(target) as connection:
            confirmations = Confirmations.of(connection)
            if self.phase == "remove-old" and confirmations.find("add-new") is None:
                self.run.console.warn(f"{target.name}: add-new is not confirmed")
            found = confirmations.record(self.phase)
        follow_up = self.run.command_line("verify", "--out", "evidence.json", target=target.name)
        self.run.console.data(
            f"recorded: Support has made the change {self.phase} for {target.name} "
            f"({found.confirmed:%Y-%m-%dT%H:%M:%SZ}, {found.confirmed_by})"
        )
        self.run.console.note(f"next: prove the change by redemptions: {follow_up}")
        return CaseTargetDocument(
            target=target.name,
            instance_url=found.instance_url,
            organization_id=found.organization_id,
            ranges=found.ranges,
            afterwards=[],
            proof=None,
            text=None,
            confirmed=found.confirmed.isoformat(),
            confirmed_by=found.confirmed_by,
            next=follow_up,
        )

    def _proof(self, connection: Connection) -> str | None:
        """The proof that permits remove-old; None for add-new, which needs none."""
        phase = Phase(self.phase)
        if not phase.removes:
            return None
        gate = CommandGate(self.run, self.evidence_file)
        with command_step(self.run, self.phase, self.templates) as step:
            context = step.at(connection.target)
            live = connection.read()
            permit = gate.permit(context, connection, phase, live)
            if self.traffic_moved:
                permit = permit.answered(TRAFFIC_MOVED)
            require_permit(phase, permit)
            return permit.reason

    def _give_out(self, text: str) -> None:
        if self.out is None:
            if not self.run.settings.json:
                self.run.console.data(text.rstrip("\n"))
            return
        with written_to(self.out, "case"):
            write_durably(self.out, text)
        self.run.console.note(f"case written to {self.out}")
