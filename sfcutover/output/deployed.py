"""What came of a deploy, as the last lines of its output and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import click

from sfcutover.allowlist.diff import ReadBack
from sfcutover.allowlist.documents import PhaseDocument
from sfcutover.allowlist.phases import Phase
from sfcutover.allowlist.plan import PlannedPhase
from sfcutover.cutover.refusals import Clearance
from sfcutover.errors import Advice, Command, Text
from sfcutover.output.console import shown
from sfcutover.salesforce.documents import (
    AllowlistDocument,
    DeployDocument,
    DeployTargetDocument,
    ResultDocument,
)
from sfcutover.salesforce.results import DeployResult

Outcome = Literal["deployed", "no-change", "validated", "started"]


@dataclass(frozen=True)
class Deployed:
    """One phase in one target. ids: of every deployment that was sent.

    state: the org as it was read back. follow_up: the command that continues, where nothing was
    waited for. clearance: what let the phase remove addresses.
    """

    target: str
    instance_url: str
    outcome: Outcome
    planned: PlannedPhase
    ids: tuple[str, ...] = ()
    deployments: tuple[DeployResult, ...] = ()
    state: ReadBack | None = None
    follow_up: str | None = None
    clearance: Clearance | None = None


_NEXT: dict[Phase, Text] = {
    Phase.ADD_NEW: (
        "move your traffic to the new addresses and prove each by a redemption. Old and new are "
        "both on the list now; do not remove the old ones before that"
    ),
    Phase.REMOVE_OLD: Advice(
        "watch your redemptions: ", Command("watch"), "; ", Command("rollback"), " restores the old"
    ),
    Phase.RESTORE_OLD: "the old addresses are allowed again; traffic may go back to them",
    Phase.REMOVE_NEW: "the list holds what it held before the cutover",
}


def deployed_text(deployed: Deployed) -> str:
    """What happened, and what a person does next."""
    phase, target = deployed.planned.phase, deployed.target
    done = click.style("done:", fg="green", bold=True)
    ids = ", ".join(deployed.ids)
    match deployed.outcome:
        case "no-change":
            return f"{done} {phase} is live on {target} already; nothing was deployed"
        case "validated":
            return f"{done} {target} would accept {phase} (validation {ids}); nothing was changed"
        case "started":
            return f"started {ids} on {target}\nnext: {deployed.follow_up}"
        case _:
            return _live(deployed, done, ids)


def _live(deployed: Deployed, done: str, ids: str) -> str:
    phase, target, state = deployed.planned.phase, deployed.target, deployed.state
    how = ids or "the answer was lost, the list was read back"
    lines = [f"{done} {phase} is live on {target}, read back from the org ({how})"]
    lines += [f"  differs: {mismatch}" for mismatch in state.cosmetic] if state else []
    for component in state.live.carriers if state else ():
        entries = ", ".join(map(str, component.allowlist))
        lines.append(f"  {component.carrier.name if component.carrier else ''}: {entries}")
    return "\n".join([*lines, f"next: {shown(_NEXT[phase])}"])


def deploy_document(cutover: str, targets: Sequence[Deployed]) -> DeployDocument:
    """The document of a whole deploy."""
    return DeployDocument(cutover=cutover, targets=[_target(each) for each in targets])


def _target(deployed: Deployed) -> DeployTargetDocument:
    state = deployed.state
    return DeployTargetDocument(
        target=deployed.target,
        instance_url=deployed.instance_url,
        outcome=deployed.outcome,
        deployment_ids=list(deployed.ids),
        deployments=[ResultDocument.of(result) for result in deployed.deployments],
        phase=PhaseDocument.of(deployed.planned),
        live=AllowlistDocument.all_of(state.live) if state else [],
        differences=[str(mismatch) for mismatch in state.cosmetic] if state else [],
        follow_up=deployed.follow_up,
        clearance=deployed.clearance.reason if deployed.clearance else None,
    )
