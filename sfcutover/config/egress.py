"""The parts of cutover.yaml about how traffic leaves, and how it moves: egress and switch."""

from __future__ import annotations

from typing import Self

from pydantic import Field, field_validator, model_validator

from sfcutover.allowlist.ranges import IpRange
from sfcutover.config.values import Model, Seconds, SecretReference, Text, Word


class Way(Model):
    """A way out: exactly one of proxy, direct and probe.

    proxy: its URL, a secret as it may hold a password. per_address: a proxy URL for each single
    address behind it, where the provider has them. direct: traffic of this machine leaves by it
    without a proxy (a NAT gateway, an Elastic IP). probe: a command (argv, no shell) that prints
    the address it leaves from, for an egress that only the application has.
    """

    proxy: SecretReference | None = None
    per_address: dict[Word, SecretReference] = Field(default_factory=dict)
    direct: bool = False
    probe: tuple[Word, ...] | None = Field(None, min_length=1)

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
    """The old and the new way out, and a page that answers with the address it sees.

    Without old, nothing proves that traffic could leave by it again.
    """

    old: Way | None = None
    new: Way | None = None
    echo_url: Text = Text(literal="http://ip.quotaguard.com")


class Switch(Model):
    """How application traffic moves: commands (argv, no shell), or a person.

    timeout: seconds until a command and all it has started are ended.
    """

    apply: tuple[Word, ...] = ()
    revert: tuple[Word, ...] = ()
    manual: bool = False
    timeout: Seconds = Field(600.0, gt=0)

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if self.manual == bool(self.apply) or (self.manual and self.revert):
            raise ValueError("give either apply (and revert), or manual: true")
        return self
