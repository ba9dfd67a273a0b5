"""The parts of cutover.yaml about traffic: egress, switch, verify, watch, state.

They are read and checked with the rest of the file, so that a mistake in them
shows before the first deploy.
"""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from sfcutover.values import FilePath, Model, Seconds, SecretReference, Text, VariableName, Word


class Proxy(Model):
    """The way traffic leaves. proxy: its URL, a secret as it may hold a password."""

    proxy: SecretReference


class Egress(Model):
    """The old and the new way out, and a page that answers with the address it sees."""

    old: Proxy | None = None
    new: Proxy | None = None
    echo_url: Text = Text(literal="http://ip.quotaguard.com")


class Switch(Model):
    """How application traffic moves: commands (argv, no shell), or a person."""

    apply: tuple[Word, ...] = ()
    revert: tuple[Word, ...] = ()
    manual: bool = False

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if self.manual == bool(self.apply) or (self.manual and self.revert):
            raise ValueError("give either apply (and revert), or manual: true")
        return self


class TokenStore(Model):
    """Where a canary's refresh token is kept: env, file, or a get and a put command."""

    env: VariableName | None = None
    file: FilePath | None = None
    get: tuple[Word, ...] = ()
    put: tuple[Word, ...] = ()

    @model_validator(mode="before")
    @classmethod
    def _refuse_literals(cls, data: object) -> object:
        if isinstance(data, dict):
            return data
        raise ValueError(
            "a token never stands in this file; write {file: PATH}, or {get: [argv], put: [argv]}"
        )

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if sum(map(bool, (self.env, self.file, self.get))) != 1 or bool(self.put) > bool(self.get):
            raise ValueError("give exactly one of env, file, or get with put")
        return self


class Verify(Model):
    """How a redemption is made and how sure is sure enough.

    settle: seconds between the last proof and remove-old.
    confidence: probability that no address of a healthy pair went unproven.
    """

    token_url: Text = Text(literal="https://login.salesforce.com/services/oauth2/token")
    client_id: Text
    client_secret: SecretReference | None = None
    refresh_token: TokenStore
    settle: Seconds = 60.0
    confidence: float = Field(0.999999, gt=0.5, lt=1)


class PrometheusCheck(Model):
    """An instant query and the condition its value must meet."""

    url: Text
    query: str
    condition: str
    token: SecretReference | None = None


class Check(Model):
    """One more thing that must hold while watching: exactly one kind."""

    prometheus: PrometheusCheck | None = None
    command: tuple[Word, ...] | None = Field(None, min_length=1)

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if (self.prometheus is None) == (self.command is None):
            raise ValueError("give exactly one of prometheus and command")
        return self


class Watch(Model):
    """How long and how often to look after remove-old, in seconds; failures in a row roll back."""

    duration: Seconds = 900.0
    interval: Seconds = 15.0
    failures: int = Field(2, ge=1)
    checks: tuple[Check, ...] = ()


class State(Model):
    """Where a run is kept: SQLite by default, PostgreSQL to share it between machines."""

    url: Text = Text(literal="sqlite:///.sfcutover/state.db")
