"""What a redemption that did not succeed means for the gate, in words."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from sfcutover.allowlist.ranges import Address, IpRange
from sfcutover.errors import Advice, AuthError, Command, GateError, NetworkError, SfcutoverError
from sfcutover.traffic.proxyerrors import ProxyRefusedError
from sfcutover.traffic.redemption import BlockRule, Redemption, RedemptionOutcome

if TYPE_CHECKING:
    from sfcutover.cutover.context import StepContext

BLOCKED = "redemption-blocked"  # an event
_INCONCLUSIVE = (
    RedemptionOutcome.PROXY_FAILURE,
    RedemptionOutcome.NETWORK_FAILURE,
    RedemptionOutcome.RATE_LIMITED,
    RedemptionOutcome.BUSY,
    RedemptionOutcome.INCONCLUSIVE,
)


_CANARY_REFUSED = (
    RedemptionOutcome.TOKEN_DEAD,
    RedemptionOutcome.CLIENT_REJECTED,
    RedemptionOutcome.INACTIVE,
)


class BlockedError(GateError):
    """A redemption was refused for the address it came from, or would be."""


class UserRuleError(GateError):
    """A redemption was refused for its address, but probably not by this list."""


class UndecidedError(GateError):
    """A redemption was refused for a reason that says nothing about the allowlist."""


class CanaryError(AuthError):
    """The canary itself is refused: its token, its client or its user. It says nothing about the
    allowlist."""


class StillInUseError(GateError):
    """Redemptions still come from an address that is to be removed. It is still on the list."""


class NotQuietError(StillInUseError):
    """A quiet check does not show that customers have left the old addresses."""


class UnseenTrafficError(GateError):
    """Nothing says whether customers have left the addresses that are to be removed."""


def tell_block(context: StepContext, redemption: Redemption) -> None:
    """An event with the whole answer: whose rule it is can be told from its words alone."""
    context.tell(BLOCKED, rule=redemption.rule, body=redemption.body)


def unseen(doubt: str) -> UnseenTrafficError:
    """doubt: what nothing shows, and why, in a sentence."""
    return UnseenTrafficError(
        doubt,
        hint="see in the application's own metrics by which addresses customers redeem; where they "
        "have left these, say so: --traffic-moved",
        impact="nothing was removed; a customer that still redeems from there keeps access",
    )


def not_listed(missing: Iterable[IpRange]) -> BlockedError:
    """An address that is not even on the live list, so nothing need be redeemed."""
    return BlockedError(
        f"{', '.join(map(str, missing))} is not on the live list: redemptions from there are "
        "blocked",
        hint=Advice("put it on the list: ", Command("deploy", "add-new"), "; then verify again"),
        impact="traffic that leaves from there is refused now; the old addresses still work",
    )


def left_elsewhere(address: Address, name: str) -> GateError:
    """The application redeemed by an address that the egress does not have."""
    return GateError(
        f"the application's redemption left from {address}, which {name}: does not list",
        hint=f"have verify.application leave by the {name} addresses, also before traffic is "
        "switched; then verify again",
        impact="nothing is proven by it; the list is unchanged",
    )


def blocked(
    redemption: Redemption, address: str, how: str, *, by_support: bool = False
) -> BlockedError | UserRuleError:
    """A redemption that the org blocked for its address. how: how the address is known.

    by_support: only Salesforce's support can put it on the list.
    """
    if redemption.rule is BlockRule.USER:
        return _refused_by_user_rule(f"a redemption from {address} ({how})", redemption)
    look = Advice("check that the list of the right app holds it: ", Command("diff", "add-new"))
    if by_support:
        look = Advice("ask support whether the list holds it: ", Command("case", "add-new"))
    return BlockedError(
        f"a redemption from {address} was blocked ({how}){_whose(redemption)}",
        hint=Advice(look, "; give the org a minute, and verify again"),
        impact="redemptions that leave from there are refused now; while the old addresses stand "
        "on the list, traffic can be switched back",
    )


def refused(redemption: Redemption) -> SfcutoverError:
    """Any other refusal: it says nothing about the allowlist, or nothing at all."""
    if redemption.rule is BlockRule.USER:
        return _refused_by_user_rule("a redemption", redemption)
    words = (redemption.outcome, redemption.error, redemption.description)
    what = f"a redemption did not succeed ({': '.join(word for word in words if word)})"
    impact = "nothing is proven or disproven by it; the list is unchanged"
    kind: type[SfcutoverError] = UndecidedError
    if redemption.is_proxy_password:
        kind = ProxyRefusedError
    elif redemption.outcome in _INCONCLUSIVE:
        kind = NetworkError
    elif redemption.outcome in _CANARY_REFUSED:
        kind = CanaryError
    elif redemption.outcome is RedemptionOutcome.BLOCKED:
        kind = GateError
    return kind(what, hint=redemption.advice, impact=impact)


def _refused_by_user_rule(what: str, redemption: Redemption) -> UserRuleError:
    return UserRuleError(
        f"{what} was refused by {redemption.rule} ({redemption.description})",
        hint="look at the login IP ranges of the profile of the canary's user, and at Network "
        "Access in that user's org; allow the address there, then verify again",
        impact="it says nothing about this allowlist, which cannot cure it; users with such a rule "
        "are refused from that address",
    )


def _whose(redemption: Redemption) -> str:
    """Nothing where it is this list, which the text is about anyway."""
    return "" if redemption.rule is BlockRule.APP else f", by {BlockRule.UNKNOWN}"
