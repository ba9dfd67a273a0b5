"""What a redemption that did not succeed means for the gate, in words."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sfcutover.allowlist.phases import Phase
from sfcutover.allowlist.ranges import IpRange
from sfcutover.errors import Advice, Command, GateError, NetworkError, SfcutoverError
from sfcutover.traffic.oauth import Outcome, Redemption

_INCONCLUSIVE = (Outcome.PROXY_FAILURE, Outcome.NETWORK_FAILURE, Outcome.RATE_LIMITED)


class BlockedError(GateError):
    """A redemption was refused for the address it came from, or would be."""


class UndecidedError(GateError):
    """A redemption was refused for a reason that says nothing about the allowlist."""


def not_listed(missing: Iterable[IpRange]) -> BlockedError:
    """An address that is not even on the live list, so nothing need be redeemed."""
    return BlockedError(
        f"{', '.join(map(str, missing))} is not on the live list: redemptions from there are "
        "blocked",
        hint=Advice("put it on the list: ", Command("deploy", "add-new"), "; then verify again"),
        tokens="traffic that leaves from there is refused now; the old addresses still work",
    )


def blocked(address: str, how: str, *, by_support: bool = False) -> BlockedError:
    """A redemption that the org blocked for its address. how: how the address is known.

    by_support: only Salesforce's support can put it on the list.
    """
    look = Advice("check that the list of the right app holds it: ", Command("diff", "add-new"))
    if by_support:
        look = Advice("ask support whether the list holds it: ", Command("case", "add-new"))
    return BlockedError(
        f"a redemption from {address} was blocked ({how})",
        hint=Advice(look, "; give the org a minute, and verify again"),
        tokens="redemptions that leave from there are refused now; while the old addresses stand "
        "on the list, traffic can be switched back",
    )


def refused(redemption: Redemption) -> SfcutoverError:
    """Any other refusal: it says nothing about the allowlist, or nothing at all."""
    words = (redemption.outcome, redemption.error, redemption.description)
    what = f"a redemption did not succeed ({': '.join(word for word in words if word)})"
    tokens = "nothing is proven or disproven by it; the list is unchanged"
    if redemption.outcome in _INCONCLUSIVE:
        return NetworkError(what, hint=redemption.outcome.advice, tokens=tokens)
    kind = GateError if redemption.outcome is Outcome.BLOCKED else UndecidedError
    return kind(what, hint=redemption.outcome.advice, tokens=tokens)


@dataclass(frozen=True)
class Clearance:
    """A gate's word that this phase may remove what it removes. reason: what was proven."""

    phase: Phase
    reason: str


def require_clearance(phase: Phase, clearance: Clearance | None) -> None:
    """Raise GateError for a phase that removes addresses and was not cleared.

    Adding never needs a clearance.
    """
    if not phase.removes or (clearance is not None and clearance.phase is phase):
        return
    proof = "each new address" if phase is Phase.REMOVE_OLD else "the old egress"
    raise GateError(
        f"{phase} is refused: no redemption has proven {proof}",
        hint=Advice(
            "configure verify: and egress: in cutover.yaml, then run this again, or make evidence "
            "first: ",
            Command("verify", "--out", "evidence.json"),
        ),
    )
