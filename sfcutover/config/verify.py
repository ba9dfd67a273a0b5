"""The part of cutover.yaml about redemptions: whose tokens, where, and how sure is sure enough."""

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
    """What redeems, in a sentence."""
    return {CANARY: "the canary", APPLICATION: APPLICATION}.get(name, f"the canary {name}")


class TokenStore(SecretPlace):
    """Where a canary's refresh token is kept: exactly one of env, file, or get with put."""

    refusal = "this file never holds a token; write {file: PATH}, or {get: [argv], put: [argv]}"
    get: tuple[Word, ...] = ()
    """A command (argv, no shell) whose stdout is the refresh token."""
    put: tuple[Word, ...] = ()
    """A command (argv, no shell) that stores the new refresh token, which it reads from stdin."""
    rotation: bool | None = None
    """Whether a redemption brings a new token and voids the old one; unless this is false, a place
    that can't be written is refused."""

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
    """A canary with all it needs to redeem. org: where its LoginHistory can be read, if that is
    another org than the target's."""

    name: str
    token_url: Text
    client_id: Text
    client_secret: SecretReference | None
    refresh_token: TokenStore
    org: OrgConfig | None = None


class CanaryEntry(Model):
    """One canary of several. What it leaves out is as verify says it."""

    name: str = Field(pattern=_NAME_PATTERN)
    """Name of the canary."""
    token_url: Text | None = None
    """URL of the token endpoint."""
    client_id: Text | None = None
    """Consumer key of the app."""
    client_secret: SecretReference | None = None
    """Where the app's consumer secret is kept."""
    refresh_token: TokenStore
    """Where the canary's refresh token is kept."""
    org: OrgConfig | None = None
    """The org of the canary's user, where its LoginHistory can be read and it is not the target's
    own."""
    targets: tuple[str, ...] = ()
    """Names of the targets whose lists it proves; all, if it names none."""

    def proves(self, target: str) -> bool:
        """True if each address of this target's list is proven by this canary, too."""
        return not self.targets or target in self.targets


class Verify(Model):
    """How redemptions are made, and what counts as proof."""

    token_url: Text = TOKEN_URL
    """URL of the token endpoint."""
    client_id: Text | None = None
    """Consumer key of the app."""
    client_secret: SecretReference | None = None
    """Where the app's consumer secret is kept."""
    refresh_token: TokenStore | None = None
    """Where the refresh token of the only canary is kept; see canaries for several."""
    canaries: tuple[CanaryEntry, ...] = ()
    """Several canaries, in place of refresh_token."""
    application: tuple[Word, ...] | None = Field(None, min_length=1)
    """A command (argv, no shell) that redeems once, by the new addresses, through the application's
    own code. Exit status 0 redeemed, 1 refused, 2 inconclusive; or it prints one JSON object with
    status (HTTP), error and error_description as the token endpoint says them, address it left
    from, and organization_id and user_id of the grant."""
    control: bool = True
    """True if a new address must be refused before add-new, which shows that the list blocks."""
    settle: Seconds = 60.0
    """Time between the last proof and remove-old."""
    confidence: float = Field(0.999999, gt=0.5, lt=1)
    """Probability that no address of a healthy pair went unproven."""
    max_age: Seconds = 86400.0
    """Time after which a proof no longer counts."""
    patience: Seconds = 300.0
    """Time for which a run lets a new address be refused before traffic moves; how long a change
    takes to reach every login server is unknown."""
    login_history_wait: Seconds = 60.0
    """Time after the last proof in which its rows in LoginHistory may be late, before that is taken
    to say nothing about others."""

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
                raise PlacedError("two canaries have the same name", "canaries", index, "name")
            if each.client_id is None and self.client_id is None:
                raise PlacedError("client_id is missing", "canaries", index)
        return self
