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
    """Where a canary's refresh token is kept: env, file, or a get and a put command.

    rotation: whether a redemption brings a new token and voids the old one; unless this
    says false, a place that can't be written is refused.
    """

    refusal = "this file never holds a token; write {file: PATH}, or {get: [argv], put: [argv]}"
    get: tuple[Word, ...] = ()
    put: tuple[Word, ...] = ()
    rotation: bool | None = None

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
    """One canary of several. What it leaves out is as verify says it.

    targets: whose lists it proves; all, if it names none. org: the org that its user belongs to,
    where its LoginHistory can be read and it is not the target's own.
    """

    name: str = Field(pattern=_NAME_PATTERN)
    token_url: Text | None = None
    client_id: Text | None = None
    client_secret: SecretReference | None = None
    refresh_token: TokenStore
    org: OrgConfig | None = None
    targets: tuple[str, ...] = ()

    def proves(self, target: str) -> bool:
        """True if each address of this target's list is proven by this canary, too."""
        return not self.targets or target in self.targets


class Verify(Model):
    """How a redemption is made and how sure is sure enough.

    client_id, refresh_token: of the canary, where there is one; canaries: where there are several.
    application: a command (argv, no shell) that redeems once, by the new addresses, through the
    application's own code. Exit status 0 redeemed, 1 refused, 2 inconclusive; or it prints one JSON
    object with status (HTTP) and, as the token endpoint says them, error and error_description;
    address: where it left from; organization_id, user_id: whose grant it was.
    control: before add-new, see that a new address is refused, which shows that the list blocks.
    settle: seconds between the last proof and remove-old.
    confidence: probability that no address of a healthy pair went unproven.
    max_age: seconds after which a proof no longer counts.
    patience: seconds that a run lets a new address be refused before traffic moves: how long
    a change takes to reach every login server is unknown.
    login_history_wait: seconds after the last proof in which its rows in LoginHistory may be late,
    before that is taken to say nothing about others.
    """

    token_url: Text = TOKEN_URL
    client_id: Text | None = None
    client_secret: SecretReference | None = None
    refresh_token: TokenStore | None = None
    canaries: tuple[CanaryEntry, ...] = ()
    application: tuple[Word, ...] | None = Field(None, min_length=1)
    control: bool = True
    settle: Seconds = 60.0
    confidence: float = Field(0.999999, gt=0.5, lt=1)
    max_age: Seconds = 86400.0
    patience: Seconds = 300.0
    login_history_wait: Seconds = 60.0

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
