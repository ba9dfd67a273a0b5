"""What a redemption came to: the kinds of answers, whose rule a block is, and what to do next."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from datetime import datetime

from sfcutover.allowlist.ranges import Address
from sfcutover.errors import Answer
from sfcutover.util.secrets import Secret

_PROXY_PASSWORD = (401, 407)  # statuses of a proxy that refuses its user or password


class RedemptionOutcome(enum.StrEnum):
    """The kinds of answers to a refresh-token grant. Only BLOCKED speaks of the allowlist."""

    REDEEMED = "redeemed"
    BLOCKED = "blocked"
    TOKEN_DEAD = "token-dead"  # noqa: S105 - no password
    CLIENT_REJECTED = "client-rejected"
    INACTIVE = "inactive"
    RATE_LIMITED = "rate-limited"
    BUSY = "busy"
    INCONCLUSIVE = "inconclusive"
    PROXY_FAILURE = "proxy-failure"
    NETWORK_FAILURE = "network-failure"
    UNKNOWN = "unknown"

    @property
    def answer(self) -> Answer:
        """What it is worth as an answer of the endpoint."""
        if self in (RedemptionOutcome.RATE_LIMITED, RedemptionOutcome.BUSY):
            return Answer.PASSING
        return Answer.UNKNOWN if self in _NO_ANSWER else Answer.FINAL

    @property
    def advice(self) -> str:
        """What to do next, in one sentence, as the procedure has it."""
        return _ADVICE[self]


_NO_ANSWER = (
    RedemptionOutcome.INCONCLUSIVE,
    RedemptionOutcome.PROXY_FAILURE,
    RedemptionOutcome.NETWORK_FAILURE,
    RedemptionOutcome.UNKNOWN,
)
_ADVICE = {
    RedemptionOutcome.REDEEMED: "Nothing to do: the token endpoint lets this address redeem.",
    RedemptionOutcome.BLOCKED: (
        "Add the address that this request came from to the allowlist immediately (add-new for a "
        "new one, restore-old for an old one), before any diagnosis, then redeem again."
    ),
    RedemptionOutcome.TOKEN_DEAD: (
        "Authorize the app again and put the new refresh token into the store: this one has "
        "expired, or was revoked or rotated out, which is unrelated to the allowlist."
    ),
    RedemptionOutcome.CLIENT_REJECTED: (
        "Check token_url, client_id, client_secret and the app's flow settings: the endpoint "
        "refuses the app itself, which is unrelated to the allowlist."
    ),
    RedemptionOutcome.INACTIVE: (
        "Activate the org or the user behind the token, or verify with the token of "
        "another user: this is unrelated to the allowlist."
    ),
    RedemptionOutcome.RATE_LIMITED: (
        "Wait before the next redemption, and redeem less often: a rate limit is unrelated to "
        "the allowlist."
    ),
    RedemptionOutcome.BUSY: (
        "Redeem again in a few minutes: the endpoint reported that it is temporarily unavailable, "
        "which is unrelated to the allowlist."
    ),
    RedemptionOutcome.INCONCLUSIVE: (
        "Run the application's command by hand: it reported neither a redemption nor a refusal, "
        "which is unrelated to the allowlist."
    ),
    RedemptionOutcome.PROXY_FAILURE: (
        "Check the proxy's URL, its user and password, and its provider's status: the proxy "
        "refused or failed, so the allowlist was not tested."
    ),
    RedemptionOutcome.NETWORK_FAILURE: (
        "Check the network between here and the token endpoint; if the answer was lost, don't "
        "redeem the same token again."
    ),
    RedemptionOutcome.UNKNOWN: (
        "Check the answer and the org's LoginHistory before the next step: treat it neither as a "
        "block nor as a success, and remove no address."
    ),
}


class BlockRule(enum.StrEnum):
    """Whose rule refuses an address, as the words of the refusal tell.

    ``ip restricted by app developer`` is the app's allowlist; plain ``ip restricted`` is what
    users report of their own org's or profile's login ranges. Neither is documented.
    """

    APP = "by the app's allowlist"
    USER = "probably by a rule of the user's own org or profile, not by this allowlist"
    UNKNOWN = "by a rule that the answer does not name"


@dataclass(frozen=True)
class Redemption:
    """One refresh-token grant at the token endpoint.

    time: when the answer came or was given up; UTC, this machine's clock.
    http_status: None if no HTTP answer came; 401 and 407 also if a proxy refused to connect.
    error, description: the endpoint's own words; short, one line, without secrets.
    new_token: set if the endpoint rotated the token; the old one is void then.
    organization_id, user_id: of the token's user (``00D…``, ``005…``), as LoginHistory names it;
    None where the answer has no identity URL.
    rule, body: of a block; the body as it came, short, one line, without secrets.
    source: the address it left from, where what redeemed says so.
    answer_lost: the token may be used up, which can't be known; never redeem it again.
    cure: what to do next, where more is known than the outcome.
    """

    outcome: RedemptionOutcome
    time: datetime
    http_status: int | None = None
    error: str | None = None
    description: str | None = None
    new_token: Secret | None = None
    organization_id: str | None = None
    user_id: str | None = None
    answer_lost: bool = False
    rule: BlockRule | None = None
    body: str | None = None
    source: Address | None = None
    cure: str | None = None

    @property
    def advice(self) -> str:
        """What to do next, in one sentence."""
        return self.cure or self.outcome.advice

    @property
    def identity(self) -> str | None:
        """``00D…/005…``, as the identity URL has it."""
        if self.organization_id is None or self.user_id is None:
            return None
        return f"{self.organization_id}/{self.user_id}"

    @property
    def is_proxy_password(self) -> bool:
        """True if the proxy refused its user or password."""
        refused = self.http_status in _PROXY_PASSWORD
        return self.outcome is RedemptionOutcome.PROXY_FAILURE and refused
