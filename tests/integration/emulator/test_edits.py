"""Edits: a colleague changes the allowlist at a configured moment."""

from __future__ import annotations

from typing import Any

import pytest

from sfcutover.emulator import Edit, Emulator
from tests.integration.emulator.client import (
    SECURITY,
    SECURITY_NAME,
    SECURITY_PATH,
    Client,
    Result,
    SteppedClock,
    security_package,
    security_xml,
)
from tests.integration.emulator.conftest import StartOrg
from tests.integration.emulator.traffic import redeem

Org = tuple[Emulator, Client]
PARTNER = {"range": "192.0.2.1", "description": "partner"}


def edit(**settings: object) -> Edit:
    return Edit.model_validate(settings)


def listed(emulator: Emulator) -> list[str]:
    text = emulator.component_xml(SECURITY, SECURITY_NAME).decode()
    return [part.partition("<")[0] for part in text.split("<startIpAddress>")[1:]]


def retrieved(client: Client) -> str:
    return client.retrieved({SECURITY: [SECURITY_NAME]})[SECURITY_PATH].decode()


def properties(client: Client) -> Result:
    (found,) = client.call("listMetadata", f"<queries><type>{SECURITY}</type></queries>")
    return found


def requests_of(client: Client) -> list[dict[str, Any]]:
    fields = "Id, Status, CreatedById, CreatedBy.Name"
    query = f"/services/data/v67.0/tooling/query?q=SELECT {fields} FROM DeployRequest"
    records: list[dict[str, Any]] = client.get(query).json()["records"]
    return records


def test_an_edit_adds_removes_and_describes_entries(org: Org) -> None:
    emulator, _ = org
    emulator.set_edit(
        edit(
            add=[PARTNER],
            remove=["127.0.0.11"],
            describe=[{"range": "127.0.0.12", "description": "one of ours"}],
        )
    )
    assert listed(emulator) == ["127.0.0.12", "192.0.2.64", "192.0.2.1"]
    text = emulator.component_xml(SECURITY, SECURITY_NAME).decode()
    assert "<description>partner</description>" in text
    assert "<description>one of ours</description>" in text
    emulator.set_edit(edit(describe=[{"range": "127.0.0.12"}], add=[{"range": "192.0.2.1"}]))
    text = emulator.component_xml(SECURITY, SECURITY_NAME).decode()
    assert "ours" not in text
    assert "partner" not in text


def test_an_edit_can_restore_a_former_state(org: Org) -> None:
    emulator, client = org
    first = listed(emulator)
    client.deployed(security_package())
    emulator.set_edit(edit(restore=0))
    assert listed(emulator) == first
    emulator.set_edit(edit(restore=-2))
    assert listed(emulator) == ["127.0.0.21"]


def test_an_edit_is_attributed_to_the_colleague(org: Org, clock: SteppedClock) -> None:
    emulator, client = org
    before = properties(client)
    clock.forward(60)
    emulator.set_edit(edit(add=[PARTNER]))
    after = properties(client)
    assert after.text("lastModifiedByName") == "Casey Colleague"
    assert after.text("lastModifiedById") != before.text("lastModifiedById")
    assert after.text("createdById") == before.text("createdById")
    assert after.text("lastModifiedDate") == "2026-11-23T12:01:00.000Z"
    user = client.get(f"/services/data/v67.0/sobjects/User/{after.text('lastModifiedById')}")
    assert user.json()["Name"] == "Casey Colleague"
    assert requests_of(client) == []


def test_an_edit_occurs_before_or_after_the_nth_retrieve(start_org: StartOrg) -> None:
    _, client = start_org(
        edits=[
            {"of": "retrieve", "nth": 2, "add": [PARTNER]},
            {"of": "retrieve", "nth": 4, "when": "before", "remove": ["192.0.2.1"]},
        ]
    )
    assert ["192.0.2.1<" in retrieved(client) for _ in range(4)] == [False, False, True, False]


def test_an_edit_occurs_between_the_read_and_the_commit_of_a_deployment(
    start_org: StartOrg, clock: SteppedClock
) -> None:
    emulator, client = start_org(deploy_seconds=10)
    emulator.set_edit(edit(of="deployment", when="before", nth=2, add=[PARTNER]))
    deployments = [client.deploy(security_package(security_xml(f"127.0.0.{n}"))) for n in (21, 22)]
    clock.forward(10)
    assert listed(emulator) == ["127.0.0.21"]
    clock.forward(10)
    assert client.status(deployments[1]).text("success") == "true"
    assert listed(emulator) == ["127.0.0.22"]  # a deploy replaces the list, the entry is lost
    assert emulator.edits == []
    states = [[str(one) for one in state.allowlist] for state in emulator.allowlist_history]
    assert states[-2] == ["127.0.0.21", "192.0.2.1"]


def test_an_edit_occurs_after_the_nth_deployment(org: Org) -> None:
    emulator, client = org
    emulator.set_edit(edit(of="deployment", add=[PARTNER]))
    client.deployed(security_package(), checkOnly="true")  # a validation commits nothing
    assert "192.0.2.1" not in listed(emulator)
    client.deployed(security_package())
    assert listed(emulator) == ["127.0.0.21", "192.0.2.1"]


def test_an_edit_occurs_at_the_nth_redemption(org: Org) -> None:
    emulator, _ = org
    emulator.set_edit(edit(of="redeem", nth=2, when="before", remove=["127.0.0.12"]))
    assert [redeem(emulator).status_code for _ in range(3)] == [200, 400, 200]


def test_an_edit_occurs_at_any_other_operation(org: Org) -> None:
    emulator, client = org
    emulator.set_edit(edit(of="listMetadata", when="after", add=[PARTNER]))
    assert properties(client).text("lastModifiedByName") == "Release Engineer"
    assert properties(client).text("lastModifiedByName") == "Casey Colleague"


def test_an_edit_follows_what_was_already_committed(
    start_org: StartOrg, clock: SteppedClock
) -> None:
    emulator, client = start_org(deploy_seconds=10)
    emulator.set_edit(edit(of="checkDeployStatus", when="before", add=[PARTNER]))
    deployment = client.deploy(security_package())
    clock.forward(20)
    client.status(deployment)
    assert listed(emulator) == ["127.0.0.21", "192.0.2.1"]


def test_an_edit_by_deployment_leaves_a_deployment_record(org: Org) -> None:
    emulator, client = org
    emulator.set_edit(edit(of="deployment", when="before", by="deploy", add=[PARTNER]))
    own = client.deploy(security_package())
    client.status(own)
    foreign = next(one for one in requests_of(client) if one["Id"] != own)
    assert (foreign["Status"], foreign["CreatedBy"]["Name"]) == ("Succeeded", "Casey Colleague")
    result = client.status(foreign["Id"])
    assert result.text("createdByName") == "Casey Colleague"
    assert SECURITY_NAME in result.texts("details/componentSuccesses/fullName")
    assert listed(emulator) == ["127.0.0.21"]


def test_the_deployment_of_a_colleague_can_be_pending(org: Org, clock: SteppedClock) -> None:
    emulator, client = org
    emulator.set_edit(edit(by="deploy", seconds=10, add=[PARTNER]))
    own = client.deploy(security_package())
    assert client.status(own).text("status") == "Pending"
    assert {one["Status"] for one in requests_of(client)} == {"Pending"}
    assert "192.0.2.1" not in listed(emulator)
    clock.forward(10)
    assert client.status(own).text("status") == "Succeeded"
    states = [[str(one) for one in state.allowlist][-1] for state in emulator.allowlist_history]
    assert states[1:] == ["192.0.2.1", "127.0.0.21"]


def test_an_unknown_component_is_named(org: Org) -> None:
    emulator, _ = org
    with pytest.raises(ValueError, match="Nothing"):
        emulator.set_edit(edit(full_name="Nothing"))
    with pytest.raises(ValueError, match="Nothing"):
        emulator.set_edit(edit(full_name="Nothing", of="retrieve"))
