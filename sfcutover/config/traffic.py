"""The parts of cutover.yaml about traffic: egress, switch, verify, watch, state.

They are read and checked with the rest of the file, so that a mistake in them
shows before the first deploy.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from pydantic import Field, PrivateAttr, field_validator, model_validator

from sfcutover.allowlist.ranges import IpRange
from sfcutover.config.values import (
    Model,
    PlacedError,
    Seconds,
    SecretPlace,
    SecretReference,
    Text,
    Word,
)
from sfcutover.config.yamlfile import Location, YamlFile
from sfcutover.errors import ConfigError

_LONGEST = 100  # characters
_FORM = re.compile(
    r"\s*(<=|>=|==|!=|<|>)\s*([+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)\s*"
)
_OPERATORS: dict[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}


@dataclass(frozen=True)
class Condition:
    """A comparison with a number, as PromQL writes it."""

    sign: str
    bound: float

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises ValueError for anything but a comparison with one finite number."""
        match = _FORM.fullmatch(text) if len(text) <= _LONGEST else None
        if match is None or abs(bound := float(match[2])) == float("inf"):
            raise ValueError('not a condition; write a comparison such as "< 0.01" or ">= 5"')
        return cls(match[1], bound)

    def holds(self, value: float) -> bool:
        return _OPERATORS[self.sign](value, self.bound)

    def __str__(self) -> str:
        return f"{self.sign} {self.bound:.12g}"


class Proxy(Model):
    """The way traffic leaves. proxy: its URL, a secret as it may hold a password.

    per_address: a proxy URL for each single address behind it, where the provider has them.
    """

    proxy: SecretReference
    per_address: dict[Word, SecretReference] = Field(default_factory=dict)

    @field_validator("per_address")
    @classmethod
    def _addresses(cls, value: dict[str, SecretReference]) -> dict[str, SecretReference]:
        for text in value:
            entry = IpRange.parse(text)
            if entry.size != 1:
                raise ValueError(f"{text} is a range; name a single address")
        return value


class Egress(Model):
    """The old and the new way out, and a page that answers with the address it sees."""

    old: Proxy | None = None
    new: Proxy | None = None
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


class Verify(Model):
    """How a redemption is made and how sure is sure enough.

    settle: seconds between the last proof and remove-old.
    confidence: probability that no address of a healthy pair went unproven.
    max_age: seconds after which a proof no longer counts.
    patience: seconds that a run lets a new address be refused before traffic moves: how long
    a change takes to reach every login server is unknown.
    login_history_wait: seconds after the last proof in which its rows in LoginHistory may be late,
    before that is taken to say nothing about others.
    """

    token_url: Text = Text(literal="https://login.salesforce.com/services/oauth2/token")
    client_id: Text
    client_secret: SecretReference | None = None
    refresh_token: TokenStore
    settle: Seconds = 60.0
    confidence: float = Field(0.999999, gt=0.5, lt=1)
    max_age: Seconds = 86400.0
    patience: Seconds = 300.0
    login_history_wait: Seconds = 60.0


class TargetVerify(Model):
    """What a target's own canary has that is not the cutover's: each org gates by its own list."""

    token_url: Text | None = None
    client_id: Text | None = None
    client_secret: SecretReference | None = None
    refresh_token: TokenStore


class PrometheusCheck(Model):
    """An instant query and the condition its value must meet (``< 0.01``).

    url: of the server, with its path if it has one. token: sent as a bearer token.
    """

    url: Text
    query: Word
    condition: Word
    token: SecretReference | None = None

    @model_validator(mode="after")
    def _readable(self) -> Self:
        try:
            Condition.parse(self.condition)
        except ValueError as error:
            raise PlacedError(str(error), "condition") from None
        return self


class Check(Model):
    """One more thing that must hold while watching: exactly one kind.

    name: how it is shown. timeout: seconds for one look.
    """

    prometheus: PrometheusCheck | None = None
    command: tuple[Word, ...] | None = Field(None, min_length=1)
    name: Word | None = None
    timeout: Seconds = Field(10.0, gt=0)

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if (self.prometheus is None) == (self.command is None):
            raise ValueError("give exactly one of prometheus and command")
        return self

    @property
    def title(self) -> str:
        """The name, or what it checks."""
        if self.name is not None:
            return self.name
        return self.prometheus.query if self.prometheus else (self.command or ("command",))[0]


class Watch(Model):
    """How long and how often to look after remove-old, in seconds; failures in a row roll back.

    inconclusive, errors: of one check in a row, from which on nobody can say that it
    passed. roll_back_when_blind: roll back then, too.
    """

    duration: Seconds = 900.0
    interval: Seconds = Field(15.0, gt=0)
    failures: int = Field(2, ge=1)
    inconclusive: int = Field(4, ge=1)
    errors: int = Field(4, ge=1)
    roll_back_when_blind: bool = False
    checks: tuple[Check, ...] = ()


_SCHEME = re.compile(r"\s*([A-Za-z][A-Za-z0-9+.-]{0,40}):")
_KINDS = ("sqlite", "postgresql")
_SCHEME_HINT = (
    "write sqlite:///.sfcutover/state.db or postgresql+psycopg://host/database; with a password, "
    "take the whole URL from {env: NAME}"
)


def _problem_of(scheme: str, text: str) -> str | None:
    """The text may hold a password, and is never quoted."""
    kind = scheme.partition("+")[0]
    if not scheme:
        return "is no URL: it does not begin with the kind of a database, as sqlite:///"
    if kind == "postgres":
        rest = "the rest of the URL can stay"
        return f"begins with {scheme}://, here it is written postgresql+psycopg://; {rest}"
    if kind not in _KINDS:
        return f"begins with {scheme}:, and runs are kept in SQLite or PostgreSQL only"
    if kind == "sqlite" and not text.strip().partition("://")[2].startswith("/"):
        return f"needs three slashes before a relative path: {scheme}:///state.db"
    return None


class State(Model):
    """Where a run is kept: SQLite by default, PostgreSQL to share it between machines."""

    url: Text = Text(literal="sqlite:///.sfcutover/state.db")
    _folder: Path = PrivateAttr(Path())

    def place(self, file: YamlFile, location: Location = ()) -> None:
        super().place(file, location)
        self._folder = Path(file.name).parent

    def database_url(self) -> str:
        """The URL. Raises ConfigError for a kind of database that is not known here, naming it."""
        text = self.url.read()
        found = _SCHEME.match(text)
        if problem := _problem_of(found[1].lower() if found else "", text):
            raise ConfigError(f"state.url {problem}", where=self.where, hint=_SCHEME_HINT)
        return text

    @property
    def is_sqlite(self) -> bool:
        """True for a file, which only the processes of this machine share."""
        return self.url.read().startswith("sqlite")

    @property
    def is_missing(self) -> bool:
        """True for a SQLite file that does not exist yet, told without SQLAlchemy."""
        scheme, found, path = self.url.read().partition("sqlite:///")
        is_file = bool(found) and not scheme and path and not path.startswith(("file:", ":"))
        return bool(is_file) and not (self.folder / path.partition("?")[0]).exists()

    @property
    def folder(self) -> Path:
        """What a relative SQLite file is relative to: where the cutover's file is. One cutover
        has one state, wherever its commands are started."""
        return self._folder
