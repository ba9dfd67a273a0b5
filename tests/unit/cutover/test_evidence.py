"""The evidence file: written evidence is read again, and nothing else is accepted."""

from __future__ import annotations

import json
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest

from sfcutover.allowlist.snapshot import Snapshot
from sfcutover.cutover.evidence import (
    MAX_EVIDENCE_BYTES,
    EvidenceFile,
    ProvenList,
    Wanted,
    check_evidence,
    read_evidence,
    write_evidence,
)
from sfcutover.errors import ConfigError, GateError, LimitError, OperationFailedError
from sfcutover.util.serverclock import ServerTime
from tests.unit.cutover.proven import NEW, NOON, ORG, canary_evidence, evidence

EVIDENCE = EvidenceFile(
    cutover="move",
    targets=[
        evidence().model_copy(
            update={
                "lists": {"path": ProvenList(sha256="hash", last_modified=NOON)},
                "uncertain": ["something"],
            }
        )
    ],
)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "evidence.json"
    write_evidence(EVIDENCE, path)
    return path


def test_written_evidence_is_read(file: Path) -> None:
    assert read_evidence(file) == EVIDENCE
    assert json.loads(file.read_text())["schema"] == "sfcutover/evidence/1"


@pytest.mark.parametrize(
    "change",
    [
        {"schema": "sfcutover/evidence/2"},
        {"targets": [{"target": "packaging"}]},
        {"targets": None},
        {"another": "key"},
    ],
)
def test_another_document_is_refused(change: dict[str, object], file: Path) -> None:
    file.write_text(json.dumps(json.loads(file.read_text()) | change))
    with pytest.raises(ConfigError, match="not an evidence file of this version"):
        read_evidence(file)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("canaries.0.last_proof", "2026-11-23T12:00:00"),
        ("canaries.0.last_proof", "yesterday"),
        ("canaries.0.proof", "trust me"),
        ("canaries", []),
        ("via", "neither"),
        ("canaries.0.redemptions", "many"),
        ("skipped", True),
    ],
)
def test_an_invalid_value_is_refused(key: str, value: object, file: Path) -> None:
    document = json.loads(file.read_text())
    *path, last = key.split(".")
    place = document["targets"][0]
    for each in path:
        place = place[int(each) if each.isdigit() else each]
    place[last] = value
    file.write_text(json.dumps(document))
    with pytest.raises(ConfigError, match=f"targets.0.{key}"):
        read_evidence(file)


@pytest.mark.parametrize("content", [b"", b"no json", b"\xff\xfe\x00", b"[" * 100000, b"[]"])
def test_a_file_that_is_not_json_is_refused(content: bytes, file: Path) -> None:
    file.write_bytes(content)
    with pytest.raises(ConfigError, match="not an evidence file"):
        read_evidence(file)


def test_a_huge_file_is_refused(file: Path) -> None:
    file.write_bytes(b" " * (MAX_EVIDENCE_BYTES + 1))
    with pytest.raises(LimitError, match="larger than 1,048,576 bytes"):
        read_evidence(file)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none.json"):
        with pytest.raises(ConfigError, match="cannot be read"):
            read_evidence(path)


def test_an_unwritable_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(OperationFailedError, match="the evidence was not written"):
        write_evidence(EVIDENCE, tmp_path / "no" / "such" / "folder.json")


def test_each_canary_that_proves_by_many_successes_needs_enough_of_them() -> None:
    wanted = Wanted(
        "Acme_Connector",
        ORG,
        "new",
        addresses=tuple(map(ip_address, NEW)),
        canaries=("first", "second"),
        confidence=0.999999,
        max_age=timedelta(hours=24),
    )

    def check(*redemptions: int) -> None:
        canaries = [
            canary_evidence().model_copy(
                update={"canary": name, "proof": "confidence", "redemptions": count}
            )
            for name, count in zip(wanted.canaries, redemptions, strict=True)
        ]
        check_evidence(evidence(*canaries), wanted, Snapshot(()), ServerTime.around(NOON, 0.0))

    check(100, 100)
    for few in ((1, 100), (100, 1)):
        with pytest.raises(GateError, match=r"is too short for 0\.999999"):
            check(*few)
