"""cutover.yaml as frozen models. Every complaint carries file and line.

Secrets never stand in the file: a secret is ``{env: NAME}``, ``{file: PATH}`` or
``{command: [argv]}``, and is read only when it is needed.
"""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError, model_validator
from pydantic_core import ErrorDetails

from sfcutover.carriers import CARRIERS, Carrier
from sfcutover.errors import ConfigError, LimitError, SfcutoverError
from sfcutover.ipranges import Allowlist, subtract
from sfcutover.orgconfig import OrgConfig
from sfcutover.phases import Change
from sfcutover.traffic import Egress, State, Switch, Verify, Watch
from sfcutover.values import Model, PlacedError, RangeEntry, TooManyAddressesError
from sfcutover.yamlfile import Location, YamlFile, read_yaml

CarrierName = Literal["token-ip-ranges", "trusted-ip-ranges", "connected-app"]
_HINT = "correct it in the file, then run this again; sfcutover doctor checks it without a change"


def _check_api_version(text: str) -> str:
    if not text.endswith(".0") or not text.removesuffix(".0").isdigit():
        raise ValueError(f'{text!r} is not an API version; write "67.0"')
    return text


def _no_duplicates(entries: tuple[RangeEntry, ...]) -> tuple[RangeEntry, ...]:
    seen = Allowlist()
    for entry in entries:
        one = entry.to_range()
        if subtract([one], seen) != (one,):
            raise ValueError(f"{entry.range} stands in this list twice, or in two ranges of it")
        seen = Allowlist((*seen.ranges, one))
    return entries


ApiVersion = Annotated[
    str,
    BeforeValidator(lambda value: str(value) if isinstance(value, float) else value),
    AfterValidator(_check_api_version),
]
Ranges = Annotated[tuple[RangeEntry, ...], Field(min_length=1), AfterValidator(_no_duplicates)]


class Target(Model):
    """An org whose allowlist the cutover changes."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    org: OrgConfig


class Cutover(Model):
    """One change of addresses."""

    version: Literal[1]
    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    app: str = Field(pattern=r"^[A-Za-z][A-Za-z0-9_]*$")
    carriers: tuple[CarrierName, ...] = Field(("token-ip-ranges",), min_length=1)
    api_version: ApiVersion = "67.0"
    old: Ranges
    new: Ranges
    split_ranges: bool = False
    allow_private: bool = False
    allow_other_hosts: bool = False
    policies: dict[str, str | bool | int] = Field(default_factory=dict)
    targets: tuple[Target, ...] = Field(min_length=1)
    egress: Egress | None = None
    switch: Switch | None = None
    verify: Verify | None = None
    watch: Watch | None = None
    state: State = State()

    @property
    def change(self) -> Change:
        """What the cutover does to a list."""
        return Change(
            tuple(entry.to_range() for entry in self.old),
            tuple(entry.to_range() for entry in self.new),
            self.split_ranges,
        )

    @property
    def carrier_rows(self) -> tuple[Carrier, ...]:
        return tuple(CARRIERS[name] for name in self.carriers)

    @property
    def policy_values(self) -> dict[str, str]:
        """The OAuth policies as XML texts: true and false in lower case."""
        return {
            name: str(value).lower() if isinstance(value, bool) else str(value)
            for name, value in self.policies.items()
        }

    def select_targets(self, names: tuple[str, ...]) -> tuple[Target, ...]:
        """The targets of these names, or all. Raises ConfigError with close matches."""
        known = {target.name: target for target in self.targets}
        for name in names:
            if name not in known:
                close = difflib.get_close_matches(name, known, n=1)
                raise ConfigError(
                    f"there is no target {name!r}",
                    where=self.where,
                    hint=f"did you mean {close[0]}?" if close else f"known: {', '.join(known)}",
                )
        return tuple(known[name] for name in names) or self.targets

    @model_validator(mode="after")
    def _check_change(self) -> Self:
        change = self.change
        if not subtract(change.old, change.new) and not subtract(change.new, change.old):
            raise PlacedError("old and new are the same addresses; nothing would change", "new")
        return self

    @model_validator(mode="after")
    def _check_carriers(self) -> Self:
        for carrier in self.carrier_rows:
            if float(self.api_version) < carrier.component_type.since:
                raise PlacedError(
                    f"{carrier.component_type.metadata_type} needs API version "
                    f"{carrier.component_type.since} or later, not {self.api_version}",
                    "api_version",
                )
        if "connected-app" in self.carriers and len(self.carriers) > 1:
            raise PlacedError(
                "connected-app can't be mixed with an External Client App's carriers; "
                "finish the External Client App first, in a cutover of its own",
                "carriers",
            )
        return self

    @model_validator(mode="after")
    def _check_targets(self) -> Self:
        names = [target.name for target in self.targets]
        if len(set(names)) != len(names):
            raise PlacedError("two targets have the same name", "targets")
        if not self.allow_private and not all(target.org.on_loopback for target in self.targets):
            self._check_public("old", self.old)
            self._check_public("new", self.new)
        return self

    def _check_public(self, key: str, entries: tuple[RangeEntry, ...]) -> None:
        for index, entry in enumerate(entries):
            if entry.is_private:
                raise PlacedError(
                    f"{entry.range} is a private or loopback address, which Salesforce never "
                    "sees; list the public address, or set allow_private: true",
                    key,
                    index,
                )


def load_config(path: Path) -> Cutover:
    """Read cutover.yaml. Raises ConfigError or LimitError with file and line."""
    file = read_yaml(path)
    try:
        return Cutover.model_validate(file.data, context=file)
    except ValidationError as error:
        raise _first_problem(error, file) from error


def _first_problem(error: ValidationError, file: YamlFile) -> SfcutoverError:
    details = [each for each in error.errors() if not _is_echo(each, error)]
    first = min(details, key=lambda each: file.line_of(_location(each)))
    more = f" (and {len(details) - 1} more)" if len(details) > 1 else ""
    kind = LimitError if isinstance(_cause(first), TooManyAddressesError) else ConfigError
    return kind(
        f"{_describe(first)}{more}", where=file.where(_location(first)), hint=_hint_for(first)
    )


def _is_echo(detail: ErrorDetails, error: ValidationError) -> bool:
    """True for a list called too short only because its items were refused."""
    return detail["type"] == "too_short" and any(
        len(other["loc"]) > len(detail["loc"])
        and other["loc"][: len(detail["loc"])] == detail["loc"]
        for other in error.errors()
    )


def _cause(detail: ErrorDetails) -> object:
    return detail.get("ctx", {}).get("error")


def _location(detail: ErrorDetails) -> Location:
    cause = _cause(detail)
    inner = cause.location if isinstance(cause, PlacedError) else ()
    return (*detail["loc"], *inner)


def _describe(detail: ErrorDetails) -> str:
    path = _path(_location(detail))
    match detail["type"]:
        case "extra_forbidden":
            return f"{path}: unknown key"
        case "missing":
            return f"{path} is missing"
        case "value_error":
            message = str(detail["ctx"]["error"])
            return f"{path}: {message}" if path else message
        case _:
            return f"{path}: {detail['msg'][0].lower()}{detail['msg'][1:]}"


def _hint_for(detail: ErrorDetails) -> str:
    if detail["type"] != "extra_forbidden":
        return _HINT
    key = str(detail["loc"][-1])
    close = difflib.get_close_matches(key, _known_keys(detail["loc"][:-1]), n=1)
    return f"did you mean {close[0]}?" if close else _HINT


def _known_keys(location: Location) -> list[str]:
    """The keys that a mapping at this location may have."""
    model: type[Model] = Cutover
    for step in location:
        inner = (
            _models_in(model.model_fields[step].annotation) if step in model.model_fields else []
        )
        model = inner[0] if inner else model
    return list(model.model_fields)


def _models_in(annotation: object) -> list[type[Model]]:
    if isinstance(annotation, type) and issubclass(annotation, Model):
        return [annotation]
    return [model for part in getattr(annotation, "__args__", ()) for model in _models_in(part)]


def _path(location: Location) -> str:
    text = ""
    for step in location:
        text += f"[{step}]" if isinstance(step, int) else f".{step}"
    return text.lstrip(".")
