"""Things that go wrong on purpose: which, at which operation, and how often."""

from __future__ import annotations

import ipaddress
import threading
from collections.abc import Iterable
from typing import Literal, Self

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
    "slow",  # the operation waits `seconds`, then goes on
    "expired_session",  # the caller's session is dead from now on
    "org_locked",  # a SOAP fault; REST goes on as ever
    "cross_reference_500",  # a stray SOAP fault while polling
    "save_does_not_take",  # Succeeded, and the org is as before
    "canceling",  # somebody cancels the deployment
    "succeeded_partial",  # its first component fails, the others are saved
    "failed",  # its first component fails, nothing is saved
    "finalizing_failed",
    "unknown_status",  # a status nobody knows for `seconds`, then success
    "save_drops_address",  # Succeeded, without the ranges of `address` (None: the last one)
    "redirect",  # 302 to a host that is not Salesforce, without the effect
    "no_access_token",  # 200 without access_token, after the effect
    "ip_restricted",  # a refusal of the token endpoint, without the effect; so are the next
    "ip_restricted_older",  # the same in its older spelling
    "token_expired",
    "token_validity_expired",
    "authentication_failure",
    "not_approved",
    "inactive_user",
    "inactive_user_grant",  # inactive user as an invalid_grant
    "inactive_org",
    "rate_limit",
    "invalid_client",
    "invalid_client_id",
    "invalid_app_access",
    "unsupported_grant_type",
    "https_required",
    "address_reset",  # a proxy resets what would leave by `address` (None: by any)
    "address_timeout",  # it waits `seconds`, then answers that it got none
    "proxy_refuses",  # 407, or SOCKS5's own refusal, whatever the password
    "proxy_down",  # it resets the connection, whatever was asked
    "proxy_breaks_tls",  # it answers TLS itself, with a certificate nobody trusts
]
"""What a fault does. The effect is what the operation changes in the org."""

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
OF_A_REDEMPTION: dict[Kind, tuple[str, str]] = {
    "ip_restricted": ("invalid_grant", "ip restricted"),
    "ip_restricted_older": ("invalid_grant", "IP restricted or invalid login hours"),
    "token_expired": ("invalid_grant", "expired access/refresh token"),
    "token_validity_expired": ("invalid_grant", "token validity expired"),
    "authentication_failure": ("invalid_grant", "authentication failure"),
    "not_approved": ("invalid_grant", "user hasn't approved this consumer"),
    "inactive_user": ("inactive_user", "user is inactive"),  # description assumed
    "inactive_user_grant": ("invalid_grant", "inactive user"),
    "inactive_org": ("inactive_org", "organization is inactive"),  # description assumed
    "rate_limit": ("rate_limit_exceeded", "number of logins exceeded"),
    "invalid_client": ("invalid_client", "invalid client credentials"),
    "invalid_client_id": ("invalid_client_id", "client identifier invalid"),
    "invalid_app_access": ("invalid_app_access", "user is not admin approved"),  # assumed
    "unsupported_grant_type": ("unsupported_grant_type", "grant type not supported"),
    "https_required": ("invalid_request", "HTTPS required"),
}
"""Refusals of the token endpoint: error and error_description, as users report them."""
OF_AN_ADDRESS: frozenset[Kind] = frozenset({"address_reset", "address_timeout"})
OF_A_PROXY: frozenset[Kind] = OF_AN_ADDRESS | {
    "proxy_refuses",
    "proxy_down",
    "proxy_breaks_tls",
}
DEPLOYING: frozenset[str] = frozenset({"deploy", "deployRecentValidation"})
OPERATIONS: frozenset[str] = DEPLOYING | {
    *("cancelDeploy", "checkDeployStatus", "checkRetrieveStatus", "checkStatus"),
    *("describeMetadata", "listMetadata", "retrieve"),
    *("limits", "query", "resources", "tooling_query", "user", "userinfo", "versions"),
    *("token", "redeem", "echo"),
}
TOKEN_OPERATIONS: frozenset[str] = frozenset({"token", "redeem"})
PROXIES: frozenset[str] = frozenset({"old_proxy", "new_proxy"})


class Fault(BaseModel):
    """One fault.

    operation: one of OPERATIONS, as the log names them, or ``any``; ``token`` includes
    ``redeem``. A proxy's faults happen to old_proxy, new_proxy or ``any`` of them.
    skip: how many calls go well first. count: how many then fail; None means all.
    seconds: for slow, unknown_status and address_timeout. size: bytes of a huge_body.
    address: for save_drops_address and the faults of an address.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Kind
    operation: str = ANY
    count: int | None = Field(default=1, ge=1)
    skip: int = Field(default=0, ge=0)
    seconds: float = Field(default=0.5, ge=0, le=3600)
    size: int = Field(default=64 * 1024 * 1024, ge=1, le=MAX_HUGE_BODY)
    address: str | None = None

    @model_validator(mode="after")
    def _check_operation(self) -> Self:
        if self.operation not in (ANY, *OPERATIONS, *PROXIES):
            known = ", ".join(sorted(OPERATIONS | PROXIES))
            raise ValueError(f"unknown operation {self.operation!r}; known: {ANY}, {known}")
        places, what = self._scope
        if self.operation not in (ANY, *places):
            raise ValueError(f"{self.kind} happens to {what}")
        if self.address and self.kind not in (*OF_AN_ADDRESS, "save_drops_address"):
            raise ValueError(f"{self.kind} does not happen to an address")
        return self

    @field_validator("address")
    @classmethod
    def _check_address(cls, address: str | None) -> str | None:
        return None if address is None else str(ipaddress.ip_address(address))

    @property
    def _scope(self) -> tuple[frozenset[str], str]:
        """The operations it can happen to, and a word for them."""
        if self.kind in OF_A_DEPLOYMENT:
            return DEPLOYING, "a deployment: its operation is deploy"
        if self.kind in OF_A_PROXY:
            return PROXIES, "a proxy: its operation is old_proxy or new_proxy"
        if self.kind in OF_A_REDEMPTION or self.kind == "no_access_token":
            return TOKEN_OPERATIONS, "the token endpoint: its operation is token or redeem"
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
