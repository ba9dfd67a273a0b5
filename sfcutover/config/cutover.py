"""cutover.yaml as frozen models. Every error carries file and line.

The file never contains a secret: a secret is ``{env: NAME}``, ``{file: PATH}`` or
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
    "ConnectedApp.ipRanges are trusted ranges, not the allowlist. No metadata is known that holds "
    "a connected app's allowlist, so Salesforce Support must change it; sfcutover case writes the "
    "support case"
)
_MOST_PROVEN = 256  # addresses: verify redeems through each; as many as the allowlist may hold
_API_VERSION = re.compile(r"[1-9][0-9]{1,2}\.0")
_NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._-]*$"


def _check_version(value: object) -> object:
    if type(value) is not int:  # 1 is also 1.0 and true
        raise ValueError("must be 1")
    return value


def _check_api_version(value: object) -> object:
    text = str(value) if isinstance(value, float) else value
    if not isinstance(text, str) or not _API_VERSION.fullmatch(text):
        raise ValueError('must be an API version such as "67.0"')
    return text


def _no_duplicates(entries: tuple[RangeEntry, ...]) -> tuple[RangeEntry, ...]:
    seen = Allowlist()
    for index, entry in enumerate(entries):
        one = entry.to_range()
        if subtract([one], seen) != (one,):
            raise PlacedError(f"{entry.range} overlaps an earlier entry", index)
        seen = Allowlist((*seen.ranges, one))
    return entries


def _no_repetition(names: tuple[CarrierName, ...]) -> tuple[CarrierName, ...]:
    for index, name in enumerate(names):
        if name in names[:index]:
            raise PlacedError(f"duplicate entry {name}", index)
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
    """How sfcutover logs in to the org; exactly one way."""


class Cutover(Model):
    """One change of addresses on the Refresh Token IP Allowlist of an app."""

    version: Annotated[Literal[1], BeforeValidator(_check_version)]
    """Version of this file's format."""
    name: str = Field(pattern=_NAME_PATTERN)
    """Name of the cutover, under which runs and baselines are recorded."""
    after: str | None = Field(None, pattern=_NAME_PATTERN)
    """For a legacy connected app: the cutover to finish first."""
    app: str = Field(pattern=r"^[A-Za-z][A-Za-z0-9_]*$")
    """Full name of the External Client App or connected app."""
    carriers: Carriers = ("token-ip-ranges",)
    """Allowlists to change; empty for a cutover that only sets policies, without old and new."""
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
    """True to accept a login or token host outside Salesforce's domains."""
    policies: PhasePolicies = Field(default_factory=Policies)
    """OAuth policies to set: one mapping for add-new and remove-old, or a mapping per phase."""
    targets: tuple[Target, ...] = Field(min_length=1)
    """The orgs."""
    egress: Egress | None = None
    """How traffic leaves, before and after the switch."""
    switch: Switch | None = None
    """How the application's traffic moves."""
    verify: Verify | None = None
    """How redemptions prove the new addresses."""
    checks: tuple[Check, ...] = ()
    """Conditions that must be met from the switch to the end of the watch."""
    quiet: tuple[QuietCheck, ...] = ()
    """Conditions that show that customers have left the old addresses."""
    watch: Watch | None = None
    """How redemptions are watched after remove-old."""
    waves: Waves = (1, 5)
    """In a run, how many targets remove-old changes at a time: in the first wave, the second, and
    so on; the last number applies to all later waves."""
    max_rollbacks: int = Field(3, ge=1)
    """Consecutive automatic rollbacks after which a run starts only with --again."""
    notify: tuple[Notifier, ...] = ()
    """Receivers of notifications, such as when a run is paused or has ended."""
    metrics: FilePath | None = None
    """File for the metrics of run, verify and watch, in Prometheus' text format."""
    pass_env: tuple[VariableName, ...] = ()
    """Environment variables that commands get although they contain secrets."""
    state: State = Field(default_factory=State)
    """Where the state of runs is stored."""
    _file: str = DEFAULT_CONFIG

    def place(self, file: YamlFile, location: Location = ()) -> None:
        super().place(file, location)
        self._file = file.name
        if "state" not in self.model_fields_set:
            self.state.place(file, location)

    @property
    def file(self) -> str:
        """Path of the file, as given."""
        return self._file

    @property
    def missing_for_run(self) -> tuple[str, ...]:
        """Keys that a run needs and that are missing."""
        new = self.egress.new if self.egress else None
        wanted = {"egress.new": new, "switch": self.switch, "verify": self.verify}
        missing = tuple(name for name, value in wanted.items() if value is None)
        if new and new.probe and self.verify and not self.verify.application:
            return (*missing, "verify.application")  # no canary can redeem through it
        return missing

    @property
    def change(self) -> Change:
        """The change of an allowlist."""
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
        """True for a legacy connected app, whose allowlist only Salesforce Support can change:
        assumed, as no metadata is known that holds it."""
        return "connected-app" in self.carriers

    @property
    def notes(self) -> tuple[str, ...]:
        """Notes on the cutover as a whole, one sentence each."""
        order = f"complete the cutover {self.after} before this one"
        return ((TRUSTED_RANGES,) if self.is_legacy else ()) + ((order,) if self.after else ())

    def planner(self, templates: Templates) -> Planner:
        """Computes the phases of this cutover."""
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
                    f"no target {name!r}",
                    where=self.where,
                    hint=f"did you mean {close[0]}?"
                    if close
                    else f"the targets are {', '.join(known)}",
                )
        return tuple(known[name] for name in names) or self.targets

    @field_validator("old", "new", mode="wrap")
    @classmethod
    def _may_be_missing(
        cls, value: object, check: ValidatorFunctionWrapHandler, info: ValidationInfo
    ) -> object:
        if value != ():  # the default; a file contains lists
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
            raise PlacedError("must differ from old", "new")
        return self

    def _check_policies_alone(self) -> Self:
        if not self.policies:
            raise PlacedError("must not be empty unless policies: sets some", "carriers")
        return self

    @model_validator(mode="after")
    def _check_carriers(self) -> Self:
        for carrier in self.carrier_rows:
            if float(self.api_version) < carrier.component_type.since:
                raise PlacedError(
                    f"must be {carrier.component_type.since} or later for "
                    f"{carrier.component_type.metadata_type}, not {self.api_version}",
                    "api_version",
                )
        if "connected-app" in self.carriers and len(self.carriers) > 1:
            raise PlacedError(
                "connected-app excludes the carriers of an External Client App; "
                "use a separate cutover for the External Client App, and complete it first",
                "carriers",
            )
        if self.after is not None and not self.is_legacy:
            raise PlacedError("requires carriers: [connected-app]", "after")
        if self.after == self.name:
            raise PlacedError("must name another cutover", "after")
        return self

    @model_validator(mode="after")
    def _check_sizes(self) -> Self:
        for carrier in self.carrier_rows:
            if carrier.max_addresses is not None:
                self._check_size(carrier.max_addresses, f"an allowlist of {carrier.name} holds")
        if self.verify is not None:
            self._check_size(_MOST_PROVEN, "verify proves")
        return self

    def _check_size(self, most: int, whose: str) -> None:
        for key, entries in (("old", self.old), ("new", self.new)):
            count = 0
            for index, entry in enumerate(entries):
                count += entry.to_range().size
                if count > most:
                    reach = f"brings {key}: to" if index else "contains"
                    message = f"{entry.range} {reach} {count:,} addresses; {whose} at most {most}"
                    raise TooManyAddressesError(message, key, index)

    @model_validator(mode="after")
    def _check_targets(self) -> Self:
        names = [target.name for target in self.targets]
        for index, name in enumerate(names):
            if name in names[:index]:
                raise PlacedError("duplicate name", "targets", index, "name")
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
                    raise PlacedError(f"no target {name!r}", *where)
        for index, target in enumerate(self.targets):
            if not (self.verify.application or self.verify.canaries_of(target.name)):
                raise PlacedError("no canary in verify: covers this target", "targets", index)

    def _check_public(self, key: str, entries: tuple[RangeEntry, ...]) -> None:
        for index, entry in enumerate(entries):
            if entry.is_private:
                raise PlacedError(
                    f"{entry.range} is a private or loopback address, from which Salesforce never "
                    "receives a request; use the public address, or set allow_private: true",
                    key,
                    index,
                )


def load_config(path: Path) -> Cutover:
    """Read cutover.yaml and protect the secrets that it names.

    Raises ConfigError or LimitError with file and line.
    """
    cutover = parse_config(read_text(path), str(path))
    protect_secrets(cutover, cutover.pass_env)
    return cutover


def parse_config(text: str, name: str) -> Cutover:
    """A cutover from the text of a file. name: of the file, for errors."""
    file = parse_yaml(text, name)
    if file.data is None:
        raise ConfigError(
            "the file is empty",
            where=file.where(()),
            hint=Advice("write it from the org: ", Command("init", "--force")),
        )
    try:
        cutover = Cutover.model_validate(file.data)
    except ValidationError as error:
        # Not from error: it names keys, and a key may be a secret written in braces.
        raise problems_of(error, file, Cutover) from None
    cutover.place(file)
    return cutover
