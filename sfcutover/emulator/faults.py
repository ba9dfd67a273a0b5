"""Things that go wrong on purpose: which, at which operation, and how often."""

from __future__ import annotations

import ipaddress
import threading
from collections.abc import Iterable
from typing import Literal, NamedTuple, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

MAX_HUGE_BODY = 256 * 1024 * 1024
ANY = "any"

Kind = Literal[
    "drop_before",  # the connection closes, without the effect
    "drop_after",  # the connection closes, after the effect
    "http_502",  # an HTML error page, without the effect
    "http_503",
    "html_body",  # 200 with an HTML page, after the effect
    "bad_xml",  # 200 with half of the answer, after the effect
    "huge_body",  # 200 and a body of `size` bytes, after the effect
    "slow",  # the operation waits `seconds` first
    "expired_session",  # the caller's session is dead from now on
    "refuse",  # `code` and `message` as the operation's protocol spells them, without the effect
    "org_locked",  # a refusal of the Metadata API
    "cross_reference_500",  # a stray one while polling
    "save_does_not_take",  # Succeeded, and the org is as before
    "canceling",  # another user cancels the deployment
    "succeeded_partial",  # its first component fails, the others are saved
    "failed",  # nothing is saved: all of it fails with `code`, or its first component without
    "finalizing_failed",
    "unknown_status",  # a status that no client knows for `seconds`, then success
    "save_drops_address",  # Succeeded, without the ranges of `address` (None: the last one)
    "redirect",  # 302 to a host that is not Salesforce, without the effect
    "no_access_token",  # 200 without access_token, after the effect
    "ip_restricted",  # a refusal of the token endpoint, without the effect; so are the next
    "ip_restricted_user",  # by a rule of the user's own
    "ip_restricted_older",  # the same in its older spelling
    "token_expired",
    "token_validity_expired",
    "authentication_failure",
    "not_approved",
    "inactive_user",
    "inactive_user_grant",  # inactive user as an invalid_grant
    "inactive_org",
    "rate_limit",
    "retry_request",
    "invalid_client",
    "invalid_client_id",
    "invalid_app_access",
    "unsupported_grant_type",
    "https_required",
    "address_reset",  # a proxy resets what would leave by `address` (None: by any)
    "address_timeout",  # it waits `seconds`, then answers that it got none
    "proxy_refuses",  # 407, whatever the password
    "proxy_down",  # it resets the connection, whatever was asked
    "proxy_breaks_tls",  # it answers TLS itself, with a certificate of an unknown authority
]
"""What a fault does. The effect is what the operation changes in the org."""


class Refusal(NamedTuple):
    """An error code and its text, which each protocol spells in its own way."""

    code: str
    message: str


OF_A_DEPLOYMENT: frozenset[Kind] = frozenset(
    {
        "save_does_not_take",
        "canceling",
        "succeeded_partial",
        "failed",
        "finalizing_failed",
        "unknown_status",
        "save_drops_address",
    }
)
OF_METADATA: dict[Kind, Refusal] = {
    "org_locked": Refusal(
        "ORG_LOCKED", "The organization is locked by another administrative operation"
    ),
    "cross_reference_500": Refusal("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id"),
}
OF_A_REDEMPTION: dict[Kind, Refusal] = {
    "ip_restricted": Refusal("invalid_grant", "ip restricted by app developer"),
    "ip_restricted_user": Refusal("invalid_grant", "ip restricted"),
    "ip_restricted_older": Refusal("invalid_grant", "IP restricted or invalid login hours"),
    "token_expired": Refusal("invalid_grant", "expired access/refresh token"),
    "token_validity_expired": Refusal("invalid_grant", "token validity expired"),
    "authentication_failure": Refusal("invalid_grant", "authentication failure"),
    "not_approved": Refusal("invalid_grant", "user hasn't approved this consumer"),
    "inactive_user": Refusal("inactive_user", "user is inactive"),  # description assumed
    "inactive_user_grant": Refusal("invalid_grant", "inactive user"),
    "inactive_org": Refusal("inactive_org", "organization is inactive"),  # description assumed
    "rate_limit": Refusal("rate_limit_exceeded", "number of logins exceeded"),
    "retry_request": Refusal("unknown_error", "retry your request"),
    "invalid_client": Refusal("invalid_client", "invalid client credentials"),
    "invalid_client_id": Refusal("invalid_client_id", "client identifier invalid"),
    "invalid_app_access": Refusal("invalid_app_access", "user is not admin approved"),  # assumed
    "unsupported_grant_type": Refusal("unsupported_grant_type", "grant type not supported"),
    "https_required": Refusal("invalid_request", "HTTPS required"),
}
"""Refusals of the token endpoint: error and error_description, as users report them."""
REFUSALS: dict[Kind, Refusal] = OF_METADATA | OF_A_REDEMPTION
MESSAGES: dict[str, str] = {
    "ALREADY_IN_PROCESS": "The changes you requested require Salesforce to temporarily lock your "
    "organization's administration setup. However, the administration setup has already been "
    "locked by another change. Please wait for the previous action to finish, then try again.",
    "LIMIT_EXCEEDED": "You have reached the maximum number of deployments",
    "ORG_LOCKED": "The organization is locked by another administrative operation",
    "REQUEST_LIMIT_EXCEEDED": "TotalRequests Limit exceeded.",
    "REQUEST_RUNNING_TOO_LONG": "Your request was running for too long, and has been stopped.",
    "SERVER_UNAVAILABLE": "Server unavailable. Please try again later.",
    "UNABLE_TO_LOCK_ROW": "unable to obtain exclusive access to this record",
    "UNKNOWN_EXCEPTION": "An unexpected error occurred. Please include this ErrorId if you "
    "contact support: 1234567890-12345 (-1234567890)",
    "unknown_error": "retry your request",
}
"""Default message of each code; by reports, in part assumed."""
OF_AN_ADDRESS: frozenset[Kind] = frozenset({"address_reset", "address_timeout"})
OF_A_PROXY: frozenset[Kind] = OF_AN_ADDRESS | {
    "proxy_refuses",
    "proxy_down",
    "proxy_breaks_tls",
}
DEPLOYING: frozenset[str] = frozenset({"deploy", "deployRecentValidation"})
METADATA_OPERATIONS: frozenset[str] = DEPLOYING | {
    *("cancelDeploy", "checkDeployStatus", "checkRetrieveStatus", "checkStatus"),
    *("createMetadata", "deleteMetadata", "describeMetadata", "listMetadata", "readMetadata"),
    *("retrieve", "updateMetadata", "upsertMetadata"),
}
TOKEN_OPERATIONS: frozenset[str] = frozenset({"token", "redeem"})
ANSWERING: frozenset[str] = (
    METADATA_OPERATIONS
    | TOKEN_OPERATIONS
    | {"limits", "organization", "query", "resources", "tooling_query", "user", "userinfo"}
    | {"versions"}
)
OPERATIONS: frozenset[str] = ANSWERING | {"echo"}
PROXIES: frozenset[str] = frozenset({"old_proxy", "new_proxy"})


class Fault(BaseModel):
    """One fault.

    operation: one of OPERATIONS, as the log names them, or ``any``; ``token`` includes
    ``redeem``. A proxy's faults happen to old_proxy, new_proxy or ``any`` of them.
    skip: how many calls go well first. count: how many then fail; None means all.
    seconds: for slow, unknown_status and address_timeout. size: bytes of a huge_body.
    address: for save_drops_address and the faults of an address.

    code and message: what refuse answers (a SOAP fault, a REST error, an OAuth error), and
    what a failed deployment fails with: with a code the deployment itself (errorStatusCode),
    with a message alone its first component. The message of a known code may be left out.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Kind
    operation: str = ANY
    count: int | None = Field(default=1, ge=1)
    skip: int = Field(default=0, ge=0)
    seconds: float = Field(default=0.5, ge=0, le=3600)
    size: int = Field(default=64 * 1024 * 1024, ge=1, le=MAX_HUGE_BODY)
    address: str | None = None
    code: str | None = None
    message: str | None = None

    @model_validator(mode="after")
    def _check_operation(self) -> Self:
        if self.operation not in (ANY, *OPERATIONS, *PROXIES):
            known = ", ".join(sorted(OPERATIONS | PROXIES))
            raise ValueError(
                f"unknown operation {self.operation!r}; the operations are {ANY}, {known}"
            )
        places, what = self._scope
        if self.operation not in (ANY, *places):
            raise ValueError(f"{self.kind} happens to {what}")
        if self.address and self.kind not in (*OF_AN_ADDRESS, "save_drops_address"):
            raise ValueError(f"{self.kind} must not have an address")
        return self

    @model_validator(mode="after")
    def _check_code(self) -> Self:
        if self.kind == "refuse" and not self.code:
            raise ValueError("refuse requires a code")
        if self.code and self.kind not in ("refuse", "failed"):
            raise ValueError(f"{self.kind} must not have a code")
        if self.message and self.kind not in ("refuse", "failed", "succeeded_partial"):
            raise ValueError(f"{self.kind} must not have a message")
        return self

    @field_validator("address")
    @classmethod
    def _check_address(cls, address: str | None) -> str | None:
        return None if address is None else str(ipaddress.ip_address(address))

    @property
    def refusal(self) -> Refusal | None:
        """What an operation, or a failed deployment, answers instead of taking effect."""
        if self.code:
            return Refusal(self.code, self.message or MESSAGES.get(self.code, "refused"))
        return REFUSALS.get(self.kind)

    @property
    def _scope(self) -> tuple[frozenset[str], str]:
        """The operations it can happen to, and a word for them."""
        if self.kind in OF_A_DEPLOYMENT:
            return DEPLOYING, "a deployment: its operation is deploy"
        if self.kind in OF_A_PROXY:
            return PROXIES, "a proxy: its operation is old_proxy or new_proxy"
        if self.kind in OF_A_REDEMPTION or self.kind == "no_access_token":
            return TOKEN_OPERATIONS, "the token endpoint: its operation is token or redeem"
        if self.kind in OF_METADATA:
            return METADATA_OPERATIONS, "an operation of the Metadata API"
        if self.kind == "refuse":
            return ANSWERING, "an operation of the org, not to a proxy or the echo"
        return OPERATIONS, "an operation of the org, not to a proxy"

    def concerns(self, operation: str, address: str | None = None) -> bool:
        """True if a call of operation counts for this fault; address is where it leaves by."""
        if operation not in self._scope[0]:
            return False
        if (self.kind in OF_AN_ADDRESS) != (address is not None):
            return False
        if address is not None and self.address not in (None, address):
            return False
        named = self.operation == "token" and operation in TOKEN_OPERATIONS
        return named or self.operation in (ANY, operation)


class _Active:
    def __init__(self, fault: Fault) -> None:
        self.fault = fault
        self.skip = fault.skip
        self.left = fault.count

    def strike(self) -> bool:
        """Count one call; True if the fault hits it."""
        if self.skip:
            self.skip -= 1
            return False
        if self.left is not None:
            self.left -= 1
        return True

    @property
    def is_spent(self) -> bool:
        return self.left == 0


class FaultBoard:
    """The faults that are switched on. Thread-safe."""

    def __init__(self, faults: Iterable[Fault] = ()) -> None:
        self._active = [_Active(fault) for fault in faults]
        self._lock = threading.Lock()

    def set(self, fault: Fault) -> None:
        """Switch a fault on, behind those that are."""
        with self._lock:
            self._active.append(_Active(fault))

    def clear(self) -> None:
        """Switch all of them off."""
        with self._lock:
            self._active.clear()

    def strike(self, operation: str, address: str | None = None) -> Fault | None:
        """The fault that hits this call, at most one; the oldest goes first.

        address: the one that a proxy's connection leaves by, to ask for its faults only.
        """
        with self._lock:
            for active in self._active:
                if active.fault.concerns(operation, address) and active.strike():
                    self._active = [other for other in self._active if not other.is_spent]
                    return active.fault
        return None

    def active(self) -> list[Fault]:
        """Those that may still hit."""
        with self._lock:
            return [active.fault for active in self._active]
