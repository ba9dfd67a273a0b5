"""Customers' orgs: their own users, logins and address, and the owner's allowlist."""

from __future__ import annotations

from contextlib import closing
from urllib.parse import quote

import pytest
import requests

from sfcutover.emulator import CustomerOrg, Edit, Emulator, Scenario
from tests.integration.emulator.client import Client, SteppedClock, admin_headers
from tests.integration.emulator.conftest import StartOrg
from tests.integration.emulator.traffic import new_proxy, old_proxy, redeem, send

Org = tuple[Emulator, Client]
BLOCKED = {"error": "invalid_grant", "error_description": "ip restricted by app developer"}
OWN_RULE = {"error": "invalid_grant", "error_description": "ip restricted"}
LOGINS = "SELECT SourceIp, Status, UserId FROM LoginHistory"


@pytest.fixture
def org(start_org: StartOrg) -> Org:
    return start_org(customer_orgs=2)


def redeem_at(
    emulator: Emulator, url: str, token: str, proxy: str | None = None
) -> requests.Response:
    """Redeem a token at a token endpoint, by default through the old egress."""
    environment = emulator.environment
    form = {
        "grant_type": "refresh_token",
        "refresh_token": token,
        "client_id": environment["SF_CLIENT_ID"],
        "client_secret": environment["SF_CLIENT_SECRET"],
    }
    return send(emulator, "POST", url, proxy or old_proxy(emulator), data=form)


def at_home(
    emulator: Emulator, customer: CustomerOrg, proxy: str | None = None
) -> requests.Response:
    """Redeem the canary of a customer's org at that org."""
    return redeem_at(emulator, customer.token_url, customer.refresh_token, proxy)


def rows(url: str, access_token: str, soql: str = LOGINS) -> list[dict[str, object]]:
    with closing(Client(url, access_token)) as client:
        answer = client.get(f"/services/data/v67.0/query?q={quote(soql)}")
    assert answer.status_code == 200, answer.text
    return [{**one, "attributes": None} for one in answer.json()["records"]]


def test_by_default_there_are_no_customer_orgs(start_org: StartOrg) -> None:
    emulator, _ = start_org()
    assert emulator.customer_orgs == ()
    assert not [name for name in emulator.environment if "CUSTOMER" in name]


def test_each_org_has_its_own_id_and_user(org: Org) -> None:
    emulator, client = org
    one, two = emulator.customer_orgs
    shown = [
        rows(each.url, each.access_token, "SELECT Id FROM Organization") for each in (one, two)
    ]
    assert [each[0]["Id"] for each in shown] == [one.organization_id, two.organization_id]
    emulator.use_org(2)
    second = emulator.organization_id
    emulator.use_org(1)
    ids = {emulator.organization_id, second, one.organization_id, two.organization_id}
    assert len(ids) == 4
    with closing(Client(two.url, two.access_token)) as other:
        users = [each.get("/services/oauth2/userinfo").json() for each in (client, other)]
    assert users[1]["organization_id"] == two.organization_id
    assert users[0]["user_id"] != users[1]["user_id"]


def test_tokens_are_redeemed_at_the_customer_org_and_at_the_common_endpoint(org: Org) -> None:
    emulator, _ = org
    _, two = emulator.customer_orgs
    for url in (two.token_url, emulator.environment["SFCUTOVER_TOKEN_URL"]):
        body = redeem_at(emulator, url, two.refresh_token).json()
        assert body["instance_url"] == two.url
        assert body["id"].startswith(f"{two.url}/id/{two.organization_id}/005")
        assert body["refresh_token"] == two.refresh_token
        headers = {"Authorization": f"Bearer {body['access_token']}"}
        assert requests.get(body["id"], headers=headers, timeout=10).status_code == 200
        assert (
            requests.get(
                f"{emulator.url}/services/data/v67.0", headers=headers, timeout=10
            ).status_code
            == 401
        )


def test_a_customer_endpoint_refuses_tokens_of_other_orgs(org: Org) -> None:
    emulator, _ = org
    one, two = emulator.customer_orgs
    for token in (emulator.environment["SF_REFRESH_TOKEN"], one.refresh_token):
        answer = redeem_at(emulator, two.token_url, token)
        assert answer.json()["error_description"] == "expired access/refresh token"
    assert redeem(emulator).status_code == 200
    assert at_home(emulator, one).status_code == 200


def test_the_allowlist_of_the_owner_decides(org: Org) -> None:
    emulator, _ = org
    one, _ = emulator.customer_orgs
    assert at_home(emulator, one, new_proxy(emulator)).json() == BLOCKED
    emulator.set_edit(Edit.model_validate({"add": [{"range": "127.0.0.20/30"}]}))
    assert at_home(emulator, one, new_proxy(emulator)).status_code == 200
    emulator.set_enforcement(False)
    emulator.set_edit(Edit(remove=("127.0.0.11", "127.0.0.12")))
    assert at_home(emulator, one).status_code == 200


def test_a_pending_deployment_takes_effect_without_a_poll(
    start_org: StartOrg, clock: SteppedClock
) -> None:
    emulator, _ = start_org(customer_orgs=1)
    (one,) = emulator.customer_orgs
    edit = {"add": [{"range": "127.0.0.20/30"}], "by": "deploy", "seconds": 10}
    emulator.set_edit(Edit.model_validate(edit))
    assert at_home(emulator, one, new_proxy(emulator)).json() == BLOCKED
    clock.forward(10)
    assert at_home(emulator, one, new_proxy(emulator)).status_code == 200


def test_logins_are_only_in_the_history_of_the_org_of_the_user(org: Org) -> None:
    emulator, client = org
    one, two = emulator.customer_orgs
    user = at_home(emulator, one).json()["id"].rpartition("/")[2]
    at_home(emulator, one, new_proxy(emulator))
    redeem_at(emulator, emulator.environment["SFCUTOVER_TOKEN_URL"], one.refresh_token)
    found = rows(one.url, one.access_token)
    assert [(each["SourceIp"], each["Status"], each["UserId"]) for each in found] == [
        ("127.0.0.12", "Success", user),
        ("127.0.0.21", "Restricted IP", user),
        ("127.0.0.11", "Success", user),
    ]
    assert [each["SourceIp"] for each in one.logins] == [each["SourceIp"] for each in found]
    assert rows(two.url, two.access_token) == rows(emulator.url, client.token) == two.logins == []
    redeem(emulator)
    assert len(rows(emulator.url, client.token)) == 1
    assert len(one.logins) == 3


def test_login_history_of_customers_has_the_same_delay(
    start_org: StartOrg, clock: SteppedClock
) -> None:
    emulator, _ = start_org(
        customer_orgs=1, login_history="delayed", login_history_delay_seconds=20
    )
    (one,) = emulator.customer_orgs
    at_home(emulator, one)
    assert (rows(one.url, one.access_token), len(one.logins)) == ([], 1)
    clock.forward(20)
    assert len(rows(one.url, one.access_token)) == 1


def test_redemptions_name_the_org(org: Org) -> None:
    emulator, client = org
    one, two = emulator.customer_orgs
    redeem(emulator)
    at_home(emulator, one)
    redeem_at(emulator, two.token_url, two.issue_grant("billing"), new_proxy(emulator))
    found = [(each.organization_id, each.grant, each.result) for each in emulator.redemptions]
    assert found == [
        (emulator.organization_id, "canary", "redeemed"),
        (one.organization_id, "canary", "redeemed"),
        (two.organization_id, "billing", "blocked"),
    ]
    shown = client.admin(emulator, "GET", "redemptions")
    assert [each["organization_id"] for each in shown] == [each[0] for each in found]


def test_an_org_wide_rule_blocks_all_users_of_that_org(org: Org) -> None:
    emulator, _ = org
    one, two = emulator.customer_orgs
    one.set_login_ranges(["127.0.0.20/30"])
    assert at_home(emulator, one).json() == OWN_RULE
    assert redeem_at(emulator, one.token_url, one.issue_grant("billing")).json() == OWN_RULE
    assert at_home(emulator, one, new_proxy(emulator)).json() == BLOCKED
    assert [at_home(emulator, two).status_code, redeem(emulator).status_code] == [200, 200]
    assert {each["Status"] for each in one.logins} == {"Restricted IP"}
    one.set_login_ranges(None)
    assert at_home(emulator, one).status_code == 200


def test_the_admin_endpoint_sets_the_rule(org: Org) -> None:
    emulator, client = org
    one, two = emulator.customer_orgs
    rule = {"number": 2, "ranges": ["192.0.2.0/24"]}
    assert client.admin(emulator, "POST", "customer-login-ranges", rule) == rule
    assert [at_home(emulator, each).status_code for each in (one, two)] == [200, 400]
    client.admin(emulator, "POST", "customer-login-ranges", {"number": 2, "ranges": None})
    assert at_home(emulator, two).status_code == 200
    url, headers = f"{emulator.url}/emulator/customer-login-ranges", admin_headers(emulator)
    for number in (0, 3):
        answer = requests.post(
            url, json={"number": number, "ranges": None}, headers=headers, timeout=10
        )
        assert (answer.status_code, str(number) in answer.json()["error"]) == (400, True)


def test_grants_of_a_customer_are_listed_with_their_current_token(org: Org) -> None:
    emulator, _ = org
    one, _ = emulator.customer_orgs
    token = one.issue_grant("billing")
    assert one.tokens == [("billing", token)]
    renewed = redeem_at(emulator, one.token_url, token).json()["refresh_token"]
    assert one.tokens == [("billing", renewed)]
    assert "billing" not in dict(emulator.customer_tokens)


def test_the_environment_names_what_a_client_of_each_org_needs(org: Org) -> None:
    emulator, _ = org
    values = emulator.environment
    for number, one in enumerate(emulator.customer_orgs, 1):
        assert values[f"SFCUTOVER_CUSTOMER{number}_TOKEN_URL"] == one.token_url
        assert values[f"SFCUTOVER_CUSTOMER{number}_INSTANCE_URL"] == one.url
        assert values[f"SF_CUSTOMER{number}_ACCESS_TOKEN"] == one.access_token
        assert values[f"SF_CUSTOMER{number}_REFRESH_TOKEN"] == one.refresh_token


def test_customer_orgs_serve_tls_through_the_proxies() -> None:
    with Emulator(Scenario(customer_orgs=1)) as emulator:
        (one,) = emulator.customer_orgs
        assert one.token_url.startswith("https://")
        assert at_home(emulator, one).status_code == 200


def test_a_customer_org_owns_no_allowlist(org: Org) -> None:
    emulator, _ = org
    one, _ = emulator.customer_orgs
    assert rows(one.url, one.access_token, "SELECT Id FROM ExtlClntAppOauthSecuritySettings") == []
