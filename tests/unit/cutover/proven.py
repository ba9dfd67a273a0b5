"""Evidence for tests: of one canary, with values from the test."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from sfcutover.config.verify import CANARY
from sfcutover.cutover.evidence import AddressEvidence, CanaryEvidence, Evidence, Shown

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
ORG = "00D000000000001AAA"
NEW = ("127.0.0.21", "127.0.0.22")


def canary_evidence(
    addresses: Sequence[str] = NEW, at: datetime = NOON, login_history: Shown = "complete"
) -> CanaryEvidence:
    """A canary that LoginHistory shows at each address."""
    return CanaryEvidence(
        canary=CANARY,
        proof="login-history",
        redemptions=len(addresses),
        started=at,
        last_proof=at,
        uncertainty=0.25,
        login_history=login_history,
        addresses=[AddressEvidence(address=one, redeemed=1, seen_by_echo=1) for one in addresses],
        uncertain=[],
    )


def evidence(*canaries: CanaryEvidence, target: str = "packaging") -> Evidence:
    """The evidence of a target, by these canaries or by a default one."""
    return Evidence(
        target=target,
        app="Acme_Connector",
        instance_url="https://acme.example.com",
        organization_id=ORG,
        via="new",
        confidence=0.999999,
        lists={},
        canaries=list(canaries) or [canary_evidence()],
        uncertain=[],
    )


def with_canary(made: Evidence, **changes: object) -> Evidence:
    """The same evidence with other values of its canary."""
    changed = [each.model_copy(update=changes) for each in made.canaries]
    return made.model_copy(update={"canaries": changed})
