"""What a gate proved, as a document that can be stored, shown and checked again. No secrets."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import AwareDatetime, Field, ValidationError

from sfcutover.allowlist.component import Component
from sfcutover.allowlist.ranges import Allowlist
from sfcutover.allowlist.snapshot import Snapshot
from sfcutover.config.verify import called
from sfcutover.cutover.egressobservation import tries_needed
from sfcutover.errors import (
    Advice,
    Command,
    ConfigError,
    GateError,
    IdentityError,
    OperationFailedError,
)
from sfcutover.util.boundedfile import read_bounded
from sfcutover.util.document import (
    AddressText,
    DeploymentId,
    Document,
    InstanceUrl,
    OrganizationId,
    Sha256,
    UserId,
    first_problem,
)
from sfcutover.util.files import write_durably
from sfcutover.util.serverclock import ServerTime

if TYPE_CHECKING:
    from sfcutover.allowlist.ranges import Address

_SHORT_ID = 15  # characters of an id that is also written with 18
_SERVERS_DIFFER = 60.0  # seconds: an org has many servers
MAX_EVIDENCE_BYTES = 1024 * 1024
Proof = Literal["login-history", "proxy-per-address", "application", "confidence"]
_PROVEN_BY: dict[Proof, str] = {
    "login-history": "the org's LoginHistory",
    "proxy-per-address": "a proxy URL for each address",
    "application": "the application's report",
    "confidence": "a series of successful redemptions long enough to have used each address",
}
Shown = Literal["complete", "incomplete", "other-addresses", "unavailable", "other-org"]


class AddressEvidence(Document):
    """How one address was proven."""

    address: AddressText
    """The address."""
    redeemed: int
    """Redemptions known to have left by it; 0 where the kind of proof can't tell."""
    first: AwareDatetime | None = None
    """When the first of them succeeded, by the clock of the org that told, UTC, ISO 8601; null
    where that is unknown."""
    seen_by_echo: int
    """Requests that the echo saw from it, or runs of the egress's own command that showed it."""


class ProvenList(Document):
    """One list as it was read before the first redemption."""

    sha256: Sha256
    """SHA-256 of its ranges, or of a confirmed support case where the list can't be read; 64
    hexadecimal digits."""
    component_id: str | None = None
    """Id of the component in the org; null where the org does not list it."""
    last_modified: AwareDatetime | None = None
    """When the component was last saved, by the org's clock, UTC, ISO 8601; each save changes it,
    also one that leaves the ranges. Null where the org does not list it."""


class CanaryEvidence(Document):
    """How one canary, or the application, has proven each address. Times are by the clock of the
    target's org."""

    canary: str
    """Name of the canary, or the application."""
    organization_id: OrganizationId | None = None
    """Org of the redeemed grant; null where the token endpoint does not say."""
    user_id: UserId | None = None
    """User of the redeemed grant; null where the token endpoint does not say."""
    proof: Proof
    """Kind of proof."""
    redemptions: int
    """Number of redemptions."""
    started: AwareDatetime
    """When the first redemption was sent, UTC, ISO 8601."""
    last_proof: AwareDatetime
    """When the last proof was made, UTC, ISO 8601."""
    uncertainty: float
    """Seconds, either way, by which the times may be off."""
    login_history: Shown
    """Whether LoginHistory showed each of these redemptions with its address."""
    addresses: list[AddressEvidence]
    """The proof, by address."""
    uncertain: list[str]
    """What the kind of proof leaves open, a sentence each."""

    @property
    def begin(self) -> ServerTime:
        """Before the first redemption."""
        return ServerTime.around(self.started, self.uncertainty)

    @property
    def end(self) -> ServerTime:
        """Behind the last redemption."""
        return ServerTime.around(self.last_proof, self.uncertainty)

    @property
    def proven_by(self) -> str:
        """The kind of proof, in words that need no other page: they also reach a support case."""
        return _PROVEN_BY[self.proof]

    @property
    def identity(self) -> str | None:
        """``00D…/005…``, as the identity URL has it."""
        if self.organization_id is None or self.user_id is None:
            return None
        return f"{self.organization_id}/{self.user_id}"

    def proves(self, address: Address) -> bool:
        """A run of redemptions proves what the echo saw, the other kinds what redeemed."""
        found = [each for each in self.addresses if each.address == str(address)]
        by_run = self.proof == "confidence"
        return any((each.seen_by_echo if by_run else each.redeemed) > 0 for each in found)


class Enforcement(Document):
    """Whether it was shown that the list blocks an address that is not on it."""

    is_shown: bool
    """True if such an address was refused by the list."""
    reason: str
    """What was found, in a sentence."""


class Evidence(Document):
    """One verification against one target, by every canary of its list."""

    target: str
    """Name of the target."""
    app: str
    """Full name of the app."""
    instance_url: InstanceUrl
    """Instance URL of the org, for information, as an org may get another."""
    organization_id: OrganizationId
    """Id of the org that was reached; the evidence is bound to it."""
    deployment_id: DeploymentId | None = None
    """The org's newest deployment at that time, for information; null where the org does not report
    it."""
    via: Literal["old", "new"]
    """Egress of the redemptions."""
    confidence: float
    """Probability that no address of a healthy pair went unproven, as configured."""
    lists: dict[str, ProvenList]
    """By the path of its component: each list. The evidence is void as soon as one differs."""
    canaries: list[CanaryEvidence] = Field(min_length=1)
    """What each canary has proven, the application among them."""
    enforcement: Enforcement | None = None
    """Whether the list blocks; null where that was not tried."""
    uncertain: list[str]
    """What is unknown of the lists, and which canaries prove nothing, a sentence each."""

    @property
    def proven_by(self) -> str:
        """The kinds of proof of its canaries, in words."""
        return ", ".join(dict.fromkeys(each.proven_by for each in self.canaries))

    @property
    def begin(self) -> ServerTime:
        """Before the first redemption."""
        return min((each.begin for each in self.canaries), key=lambda one: one.earliest)

    @property
    def end(self) -> ServerTime:
        """Behind the last redemption."""
        return max((each.end for each in self.canaries), key=lambda one: one.latest)

    @property
    def redemptions(self) -> int:
        """Of all canaries."""
        return sum(each.redemptions for each in self.canaries)

    @property
    def addresses(self) -> list[str]:
        """What was to be proven: the same for each canary."""
        return [each.address for each in self.canaries[0].addresses]

    @property
    def own_canaries(self) -> list[CanaryEvidence]:
        """Those whose users the org of the list has, as far as is known, so that its LoginHistory
        shows them."""
        return [
            each
            for each in self.canaries
            if each.organization_id is None
            or is_same_org(each.organization_id, self.organization_id)
        ]


class EvidenceFile(Document):
    """What ``verify`` writes: the evidence of every target of one cutover."""

    schema_: Literal["sfcutover/evidence/1"] = Field("sfcutover/evidence/1", alias="schema")
    """Name and version of this document's format."""
    cutover: str
    """Name of the cutover."""
    targets: list[Evidence]
    """The evidence, by target."""


def is_same_org(one: str | None, other: str) -> bool:
    """True for two ids of one organization, also where only one has its checksum."""
    return one is not None and one[:_SHORT_ID] == other[:_SHORT_ID]


def list_hash(ranges: Allowlist) -> str:
    """SHA-256 of the ranges of a list, regardless of their order and descriptions."""
    return hashlib.sha256("\n".join(sorted(map(str, ranges))).encode()).hexdigest()


def evidence_lists(live: Snapshot, confirmed: Mapping[str, str] | None) -> dict[str, ProvenList]:
    """What evidence is bound to: the live lists, or the confirmations that stand for one."""
    if confirmed is not None:
        return {name: ProvenList(sha256=text) for name, text in confirmed.items()}
    return {each.path: _proven_list(each) for each in live.carriers}


def _proven_list(component: Component) -> ProvenList:
    listed = component.properties
    return ProvenList(
        sha256=list_hash(component.allowlist),
        component_id=listed.id if listed else None,
        last_modified=listed.last_modified if listed else None,
    )


def write_evidence(evidence: EvidenceFile, path: Path) -> None:
    """Write the evidence, whole or not at all. Raises OperationFailedError."""
    try:
        write_durably(path, evidence.model_dump_json(by_alias=True, indent=2) + "\n")
    except OSError as error:
        raise OperationFailedError(
            f"the evidence was not written: {error.strerror}",
            where=str(path),
            hint="free space or choose another --out file, then verify again",
        ) from error


def read_evidence(path: Path) -> EvidenceFile:
    """Read an evidence file. Raises ConfigError if it is none, LimitError over 1 MiB."""
    data = read_bounded(path, MAX_EVIDENCE_BYTES, hint="check --evidence")
    try:
        return EvidenceFile.model_validate_json(data)
    except ValidationError as error:
        raise ConfigError(
            f"not an evidence file of this version: {first_problem(error)}",
            where=str(path),
            hint=Advice("create it again: ", Command("verify", "--out", "FILE")),
        ) from error


@dataclass(frozen=True)
class Wanted:
    """What evidence must be about to count.

    canaries: the names of those that must prove each of the addresses, with the application's.
    confidence: that a run of
    successes must have reached.
    confirmed: hashes of the confirmed support cases, which stand for a list that can't be read.
    """

    app: str
    organization_id: str
    via: str
    addresses: tuple[Address, ...]
    canaries: tuple[str, ...]
    confidence: float
    max_age: timedelta
    confirmed: Mapping[str, str] | None = None


class VoidEvidenceError(GateError):
    """The evidence is what is wanted, but a list was saved since: it must be created again."""


def check_evidence(evidence: Evidence, wanted: Wanted, live: Snapshot, now: ServerTime) -> None:
    """Raise GateError unless the evidence is what is wanted and fresh, IdentityError for that of
    another org, and VoidEvidenceError where a list was saved since.

    now: the org's time.
    """
    if evidence.organization_id != wanted.organization_id:
        raise IdentityError(
            f"the evidence is for organization {evidence.organization_id}, but organization "
            f"{wanted.organization_id} was reached",
            hint=Advice(
                "use the environment, alias or URL of the org that was verified, or verify this "
                "one: ",
                Command("verify"),
            ),
        )
    age = max(now.most_since(each.end) for each in evidence.canaries)
    unproven = ", ".join(
        str(each)
        for each in wanted.addresses
        if not all(canary.proves(each) for canary in evidence.canaries)
    )
    proven_by = {each.canary for each in evidence.canaries}
    missing = ", ".join(called(name) for name in wanted.canaries if name not in proven_by)
    other = {
        f"it is for app {evidence.app}": evidence.app != wanted.app,
        f"it proves the {evidence.via} egress": evidence.via != wanted.via,
        f"it does not prove {unproven}": bool(unproven),
        f"{missing} has proven nothing": bool(missing),
        f"its run of redemptions is too short for {wanted.confidence}": not all(
            _long_enough(each, wanted) for each in evidence.canaries
        ),
        f"it is older than {wanted.max_age}": age > wanted.max_age.total_seconds(),
        "its time is in the future by the org's clock": age < -_SERVERS_DIFFER,
    }
    _require_none(other, GateError)
    is_changed = evidence.lists != evidence_lists(live, wanted.confirmed)
    if wanted.confirmed is None:
        _require_none({_changed(evidence, live): is_changed}, VoidEvidenceError)
    _require_none(
        {"a support case was confirmed since, or on another machine": is_changed}, GateError
    )


def _require_none(reasons: Mapping[str, bool], error: type[GateError]) -> None:
    for reason, applies in reasons.items():
        if applies:
            raise error(
                f"the evidence is not valid: {reason}",
                hint=Advice("verify again: ", Command("verify")),
            )


def _changed(evidence: Evidence, live: Snapshot) -> str:
    proven = {path: each.sha256 for path, each in evidence.lists.items()}
    if proven == {each.path: list_hash(each.allowlist) for each in live.carriers}:
        return "the live allowlist was saved since"
    return "the live allowlist has changed since"


def _long_enough(canary: CanaryEvidence, wanted: Wanted) -> bool:
    needed = tries_needed(len(wanted.addresses), wanted.confidence)
    return canary.proof != "confidence" or canary.redemptions >= needed
