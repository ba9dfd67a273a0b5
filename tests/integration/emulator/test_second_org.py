"""A second org at the same URL."""

from __future__ import annotations

import pytest

from sfcutover.emulator import Emulator, Fault
from tests.integration.emulator.client import (
    SECURITY,
    SECURITY_NAME,
    Client,
    FaultAnswer,
    security_package,
)
from tests.integration.emulator.conftest import StartOrg
from tests.integration.emulator.traffic import new_proxy, redeem

Org = tuple[Emulator, Client]
IDENTITY = ("SF_ACCESS_TOKEN", "SF_CLIENT_ID", "SF_CLIENT_SECRET", "SF_REFRESH_TOKEN")


def second(emulator: Emulator, client: Client) -> dict[str, str]:
    """Have the second org answer, and log in there."""
    emulator.use_org(2)
    client.token = emulator.environment["SF_ACCESS_TOKEN"]
    return emulator.environment


def organization(client: Client) -> dict[str, str]:
    query = "SELECT Id, Name FROM Organization"
    answer = client.get(f"/services/data/v67.0/query?q={query}").json()
    record: dict[str, str] = answer["records"][0]
    return record


def test_the_second_org_has_another_id_and_user_at_the_same_url(org: Org) -> None:
    emulator, client = org
    first, before = organization(client), emulator.environment
    users = client.get("/services/oauth2/userinfo").json()
    after = second(emulator, client)
    assert after["SFCUTOVER_INSTANCE_URL"] == before["SFCUTOVER_INSTANCE_URL"]
    assert after["SFCUTOVER_NEW_PROXY_URL"] == before["SFCUTOVER_NEW_PROXY_URL"]
    assert not [name for name in IDENTITY if after[name] == before[name]]
    assert organization(client)["Id"] != first["Id"]
    assert organization(client)["Name"] == "Beta Packaging"
    other = client.get("/services/oauth2/userinfo").json()
    assert other["organization_id"] == organization(client)["Id"]
    assert other["user_id"] != users["user_id"]
    assert other["username"] == "release@beta.example"
    emulator.use_org(1)
    assert emulator.environment == before


def test_sessions_and_grants_of_one_org_are_unknown_to_the_other(org: Org) -> None:
    emulator, client = org
    before = emulator.environment
    emulator.use_org(2)
    with pytest.raises(FaultAnswer, match="INVALID_SESSION_ID"):
        client.call("describeMetadata")
    answer = redeem(emulator, before["SF_REFRESH_TOKEN"])
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")
    assert redeem(emulator).json()["id"].split("/")[-2][:15] == emulator.organization_id[:15]
    assert [one.result for one in emulator.redemptions] == ["token_dead", "redeemed"]
    emulator.use_org(1)
    assert emulator.redemptions == []
    assert redeem(emulator, before["SF_REFRESH_TOKEN"]).status_code == 200


def test_components_and_history_are_separate(org: Org) -> None:
    emulator, client = org
    before = {one.id for one in emulator.components}
    second(emulator, client)
    assert not before & {one.id for one in emulator.components}
    client.deployed(security_package())
    assert redeem(emulator, proxy=new_proxy(emulator)).status_code == 200
    query = "/services/data/v67.0/query?q=SELECT Id FROM LoginHistory"
    assert client.get(query).json()["totalSize"] == 1
    emulator.use_org(1)
    assert emulator.deployments == []
    assert b"127.0.0.21" not in emulator.component_xml(SECURITY, SECURITY_NAME)


def test_the_scenario_defines_the_differences(start_org: StartOrg) -> None:
    emulator, client = start_org(
        app="Mine", deploy_seconds=4, second_org={"org_name": "Other", "deploy_seconds": 0}
    )
    second(emulator, client)
    assert organization(client)["Name"] == "Other"
    assert emulator.component_xml(SECURITY, "Mine_oauthSecurity")


def test_faults_affect_the_org_that_answers(org: Org) -> None:
    emulator, client = org
    emulator.set_fault(Fault(kind="http_503", operation="versions"))
    emulator.use_org(2)
    assert client.get("/services/data").status_code == 503
    assert emulator.log[-1]["fault"] == "http_503"


def test_there_are_at_most_two_orgs(org: Org) -> None:
    emulator, _ = org
    with pytest.raises(ValueError, match="not 3"):
        emulator.use_org(3)
    assert emulator.org_number == 1
