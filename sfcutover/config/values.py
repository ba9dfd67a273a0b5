"""The values of cutover.yaml: secrets, strings, durations, ranges."""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, ClassVar, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    PlainSerializer,
    PrivateAttr,
    WithJsonSchema,
    model_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from sfcutover.allowlist.ranges import IpRange
from sfcutover.config.yamlfile import Location, YamlFile
from sfcutover.util.childenvironment import withhold
from sfcutover.util.knownsecrets import SECRET_PLACES
from sfcutover.util.secrets import Secret, passwords_in
from sfcutover.util.secretsources import (
    environment_value,
    secret_from_command,
    secret_from_environment,
    secret_from_file,
)

_DURATION = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)\s*(ms|s|m|h|d)")
_MAX_RANGE = 100  # characters; two IPv6 addresses need 79
_UNIT_SECONDS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff\ufffe\uffff]")
# RFC 1122, 1112, 4291, 5771: no source address at all.
_UNUSABLE = [
    IpRange.parse(block)
    for block in ("0.0.0.0/8", "224.0.0.0/4", "240.0.0.0/4", "::/128", "ff00::/8")
]
# RFC 1918, 6598, 1122, 3927, 4193, 4291: never seen by Salesforce as a source address.
_PRIVATE = [
    IpRange.parse(block)
    for block in (
        "10.0.0.0/8",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "fc00::/7",
        "fe80::/10",
        "::1/128",
    )
]


class PlacedError(ValueError):
    """A problem with a value below the model that raises it."""

    def __init__(self, message: str, *location: int | str) -> None:
        super().__init__(message)
        self.location = location


class TooManyAddressesError(PlacedError):
    """Ranges contain more addresses than an allowlist may, or than can be proven."""


class Model(BaseModel):
    """A frozen model that rejects unknown keys and knows its place in the file."""

    # The file's content may be a secret, so no error quotes it.
    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
        defer_build=True,  # a command builds only the models that it uses
    )

    _where: str = PrivateAttr("cutover.yaml")

    def place(self, file: YamlFile, location: Location = ()) -> None:
        """Remember the lines of this model and of every one in it."""
        self._where = file.where(location)
        for name in self.model_fields_set:
            _place(getattr(self, name), file, (*location, name))

    @property
    def where(self) -> str:
        """``file:line`` of this value."""
        return self._where


def _place(value: object, file: YamlFile, location: Location) -> None:
    if isinstance(value, Model):
        value.place(file, location)
    elif isinstance(value, tuple):
        for index, item in enumerate(value):
            _place(item, file, (*location, index))


def _check_variable(name: str) -> str:
    if not _VARIABLE.fullmatch(name):
        raise ValueError("must be the name of an environment variable, not its value")
    return name


def check_text(value: object) -> object:
    """Reject a string that a command, a path or an XML file can't contain."""
    if value == "":
        raise ValueError("must not be empty")
    if isinstance(value, str) and _CONTROL.search(value):
        raise ValueError("must not contain a control character")
    return value


VariableName = Annotated[str, AfterValidator(_check_variable)]
Word = Annotated[str, BeforeValidator(check_text)]
FilePath = Annotated[Path, BeforeValidator(check_text)]


class SecretPlace(Model):
    """Where a secret is stored: always a mapping, as the file never contains the secret itself."""

    refusal: ClassVar[str]
    env: VariableName | None = None
    """Name of an environment variable that holds it."""
    file: FilePath | None = None
    """Path of a file that holds it, relative to the working folder."""

    @property
    def argv(self) -> tuple[str, ...]:
        """The command whose stdout is the secret, if that is its place."""
        return ()

    @model_validator(mode="before")
    @classmethod
    def _refuse_literals(cls, data: object) -> object:
        if isinstance(data, dict):
            return data
        raise ValueError(cls.refusal)


class SecretReference(SecretPlace):
    """Where a secret is read from; exactly one of env, file and command."""

    refusal = "must not be the secret itself; write {env: NAME}, {file: PATH} or {command: [argv]}"
    command: tuple[Word, ...] | None = None
    """A command (argv, no shell) whose stdout is the secret."""

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if sum(value is not None for value in (self.env, self.file, self.command)) != 1:
            raise ValueError("give exactly one of env, file and command")
        if self.command is not None and not self.command:
            raise ValueError("command must not be empty")
        return self

    @property
    def argv(self) -> tuple[str, ...]:
        return self.command or ()

    def read(self) -> Secret:
        """The secret. Raises ConfigError with the place in the file."""
        if self.env is not None:
            return secret_from_environment(self.env, self.where)
        if self.file is not None:
            return secret_from_file(self.file, self.where)
        return secret_from_command(list(self.argv), self.where)


class TextOrMapping(Model):
    """A model that may also be written as one string: the value of its first field."""

    refusal: ClassVar[str]

    @model_validator(mode="before")
    @classmethod
    def _accept_text(cls, data: object) -> object:
        if isinstance(data, str):
            return {next(iter(cls.model_fields)): data}
        if isinstance(data, dict):
            return data
        raise ValueError(cls.refusal)

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        mapping = handler.resolve_ref_schema(handler(core_schema))
        description = mapping.pop("description")
        return {"description": description, "anyOf": [{"type": "string"}, mapping]}


class Text(TextOrMapping):
    """A value that is not secret: literal, or from an environment variable."""

    refusal = "must be a string in quotes, or {env: NAME}"
    literal: str | None = None
    """The text itself."""
    env: VariableName | None = None
    """Name of an environment variable that holds the text."""

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if (self.literal is None) == (self.env is None):
            raise ValueError("must be a string, or {env: NAME}")
        check_text(self.literal)
        if passwords_in(self.literal or ""):
            raise ValueError(
                "must not contain a password; write {env: NAME} for a variable with the whole URL"
            )
        return self

    def read(self) -> str:
        """The text. Raises ConfigError for an unset environment variable."""
        if self.literal is not None:
            return self.literal
        return environment_value(self.env or "", self.where)


class RangeEntry(TextOrMapping):
    """One of the old or new ranges: an address, a CIDR block or first-last, and a description."""

    refusal = "must be an address in quotes"
    range: str = Field(
        max_length=_MAX_RANGE,
        examples=["203.0.113.10", "198.51.100.0/28", "192.0.2.64-192.0.2.71", "2001:db8::20"],
    )
    """An address, a CIDR block, or the first and the last address with a hyphen between; IPv4 or
    IPv6."""
    description: str | None = None
    """Description of the entry on the allowlist."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        _check_range(IpRange.parse(self.range), self.range)
        if self.description is not None and _CONTROL.search(self.description):
            raise ValueError("the description must not contain a control character")
        return self

    def to_range(self) -> IpRange:
        return IpRange.parse(self.range, self.description)

    @property
    def is_private(self) -> bool:
        """True if Salesforce can't receive a request from these addresses."""
        return _overlaps(self.to_range(), _PRIVATE)


def _check_range(entry: IpRange, text: str) -> None:
    if entry.size >= 2 ** (entry.start.max_prefixlen - 1):
        raise ValueError(f"{text} would allow half of all addresses or more")
    for address in (entry.start, entry.end):
        if _overlaps(IpRange(address, address), _UNUSABLE):
            raise ValueError(f"{address} can't be a source address")
        if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
            raise ValueError(f"{text} is an IPv4 address in IPv6 form; write {address.ipv4_mapped}")


def _overlaps(entry: IpRange, blocks: list[IpRange]) -> bool:
    return any(entry.overlaps(block) for block in blocks)


def _parse_duration(value: object) -> float:
    match = _DURATION.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        raise ValueError("must be a duration such as 60s, 15m or 2h")
    return float(match[1]) * _UNIT_SECONDS[match[2]]


def _duration_text(seconds: float) -> str:
    """As in the file, so that a configuration stored as JSON can be read again."""
    return f"{seconds:.9f}".rstrip("0").rstrip(".") + "s"


Seconds = Annotated[
    float,
    BeforeValidator(_parse_duration),
    PlainSerializer(_duration_text, return_type=str, when_used="json"),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": rf"^{_DURATION.pattern}$",
            "examples": ["60s", "15m", "24h"],  # units: ms, s, m, h, d
        }
    ),
]


def secret_references(value: object) -> Iterator[tuple[str, SecretReference]]:
    """The references below a model, each with its path (``egress.new.proxy``)."""
    for path, model in _models_in(value, ""):
        if isinstance(model, SecretReference):
            yield path, model


def secret_variables(value: object) -> frozenset[str]:
    """The environment variables below a model that hold secrets.

    A text's variable counts if it now holds a URL with a password.
    """
    found = set()
    for _, model in _models_in(value, ""):
        name = getattr(model, "env", None)
        is_plain = isinstance(model, Text) and not passwords_in(os.environ.get(name or "", ""))
        if isinstance(name, str) and not is_plain:
            found.add(name)
    return frozenset(found)


def protect_secrets(value: object, pass_env: tuple[str, ...]) -> None:
    """Withhold the secrets below a model from child processes, and register them for masking.

    pass_env: variables that child processes get nevertheless.
    """
    variables = secret_variables(value)
    places = [model for _, model in _models_in(value, "") if isinstance(model, SecretPlace)]
    withhold(variables, passed=frozenset(pass_env))
    SECRET_PLACES.add(
        variables,
        (place.file for place in places if place.file is not None),
        (place.argv for place in places if place.argv),
    )


def _models_in(value: object, path: str) -> Iterator[tuple[str, Model]]:
    """The value, if it is a model, and every model below it, each with its path."""
    if isinstance(value, Model):
        yield path, value
        for name in type(value).model_fields:
            yield from _models_in(getattr(value, name), f"{path}.{name}".lstrip("."))
    elif isinstance(value, tuple | dict):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for key, item in items:
            yield from _models_in(item, f"{path}[{key}]")
