from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import pytest

from sfcutover.emulator import Emulator
from tests.integration.emulator.client import Client, SteppedClock, security_package, security_xml
from tests.integration.emulator.conftest import StartOrg
from tests.integration.emulator.traffic import legacy, new_proxy, old_proxy, redeem, results, works

Org = tuple[Emulator, Client]
BLOCKED = {"error": "invalid_grant", "error_description": "ip restricted by app developer"}
DEAD = {"error": "invalid_grant", "error_description": "expired access/refresh token"}


def deploy(client: Client, *addresses: str) -> None:
    result = client.deployed(security_package(security_xml(*addresses)))
    assert result.text("success") == "true"


def test_a_redemption_from_a_listed_address_gives_a_session_and_a_new_token(org: Org) -> None:
    emulator, _ = org
    before = emulator.environment["SF_REFRESH_TOKEN"]
    answer = redeem(emulator)
    body = answer.json()
    assert answer.status_code == 200
    assert set(body) == {
        *("access_token", "id", "instance_url", "issued_at", "refresh_token"),
        *("scope", "signature", "token_type"),
    }
    assert works(emulator, body["access_token"])
    assert body["refresh_token"] == emulator.environment["SF_REFRESH_TOKEN"] != before


def test_rotated_tokens_can_be_redeemed_in_turn(org: Org) -> None:
    emulator, _ = org
    token = emulator.environment["SF_REFRESH_TOKEN"]
    for _ in range(3):
        token = redeem(emulator, token).json()["refresh_token"]
    assert results(emulator) == ["redeemed"] * 3


def test_a_redemption_from_another_address_is_blocked_and_keeps_the_token(org: Org) -> None:
    emulator, _ = org
    token = emulator.environment["SF_REFRESH_TOKEN"]
    answer = redeem(emulator, token, new_proxy(emulator))
    assert (answer.status_code, answer.json()) == (400, BLOCKED)
    assert emulator.environment["SF_REFRESH_TOKEN"] == token
    assert redeem(emulator, token).status_code == 200


def test_a_blocked_reuse_keeps_the_token(org: Org) -> None:
    emulator, _ = org
    used = emulator.environment["SF_REFRESH_TOKEN"]
    session = redeem(emulator, used).json()["access_token"]
    assert redeem(emulator, used, new_proxy(emulator)).json() == BLOCKED
    assert works(emulator, session)
    assert redeem(emulator).status_code == 200


def test_reuse_deletes_the_current_token_and_its_sessions(org: Org) -> None:
    emulator, _ = org
    used = emulator.environment["SF_REFRESH_TOKEN"]
    body = redeem(emulator, used).json()
    answer = redeem(emulator, used)
    assert (answer.status_code, answer.json()) == (400, DEAD)
    assert not works(emulator, body["access_token"])
    assert redeem(emulator, body["refresh_token"]).json() == DEAD
    assert results(emulator) == ["redeemed", "reuse_detected", "token_dead"]


def test_reuse_does_not_affect_other_grants(org: Org) -> None:
    emulator, _ = org
    used = emulator.environment["SF_REFRESH_TOKEN"]
    redeem(emulator, used)
    redeem(emulator, used)
    assert [redeem(emulator, token).status_code for _, token in emulator.customer_tokens] == [
        *(200, 200, 200)
    ]


def test_without_rotation_the_token_stays_the_same(start_org: StartOrg) -> None:
    emulator, _ = start_org(rotation=False)
    token = emulator.environment["SF_REFRESH_TOKEN"]
    for _ in range(2):
        assert "refresh_token" not in redeem(emulator, token).json()
    assert emulator.environment["SF_REFRESH_TOKEN"] == token


def test_a_deployed_list_is_enforced(org: Org) -> None:
    emulator, client = org
    deploy(client, "127.0.0.21", "127.0.0.22")
    assert redeem(emulator, proxy=old_proxy(emulator)).json() == BLOCKED
    assert redeem(emulator, proxy=new_proxy(emulator)).status_code == 200


def test_the_allowlist_of_another_app_admits_no_client(org: Org) -> None:
    emulator, client = org
    xml = emulator.component_xml("ExtlClntAppOauthSecuritySettings", "Acme_Connector_oauthSecurity")
    other = xml.replace(b">Acme_Connector<", b">Other<").replace(b"127.0.0.11", b"127.0.0.21")
    emulator.put_component("ExtlClntAppOauthSecuritySettings", "Other_oauthSecurity", other)
    assert redeem(emulator, proxy=new_proxy(emulator)).json() == BLOCKED
    assert redeem(emulator).status_code == 200
    assert len(emulator.allowlist_history) == 1
    assert client.get("/services/data").status_code == 200


def test_the_enforcement_delay_starts_at_the_deployment_and_not_at_the_poll(
    start_org: StartOrg, clock: SteppedClock
) -> None:
    emulator, client = start_org(propagation_seconds=30, deploy_seconds=10)
    client.deploy(security_package(security_xml("127.0.0.21", "127.0.0.22")))
    clock.forward(10 + 29)  # no poll since; it took effect after 10
    assert redeem(emulator).status_code == 200
    assert redeem(emulator, proxy=new_proxy(emulator)).json() == BLOCKED
    clock.forward(1)
    assert redeem(emulator).json() == BLOCKED
    assert redeem(emulator, proxy=new_proxy(emulator)).status_code == 200
    times = [one.time for one in emulator.allowlist_history]
    assert (times[1] - times[0]).total_seconds() == 10


def test_enforcement_can_be_disabled(start_org: StartOrg) -> None:
    emulator, _ = start_org(enforcement="off")
    assert redeem(emulator, proxy=new_proxy(emulator)).status_code == 200


@pytest.mark.parametrize(("setting", "status"), [("closed", 400), ("open", 200)])
def test_the_meaning_of_an_empty_list_is_a_setting(
    start_org: StartOrg, setting: str, status: int
) -> None:
    emulator, client = start_org(empty_list=setting)
    deploy(client)
    assert redeem(emulator).status_code == status


def test_the_answer_of_a_block_is_a_setting(start_org: StartOrg) -> None:
    emulator, _ = start_org(
        block_status=403, block_error="access_denied", block_description="not in range"
    )
    answer = redeem(emulator, proxy=new_proxy(emulator))
    assert answer.status_code == 403
    assert answer.json() == {"error": "access_denied", "error_description": "not in range"}
    assert results(emulator) == ["blocked"]


def test_an_authorization_code_is_checked_like_a_token_and_valid_once(org: Org) -> None:
    emulator, _ = org
    form = {"grant_type": "authorization_code", "code": emulator.issue_code("customer-4")}
    assert redeem(emulator, proxy=new_proxy(emulator), **form).json() == BLOCKED
    token = redeem(emulator, **form).json()["refresh_token"]
    assert redeem(emulator, token).status_code == 200
    assert redeem(emulator, **form).json()["error_description"] == "invalid authorization code"


def test_only_support_changes_the_list_of_a_legacy_app(org: Org) -> None:
    emulator, client = org
    deploy(client, "127.0.0.21", "127.0.0.22")
    assert redeem(emulator, **legacy(emulator)).status_code == 200
    assert redeem(emulator, proxy=new_proxy(emulator), **legacy(emulator)).json() == BLOCKED
    emulator.support_sets_allowlist(["127.0.0.20/30"])
    assert redeem(emulator, **legacy(emulator)).json() == BLOCKED
    assert redeem(emulator, proxy=new_proxy(emulator), **legacy(emulator)).status_code == 200
    assert len(emulator.legacy_allowlist_history) == 2


def test_a_token_is_invalid_for_another_client(org: Org) -> None:
    emulator, _ = org
    token = emulator.environment["SF_REFRESH_TOKEN"]
    assert redeem(emulator, **(legacy(emulator) | {"refresh_token": token})).json() == DEAD
    assert redeem(emulator, client_secret="wrong").json()["error"] == "invalid_client"
    assert redeem(emulator, client_id="nobody").json()["error"] == "invalid_client_id"
    assert redeem(emulator, "5Aep861nobody").json() == DEAD
    assert redeem(emulator, token).status_code == 200


def test_the_sixth_grant_of_a_user_revokes_the_first(org: Org) -> None:
    emulator, _ = org
    tokens = [emulator.issue_grant("customer-9") for _ in range(6)]
    assert redeem(emulator, tokens[0]).json() == DEAD
    assert [redeem(emulator, token).status_code for token in tokens[1:]] == [200] * 5


def test_redemptions_record_time_source_and_user(org: Org, clock: SteppedClock) -> None:
    emulator, _ = org
    clock.forward(5)
    (name, token), *_ = emulator.customer_tokens
    redeem(emulator, token)
    redeem(emulator, proxy=new_proxy(emulator))
    one, other = emulator.redemptions
    assert (one.time, one.source, one.grant) == (clock.now, "127.0.0.11", name)
    assert (other.source, other.grant, other.result) == ("127.0.0.21", "canary", "blocked")


def test_the_log_records_the_same_without_secrets(org: Org) -> None:
    emulator, client = org
    used = emulator.environment["SF_REFRESH_TOKEN"]
    body = redeem(emulator, used).json()
    redeem(emulator, proxy=new_proxy(emulator))
    events = [event for event in emulator.log if event["operation"] == "redeem"]
    found = [[event[key] for key in ("kind", "grant", "source", "result")] for event in events]
    assert found == [
        ["oauth", "canary", "127.0.0.11", "redeemed"],
        ["oauth", "canary", "127.0.0.21", "blocked"],
    ]
    text = repr(emulator.log) + repr(emulator.redemptions)
    for view in ("state", "redemptions", "log"):
        text += repr(client.admin(emulator, "GET", view))
    secrets = [used, body["refresh_token"], body["access_token"]]
    assert not [one for one in [*secrets, emulator.environment["SF_CLIENT_SECRET"]] if one in text]


def test_the_history_shows_a_gap(org: Org, clock: SteppedClock) -> None:
    emulator, client = org
    for addresses in (["127.0.0.11", "127.0.0.12"], ["127.0.0.21"], ["127.0.0.11"]):
        clock.forward(60)
        deploy(client, *addresses)
    history = emulator.allowlist_history
    assert [one.holds("127.0.0.11") for one in history] == [True, True, False, True]
    assert [one.holds("192.0.2.65") for one in history] == [True, False, False, False]
    gaps = [(later.time - earlier.time).total_seconds() for earlier, later in pairwise(history)]
    assert gaps == [60, 60, 60]


def test_the_admin_endpoint_shows_the_same(org: Org) -> None:
    emulator, client = org
    token = client.admin(emulator, "POST", "grants", {"name": "c"})
    assert redeem(emulator, token["refresh_token"]).status_code == 200
    code = client.admin(emulator, "POST", "codes", {"name": "c"})["code"]
    assert redeem(emulator, grant_type="authorization_code", code=code).status_code == 200
    client.admin(emulator, "POST", "support", {"ranges": ["127.0.0.1"]})
    assert redeem(emulator, **legacy(emulator)).json() == BLOCKED
    assert [one["result"] for one in client.admin(emulator, "GET", "redemptions")] == [
        *("redeemed", "blocked")
    ]
    assert client.admin(emulator, "GET", "allowlist")[0]["ranges"][0] == "127.0.0.11"


def test_many_grants_are_redeemed_concurrently(org: Org) -> None:
    emulator, _ = org
    tokens = [emulator.issue_grant(f"customer-{number}") for number in range(1000)]
    with ThreadPoolExecutor(32) as pool:
        answers = pool.map(lambda token: redeem(emulator, token).status_code, tokens[:128])
        assert list(answers) == [200] * 128
    assert len({one.grant for one in emulator.redemptions}) == 128


def test_one_token_sent_twice_concurrently_is_redeemed_once(org: Org) -> None:
    emulator, _ = org
    token = emulator.environment["SF_REFRESH_TOKEN"]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: redeem(emulator, token), range(8)))
    found = results(emulator)
    assert [found.count(one) for one in ("redeemed", "reuse_detected", "token_dead")] == [1, 1, 6]
