"""Temporary conditions, in every spelling, as many times as configured."""

from __future__ import annotations

import pytest

from sfcutover.emulator import Emulator, Fault
from tests.integration.emulator.client import (
    SECURITY,
    SECURITY_NAME,
    Client,
    FaultAnswer,
    problems,
    security_package,
)
from tests.integration.emulator.conftest import StartOrg
from tests.integration.emulator.traffic import new_proxy, redeem

Org = tuple[Emulator, Client]
CODES = (
    *("LIMIT_EXCEEDED", "ORG_LOCKED", "REQUEST_LIMIT_EXCEEDED", "REQUEST_RUNNING_TOO_LONG"),
    *("SERVER_UNAVAILABLE", "UNABLE_TO_LOCK_ROW", "UNKNOWN_EXCEPTION"),
)


def call(client: Client, operation: str, job: str) -> None:
    if operation == "deploy":
        client.deploy(security_package())
    elif operation == "retrieve":
        client.retrieve({SECURITY: [SECURITY_NAME]})
    elif operation == "listMetadata":
        client.call(operation, f"<queries><type>{SECURITY}</type></queries>")
    else:
        client.call(operation, f"<asyncProcessId>{job}</asyncProcessId>")


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize(
    "operation",
    [
        *("deploy", "checkDeployStatus", "retrieve", "checkRetrieveStatus"),
        *("listMetadata", "describeMetadata"),
    ],
)
def test_a_soap_fault_occurs_at_any_operation(org: Org, operation: str, code: str) -> None:
    emulator, client = org
    job = {
        "checkDeployStatus": client.deploy(security_package()),
        "checkRetrieveStatus": client.retrieve({SECURITY: [SECURITY_NAME]}),
    }.get(operation, "")
    sent = len(emulator.deployments)
    emulator.set_fault(Fault(kind="refuse", operation=operation, code=code, count=2))
    for _ in range(2):
        with pytest.raises(FaultAnswer) as caught:
            call(client, operation, job)
        assert caught.value.code == f"sf:{code}"
        assert f"{code}: " in str(caught.value)
    assert len(emulator.deployments) == sent
    call(client, operation, job)


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("REQUEST_LIMIT_EXCEEDED", 403),
        ("SERVER_UNAVAILABLE", 503),
        ("UNABLE_TO_LOCK_ROW", 400),
        ("UNKNOWN_EXCEPTION", 500),
    ],
)
def test_a_rest_error_occurs_at_a_query(org: Org, code: str, status: int) -> None:
    emulator, client = org
    emulator.set_fault(Fault(kind="refuse", operation="query", code=code, message="not now"))
    query = "/services/data/v67.0/query?q=SELECT Id FROM User"
    answer = client.get(query)
    assert (answer.status_code, answer.json()) == (
        status,
        [{"message": "not now", "errorCode": code}],
    )
    assert client.get(query).ok


def test_the_token_endpoint_requests_a_retry(org: Org) -> None:
    emulator, _ = org
    expected = {"error": "unknown_error", "error_description": "retry your request"}
    emulator.set_fault(Fault(kind="refuse", operation="redeem", code="unknown_error"))
    assert redeem(emulator).json() == expected
    emulator.set_fault(Fault(kind="retry_request"))
    assert redeem(emulator).json() == expected
    assert redeem(emulator).ok


@pytest.mark.parametrize(
    ("code", "part"),
    [
        ("ALREADY_IN_PROCESS", "already been locked by another change"),
        ("UNKNOWN_EXCEPTION", "include this ErrorId"),
        ("ORG_LOCKED", "locked by another"),
    ],
)
def test_a_deployment_fails_as_a_whole(org: Org, code: str, part: str) -> None:
    emulator, client = org
    before = emulator.component_xml(SECURITY, SECURITY_NAME)
    emulator.set_fault(Fault(kind="failed", code=code))
    result = client.deployed(security_package())
    assert (result.text("status"), result.text("success")) == ("Failed", "false")
    assert result.text("errorStatusCode") == code
    assert part in (result.text("errorMessage") or "")
    assert problems(result) == []
    assert emulator.component_xml(SECURITY, SECURITY_NAME) == before
    assert client.deployed(security_package()).text("success") == "true"


def test_a_deployment_fails_with_its_component(org: Org) -> None:
    emulator, client = org
    emulator.set_fault(Fault(kind="failed", message="admin operation already in progress"))
    result = client.deployed(security_package())
    assert result.text("status") == "Failed"
    assert result.text("errorStatusCode") is None
    assert problems(result) == ["admin operation already in progress"]


def test_other_protocols_are_not_affected(org: Org) -> None:
    emulator, client = org
    emulator.set_fault(Fault(kind="org_locked"))
    assert client.get("/services/data/v67.0/query?q=SELECT Id FROM User").ok
    with pytest.raises(FaultAnswer, match="ORG_LOCKED"):
        client.call("describeMetadata")


def test_the_allowlist_and_a_rule_of_the_user_give_different_errors(start_org: StartOrg) -> None:
    emulator, client = start_org(login_ranges={"canary": ["127.0.0.11"]})
    assert redeem(emulator).status_code == 200
    assert redeem(emulator).json()["error_description"] == "ip restricted"  # by 127.0.0.12
    listed = redeem(emulator, proxy=new_proxy(emulator)).json()["error_description"]
    assert listed == "ip restricted by app developer"
    (_, name) = next(iter(emulator.customer_tokens))
    assert [redeem(emulator, name).status_code for _ in range(1)] == [200]
    results = [one.result for one in emulator.redemptions]
    assert results == ["redeemed", "blocked_by_user_rule", "blocked", "redeemed"]
    query = "/services/data/v67.0/query?q=SELECT Status FROM LoginHistory"
    statuses = [one["Status"] for one in client.get(query).json()["records"]]
    assert statuses == ["Success", "Restricted IP", "Restricted IP", "Success"]


def test_the_rule_can_be_changed_and_its_spelling_set(start_org: StartOrg) -> None:
    emulator, _ = start_org(
        block_description="not on the list", login_block_description="login hours"
    )
    assert redeem(emulator, proxy=new_proxy(emulator)).json()["error_description"] == (
        "not on the list"
    )
    emulator.set_login_ranges("canary", ["192.0.2.0/24"])
    assert redeem(emulator).json()["error_description"] == "login hours"
    emulator.set_login_ranges("canary", None)
    assert redeem(emulator).status_code == 200
