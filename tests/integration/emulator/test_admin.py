"""The admin endpoint: who may use it, and what it does."""

from __future__ import annotations

import pytest
import requests

from sfcutover.emulator import Emulator
from tests.integration.emulator.client import (
    SECURITY,
    SECURITY_NAME,
    Client,
    admin_headers,
    security_package,
)
from tests.integration.emulator.traffic import redeem, send

Org = tuple[Emulator, Client]


def ask(emulator: Emulator, **headers: str) -> requests.Response:
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    return requests.get(
        f"{emulator.url}/emulator/faults", headers=admin_headers(emulator) | given, timeout=10
    )


@pytest.mark.parametrize("authorization", ["", "Bearer", "Bearer wrong", "Basic {token}"])
def test_admin_requires_the_token_of_the_env_file(org: Org, authorization: str) -> None:
    emulator, client = org
    header = authorization.format(token=emulator.environment["SFCUTOVER_ADMIN_TOKEN"])
    answer = ask(emulator, Authorization=header)
    assert answer.status_code == 401
    assert "SFCUTOVER_ADMIN_TOKEN" in answer.json()["error"]
    session = f"Bearer {client.token}"
    body = {"name": "customer-1"}
    url = f"{emulator.url}/emulator/grants"
    refused = requests.post(url, json=body, headers={"Authorization": session}, timeout=10)
    assert refused.status_code == 401
    assert "refresh_token" not in refused.text


def test_no_web_page_can_use_the_admin_endpoint(org: Org) -> None:
    emulator, _ = org
    assert ask(emulator, Origin="https://page.example").status_code == 403
    assert ask(emulator, Origin="null").status_code == 403
    assert ask(emulator, Origin=emulator.url).status_code == 200


def test_a_foreign_host_name_that_resolves_to_this_machine_is_refused(org: Org) -> None:
    emulator, _ = org
    port = emulator.url.rpartition(":")[2]
    assert ask(emulator, Host=f"rebound.example:{port}").status_code == 403
    assert ask(emulator, Host="127.0.0.1").status_code == 403
    assert ask(emulator, Host=f"localhost:{port}").status_code == 200


def test_admin_works_over_tls() -> None:
    with Emulator() as emulator:
        url = f"{emulator.url}/emulator/org"
        answer = send(emulator, "GET", url, headers=admin_headers(emulator))
    assert answer.json()["number"] == 1


def test_admin_enables_and_disables_faults(org: Org) -> None:
    emulator, client = org
    body = {"kind": "http_503", "operation": "query", "count": None}
    assert client.admin(emulator, "POST", "faults", body)[0]["kind"] == "http_503"
    query = "/services/data/v67.0/query?q=SELECT Id FROM User"
    assert client.get(query).status_code == 503
    assert client.admin(emulator, "GET", "faults")[0]["kind"] == "http_503"
    assert client.admin(emulator, "DELETE", "faults") == []
    assert client.get(query).status_code == 200


@pytest.mark.parametrize(
    ("what", "body", "place"),
    [
        ("faults", {"kind": "slow", "colour": 1}, ["colour"]),
        ("edits", {"of": "earthquake"}, []),
        ("clock", {}, ["offset_seconds"]),
        ("org", {"number": "three"}, ["number"]),
    ],
)
def test_admin_names_what_is_wrong_with_a_request(
    org: Org, what: str, body: object, place: list[str]
) -> None:
    emulator, _ = org
    url = f"{emulator.url}/emulator/{what}"
    answer = requests.post(url, json=body, headers=admin_headers(emulator), timeout=10)
    assert answer.status_code == 400
    assert answer.json()["error"][0]["loc"] == place


@pytest.mark.parametrize(
    ("what", "body"),
    [
        ("org", {"number": 3}),
        ("support", {"ranges": ["300.1.1.1"]}),
        ("login-ranges", {"name": "canary", "ranges": ["here"]}),
        ("grants", {"colour": "red"}),
        ("grants", ["a list"]),
    ],
)
def test_admin_refuses_invalid_values(org: Org, what: str, body: object) -> None:
    emulator, _ = org
    url = f"{emulator.url}/emulator/{what}"
    answer = requests.post(url, json=body, headers=admin_headers(emulator), timeout=10)
    assert answer.status_code == 400
    assert answer.json()["error"]


def test_admin_shows_log_and_state(org: Org) -> None:
    emulator, client = org
    deployment = client.deploy(security_package())
    assert client.admin(emulator, "GET", "log")[-1]["deployment"] == deployment
    state = client.admin(emulator, "GET", "state")
    assert state["deployments"][0]["status"] == "Succeeded"
    assert {"type": SECURITY, "fullName": SECURITY_NAME}.items() <= next(
        one for one in state["components"] if one["type"] == SECURITY
    ).items()


@pytest.mark.parametrize(
    ("method", "what"),
    [("GET", "nonsense"), ("POST", "nonsense"), ("DELETE", "log"), ("PUT", "faults")],
)
def test_admin_refuses_unknown_paths(org: Org, method: str, what: str) -> None:
    emulator, _ = org
    url = f"{emulator.url}/emulator/{what}"
    answer = requests.request(method, url, headers=admin_headers(emulator), timeout=10)
    assert answer.status_code == 404


def test_admin_sets_clock_login_rule_and_edit(org: Org) -> None:
    emulator, client = org
    assert client.admin(emulator, "POST", "clock", {"offset_seconds": -300}) == {
        "offset_seconds": -300
    }
    rule = {"name": "canary", "ranges": ["192.0.2.0/24"]}
    assert client.admin(emulator, "POST", "login-ranges", rule) == rule
    assert redeem(emulator).json()["error_description"] == "ip restricted"
    client.admin(emulator, "POST", "login-ranges", {"name": "canary", "ranges": None})
    assert redeem(emulator).status_code == 200
    edit = {"of": "retrieve", "add": [{"range": "192.0.2.1"}]}
    assert client.admin(emulator, "POST", "edits", edit)[0]["of"] == "retrieve"
    assert client.admin(emulator, "GET", "edits")[0]["add"][0]["range"] == "192.0.2.1"


def test_admin_switches_to_another_org_and_returns_its_variables(org: Org) -> None:
    emulator, client = org
    before = client.admin(emulator, "GET", "org")
    client.admin(emulator, "POST", "org", {"number": 2})
    after = client.admin(emulator, "GET", "org")
    assert after["number"] == 2
    assert after["organization_id"] != before["organization_id"]
    values = client.admin(emulator, "GET", "environment")
    assert values == emulator.environment
