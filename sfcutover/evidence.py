"""What a gate proved, as a document that can be kept, shown and checked again. No secrets."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError

from sfcutover.documents import Document
from sfcutover.durablefile import write_durably
from sfcutover.errors import ConfigError, GateError, OperationFailedError
from sfcutover.snapshot import Snapshot

MAX_EVIDENCE_BYTES = 1024 * 1024
Proof = Literal["login-history", "proxy-per-address", "confidence"]


class AddressEvidence(Document):
    """One address. redeemed: redemptions known to have left by it, 0 where the kind of proof
    can't tell. seen_by_echo: requests that the echo saw from it."""

    address: str
    redeemed: int
    seen_by_echo: int


class Evidence(Document):
    """One verification against one target. Times are UTC, ISO 8601.

    lists: SHA-256 of each carrier's live list when it was proven; the evidence is stale
    as soon as one differs. uncertain: what the kind of proof leaves open, in sentences.
    """

    target: str
    app: str
    instance_url: str
    via: Literal["old", "new"]
    proof: Proof
    redemptions: int
    confidence: float
    lists: dict[str, str]
    started: datetime
    last_proof: datetime
    addresses: list[AddressEvidence]
    uncertain: list[str]


class EvidenceFile(Document):
    """What ``verify`` writes: the evidence of every target of one cutover."""

    schema_: Literal["sfcutover/evidence/1"] = Field("sfcutover/evidence/1", alias="schema")
    cutover: str
    targets: list[Evidence]


def list_hashes(live: Snapshot) -> dict[str, str]:
    """SHA-256 of each carrier's list by path: its ranges, whatever their order and description."""
    return {
        component.path: hashlib.sha256(
            "\n".join(sorted(map(str, component.allowlist))).encode()
        ).hexdigest()
        for component in live.carriers
    }


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
    """Read an evidence file. Raises ConfigError if it is none."""
    try:
        if path.stat().st_size > MAX_EVIDENCE_BYTES:
            raise ConfigError("the file is too large", where=str(path), hint="check --evidence")
        return EvidenceFile.model_validate_json(path.read_bytes())
    except OSError as error:
        raise ConfigError(
            f"can't be read: {error.strerror}", where=str(path), hint="check --evidence"
        ) from error
    except ValidationError as error:
        first = error.errors()[0]
        raise ConfigError(
            f"not evidence of this version: {'.'.join(map(str, first['loc']))} {first['msg']}",
            where=str(path),
            hint="make it anew: sfcutover verify --out FILE",
        ) from error


def check_evidence(
    evidence: Evidence, *, instance_url: str, via: str, live: Snapshot, max_age: timedelta
) -> None:
    """Raise GateError unless the evidence is for this org and its live list, and fresh."""
    age = datetime.now(UTC) - evidence.last_proof
    reasons = {
        f"it is for the org {evidence.instance_url}": evidence.instance_url != instance_url,
        f"it proves the {evidence.via} egress": evidence.via != via,
        "the live list has changed since": evidence.lists != list_hashes(live),
        f"it is older than {max_age}": age > max_age,
        "it is from the future; check the clocks": age < -_CLOCK_SKEW,
    }
    for reason, applies in reasons.items():
        if applies:
            raise GateError(
                f"the evidence does not count: {reason}", hint="verify again: sfcutover verify"
            )


_CLOCK_SKEW = timedelta(minutes=1)
