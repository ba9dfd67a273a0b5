"""sfcutover verify: step 4, prove each address by a real redemption."""

from __future__ import annotations

from pathlib import Path

import click

from sfcutover.cli.context import Invocation, command_step, metered, pass_invocation
from sfcutover.cli.options import FILE
from sfcutover.config.cutover import Target
from sfcutover.cutover.control import (
    CONTROL,
    ControlDocument,
    ControlTargetDocument,
    control,
    not_shown,
)
from sfcutover.cutover.evidence import Evidence, EvidenceFile, write_evidence
from sfcutover.cutover.verify import verify
from sfcutover.output.json import print_document
from sfcutover.output.text import evidence_text
from sfcutover.traffic.redeemers import Via


@click.command("verify")
@click.option(
    "--via",
    type=click.Choice(["new", "old"]),
    default="new",
    show_default=True,
    help="Egress to redeem through.",
)
@click.option(
    "--control",
    "as_control",
    is_flag=True,
    help="Before add-new: check that the org refuses a redemption from a new address.",
)
@click.option(
    "--out",
    type=FILE,
    help="Write the evidence to this file, for deploy --evidence and report --from.",
)
@pass_invocation
def command(run: Invocation, via: str, as_control: bool, out: Path | None) -> None:
    """Step 4: redeem refresh tokens through an egress until each of its addresses is proven.

    A redemption exchanges a refresh token for an access token. It uses the canaries: refresh
    tokens of your own, described under verify: in cutover.yaml. Exits 5 and names the address
    that is blocked. Changes nothing in the org. If refresh token rotation is on, each redemption
    stores the canary's new token.

    --control redeems once through the new egress before add-new. Exits 0 if the org refuses it,
    which shows that the allowlist is enforced, and 5 otherwise.
    """
    run.require_addresses("verify")
    if as_control:
        if via != "new":
            raise click.UsageError("--control and --via old exclude each other")
        _control(run, out)
        return
    direction: Via = "old" if via == "old" else "new"
    with metered(run) as run:
        found = [_verify(run, target, direction) for target in run.targets]
    evidence = EvidenceFile(cutover=run.cutover.name, targets=found)
    if out is not None:
        write_evidence(evidence, out)
        verb = "case" if run.cutover.is_legacy and direction == "new" else "deploy"
        phase = "remove-old" if direction == "new" else "remove-new"
        follow_up = run.command_line(verb, phase, "--evidence", str(out))
        run.console.note(f"evidence written to {out}; next: {follow_up}")
    if run.settings.json:
        print_document(evidence)


def _control(run: Invocation, out: Path | None) -> None:
    """Raises GateError for the first target whose allowlist was not shown to block."""
    found: list[ControlTargetDocument] = []
    for target in run.targets:
        with command_step(run, CONTROL) as step:
            run.console.note(f"{target.name}: redeeming once through the new egress")
            made = control(step.at(target))
        found.append(ControlTargetDocument(target=target.name, **made.model_dump()))
        run.console.data(f"{target.name}: {made.outcome}: {made.reason}")
    document = ControlDocument(cutover=run.cutover.name, targets=found)
    run.save(document, out, is_urgent=any(each.outcome != "shown" for each in found))
    if run.settings.json:
        print_document(document)
    for each in found:
        if each.outcome != "shown":
            raise not_shown(each.target, each.reason)


def _verify(run: Invocation, target: Target, via: Via) -> Evidence:
    with command_step(run, "verify") as step:
        run.console.note(f"{target.name}: redeeming through the {via} egress")
        evidence = verify(step.at(target), via).proof
    if run.meter is not None:
        run.meter.proven("verify", evidence)
    if not run.settings.json:
        run.console.data(evidence_text(evidence))
    return evidence
