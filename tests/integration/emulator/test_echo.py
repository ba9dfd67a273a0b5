from __future__ import annotations

import pytest

from sfcutover.emulator import Emulator, Fault, Scenario
from tests.integration.emulator.client import Client
from tests.integration.emulator.conftest import StartOrg
from tests.integration.emulator.traffic import echo, redeem, results, send

Org = tuple[Emulator, Client]


def test_echo_answers_in_plain_text(org: Org) -> None:
    emulator, _ = org
    answer = send(emulator, "GET", emulator.environment["SFCUTOVER_ECHO_URL"])
    assert answer.text == "127.0.0.1\n"
    assert answer.headers["Content-Type"].startswith("text/plain")


@pytest.mark.parametrize(
    ("query", "accept"),
    [("?format=json", "*/*"), ("", "application/json"), ("", "text/html, application/json;q=0.5")],
)
def test_echo_answers_in_json_on_request(org: Org, query: str, accept: str) -> None:
    emulator, _ = org
    url = emulator.environment["SFCUTOVER_ECHO_URL"] + query
    answer = send(emulator, "GET", url, headers={"Accept": accept})
    assert answer.json() == {"ip": "127.0.0.1"}


@pytest.mark.parametrize(
    ("setting", "status", "part"),
    [
        ("html", 200, "<html>"),
        ("empty", 200, ""),
        ("garbage", 200, "999."),
        ("error_500", 500, "Err"),
    ],
)
def test_echo_can_be_broken(start_org: StartOrg, setting: str, status: int, part: str) -> None:
    emulator, _ = start_org(echo=setting)
    answer = send(emulator, "GET", emulator.environment["SFCUTOVER_ECHO_URL"])
    assert answer.status_code == status
    assert part in answer.text
    assert (setting == "empty") == (not answer.text)
    assert "127.0.0.1" not in answer.text


def test_a_fault_can_hit_the_echo(org: Org) -> None:
    emulator, _ = org
    emulator.set_fault(Fault(kind="http_503", operation="echo"))
    assert "Service Unavailable" in echo(emulator)
    assert echo(emulator) == "127.0.0.1"


def test_echo_shows_an_ipv6_source(start_org: StartOrg, needs_ipv6: None) -> None:
    emulator, _ = start_org(ipv6=True)
    url = emulator.environment["SFCUTOVER_ECHO_URL"].replace("127.0.0.1", "[::1]")
    assert send(emulator, "GET", url).text == "::1\n"


def test_an_egress_can_be_one_ipv6_address(start_org: StartOrg, needs_ipv6: None) -> None:
    emulator, _ = start_org(new=["127.0.0.21", "::1"])
    assert [echo(emulator, emulator.environment["SFCUTOVER_NEW_PROXY_URL"]) for _ in range(2)] == [
        *("127.0.0.21", "::1")
    ]
    assert echo(emulator, emulator.proxy_url_for("::1")) == "::1"


def test_the_allowlist_is_enforced_for_ipv6_over_tls(needs_ipv6: None) -> None:
    with Emulator(Scenario(old=("::1",))) as emulator:
        assert redeem(emulator).status_code == 200
        assert emulator.redemptions[0].source == "::1"
        assert results(emulator) == ["redeemed"]
