"""The parts of cutover.yaml about how traffic leaves, and how it moves: egress and switch."""

from __future__ import annotations

from typing import Self

from pydantic import Field, field_validator, model_validator

from sfcutover.allowlist.ranges import IpRange
from sfcutover.config.values import Model, Seconds, SecretReference, Text, Word


class Way(Model):
    """A way out: exactly one of proxy, direct and probe."""

    proxy: SecretReference | None = None
    """Where the proxy's URL is kept; it may hold a password."""
    per_address: dict[Word, SecretReference] = Field(default_factory=dict)
    """By single address: where the URL of a proxy that leaves by this address alone is kept."""
    direct: bool = False
    """True if traffic of this machine leaves by it without a proxy (a NAT gateway, an Elastic
    IP)."""
    probe: tuple[Word, ...] | None = Field(None, min_length=1)
    """A command (argv, no shell) that prints the address it leaves from, for an egress that only
    the application has."""

    @field_validator("per_address")
    @classmethod
    def _addresses(cls, value: dict[str, SecretReference]) -> dict[str, SecretReference]:
        for text in value:
            entry = IpRange.parse(text)
            if entry.size != 1:
                raise ValueError(f"{text} is a range; name a single address")
        return value

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if sum((self.proxy is not None, self.direct, self.probe is not None)) != 1:
            raise ValueError("give exactly one of proxy, direct: true and probe: [argv]")
        if self.per_address and self.proxy is None:
            raise ValueError("per_address goes with proxy")
        return self


class Egress(Model):
    """How traffic leaves before and after the switch."""

    old: Way | None = None
    """The old way out; without it, nothing proves that traffic could leave by it again."""
    new: Way | None = None
    """The new way out."""
    echo_url: Text = Text(literal="http://ip.quotaguard.com")
    """URL of a page that answers with the address it sees."""


class Switch(Model):
    """How the application's traffic moves: commands, or a person."""

    apply: tuple[Word, ...] = ()
    """The command (argv, no shell) that moves traffic to the new addresses."""
    revert: tuple[Word, ...] = ()
    """The command (argv, no shell) that moves traffic back."""
    manual: bool = False
    """True if a person moves the traffic; then no command is given."""
    timeout: Seconds = Field(600.0, gt=0)
    """Time after which a command and all it has started are ended."""

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if self.manual == bool(self.apply) or (self.manual and self.revert):
            raise ValueError("give either apply (and revert), or manual: true")
        return self
