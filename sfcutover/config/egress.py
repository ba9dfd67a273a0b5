"""The parts of cutover.yaml about how traffic leaves and moves: egress and switch."""

from __future__ import annotations

from typing import Self

from pydantic import Field, field_validator, model_validator

from sfcutover.allowlist.ranges import IpRange
from sfcutover.config.values import Model, Seconds, SecretReference, Text, Word


class Way(Model):
    """An egress: exactly one of proxy, direct and probe."""

    proxy: SecretReference | None = None
    """Where the proxy's URL is stored; it may contain a password."""
    per_address: dict[Word, SecretReference] = Field(default_factory=dict)
    """By single address: where the URL of a proxy is stored that uses only this address."""
    direct: bool = False
    """True if traffic of this machine uses this egress without a proxy (a NAT gateway, an Elastic
    IP)."""
    probe: tuple[Word, ...] | None = Field(None, min_length=1)
    """A command (argv, no shell) that prints the address from which its request leaves, for an
    egress that only the application can use."""

    @field_validator("per_address")
    @classmethod
    def _addresses(cls, value: dict[str, SecretReference]) -> dict[str, SecretReference]:
        for text in value:
            entry = IpRange.parse(text)
            if entry.size != 1:
                raise ValueError(f"{text} is a range; use a single address")
        return value

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if sum((self.proxy is not None, self.direct, self.probe is not None)) != 1:
            raise ValueError("give exactly one of proxy, direct: true and probe: [argv]")
        if self.per_address and self.proxy is None:
            raise ValueError("per_address requires proxy")
        return self


class Egress(Model):
    """How traffic leaves before and after the switch."""

    old: Way | None = None
    """The old egress; without it, a rollback can't prove that traffic can use it again."""
    new: Way | None = None
    """The new egress."""
    echo_url: Text = Text(literal="http://ip.quotaguard.com")
    """URL of a page that answers with the address of the client."""


class Switch(Model):
    """How the application's traffic moves: by commands, or by the operator."""

    apply: tuple[Word, ...] = ()
    """The command (argv, no shell) that moves traffic to the new addresses."""
    revert: tuple[Word, ...] = ()
    """The command (argv, no shell) that moves traffic back."""
    manual: bool = False
    """True if the operator moves the traffic; excludes apply and revert."""
    timeout: Seconds = Field(600.0, gt=0)
    """Time after which a command and its child processes are terminated."""

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if self.manual == bool(self.apply) or (self.manual and self.revert):
            raise ValueError("give either apply (and optionally revert), or manual: true")
        return self
