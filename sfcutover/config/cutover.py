"""cutover.yaml as frozen models. Every complaint carries file and line.

Secrets never stand in the file: a secret is ``{env: NAME}``, ``{file: PATH}`` or
``{command: [argv]}``, and is read only when it is needed.
"""

from __future__ import annotations

import difflib
import re
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    ValidationError,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from sfcutover.allowlist.carriers import CARRIERS, Carrier
from sfcutover.allowlist.phases import Change
from sfcutover.allowlist.plan import Planner
from sfcutover.allowlist.policies import Policies
from sfcutover.allowlist.ranges import Allowlist, subtract
from sfcutover.allowlist.templates import Templates
from sfcutover.config.checks import Check, QuietCheck, Watch
from sfcutover.config.egress import Egress, Switch
from sfcutover.config.notify import Notifier
from sfcutover.config.org import OrgConfig
from sfcutover.config.policies import PhasePolicies
from sfcutover.config.problems import problems_of
from sfcutover.config.state import State
from sfcutover.config.values import (
    FilePath,
    Model,
    PlacedError,
    RangeEntry,
    TooManyAddressesError,
    VariableName,
    protect_secrets,
)
from sfcutover.config.verify import Verify
from sfcutover.config.yamlfile import Location, YamlFile, parse_yaml, read_text
from sfcutover.errors import DEFAULT_CONFIG, Advice, Command, ConfigError

CarrierName = Literal["token-ip-ranges", "trusted-ip-ranges", "connected-app"]
TRUSTED_RANGES = (
    "ConnectedApp.ipRanges are trusted ranges, not the allowlist; it is not known where a "
    "connected app's allowlist lives in metadata, so Salesforce's support is asked to change it: "
    "the command case writes what to ask for"
)
_MOST_PROVEN = 256  # addresses: verify redeems through each; as many as the allowlist may hold
_API_VERSION = re.compile(r"[1-9][0-9]{1,2}\.0")
_NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._-]*$"


def _check_version(value: object) -> object:
    if type(value) is not int:  # 1 is also 1.0 and true
        raise ValueError("write version: 1")
    return value


def _check_api_version(value: object) -> object:
    text = str(value) if isinstance(value, float) else value
    if not isinstance(text, str) or not _API_VERSION.fullmatch(text):
        raise ValueError('not an API version; write "67.0"')
    return text


def _no_duplicates(entries: tuple[RangeEntry, ...]) -> tuple[RangeEntry, ...]:
    seen = Allowlist()
    for index, entry in enumerate(entries):
        one = entry.to_range()
        if subtract([one], seen) != (one,):
            raise PlacedError(f"{entry.range} is in this list twice, or partly", index)
        seen = Allowlist((*seen.ranges, one))
    return entries


def _no_repetition(names: tuple[CarrierName, ...]) -> tuple[CarrierName, ...]:
    for index, name in enumerate(names):
        if name in names[:index]:
            raise PlacedError(f"{name} is in this list twice", index)
    return names


ApiVersion = Annotated[str, BeforeValidator(_check_api_version)]
Carriers = Annotated[tuple[CarrierName, ...], AfterValidator(_no_repetition)]
Waves = Annotated[tuple[Annotated[int, Field(ge=1)], ...], Field(min_length=1)]
Ranges = Annotated[tuple[RangeEntry, ...], Field(min_length=1), AfterValidator(_no_duplicates)]


class Target(Model):
    """An org whose allowlist the cutover changes."""

    name: str = Field(pattern=_NAME_PATTERN)
    """Name of the target in commands, output and evidence."""
    org: OrgConfig
    """How the org is reached; exactly one way."""


class Cutover(Model):
    """One change of addresses on the Refresh Token IP Allowlist of an app."""

    version: Annotated[Literal[1], BeforeValidator(_check_version)]
    """Version of this file's format."""
    name: str = Field(pattern=_NAME_PATTERN)
    """Name of the cutover; what is recorded belongs to this name."""
    after: str | None = Field(None, pattern=_NAME_PATTERN)
    """For a legacy connected app: the cutover to finish first."""
    app: str = Field(pattern=r"^[A-Za-z][A-Za-z0-9_]*$")
    """Full name of the External Client App or connected app."""
    carriers: Carriers = ("token-ip-ranges",)
    """Lists to change; empty for a cutover that sets policies alone and has no old and no new."""
    api_version: ApiVersion = Field("67.0", examples=["67.0"])
    """Metadata API version of the packages."""
    old: Ranges = Field((), validate_default=True)
    """Ranges to remove."""
    new: Ranges = Field((), validate_default=True)
    """Ranges to add."""
    split_ranges: bool = False
    """True if an old address inside a wider live range may be cut out of it."""
    allow_private: bool = False
    """True to accept private addresses for an org that is not on this machine."""
    allow_other_hosts: bool = False
    """True to accept a login or token host that is not of Salesforce."""
    policies: PhasePolicies = Field(default_factory=Policies)
    """OAuth policies to set: one map for add-new and remove-old alike, or a map by phase."""
    targets: tuple[Target, ...] = Field(min_length=1)
    """The orgs."""
    egress: Egress | None = None
    """How traffic leaves, by the old and by the new addresses."""
    switch: Switch | None = None
    """How the application's traffic moves."""
    verify: Verify | None = None
    """How redemptions prove the new addresses."""
    checks: tuple[Check, ...] = ()
    """What must hold from the switch to the end of the watch."""
    quiet: tuple[QuietCheck, ...] = ()
    """What shows that customers have left the old addresses."""
    watch: Watch | None = None
    """How the time after remove-old is watched."""
    waves: Waves = (1, 5)
    """In a run, how many targets remove-old changes at once: first, second, and so forth; the last
    number holds for all later waves."""
    max_rollbacks: int = Field(3, ge=1)
    """Automatic rollbacks in a row after which a run starts only with --again."""
    notify: tuple[Notifier, ...] = ()
    """Who is told when a run needs a person or has ended."""
    metrics: FilePath | None = None
    """The file for the figures of a run, verify and watch, in Prometheus' text format."""
    pass_env: tuple[VariableName, ...] = ()
    """Environment variables that commands get although they hold secrets."""
    state: State = Field(default_factory=State)
    """Where runs are kept."""
    _file: str = DEFAULT_CONFIG

    def place(self, file: YamlFile, location: Location = ()) -> None:
        super().place(file, location)
        self._file = file.name
        if "state" not in self.model_fields_set:
            self.state.place(file, location)

    @property
    def file(self) -> str:
        """The file that it was read from, as it was named."""
        return self._file

    @property
    def missing_for_run(self) -> tuple[str, ...]:
        """What a whole run needs, and isn't configured."""
        new = self.egress.new if self.egress else None
        wanted = {"egress.new": new, "switch": self.switch, "verify": self.verify}
        missing = tuple(name for name, value in wanted.items() if value is None)
        if new and new.probe and self.verify and not self.verify.application:
            return (*missing, "verify.application")  # the canary has no way through it
        return missing

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
    def is_legacy(self) -> bool:
        """True for a legacy connected app, whose allowlist Salesforce's support is asked to change:
        that its owner can't is assumed, as no metadata is known that holds it."""
        return "connected-app" in self.carriers

    @property
    def notes(self) -> tuple[str, ...]:
        """What a person should know of the cutover as a whole, one sentence each."""
        order = f"finish the cutover {self.after} first; this one comes after it"
        return ((TRUSTED_RANGES,) if self.is_legacy else ()) + ((order,) if self.after else ())

    def planner(self, templates: Templates) -> Planner:
        """What works out this cutover's phases."""
        return Planner(
            self.name,
            self.app,
            self.change,
            self.api_version,
            templates,
            self.policies,
            self.notes,
        )

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

    @field_validator("old", "new", mode="wrap")
    @classmethod
    def _may_be_missing(
        cls, value: object, check: ValidatorFunctionWrapHandler, info: ValidationInfo
    ) -> object:
        if value != ():  # the default: a file has lists
            return check(value)
        if info.data.get("carriers", ()) == ():
            return value
        raise PydanticCustomError("missing", "field required")

    @model_validator(mode="after")
    def _check_change(self) -> Self:
        if not self.carriers:
            return self._check_policies_alone()
        change = self.change
        if not subtract(change.old, change.new) and not subtract(change.new, change.old):
            raise PlacedError("old and new are the same addresses; nothing would change", "new")
        return self

    def _check_policies_alone(self) -> Self:
        if not self.policies:
            raise PlacedError("no list is named, and policies: sets none", "carriers")
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
        if self.after is not None and not self.is_legacy:
            raise PlacedError("only a connected-app cutover comes after another one", "after")
        if self.after == self.name:
            raise PlacedError("a cutover can't come after itself", "after")
        return self

    @model_validator(mode="after")
    def _check_sizes(self) -> Self:
        for carrier in self.carrier_rows:
            if carrier.max_addresses is not None:
                self._check_size(carrier.max_addresses, f"a list of {carrier.name} holds")
        if self.verify is not None:
            self._check_size(_MOST_PROVEN, "verify proves each one, and")
        return self

    def _check_size(self, most: int, whose: str) -> None:
        for key, entries in (("old", self.old), ("new", self.new)):
            count = 0
            for index, entry in enumerate(entries):
                count += entry.to_range().size
                if count > most:
                    reach = f"{entry.range} brings {key}: to" if index else f"{entry.range} holds"
                    message = f"{reach} {count:,} addresses; {whose} at most {most}"
                    raise TooManyAddressesError(message, key, index)

    @model_validator(mode="after")
    def _check_targets(self) -> Self:
        names = [target.name for target in self.targets]
        for index, name in enumerate(names):
            if name in names[:index]:
                raise PlacedError("two targets have the same name", "targets", index, "name")
        self._check_canaries(names)
        if not self.allow_private and not all(target.org.on_loopback for target in self.targets):
            self._check_public("old", self.old)
            self._check_public("new", self.new)
        return self

    def _check_canaries(self, names: list[str]) -> None:
        if self.verify is None:
            return
        for index, canary in enumerate(self.verify.canaries):
            for place, name in enumerate(canary.targets):
                if name not in names:
                    where = ("verify", "canaries", index, "targets", place)
                    raise PlacedError(f"there is no target {name!r}", *where)
        for index, target in enumerate(self.targets):
            if not (self.verify.application or self.verify.canaries_of(target.name)):
                raise PlacedError("no canary proves the list of this target", "targets", index)

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
    """Read cutover.yaml; the secrets that it names are protected from then on.

    Raises ConfigError or LimitError with file and line.
    """
    cutover = parse_config(read_text(path), str(path))
    protect_secrets(cutover, cutover.pass_env)
    return cutover


def parse_config(text: str, name: str) -> Cutover:
    """A cutover from a text that is, or is to become, the file of this name."""
    file = parse_yaml(text, name)
    if file.data is None:
        raise ConfigError(
            "the file is empty", where=file.where(()), hint=Advice(Command("init"), " fills it")
        )
    try:
        cutover = Cutover.model_validate(file.data)
    except ValidationError as error:
        # Not from error: it names keys, and a key may be a secret written in braces.
        raise problems_of(error, file, Cutover) from None
    cutover.place(file)
    return cutover
