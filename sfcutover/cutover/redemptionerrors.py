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

BLOCKED, REDEEMED = "redemption-blocked", "canary-redeemed"  # events
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


def tell_redeemed(context: StepContext) -> None:
    """An event for a redemption outside a proof or a watch, which count their own."""
    context.tell(REDEEMED)


def unseen(doubt: str) -> UnseenTrafficError:
    """doubt: what nothing shows, and why, in a sentence."""
    return UnseenTrafficError(
        doubt,
        hint="check the application's own metrics for the addresses from which customers redeem; "
        "if they no longer use these, confirm with --traffic-moved",
        impact="nothing was removed; customers who still redeem from there keep access",
    )


def not_listed(missing: Iterable[IpRange]) -> BlockedError:
    """An address that is not even on the live list, so nothing need be redeemed."""
    return BlockedError(
        f"{', '.join(map(str, missing))} is not on the live allowlist: redemptions from there are "
        "blocked",
        hint=Advice("add it: ", Command("deploy", "add-new"), "; then verify again"),
        impact="traffic that leaves from there is refused now; the old addresses still work",
    )


def left_elsewhere(address: Address, name: str) -> GateError:
    """The application redeemed by an address that the egress does not have."""
    return GateError(
        f"the application's redemption left from {address}, which is not in {name}:",
        hint=f"make verify.application use the {name} addresses, even before traffic is "
        "switched; then verify again",
        impact="this proves nothing; the allowlist is unchanged",
    )


_ASK_SUPPORT = Advice(
    "ask Support whether the allowlist contains this address: ",
    Command("case", "add-new"),
    "; wait a minute, then verify again",
)
_LOOK_AND_SAVE = Advice(
    "check that this address is on the allowlist of the right app: ",
    Command("diff", "add-new"),
    "; wait a minute, then verify again. If it is on the allowlist and still refused, save the "
    "allowlist once more (Salesforce Help, article 005387022): ",
    Command("deploy", "add-new", "--resave"),
)


def blocked(
    redemption: Redemption, address: str, how: str, *, by_support: bool = False
) -> BlockedError | UserRuleError:
    """A redemption that the org blocked for its address. how: how the address is known.

    by_support: only Salesforce's support can put it on the list.
    """
    if redemption.rule is BlockRule.USER:
        return _refused_by_user_rule(f"a redemption from {address} ({how})", redemption)
    return BlockedError(
        f"a redemption from {address} was blocked ({how}){_whose(redemption)}",
        hint=_ASK_SUPPORT if by_support else _LOOK_AND_SAVE,
        impact="redemptions from there are refused now; while the old addresses are on the "
        "allowlist, traffic can be switched back",
    )


def refused(redemption: Redemption) -> SfcutoverError:
    """Any other refusal: it says nothing about the allowlist, or nothing at all."""
    if redemption.rule is BlockRule.USER:
        return _refused_by_user_rule("a redemption", redemption)
    words = (redemption.outcome, redemption.error, redemption.description)
    what = f"a redemption failed ({': '.join(word for word in words if word)})"
    impact = "this proves nothing; the allowlist is unchanged"
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
        f"{what} was refused {redemption.rule} ({redemption.description})",
        hint="check the login IP ranges of the canary user's profile, and Network Access in that "
        "user's org; allow the address there, then verify again",
        impact="this allowlist is probably not the cause; users with such a rule are refused "
        "from that address",
    )


def _whose(redemption: Redemption) -> str:
    """Nothing where it is this list, which the text is about anyway."""
    return "" if redemption.rule is BlockRule.APP else f" {BlockRule.UNKNOWN}"
