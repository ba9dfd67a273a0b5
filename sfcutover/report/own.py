"""The redemptions that a run has made itself, through its canary, as far as it told. Pure."""

from __future__ import annotations

from sfcutover.documents.reports import CanaryDocument, ReportProofDocument
from sfcutover.report.facts import Facts
from sfcutover.runs.progress import RunProgress

_THROUGH_NEW = ("verify-new", "verify", "check-new", "remove-old", "watch")
_THROUGH_OLD = "prove-old"


def canary(facts: Facts, proofs: list[ReportProofDocument]) -> CanaryDocument:
    """All of them. What a process that died had not told yet is not known."""
    old = [found for _, found in facts.succeeded(_THROUGH_OLD) if found.get("outcome")]
    return CanaryDocument(
        redeemed=facts.progress.redeemed + len(old), in_login_history=named_by_history(proofs)
    )


def canary_text(made: CanaryDocument, succeeded: int) -> str:
    """What is known of how many of the redemptions that succeeded are the canary's; empty where
    there is nothing to say."""
    if not made.redeemed or not succeeded:
        return ""
    if made.in_login_history and made.redeemed <= succeeded:
        return f"{made.redeemed:,} of them by this run's own canary"
    return f"this run's own canary made {made.redeemed:,}, which may be among them"


def named_by_history(proofs: list[ReportProofDocument]) -> bool:
    """True if LoginHistory of these targets' orgs is known to name the canary's redemptions."""
    return bool(proofs) and all(each.evidence.proof == "login-history" for each in proofs)


def through_new(facts: Facts, target: str) -> int:
    """Those for one target that went by the new way out."""
    mine = (each for each in facts.events if each.target == target and each.step in _THROUGH_NEW)
    return RunProgress.of(mine).redeemed
