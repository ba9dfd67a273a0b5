from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import quote

import pytest
import requests
from simple_salesforce.api import Salesforce
from simple_salesforce.exceptions import SalesforceMalformedRequest

from sfcutover.emulator import Emulator
from tests.integration.emulator.client import Client, SteppedClock
from tests.integration.emulator.conftest import StartOrg
from tests.integration.emulator.traffic import legacy, new_proxy, redeem

Org = tuple[Emulator, Client]
FIELDS = "SourceIp, Status, LoginTime, Application, LoginType, LoginSubType, UserId"
SELECT = f"SELECT {FIELDS} FROM LoginHistory"


@pytest.fixture
def tls_org(clock: SteppedClock) -> Iterator[Emulator]:
    """An org with TLS, because simple-salesforce uses only https."""
    with Emulator(clock=clock) as emulator:
        yield emulator


@contextmanager
def salesforce(emulator: Emulator) -> Iterator[Salesforce]:
    with requests.Session() as session:
        session.trust_env = False
        session.verify = emulator.environment["REQUESTS_CA_BUNDLE"]
        yield Salesforce(
            instance_url=emulator.url,
            session_id=emulator.environment["SF_ACCESS_TOKEN"],
            session=session,
            version="67.0",
        )


def rows(org: Org, rest: str = "", fields: str = FIELDS) -> list[dict[str, object]]:
    _, client = org
    soql = f"SELECT {fields} FROM LoginHistory {rest}"
    answer = client.get(f"/services/data/v67.0/query?q={quote(soql)}").json()
    return [{**one, "attributes": None} for one in answer["records"]]


def sources(org: Org, rest: str = "") -> list[object]:
    return [one["SourceIp"] for one in rows(org, rest)]


def error(org: Org, rest: str) -> tuple[int, str, str]:
    _, client = org
    answer = client.get(f"/services/data/v67.0/query?q={quote(f'{SELECT} {rest}')}")
    (body,) = answer.json()
    return answer.status_code, body["errorCode"], body["message"]


def test_simple_salesforce_reads_a_success_and_a_block(
    tls_org: Emulator, clock: SteppedClock
) -> None:
    redeem(tls_org)
    clock.forward(1)
    redeem(tls_org, proxy=new_proxy(tls_org))
    with salesforce(tls_org) as client:
        answer = client.query(f"{SELECT} ORDER BY LoginTime DESC LIMIT 5")
    shown = [{name: one[name] for name in FIELDS.split(", ")} for one in answer["records"]]
    user = tls_org.user_id("canary")
    common = {
        "Application": "Acme_Connector",
        "LoginType": "Remote Access 2.0",
        "LoginSubType": "OauthRefreshToken",
        "UserId": user,
    }
    assert shown == [
        common
        | {
            "SourceIp": "127.0.0.21",
            "Status": "Restricted IP",
            "LoginTime": "2026-11-23T12:00:01.000+0000",
        },
        common
        | {
            "SourceIp": "127.0.0.11",
            "Status": "Success",
            "LoginTime": "2026-11-23T12:00:00.000+0000",
        },
    ]
    assert user.startswith("005")


def test_rows_are_filtered_by_time_and_user_and_limited(org: Org, clock: SteppedClock) -> None:
    emulator, _ = org
    for _ in range(3):
        redeem(emulator)
        clock.forward(10)
    (name, token), *_ = emulator.customer_tokens
    redeem(emulator, token)
    assert sources(org) == ["127.0.0.12", "127.0.0.11", "127.0.0.12", "127.0.0.11"]
    since = "WHERE LoginTime >= 2026-11-23T12:00:10Z"
    assert len(rows(org, since)) == 3
    assert len(rows(org, "WHERE LoginTime > 2026-11-23T12:00:10.000+0000")) == 2
    assert len(rows(org, "WHERE LoginTime < 2026-11-23T13:00:10+01:00")) == 1
    mine = f"{since} AND UserId = '{emulator.user_id('canary')}' ORDER BY LoginTime DESC"
    assert [one["LoginTime"] for one in rows(org, mine)] == [
        "2026-11-23T12:00:20.000+0000",
        "2026-11-23T12:00:10.000+0000",
    ]
    assert len(rows(org, f"{mine} LIMIT 1")) == 1
    upwards = rows(org, "ORDER BY LoginTime ASC")
    assert [one["LoginTime"] for one in upwards] == sorted(str(one["LoginTime"]) for one in upwards)
    assert len(rows(org, f"WHERE UserId = '{emulator.user_id(name)}'")) == 1


@pytest.mark.parametrize(
    "field", ["SourceIp", "Status", "Application", "LoginType", "LoginSubType"]
)
def test_other_fields_cannot_be_filtered(org: Org, field: str) -> None:
    status, code, message = error(org, f"WHERE {field} = 'x'")
    assert (status, code) == (400, "INVALID_FIELD")
    assert message == f"field '{field}' can not be filtered in a query call"


def test_simple_salesforce_reads_that_a_field_cannot_be_filtered(tls_org: Emulator) -> None:
    with (
        salesforce(tls_org) as client,
        pytest.raises(SalesforceMalformedRequest, match="can not be filtered"),
    ):
        client.query(f"{SELECT} WHERE SourceIp = '127.0.0.11'")


@pytest.mark.parametrize(
    ("condition", "code"),
    [
        ("LoginTime >= '2026-11-23T12:00:00Z'", "MALFORMED_QUERY"),
        ("LoginTime = '2026-11-23T12:00:00Z'", "INVALID_FIELD"),
        ("LoginTime >= 2026-11-23T12:00:00", "MALFORMED_QUERY"),
        ("LoginTime >= 2026-11-23T25:00:00Z", "MALFORMED_QUERY"),
        ("UserId = 2026-11-23T12:00:00Z", "INVALID_FIELD"),
    ],
)
def test_values_of_another_type_are_refused(org: Org, condition: str, code: str) -> None:
    redeem(org[0])
    assert error(org, f"WHERE {condition}")[:2] == (400, code)


def test_times_compare_only_with_times(org: Org) -> None:
    _, client = org
    soql = "SELECT Id FROM User WHERE Username > 2026-11-23T12:00:00Z"
    answer = client.get(f"/services/data/v67.0/query?q={quote(soql)}")
    assert [one["errorCode"] for one in answer.json()] == ["INVALID_FIELD"]


def test_an_invalid_token_leaves_no_row(org: Org) -> None:
    emulator, _ = org
    redeem(emulator, "5Aep861nobody")
    redeem(emulator, "5Aep861nobody", new_proxy(emulator))
    assert rows(org) == []


def test_authorization_codes_and_the_legacy_app_are_distinguished(org: Org) -> None:
    emulator, _ = org
    redeem(emulator, grant_type="authorization_code", code=emulator.issue_code("customer-7"))
    redeem(emulator, **legacy(emulator))
    found = rows(org, fields="Application, LoginSubType")
    assert [(one["Application"], one["LoginSubType"]) for one in found] == [
        ("Acme_Legacy", "OauthRefreshToken"),
        ("Acme_Connector", "OauthWebServer"),
    ]


def test_login_history_can_be_unavailable(start_org: StartOrg) -> None:
    org = start_org(login_history="unavailable")
    redeem(org[0])
    assert error(org, "")[1] == "INVALID_TYPE"


def test_login_history_can_show_the_first_proxy(start_org: StartOrg) -> None:
    org = start_org(login_history="first_proxy_ip", first_proxy_address="10.9.8.7")
    redeem(org[0])
    assert sources(org) == ["10.9.8.7"]


def test_login_history_can_be_late(start_org: StartOrg, clock: SteppedClock) -> None:
    org = start_org(login_history="delayed", login_history_delay_seconds=20)
    clock.forward(0.75)  # but LoginTime has whole seconds
    redeem(org[0])
    clock.forward(19)
    assert sources(org) == []
    clock.forward(1)
    assert sources(org) == ["127.0.0.11"]
    assert rows(org)[0]["LoginTime"] == "2026-11-23T12:00:00.000+0000"
