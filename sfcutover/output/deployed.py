"""What came of a deploy, as a document and as the last lines a person reads."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import click

from sfcutover.documents import (
    AllowlistDocument,
    DeployTargetDocument,
    PhaseDocument,
    ResultDocument,
)
from sfcutover.metadata.results import DeployResult
from sfcutover.plan import PlannedPhase
from sfcutover.readback import ReadBack

Outcome = Literal["deployed", "no-change", "validated", "started"]

_NEXT = {
    "add-new": "move your traffic to the new addresses and prove each by a redemption. Old and new "
    "are both on the list now; do not take the old ones off before that",
    "remove-old": "watch your redemptions; sfcutover deploy restore-old puts the old ones back",
    "restore-old": "the old addresses are allowed again; traffic may go back to them",
    "remove-new": "the list is as it was before the cutover",
}


def deployed_document(
    target: str,
    instance_url: str,
    outcome: Outcome,
    planned: PlannedPhase,
    deployments: Sequence[DeployResult] = (),
    state: ReadBack | None = None,
) -> DeployTargetDocument:
    """One target's part of the JSON document."""
    return DeployTargetDocument(
        target=target,
        instance_url=instance_url,
        outcome=outcome,
        deployment_ids=[result.id for result in deployments],
        deployments=[ResultDocument.of(result) for result in deployments],
        phase=PhaseDocument.of(planned),
        live=AllowlistDocument.all_of(state.live) if state else [],
        differences=[str(mismatch) for mismatch in state.cosmetic] if state else [],
    )


def deployed_text(document: DeployTargetDocument, command_line: Callable[..., str]) -> str:
    """What happened, and what a person does next."""
    phase, target = document.phase.phase, document.target
    done = click.style("done:", fg="green", bold=True)
    match document.outcome:
        case "no-change":
            return f"{done} {phase} is live on {target} already; nothing was deployed"
        case "validated":
            ids = ", ".join(document.deployment_ids)
            return f"{done} {target} would accept {phase} (validation {ids}); nothing was changed"
        case "started":
            return f"started {document.deployment_ids[0]} on {target}\nnext: {document.follow_up}"
        case _:
            return _deployed(document, done)


def _deployed(document: DeployTargetDocument, done: str) -> str:
    ids = ", ".join(document.deployment_ids) or "the answer was lost, the list was read back"
    phase, target = document.phase.phase, document.target
    lines = [f"{done} {phase} is live on {target}, read back from the org ({ids})"]
    lines += [f"  differs: {difference}" for difference in document.differences]
    for allowlist in document.live:
        entries = ", ".join(entry.range for entry in allowlist.ranges)
        lines.append(f"  {allowlist.carrier}: {entries}")
    return "\n".join([*lines, f"next: {_NEXT[document.phase.phase]}"])
