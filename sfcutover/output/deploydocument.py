"""What came of a deploy, as JSON."""

from __future__ import annotations

from collections.abc import Sequence

from sfcutover.allowlist.documents import PhaseDocument
from sfcutover.output.deployed import Deployed
from sfcutover.salesforce.documents import (
    AllowlistDocument,
    DeployDocument,
    DeployTargetDocument,
    ResultDocument,
)


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
