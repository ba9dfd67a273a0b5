"""What came of a deploy, and the last lines a person reads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import click

from sfcutover.allowlist.diff import ReadBack
from sfcutover.allowlist.phases import Phase
from sfcutover.allowlist.plan import PlannedPhase
from sfcutover.cutover.refusals import Clearance
from sfcutover.salesforce.results import DeployResult

Outcome = Literal["deployed", "no-change", "validated", "started"]


@dataclass(frozen=True)
class Deployed:
    """One phase in one target. ids: of every deployment that was sent.

    state: the org as it was read back. follow_up: the command to go on, where nothing was
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


_NEXT = {
    Phase.ADD_NEW: (
        "move your traffic to the new addresses and prove each by a redemption. Old and new are "
        "both on the list now; do not take the old ones off before that"
    ),
    Phase.REMOVE_OLD: (
        "watch your redemptions: sfcutover watch; sfcutover rollback puts the old ones back"
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
    return "\n".join([*lines, f"next: {_NEXT[phase]}"])
