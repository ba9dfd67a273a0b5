"""Deployments over REST: the deployRequest resource."""

from __future__ import annotations

import json
from typing import Any

import pytest
import requests

from sfcutover.emulator import Emulator, Fault
from tests.integration.emulator.client import (
    SECURITY,
    SECURITY_NAME,
    Client,
    security_package,
    security_xml,
)
from tests.integration.emulator.conftest import StartOrg

Org = tuple[Emulator, Client]
RESOURCE = "/services/data/v67.0/metadata/deployRequest"
OPTIONS = {"rollbackOnError": True, "singlePackage": True}


def send(client: Client, method: str, path: str = "", **more: Any) -> requests.Response:
    headers = {"Authorization": f"Bearer {client.token}"}
    url = f"{client.url}{RESOURCE}{path}"
    return client.http.request(method, url, headers=headers, timeout=10, **more)


def deploy(client: Client, package: bytes, part: str = "json", **options: object) -> Any:
    """Deploy a zip in a form; return the answer."""
    asked = json.dumps({"deployOptions": OPTIONS | options})
    files = {part: (None, asked, "application/json"), "file": ("a.zip", package, "application/zip")}
    answer = send(client, "POST", files=files)
    assert answer.status_code == 201, answer.text
    return answer.json()


@pytest.mark.parametrize("part", ["json", "entity_content"])
def test_a_form_is_deployed(org: Org, part: str) -> None:
    emulator, client = org
    started = deploy(client, security_package(security_xml("127.0.0.21")), part)
    assert started["deployOptions"] == OPTIONS
    assert started["deployResult"]["id"] == started["id"]
    assert client.get(started["url"].removeprefix(emulator.url)).json()["id"] == started["id"]
    result = send(client, "GET", f"/{started['id']}").json()["deployResult"]
    assert (result["status"], result["success"], result["done"]) == ("Succeeded", True, True)
    assert b"127.0.0.21" in emulator.component_xml(SECURITY, SECURITY_NAME)


def test_details_are_in_lists(org: Org) -> None:
    _, client = org
    started = deploy(client, security_package(security_xml("127.0.0.21", app="Nobody")))
    answer = send(client, "GET", f"/{started['id']}?includeDetails=true").json()
    details = answer["deployResult"]["details"]
    assert [one["fullName"] for one in details["componentFailures"]] == [SECURITY_NAME]
    assert [one["fullName"] for one in details["componentSuccesses"]] == ["package.xml"]
    short = send(client, "GET", f"/{started['id']}").json()["deployResult"]
    assert short["details"] == {"componentFailures": [], "componentSuccesses": []}


def test_a_validation_is_deployed_quickly(org: Org) -> None:
    emulator, client = org
    package = security_package(security_xml("127.0.0.21"))
    validation = deploy(client, package, checkOnly=True, testLevel="RunLocalTests")["id"]
    assert b"127.0.0.21" not in emulator.component_xml(SECURITY, SECURITY_NAME)
    answer = send(client, "POST", json={"validatedDeployRequestId": validation})
    assert (answer.status_code, answer.json()["validatedDeployRequestId"]) == (201, validation)
    assert answer.json()["id"] != validation
    assert b"127.0.0.21" in emulator.component_xml(SECURITY, SECURITY_NAME)


def test_a_deployment_is_canceled(start_org: StartOrg) -> None:
    _, client = start_org(deploy_seconds=60)
    started = deploy(client, security_package())["id"]
    canceling = {"deployResult": {"status": "Canceling"}}
    answer = send(client, "PATCH", f"/{started}", json=canceling)
    assert (answer.status_code, answer.json()["deployResult"]["status"]) == (202, "Canceled")
    assert send(client, "PATCH", f"/{started}", json=canceling).status_code == 400


def test_a_deployment_is_the_same_over_both_apis(org: Org) -> None:
    emulator, client = org
    over_soap, over_rest = client.deploy(security_package()), deploy(client, security_package())
    assert client.status(over_rest["id"]).text("status") == "Succeeded"
    answer = send(client, "GET", f"/{over_soap[:15]}").json()
    assert (answer["id"], answer["deployResult"]["status"]) == (over_soap, "Succeeded")
    logged = [one for one in emulator.log if one["operation"] == "deploy"]
    assert [(one["kind"], one["deployment"]) for one in logged] == [
        ("soap", over_soap),
        ("rest", over_rest["id"]),
    ]


def test_deployment_faults_occur_over_rest(org: Org) -> None:
    emulator, client = org
    emulator.set_fault(Fault(kind="failed", operation="deploy", code="UNKNOWN_EXCEPTION"))
    started = deploy(client, security_package())["id"]
    result = send(client, "GET", f"/{started}").json()["deployResult"]
    assert (result["status"], result["errorStatusCode"]) == ("Failed", "UNKNOWN_EXCEPTION")
    emulator.set_fault(Fault(kind="org_locked", operation="checkDeployStatus"))
    answer = send(client, "GET", f"/{started}")
    assert (answer.status_code, answer.json()[0]["errorCode"]) == (400, "ORG_LOCKED")


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"files": {"json": (None, "{}")}}, "MISSING_ARGUMENT"),
        ({"files": {"json": (None, "[]"), "file": ("a.zip", b"")}}, "JSON_PARSER_ERROR"),
        ({"files": {"json": (None, "{" * 9999), "file": ("a.zip", b"")}}, "JSON_PARSER_ERROR"),
        ({"json": {"validatedDeployRequestId": "0Af"}}, "INVALID_CROSS_REFERENCE_KEY"),
        ({"json": ["0Af"]}, "JSON_PARSER_ERROR"),
    ],
)
def test_other_requests_are_refused(org: Org, more: dict[str, Any], code: str) -> None:
    _, client = org
    answer = send(client, "POST", **more)
    assert (answer.status_code, answer.json()[0]["errorCode"]) == (400, code)


def test_only_canceling_can_be_requested(org: Org) -> None:
    _, client = org
    started = deploy(client, security_package())["id"]
    answer = send(client, "PATCH", f"/{started}", json={"deployResult": {"status": "Succeeded"}})
    assert answer.status_code == 400


def test_a_user_without_metadata_access_cannot_deploy(start_org: StartOrg) -> None:
    _, client = start_org(can_modify_metadata=False)
    answer = send(client, "POST", files={"file": ("a.zip", security_package())})
    assert (answer.status_code, answer.json()[0]["errorCode"]) == (403, "INSUFFICIENT_ACCESS")
    client.token = "00D!nobody"
    assert send(client, "GET", "/0Af").status_code == 401
