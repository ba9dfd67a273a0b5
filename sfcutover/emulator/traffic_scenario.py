"""What is unknown, or may go wrong, about an org's traffic side, as settings."""

from __future__ import annotations

import ipaddress
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from sfcutover.allowlist.ranges import IpRange


class Frozen(BaseModel):
    """A part of a scenario: it does not change, and a key that isn't known is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class TrafficScenario(Frozen):
    """Token endpoint, LoginHistory, echo and egress. Times are in seconds."""

    # The token endpoint. enforcement: on or off.
    rotation: bool = True
    enforcement: bool = True
    propagation_seconds: float = Field(default=0, ge=0, le=86400)  # deployed to enforced
    empty_list: Literal["closed", "open"] = "closed"  # whom a list without a range lets in
    block_status: int = Field(default=400, ge=400, le=599)
    block_error: str = "invalid_grant"
    block_description: str = "ip restricted by app developer"
    # A rule of a user's own (profile or org), by the name of the grant: the ranges it lets in.
    login_ranges: dict[str, tuple[str, ...]] = Field({})
    login_block_description: str = "ip restricted"
    grants_per_user: int = Field(default=5, ge=1)  # one more pushes the oldest out
    customers: tuple[str, ...] = ("customer-1", "customer-2", "customer-3")

    # LoginHistory. first_proxy_ip: rows show first_proxy_address, not where it came from.
    login_history: Literal["available", "unavailable", "first_proxy_ip", "delayed"] = "available"
    login_history_delay_seconds: float = Field(default=30, ge=0)  # only with delayed
    first_proxy_address: str = "10.0.0.1"

    # The echo.
    echo: Literal["address", "html", "empty", "garbage", "error_500"] = "address"

    # Listen on ::1 as well, where the machine has it; needless where an egress is ::1.
    ipv6: bool = False

    # The proxies. Their addresses are those of old and new, unless they differ in truth.
    old_egress: tuple[str, ...] | None = None
    new_egress: tuple[str, ...] | None = None
    proxy_user: str = "acme"
    proxy_password: str = "open@sesame:21"  # noqa: S105 - no secret: only loopback has it

    @field_validator("login_ranges")
    @classmethod
    def _check_login_ranges(cls, rules: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
        for text in (one for ranges in rules.values() for one in ranges):
            IpRange.parse(text)
        return rules

    @field_validator("old_egress", "new_egress")
    @classmethod
    def _check_egress(cls, addresses: tuple[str, ...] | None) -> tuple[str, ...] | None:
        if addresses == ():
            raise ValueError("an egress has at least one address")
        for address in addresses or ():
            ipaddress.ip_address(address)
        return addresses
