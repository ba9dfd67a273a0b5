"""The settings of an emulated org, including everything that is unknown about a real org."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Annotated, Literal, Self

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from sfcutover.allowlist.ranges import IpRange
from sfcutover.emulator.edits import Edit
from sfcutover.emulator.faults import Fault
from sfcutover.emulator.formats import MAX_POD, metadata_fragment
from sfcutover.emulator.lists import Entry, RangeText
from sfcutover.emulator.schema import SCHEMAS

NEWEST_VERSION = 68.0  # Winter '27
_PODS_APART = 10  # a customer's org from the one before


def _known_type(name: str) -> str:
    if name not in SCHEMAS:
        raise ValueError(f"unknown metadata type {name!r}; the types are {', '.join(SCHEMAS)}")
    return name


TypeName = Annotated[str, AfterValidator(_known_type)]
AddressText = Annotated[str, AfterValidator(lambda text: str(ipaddress.ip_address(text)))]
Egress = Annotated[tuple[AddressText, ...], Field(min_length=1)]


class ScenarioError(ValueError):
    """The file is not a scenario; the message names the file and its problems."""


class Component(BaseModel):
    """A component in addition to the default ones. xml: its complete file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    type: TypeName
    full_name: str
    xml: str


class Scenario(BaseModel):
    """An org, its app, its addresses, its timing and its peculiarities. Times are in seconds.

    Immutable; an unknown key is an error.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    # What the org has. A component's name is made from the app's unless it is given.
    app: str = "Acme_Connector"
    namespace: str | None = None
    security_settings_name: str = "{app}_oauthSecurity"
    oauth_settings_name: str = "{app}_oauth"
    oauth_policies_name: str = "{app}_oauthPlcy"
    global_settings_name: str = "{app}_glbloauth"
    app_policies_name: str = "{app}_plcy"
    connected_app_name: str = "Acme_Legacy"
    leave_out: tuple[TypeName, ...] = ()  # metadata types without a default component
    extra_components: tuple[Component, ...] = ()
    # Elements that only this org knows, with the XML inside; it accepts them back.
    unknown_fields: dict[str, str] = Field({})  # in the security settings
    unknown_range_fields: dict[str, str] = Field({})  # in each of their ranges

    # The addresses.
    old: tuple[RangeText, ...] = ("127.0.0.11", "127.0.0.12")
    new: tuple[RangeText, ...] = ("127.0.0.21", "127.0.0.22")
    unrelated: tuple[Entry, ...] = (Entry(range="192.0.2.64-192.0.2.71", description="office VPN"),)

    # The org and its user.
    org_name: str = "Acme Packaging"
    organization_type: str = "Partner Developer Edition"
    instance_name: str = "CS999"
    is_sandbox: bool = False
    # Orgs of different pods share no id. Those of its customers' orgs are 10, 20 … further.
    pod: int = Field(default=0, ge=0, le=MAX_POD)
    username: str = "release@acme.example"
    user_name: str = "Release Engineer"
    can_modify_metadata: bool = True
    min_api_version: float = 22.0
    max_api_version: float = NEWEST_VERSION
    session_seconds: float = Field(default=7200, gt=0)
    rotate_auth_url_token: bool = False
    deploy_request_query: bool = True  # DeployRequest over the Tooling API; unverified
    setup_audit_trail: bool = True  # SetupAuditTrail names saves of a list; inferred
    allowlist_query: bool = True  # the security settings and their ranges as sObjects; inferred

    # Durations.
    deploy_seconds: float = Field(default=0, ge=0, le=3600)
    retrieve_seconds: float = Field(default=0, ge=0, le=3600)
    cancel_seconds: float = Field(default=0, ge=0, le=3600)

    # How a save changes the file.
    replace_or_merge: Literal["replace", "merge"] = "replace"  # repeated elements
    omitted_fields: Literal["reset", "keep"] = "reset"
    ipv6_form: Literal["as_sent", "compressed", "expanded_upper"] = "as_sent"
    reorder_ranges: bool = False  # by address
    require_schema_order: bool = False

    # How statuses are spelt: Finalizing or FinalizingDeploy.
    long_finalizing_status: bool = False

    # What the org's clock is ahead of the true time.
    clock_offset_seconds: float = Field(default=0, ge=-86400, le=86400)

    # The token endpoint. enforcement: on or off at first.
    rotation: bool = True
    enforcement: bool = True
    propagation_seconds: float = Field(default=0, ge=0, le=86400)  # deployed to enforced
    # after-update: an entry that a save adds is stored, but enforced only once a later save changes
    # a record of the same component (help article 005387022). Removals are always in force.
    honours: Literal["always", "after-update"] = "always"
    empty_list: Literal["closed", "open"] = "closed"  # an empty list admits no one or all
    block_status: int = Field(default=400, ge=400, le=599)
    block_error: str = "invalid_grant"
    block_description: str = "ip restricted by app developer"
    # A rule of a user's own (profile or org), by the name of the grant: the ranges it lets in.
    login_ranges: dict[str, tuple[RangeText, ...]] = Field({})
    login_block_description: str = "ip restricted"
    grants_per_user: int = Field(default=5, ge=1)  # one more pushes the oldest out
    customers: tuple[str, ...] = ("customer-1", "customer-2", "customer-3")
    # Number of customer orgs whose users have approved the app, each with an id, users, a
    # LoginHistory and an address of its own.
    customer_orgs: int = Field(default=0, ge=0, le=50)

    # LoginHistory. first_proxy_ip: rows show first_proxy_address, not where it came from.
    login_history: Literal["available", "unavailable", "first_proxy_ip", "delayed"] = "available"
    login_history_delay_seconds: float = Field(default=30, ge=0)  # only with delayed
    first_proxy_address: str = "10.0.0.1"

    # The echo.
    echo: Literal["address", "html", "empty", "garbage", "error_500"] = "address"

    # Listen on ::1 as well, where the machine has it; needless where an egress is ::1.
    ipv6: bool = False

    # The proxies. Their addresses are those of old and new, unless they differ in truth.
    old_egress: Egress | None = None
    new_egress: Egress | None = None
    proxy_user: str = "acme"
    proxy_password: str = "open@sesame:21"  # noqa: S105 - no secret: only loopback has it
    # Ports of other emulators that the proxies reach, too: several orgs behind one egress.
    reachable_ports: tuple[int, ...] = ()

    # The metrics: over how many seconds before a moment its rates and ratios are.
    metrics_window_seconds: float = Field(default=2.0, gt=0, le=86400)

    faults: tuple[Fault, ...] = ()
    edits: tuple[Edit, ...] = ()  # changes by another user during the cutover
    colleague_name: str = "Casey Colleague"

    # Settings of a second org, where they differ, that can be made to answer at the same URL.
    second_org: dict[str, object] = Field({})

    @field_validator("unknown_fields", "unknown_range_fields")
    @classmethod
    def _check_xml(cls, fields: dict[str, str]) -> dict[str, str]:
        for name, inside in fields.items():
            metadata_fragment(name, inside)
        return fields

    @model_validator(mode="after")
    def _check_versions(self) -> Self:
        if self.min_api_version > self.max_api_version:
            raise ValueError("min_api_version must not be above max_api_version")
        return self

    @field_validator("second_org")
    @classmethod
    def _check_second_org(cls, settings: dict[str, object]) -> dict[str, object]:
        cls.model_validate(settings)
        return settings

    def second(self) -> Self:
        """The second org: this one with the settings of second_org, without faults and edits."""
        settings = self.model_dump(exclude={"second_org", "faults", "edits"})
        named: dict[str, object] = {"org_name": "Beta Packaging", "pod": self.pod + 1}
        named["username"] = "release@beta.example"
        return self.model_validate(settings | named | self.second_org)

    def customer(self, number: int) -> Self:
        """A customer's org, with an integration user of the ISV."""
        owners = {"second_org", "edits", "login_ranges"}
        named: dict[str, object] = {
            "org_name": f"Customer {number}",
            "organization_type": "Enterprise Edition",
            "namespace": None,
            "pod": self.pod + _PODS_APART * number,
            "username": f"integration@customer{number}.example",
            "user_name": "Integration User",
            "customers": (),
        }
        return self.model_validate(self.model_dump(exclude=owners) | named)

    @classmethod
    def from_file(cls, path: str | Path) -> Self:
        """Read a YAML file; ScenarioError names the file and every wrong key."""
        file = Path(path)
        try:
            if file.exists() and not file.is_file():
                raise ScenarioError(f"{file} is not a regular file")
            loaded = yaml.safe_load(file.read_text(encoding="utf-8"))
        except OSError as error:
            raise ScenarioError(f"{file}: {error.strerror}") from error
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            raise ScenarioError(f"{file} is not YAML: {error}") from error
        try:
            return cls.model_validate({} if loaded is None else loaded)
        except ValidationError as error:
            raise ScenarioError(f"{file}: {_in_one_line(error)}") from error

    @property
    def old_exits(self) -> tuple[str, ...]:
        """The addresses from which traffic through the old proxy leaves."""
        return _addresses(self.old_egress or self.old)

    @property
    def new_exits(self) -> tuple[str, ...]:
        """The addresses from which traffic through the new proxy leaves."""
        return _addresses(self.new_egress or self.new)

    @property
    def uses_ipv6(self) -> bool:
        """True if the servers also listen on ::1."""
        return self.ipv6 or "::1" in (*self.old_exits, *self.new_exits)

    @property
    def app_name(self) -> str:
        """The app's full name, with the namespace if the org has one."""
        return self.qualified(self.app)

    def qualified(self, name: str) -> str:
        """A component's full name: ``ns__Name`` in a namespaced org (as seen by users)."""
        filled = name.replace("{app}", self.app)
        return f"{self.namespace}__{filled}" if self.namespace else filled


_MOST_ADDRESSES = 256  # that one range of an egress stands for


def _addresses(ranges: tuple[str, ...]) -> tuple[str, ...]:
    parsed = [IpRange.parse(text) for text in ranges]
    return tuple(
        str(one.start + offset)
        for one in parsed
        for offset in range(min(one.size, _MOST_ADDRESSES))
    )


def _in_one_line(error: ValidationError) -> str:
    return "; ".join(
        f"{'.'.join(str(part) for part in problem['loc']) or 'the file'}: {problem['msg']}"
        for problem in error.errors(include_url=False, include_input=False)
    )
