"""What came of a deploy, as the last lines of its output."""

from __future__ import annotations

import click

from sfcutover.errors import Advice, Command, Text
from sfcutover.output.console import shown
from sfcutover.salesforce.results import DeployTargetDocument

_NEXT: dict[str, Text] = {
    "add-new": (
        "move your traffic to the new addresses and prove each by a redemption. Old and new are "
        "both on the list now; do not remove the old ones before that"
    ),
    "remove-old": Advice(
        "watch your redemptions: ", Command("watch"), "; ", Command("rollback"), " restores the old"
    ),
    "restore-old": "the old addresses are allowed again; traffic may go back to them",
    "remove-new": "the list holds what it held before the cutover",
}


def deployed_text(deployed: DeployTargetDocument) -> str:
    """What happened, and what the operator does next."""
    phase, target = deployed.phase.phase, deployed.target
    done = click.style("done:", fg="green", bold=True)
    ids = ", ".join(deployed.deployment_ids)
    match deployed.outcome:
        case "no-change":
            return f"{done} {phase} is live on {target} already; nothing was deployed"
        case "validated":
            return f"{done} {target} would accept {phase} (validation {ids}); nothing was changed"
        case "started":
            return f"started {ids} on {target}\nnext: {deployed.follow_up}"
        case _:
            return _live(deployed, done, ids)


def _live(deployed: DeployTargetDocument, done: str, ids: str) -> str:
    phase = deployed.phase.phase
    how = ids or "the answer was lost, the list was read back"
    lines = [f"{done} {phase} is live on {deployed.target}, read back from the org ({how})"]
    lines += [f"  differs: {each}" for each in deployed.differences]
    for component in deployed.live:
        lines.append(f"  {component.carrier}: {', '.join(each.range for each in component.ranges)}")
    return "\n".join([*lines, f"next: {shown(_NEXT[phase])}"])
