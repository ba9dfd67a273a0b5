"""What SOQL shows of the allowlists: the audit trail, and the entries as sObjects."""

from __future__ import annotations

from datetime import datetime

import pytest
import requests

from sfcutover.emulator import Edit, Emulator, Scenario
from tests.integration.emulator.client import Client
from tests.support import SECURITY, SECURITY_NAME, SECURITY_PATH

Org = tuple[Emulator, Client]

TRAIL = "SELECT Id, Section, Display, CreatedDate, CreatedBy.Name FROM SetupAuditTrail"
SETTINGS = "SELECT Id, DeveloperName, LastModifiedBy.Name FROM ExtlClntAppOauthSecuritySettings"
RANGES = (
    "SELECT StartIpAddress, Description, ExtlClntAppOauthSecurityId, LastModifiedBy.Name, "
    "LastModifiedDate FROM ExtlClntAppOauthSecurityTokenIpRange"
)
ADD = {"range": "192.0.2.200", "description": "billing system"}


def query(emulator: Emulator, soql: str) -> requests.Response:
    return requests.get(
        f"{emulator.url}/services/data/v67.0/query",
        params={"q": soql},
        headers={"Authorization": f"Bearer {emulator.environment['SF_ACCESS_TOKEN']}"},
        timeout=10,
    )


def rows(emulator: Emulator, soql: str) -> list[dict[str, object]]:
    found: list[dict[str, object]] = query(emulator, soql).json()["records"]
    return found


def user_of(row: dict[str, object], field: str) -> object:
    related = row[field]
    assert isinstance(related, dict)
    return related["Name"]


def test_a_save_is_in_the_audit_trail_with_user_and_whole_seconds() -> None:
    with Emulator(tls=False) as emulator:
        assert rows(emulator, TRAIL) == []
        emulator.set_edit(Edit.model_validate({"add": [ADD]}))
        (row,) = rows(emulator, TRAIL)
        assert user_of(row, "CreatedBy") == "Casey Colleague"
        assert "Acme_Connector" in str(row["Display"])
        assert datetime.fromisoformat(str(row["CreatedDate"])).microsecond == 0
        assert rows(emulator, TRAIL)[0]["Id"] == row["Id"]


def test_an_entry_keeps_its_date_and_user_while_others_change() -> None:
    with Emulator(tls=False) as emulator:
        before = {str(each["StartIpAddress"]): each for each in rows(emulator, RANGES)}
        emulator.set_edit(Edit.model_validate({"add": [ADD]}))
        after = {str(each["StartIpAddress"]): each for each in rows(emulator, RANGES)}
        assert after.keys() - before.keys() == {"192.0.2.200"}
        assert {name: after[name] for name in before} == before
        new = after["192.0.2.200"]
        assert user_of(new, "LastModifiedBy") == "Casey Colleague"
        assert new["Description"] == "billing system"


def test_the_settings_are_a_record_of_the_component() -> None:
    with Emulator(tls=False) as emulator:
        (row,) = rows(emulator, SETTINGS)
        (stored,) = (each for each in emulator.components if each.metadata_type == SECURITY)
        assert (row["Id"], row["DeveloperName"]) == (stored.id, SECURITY_NAME)
        assert {each["ExtlClntAppOauthSecurityId"] for each in rows(emulator, RANGES)} == {
            stored.id
        }


@pytest.mark.parametrize(
    ("setting", "soql"),
    [("setup_audit_trail", TRAIL), ("allowlist_query", SETTINGS), ("allowlist_query", RANGES)],
)
def test_an_org_can_hide_the_records(setting: str, soql: str) -> None:
    with Emulator(Scenario.model_validate({setting: False}), tls=False) as emulator:
        answer = query(emulator, soql)
        assert (answer.status_code, answer.json()[0]["errorCode"]) == (400, "INVALID_TYPE")


def test_an_edit_after_a_retrieve_makes_the_records_differ_from_the_file(org: Org) -> None:
    emulator, client = org
    emulator.set_edit(Edit.model_validate({"of": "retrieve", "when": "after", "add": [ADD]}))
    assert b"192.0.2.200" not in client.retrieved({SECURITY: ["*"]})[SECURITY_PATH]
    assert "192.0.2.200" in {each["StartIpAddress"] for each in rows(emulator, RANGES)}


def test_a_component_set_by_a_test_is_visible_in_both(org: Org) -> None:
    emulator, client = org
    xml = emulator.component_xml(SECURITY, SECURITY_NAME).replace(b"127.0.0.11", b"192.0.2.201")
    emulator.put_component(SECURITY, SECURITY_NAME, xml)
    assert "192.0.2.201" in {each["StartIpAddress"] for each in rows(emulator, RANGES)}
    assert client.retrieved({SECURITY: ["*"]})[SECURITY_PATH].count(b"192.0.2.201") == 2
