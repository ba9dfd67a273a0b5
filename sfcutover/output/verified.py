"""Evidence as text for a terminal: what was proven, how, and what remains open."""

from __future__ import annotations

import click

from sfcutover.cutover.evidence import Evidence

_PROOFS = {
    "login-history": "the org's own LoginHistory",
    "proxy-per-address": "a proxy URL for each address",
    "confidence": "a long run of successes",
}


def evidence_text(evidence: Evidence) -> str:
    """One line an address, then the kind of proof and what it leaves open."""
    head = click.style(f"{evidence.target}: {evidence.via} egress proven", bold=True)
    width = max(len(each.address) for each in evidence.addresses)
    lines = [head]
    for each in evidence.addresses:
        known = f"{each.redeemed} redeemed, " if each.redeemed else ""
        ok = click.style("ok", fg="green")
        lines.append(
            f"  {ok}  {each.address:<{width}}  {known}{each.seen_by_echo} seen by the echo"
        )
    lines.append(f"  = {evidence.redemptions} redemptions; proof: {_PROOFS[evidence.proof]}")
    lines += [f"  open: {sentence}" for sentence in evidence.uncertain]
    return "\n".join(lines)
