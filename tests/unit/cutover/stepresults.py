"""Results of steps, for tests of decisions."""

from __future__ import annotations

from datetime import UTC, datetime

from sfcutover.allowlist.plan import PhaseDocument
from sfcutover.cutover.deployevidence import DeployEvidence
from sfcutover.cutover.proofs import SettleEvidence, VoidProofs
from sfcutover.cutover.stepresult import Canceled, Problem, StepEvidence, StepResult
from sfcutover.cutover.verify import RedeemEvidence, VerifyEvidence
from sfcutover.cutover.watch import WatchEvidence
from sfcutover.cutover.watchtrigger import WatchOutcome
from tests.unit.cutover.proven import evidence as proven

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
CANCELED = StepResult(evidence=Canceled())


def problem(
    kind: str = "failed", code: int = 5, evidence: StepEvidence | None = None
) -> StepResult:
    """A step that ended with a problem of this kind, and its exit code."""
    found = Problem.model_validate(
        {
            "kind": kind,
            "message": f"it is {kind}",
            "where": None,
            "impact": "none is lost",
            "next": "look",
            "exit_code": code,
        }
    )
    return StepResult(problem=found, evidence=evidence)


def deployed(phase: str = "restore-old") -> StepResult:
    """A phase that was already live."""
    diff = PhaseDocument.model_validate(
        {"phase": phase, "changed": False, "package_sha256": "", "components": [], "notes": []}
    )
    return StepResult(
        evidence=DeployEvidence(
            phase=diff.phase,
            instance_url="https://acme.my.salesforce.com",
            outcome="no-change",
            changed=False,
            deployments=[],
            sent=[],
            live=[],
            diff=diff,
            differences=[],
        )
    )


def verified() -> StepResult:
    """A proof made at noon."""
    return StepResult(evidence=VerifyEvidence(proof=proven(target="one")))


def redeemed() -> StepResult:
    """A redemption through the old egress."""
    return StepResult(evidence=RedeemEvidence(via="old", redemptions=1))


def watched(outcome: WatchOutcome, *reasons: str) -> StepResult:
    """A watch with this result."""
    return StepResult(
        evidence=WatchEvidence(outcome=outcome, reasons=list(reasons), rounds=3, counts={})
    )


def settled(**doubts: str) -> StepResult:
    """Settled; by target, why traffic on the old addresses cannot be excluded."""
    return StepResult(evidence=SettleEvidence(until=0.0, doubts=doubts))


def void(*targets: str) -> StepResult:
    """The allowlists of these targets were saved since they were proven."""
    reasons = dict.fromkeys(targets, "the live allowlist was saved since")
    return StepResult(evidence=VoidProofs(void=reasons))
