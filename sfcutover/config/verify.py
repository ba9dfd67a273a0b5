"""The part of cutover.yaml about redemptions: the canaries, and what counts as proof."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

from pydantic import Field, model_validator

from sfcutover.config.org import OrgConfig
from sfcutover.config.values import (
    Model,
    PlacedError,
    Seconds,
    SecretPlace,
    SecretReference,
    Text,
    Word,
)

CANARY = "canary"  # the name of the only one
APPLICATION = "the application"  # no canary's name has a blank
TOKEN_URL = Text(literal="https://login.salesforce.com/services/oauth2/token")
_NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._-]*$"


def called(name: str) -> str:
    """The canary, or the application, in a sentence."""
    return {CANARY: "the canary", APPLICATION: APPLICATION}.get(name, f"the canary {name}")


class TokenStore(SecretPlace):
    """Where a canary's refresh token is stored: exactly one of env, file, or get with put."""

    refusal = "must not be the token itself; write {file: PATH}, or {get: [argv], put: [argv]}"
    get: tuple[Word, ...] = ()
    """A command (argv, no shell) whose stdout is the refresh token."""
    put: tuple[Word, ...] = ()
    """A command (argv, no shell) that stores the new refresh token, which it reads from stdin."""
    rotation: bool | None = None
    """Whether a redemption returns a new token and invalidates the old one; unless this is false,
    the token must be in a place that can be written."""

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if sum(map(bool, (self.env, self.file, self.get))) != 1 or bool(self.put) > bool(self.get):
            raise ValueError("give exactly one of env, file, or get with put")
        return self

    @property
    def argv(self) -> tuple[str, ...]:
        return self.get


@dataclass(frozen=True)
class CanaryConfig:
    """A canary with all that its redemptions need. org: where its LoginHistory can be read, if that
    is not the target's org."""

    name: str
    token_url: Text
    client_id: Text
    client_secret: SecretReference | None
    refresh_token: TokenStore
    org: OrgConfig | None = None


class CanaryEntry(Model):
    """One canary of several. A key that is omitted has the value of the same key in verify."""

    name: str = Field(pattern=_NAME_PATTERN)
    """Name of the canary."""
    token_url: Text | None = None
    """URL of the token endpoint."""
    client_id: Text | None = None
    """Consumer key of the app."""
    client_secret: SecretReference | None = None
    """Where the app's consumer secret is stored."""
    refresh_token: TokenStore
    """Where the canary's refresh token is stored."""
    org: OrgConfig | None = None
    """The org of the canary's user, if it is not the target's and its LoginHistory can be read."""
    targets: tuple[str, ...] = ()
    """Names of the targets whose allowlists it proves; by default, all."""

    def proves(self, target: str) -> bool:
        """True if this canary proves the addresses of this target's allowlist."""
        return not self.targets or target in self.targets


class Verify(Model):
    """How refresh tokens are redeemed, and what counts as proof."""

    token_url: Text = TOKEN_URL
    """URL of the token endpoint."""
    client_id: Text | None = None
    """Consumer key of the app."""
    client_secret: SecretReference | None = None
    """Where the app's consumer secret is stored."""
    refresh_token: TokenStore | None = None
    """Where the refresh token of the only canary is stored; for several, use canaries."""
    canaries: tuple[CanaryEntry, ...] = ()
    """Several canaries, instead of refresh_token."""
    application: tuple[Word, ...] | None = Field(None, min_length=1)
    """A command (argv, no shell) that redeems once, from a new address, with the application's own
    code. Exit status 0: redeemed; 1: refused; 2: inconclusive. Or it prints one JSON object with
    the token endpoint's status (HTTP), error and error_description, the address from which the
    request left, and the grant's organization_id and user_id."""
    control: bool = True
    """True if the org must refuse a new address before add-new, which shows that the allowlist is
    enforced."""
    settle: Seconds = 60.0
    """Time between the last proof and remove-old."""
    confidence: float = Field(0.999999, gt=0.5, lt=1)
    """Required probability that every address of a working pair was used."""
    max_age: Seconds = 86400.0
    """Time after which a proof expires."""
    patience: Seconds = 300.0
    """Time for which a run tolerates that the org refuses a new address before traffic moves; how
    long a change takes to reach every login server is unknown."""
    login_history_wait: Seconds = 60.0
    """Time after the last proof for which a run waits for its rows in LoginHistory; after that,
    LoginHistory is not used as evidence about customers."""

    def canaries_of(self, target: str) -> tuple[CanaryConfig, ...]:
        """The canaries that prove a target's list."""
        return tuple(self._canaries_of(target))

    def _canaries_of(self, target: str) -> Iterator[CanaryConfig]:
        if self.refresh_token is not None and self.client_id is not None:
            yield CanaryConfig(
                CANARY, self.token_url, self.client_id, self.client_secret, self.refresh_token
            )
        for each in self.canaries:
            client_id = each.client_id or self.client_id
            if each.proves(target) and client_id is not None:
                yield CanaryConfig(
                    each.name,
                    each.token_url or self.token_url,
                    client_id,
                    each.client_secret or self.client_secret,
                    each.refresh_token,
                    each.org,
                )

    @model_validator(mode="after")
    def _one_or_several(self) -> Self:
        ways = (self.refresh_token is not None, bool(self.canaries))
        if all(ways) or not (any(ways) or self.application):
            raise ValueError("give exactly one of refresh_token and canaries, or application")
        if self.refresh_token is not None and self.client_id is None:
            raise ValueError("client_id is missing")
        return self

    @model_validator(mode="after")
    def _complete(self) -> Self:
        names = [each.name for each in self.canaries]
        for index, each in enumerate(self.canaries):
            if each.name in names[:index]:
                raise PlacedError("duplicate name", "canaries", index, "name")
            if each.client_id is None and self.client_id is None:
                raise PlacedError("client_id is missing", "canaries", index)
        return self
