"""What came of one redemption, and what to do about it."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from datetime import datetime

from sfcutover.util.secrets import Secret


class Outcome(enum.StrEnum):
    """The kinds of answers to a refresh-token grant. Only BLOCKED speaks of the allowlist."""

    REDEEMED = "redeemed"
    BLOCKED = "blocked"
    TOKEN_DEAD = "token-dead"  # noqa: S105 - no password
    CLIENT_REJECTED = "client-rejected"
    INACTIVE = "inactive"
    RATE_LIMITED = "rate-limited"
    PROXY_FAILURE = "proxy-failure"
    NETWORK_FAILURE = "network-failure"
    UNKNOWN = "unknown"

    @property
    def advice(self) -> str:
        """What to do next, in one sentence, as the procedure has it."""
        return _ADVICE[self]


_ADVICE = {
    Outcome.REDEEMED: "Nothing to do: the token endpoint lets this address redeem.",
    Outcome.BLOCKED: (
        "Put the address this request came from back on the allowlist at once (add-new for a "
        "new one, restore-old for an old one), before any diagnosis, then redeem again."
    ),
    Outcome.TOKEN_DEAD: (
        "Authorize the app again and put the new refresh token into the store: this one has "
        "expired, or was revoked or rotated out, which says nothing about the allowlist."
    ),
    Outcome.CLIENT_REJECTED: (
        "Check token_url, client_id, client_secret and the app's flow settings: the endpoint "
        "refuses the app itself, which says nothing about the allowlist."
    ),
    Outcome.INACTIVE: (
        "Have the org or the user behind the token activated, or verify with the token of "
        "another user: this says nothing about the allowlist."
    ),
    Outcome.RATE_LIMITED: (
        "Wait before the next redemption, and make them less often: too many logins say "
        "nothing about the allowlist."
    ),
    Outcome.PROXY_FAILURE: (
        "Check the proxy's URL, its user and password, and its provider's status: the proxy "
        "refused or failed, so the allowlist was not put to the test."
    ),
    Outcome.NETWORK_FAILURE: (
        "Check the network between here and the token endpoint; if the answer was lost, don't "
        "redeem the same token again."
    ),
    Outcome.UNKNOWN: (
        "Read the answer and the org's LoginHistory before the next step: take it neither for "
        "a block nor for a success, and remove no address."
    ),
}


@dataclass(frozen=True)
class Redemption:
    """One refresh-token grant at the token endpoint.

    time: when the answer came or was given up; UTC, this machine's clock.
    http_status: None if no HTTP answer came; 407 also if a proxy refused to connect.
    error, description: the endpoint's own words; short, one line, without secrets.
    new_token: set if the endpoint rotated the token; the old one is void then.
    user_id: of the token's user (``005…``), as LoginHistory names it.
    answer_lost: nobody knows whether the token was used up; never redeem it again.
    """

    outcome: Outcome
    time: datetime
    http_status: int | None = None
    error: str | None = None
    description: str | None = None
    new_token: Secret | None = None
    user_id: str | None = None
    answer_lost: bool = False
