"""The support case by which Salesforce changes the allowlist of a legacy connected app.

``ConnectedApp.ipRanges`` are trusted ranges, not the allowlist. Connected apps have allowlist
values of their own (Salesforce Help, article 005387022); which metadata holds them is unknown, so
that a support case changes them (assumed), and what they are besides this cutover's ranges is
unknown here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError

from sfcutover.allowlist.phases import Phase, apply_phase
from sfcutover.allowlist.ranges import Allowlist, IpRange
from sfcutover.allowlist.templates import Templates
from sfcutover.config.cutover import Cutover
from sfcutover.errors import (
    Advice,
    Command,
    ConfigError,
    GateError,
    IdentityError,
    NetworkError,
    OperationFailedError,
    Text,
)
from sfcutover.salesforce.connection import Connection
from sfcutover.salesforce.org import Org
from sfcutover.util.boundedfile import read_bounded
from sfcutover.util.ciprovider import current_actor
from sfcutover.util.document import (
    Document,
    InstanceUrl,
    OrganizationId,
    RangeText,
    UtcTime,
    first_problem,
)
from sfcutover.util.files import make_folders_durably, write_durably

MAX_CONFIRMATION_BYTES = 1024 * 1024
CasePhase = Literal["add-new", "remove-old"]
PHASES: tuple[CasePhase, ...] = ("add-new", "remove-old")
_NAMES = {"ranges": "set of ranges"}
_STALE = "that confirmation is not valid here; nothing was changed in the org"


class Confirmation(Document):
    """A record that Salesforce's support has changed the list."""

    schema_: Literal["sfcutover/confirmation/1"] = Field("sfcutover/confirmation/1", alias="schema")
    """Name and version of this document's format."""
    cutover: str
    """Name of the cutover."""
    target: str
    """Name of the target."""
    app: str
    """Full name of the connected app."""
    instance_url: InstanceUrl
    """Instance URL of the org, for information, as an org may get another."""
    organization_id: OrganizationId
    """Id of the org."""
    phase: CasePhase
    """Phase that support was asked for."""
    ranges: list[RangeText]
    """Ranges that were to be added or removed."""
    confirmed: datetime
    """When it was confirmed, UTC, ISO 8601."""
    confirmed_by: str
    """Who confirmed it."""

    @property
    def sha256(self) -> str:
        """Differs for every confirmation, as their times do."""
        return hashlib.sha256(self.model_dump_json(by_alias=True).encode()).hexdigest()


@dataclass(frozen=True)
class Confirmations:
    """The confirmations of one target. Every method raises ConfigError for a broken file."""

    cutover: Cutover
    target: str
    instance_url: str
    organization_id: str

    @classmethod
    def of(cls, connection: Connection) -> Confirmations:
        return cls(
            connection.cutover,
            connection.target.name,
            connection.org.instance_url,
            connection.organization_id,
        )

    def record(self, phase: CasePhase) -> Confirmation:
        """Keep that support has acted now, in place of an earlier confirmation.

        Raises OperationFailedError if it can't be written.
        """
        confirmation = Confirmation(
            cutover=self.cutover.name,
            target=self.target,
            app=self.cutover.app,
            instance_url=self.instance_url,
            organization_id=self.organization_id,
            phase=phase,
            ranges=self._ranges(phase),
            confirmed=datetime.now(UTC),
            confirmed_by=current_actor(),
        )
        path = self.path(phase)
        try:
            make_folders_durably(path.parent)
            write_durably(path, confirmation.model_dump_json(by_alias=True, indent=2) + "\n")
        except OSError as error:
            raise OperationFailedError(
                f"the confirmation was not written: {error.strerror}",
                where=str(path),
                hint="free disk space or correct the permissions, then confirm again",
            ) from error
        return confirmation

    def find(self, phase: CasePhase) -> Confirmation | None:
        """The confirmation of this phase, or None if there is none."""
        path = self.path(phase)
        if not path.exists():
            return None
        data = read_bounded(path, MAX_CONFIRMATION_BYTES, hint=_confirm_hint(phase))
        try:
            return Confirmation.model_validate_json(data)
        except ValidationError as error:
            raise ConfigError(
                f"not a valid confirmation: {first_problem(error)}",
                where=str(path),
                hint=_confirm_hint(phase),
            ) from error

    def require(self, phase: CasePhase) -> Confirmation:
        """The confirmation of this phase. Raises GateError if none counts for this cutover, and
        IdentityError for one of another org."""
        found = self.find(phase)
        if found is None:
            raise GateError(
                f"there is no confirmation that Salesforce Support has completed {phase} for "
                f"{self.target}",
                hint=Advice("open the case: ", Command("case", phase), "; ", _confirm_hint(phase)),
            )
        if found.organization_id != self.organization_id:
            raise IdentityError(
                f"the confirmation of {phase} is for organization {found.organization_id}, but "
                f"organization {self.organization_id} was reached",
                where=str(self.path(phase)),
                hint="use the environment, alias or URL of the org that was confirmed",
                impact=_STALE,
            )
        for name, wanted in self._expected(phase).items():
            if getattr(found, name) != wanted:
                raise GateError(
                    f"the confirmation of {phase} is for another {_NAMES.get(name, name)}",
                    where=str(self.path(phase)),
                    hint=_confirm_hint(phase),
                    impact=_STALE,
                )
        return found

    def hashes(self) -> dict[str, str]:
        """SHA-256 of each confirmation by what it is of: any new one makes evidence stale."""
        found = ((phase, self.find(phase)) for phase in PHASES)
        return {f"case {phase}": each.sha256 for phase, each in found if each is not None}

    def path(self, phase: CasePhase) -> Path:
        """``.sfcutover/cases/<cutover>/<target>.<phase>.json`` beside cutover.yaml."""
        folder = Path(self.cutover.file).parent
        return folder / ".sfcutover" / "cases" / self.cutover.name / f"{self.target}.{phase}.json"

    def _expected(self, phase: CasePhase) -> dict[str, object]:
        return {
            "cutover": self.cutover.name,
            "target": self.target,
            "app": self.cutover.app,
            "phase": phase,
            "ranges": self._ranges(phase),
        }

    def _ranges(self, phase: CasePhase) -> list[str]:
        change = self.cutover.change
        moved = change.added if phase == "add-new" else change.removed
        return [str(entry) for entry in moved]


def _confirm_hint(phase: CasePhase) -> Advice:
    return Advice("when Support has completed it: ", Command("case", phase, "--confirmed"))


# No WSDL-documented field says more of an org; all four are described for Organization.
_SOQL = "SELECT Id, Name, InstanceName, IsSandbox FROM Organization LIMIT 1"
_TEMPLATE = "support-case"


@dataclass(frozen=True)
class Organization:
    """An org as support knows it."""

    id: str
    name: str
    instance: str
    kind: str  # sandbox or production
    url: str


@dataclass(frozen=True)
class SupportCase:
    """What is asked of support for one target.

    window, contact: as the person gave them. proof: for remove-old, what cleared it.
    """

    cutover: Cutover
    phase: CasePhase
    organization: Organization
    window: str | None = None
    contact: str | None = None
    proof: str | None = None

    @property
    def moved(self) -> tuple[IpRange, ...]:
        """The ranges to add, or to remove."""
        change = self.cutover.change
        return change.added if self.phase == "add-new" else change.removed

    @property
    def afterwards(self) -> Allowlist:
        """The list that should stand afterwards, where known. Raises LimitError."""
        change = self.cutover.change
        return apply_phase(Phase(self.phase), Allowlist(change.old), change)

    def text(self, templates: Templates) -> str:
        """The case's text. Raises ConfigError for a faulty template, and LimitError."""
        return templates.render_text(_TEMPLATE, self._variables())

    def _variables(self) -> dict[str, object]:
        change = self.cutover.change
        return {
            "app": self.cutover.app,
            "organization": self.organization,
            "phase": self.phase,
            "moved": self.moved,
            "afterwards": self.afterwards.ranges,
            "old": change.old,
            "new": change.new,
            "window": self.window,
            "contact": self.contact,
            "proof": self.proof,
            "cutover": self.cutover.name,
            "after": self.cutover.after,
        }


def read_organization(org: Org, api_version: str) -> Organization:
    """Ask the org who it is. Raises NetworkError for an answer without an id."""
    records = org.query(_SOQL, api_version)
    record: Mapping[str, object] = records[0] if records else {}
    if not record.get("Id"):
        raise NetworkError(
            "the org did not report its id (a SOQL query of Organization returned none)",
            where=org.instance_url,
            hint="check that the user may read Organization, then run this again",
        )
    return Organization(
        id=str(record["Id"]),
        name=str(record.get("Name") or "unnamed"),
        instance=str(record.get("InstanceName") or "unknown"),
        kind="sandbox" if record.get("IsSandbox") else "production",
        url=org.instance_url,
    )


def require_legacy(cutover: Cutover) -> None:
    """Raise ConfigError for a cutover whose list its owner changes himself."""
    if not cutover.is_legacy:
        raise ConfigError(
            "no support case is needed: sfcutover deploys this cutover's allowlist itself",
            where=cutover.where,
            hint=Advice(Command("deploy", "add-new"), "; a case is for carriers: [connected-app]"),
        )


def require_deployable(cutover: Cutover, phase: Phase) -> None:
    """Raise GateError for a removal that only support can make."""
    if not cutover.is_legacy or not phase.removes:
        return
    hint: Text = Advice("request it by a support case: ", Command("case", "remove-old"))
    if phase is Phase.REMOVE_NEW:
        hint = (
            "new addresses that stay on the allowlist are harmless; to remove them, open a "
            "support case"
        )
    raise GateError(
        f"{phase} is refused: ConnectedApp.ipRanges are trusted ranges, not the allowlist, "
        "so no deployment removes an address from the allowlist",
        hint=hint,
    )


def require_self_serve(cutover: Cutover, command: str) -> None:
    """Raise ConfigError where only support can put addresses back."""
    if cutover.is_legacy:
        raise ConfigError(
            f"{command} cannot restore addresses for a legacy connected app: only Salesforce "
            "Support changes its allowlist",
            where=cutover.where,
            hint=Advice(
                "ask Support, in the remove-old case, to restore the old addresses; ",
                Command("verify"),
                " shows whether redemptions succeed",
            ),
            impact="nothing was changed; entries that Support has added stay on the allowlist",
        )


class CaseTargetDocument(Document):
    """One target's support case, or its confirmation; what is of the other is null or empty."""

    target: str
    """Name of the target."""
    instance_url: InstanceUrl
    """Instance URL of the org."""
    organization_id: OrganizationId | None
    """Id of the org; null where it is unknown."""
    ranges: list[RangeText]
    """Ranges to add or to remove."""
    afterwards: list[RangeText]
    """The list after the change, where known."""
    proof: str | None
    """What proves the new addresses; null where nothing does."""
    text: str | None
    """Text of the case for support; null for a confirmation."""
    confirmed: UtcTime | None
    """When it was confirmed, UTC, ISO 8601; null for a case."""
    confirmed_by: str | None
    """Who confirmed it; null for a case."""
    next: str
    """What to do next."""


class CaseDocument(Document):
    """What ``case`` prints."""

    schema_: Literal["sfcutover/case/1"] = Field("sfcutover/case/1", alias="schema")
    """Name and version of this document's format."""
    cutover: str
    """Name of the cutover."""
    phase: Literal["add-new", "remove-old"]
    """Phase that support is asked for."""
    targets: list[CaseTargetDocument]
    """The cases, by target."""
