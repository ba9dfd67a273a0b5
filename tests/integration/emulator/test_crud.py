"""The CRUD-based calls: components read and saved without a zip."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from sfcutover.emulator import Emulator
from tests.integration.emulator.client import (
    SECURITY,
    SECURITY_NAME,
    XSI,
    Client,
    FaultAnswer,
    Result,
)

Org = tuple[Emulator, Client]
CHANGED = (
    "<externalClientApplication>Acme_Connector</externalClientApplication>"
    "<tokenIpRanges><endIpAddress>127.0.0.21</endIpAddress>"
    "<startIpAddress>127.0.0.21</startIpAddress></tokenIpRanges>"
)


def named(metadata_type: str, *names: str) -> str:
    full_names = "".join(f"<fullNames>{name}</fullNames>" for name in names)
    return f"<type>{metadata_type}</type>{full_names}"


def record(name: str, inside: str = CHANGED, kind: str = SECURITY) -> str:
    head = f'<metadata xmlns:xsi="{XSI}" xsi:type="{kind}">'
    return f"{head}<fullName>{name}</fullName>{inside}</metadata>"


def save(client: Client, operation: str, *records: str) -> list[Result]:
    return client.call(operation, "".join(records))


def outcomes(results: Sequence[Result]) -> list[tuple[str | None, str | None]]:
    return [(one.text("success"), one.text("errors/statusCode")) for one in results]


def test_components_are_read_in_the_requested_order(org: Org) -> None:
    emulator, client = org
    (result,) = client.call("readMetadata", named(SECURITY, "Nobody", SECURITY_NAME))
    absent, present = result.all("records")
    assert result.is_nil("records")
    assert absent.names() == []
    assert (present.type, present.text("fullName")) == (SECURITY, SECURITY_NAME)
    assert present.texts("tokenIpRanges/startIpAddress")[0] == "127.0.0.11"
    text = emulator.component_xml(SECURITY, SECURITY_NAME).decode()
    assert text.count("<tokenIpRanges>") == len(present.all("tokenIpRanges"))


def test_a_component_is_updated_immediately(org: Org) -> None:
    emulator, client = org
    results = save(client, "updateMetadata", record(SECURITY_NAME))
    assert outcomes(results) == [("true", None)]
    text = emulator.component_xml(SECURITY, SECURITY_NAME)
    assert text.count(b"<tokenIpRanges>") == 1
    assert b"fullName" not in text
    assert [str(one) for one in emulator.allowlist_history[-1].allowlist] == ["127.0.0.21"]


def test_each_component_has_its_own_result(org: Org) -> None:
    _, client = org
    wrong = CHANGED.replace(">Acme_Connector<", ">Nobody<")
    results = save(
        client,
        "updateMetadata",
        *(record("Nobody"), record(SECURITY_NAME, wrong), record(SECURITY_NAME, "<nonsense/>")),
        record(SECURITY_NAME),
    )
    assert outcomes(results) == [
        ("false", "INVALID_CROSS_REFERENCE_KEY"),
        ("false", "INVALID_CROSS_REFERENCE_KEY"),
        ("false", "FIELD_INTEGRITY_EXCEPTION"),
        ("true", None),
    ]


def test_components_are_created_upserted_and_deleted(org: Org) -> None:
    emulator, client = org
    assert outcomes(save(client, "createMetadata", record("Other"))) == [("true", None)]
    again = save(client, "createMetadata", record("Other"))
    assert outcomes(again) == [("false", "DUPLICATE_DEVELOPER_NAME")]
    results = save(client, "upsertMetadata", record("Other"), record("Third"))
    assert [one.text("created") for one in results] == ["false", "true"]
    deleted = client.call("deleteMetadata", named(SECURITY, "Other", "Third", "Nobody"))
    assert [one.text("success") for one in deleted] == ["true", "true", "false"]
    assert [one.full_name for one in emulator.components if one.metadata_type == SECURITY] == [
        SECURITY_NAME
    ]


def test_a_call_takes_up_to_ten_records_of_a_known_type(org: Org) -> None:
    _, client = org
    with pytest.raises(FaultAnswer, match="EXCEEDED_ID_LIMIT"):
        client.call("readMetadata", named(SECURITY, *"abcdefghijk"))
    with pytest.raises(FaultAnswer, match="INVALID_TYPE"):
        client.call("readMetadata", named("Nonsense", "a"))
    client.version = "66.0"
    with pytest.raises(FaultAnswer, match="INVALID_TYPE"):
        save(client, "updateMetadata", record(SECURITY_NAME))
