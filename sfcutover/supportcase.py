"""The support case by which Salesforce changes the allowlist of a legacy connected app.

``ConnectedApp.ipRanges`` are trusted ranges, not the allowlist. A legacy app's allowlist
may have to be registered by a support case (assumed: the facts say no more); what it
holds besides this cutover's ranges is then not known here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sfcutover.allowlist.phases import Phase, apply_phase
from sfcutover.allowlist.ranges import Allowlist, IpRange
from sfcutover.allowlist.templates import Templates
from sfcutover.config.cutover import Cutover
from sfcutover.confirmations import CasePhase
from sfcutover.errors import ConfigError, GateError, NetworkError
from sfcutover.salesforce.org import Org

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
        """The list that should stand afterwards, as far as it is known. Raises LimitError."""
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
            "the org did not say which one it is (SOQL Organization gave no Id)",
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
            "no support case is needed: this cutover's list is deployed, not asked for",
            where=cutover.where,
            hint="sfcutover deploy add-new; a case is for carriers: [connected-app]",
        )


def require_deployable(cutover: Cutover, phase: Phase) -> None:
    """Raise GateError for a removal that only support can make."""
    if not cutover.is_legacy or not phase.removes:
        return
    hint = "ask for it by a support case: sfcutover case remove-old"
    if phase is Phase.REMOVE_NEW:
        hint = "new addresses that stay on harm nobody; if they must go, ask support by a case"
    raise GateError(
        f"{phase} is refused: ConnectedApp.ipRanges are trusted ranges, not the allowlist, "
        "so no deploy takes an address off that",
        hint=hint,
    )


def require_self_serve(cutover: Cutover, command: str) -> None:
    """Raise ConfigError where only support can put addresses back."""
    if cutover.is_legacy:
        raise ConfigError(
            f"{command} can't put addresses back for a legacy connected app: its list is support's",
            where=cutover.where,
            hint="ask support, in the case of remove-old, to put the old addresses back; meanwhile "
            "sfcutover verify shows whether redemptions succeed",
            tokens="nothing was changed; what support has put on the list stays there",
        )
