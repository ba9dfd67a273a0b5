from __future__ import annotations

import base64
import socket
import time
from urllib.parse import unquote, urlsplit

import pytest
import requests

from sfcutover.emulator import Emulator, Fault, Scenario
from sfcutover.emulator.faults import OF_A_REDEMPTION, Kind
from tests.integration.emulator.client import (
    SECURITY,
    SECURITY_NAME,
    Client,
    security_package,
    security_xml,
)
from tests.integration.emulator.traffic import echo, new_proxy, redeem, results, send, works

Org = tuple[Emulator, Client]


def set_fault(emulator: Emulator, kind: str, operation: str = "redeem", **more: object) -> None:
    emulator.set_fault(Fault.model_validate({"kind": kind, "operation": operation, **more}))


@pytest.mark.parametrize("kind", OF_A_REDEMPTION)
def test_a_refusal_has_its_message_and_keeps_the_token(org: Org, kind: Kind) -> None:
    emulator, _ = org
    emulator.set_fault(Fault(kind=kind, operation="redeem"))
    token = emulator.environment["SF_REFRESH_TOKEN"]
    answer = redeem(emulator, token)
    error, description = OF_A_REDEMPTION[kind]
    assert answer.status_code == 400
    assert answer.json() == {"error": error, "error_description": description}
    assert redeem(emulator, token).status_code == 200
    assert results(emulator) == [error, "redeemed"]


@pytest.mark.parametrize("tls", [False, True])
def test_an_answer_lost_before_the_effect_keeps_the_token(tls: bool) -> None:
    with Emulator(Scenario(), tls=tls) as emulator:
        set_fault(emulator, "drop_before")
        token = emulator.environment["SF_REFRESH_TOKEN"]
        with pytest.raises(requests.ConnectionError):
            redeem(emulator, token)
        assert results(emulator) == []
        assert redeem(emulator, token).status_code == 200


@pytest.mark.parametrize("tls", [False, True])
def test_an_answer_lost_after_the_effect_has_revoked_the_token(tls: bool) -> None:
    with Emulator(Scenario(), tls=tls) as emulator:
        set_fault(emulator, "drop_after")
        token = emulator.environment["SF_REFRESH_TOKEN"]
        with pytest.raises(requests.ConnectionError):
            redeem(emulator, token)
        assert redeem(emulator, token).status_code == 400
        assert results(emulator) == ["redeemed", "reuse_detected"]


@pytest.mark.parametrize(("kind", "status"), [("http_502", 502), ("http_503", 503)])
def test_gateway_errors_keep_the_token(org: Org, kind: str, status: int) -> None:
    emulator, _ = org
    token = emulator.environment["SF_REFRESH_TOKEN"]
    set_fault(emulator, kind, "token")
    assert redeem(emulator, token).status_code == status
    assert emulator.environment["SF_REFRESH_TOKEN"] == token


def test_a_redirect_keeps_the_token(org: Org) -> None:
    emulator, _ = org
    set_fault(emulator, "redirect")
    answer = redeem(emulator)
    assert answer.status_code == 302
    assert urlsplit(answer.headers["Location"]).hostname == "login.example.com"
    assert results(emulator) == []


def test_an_html_page_hides_a_rotation(org: Org) -> None:
    emulator, _ = org
    token = emulator.environment["SF_REFRESH_TOKEN"]
    set_fault(emulator, "html_body")
    assert redeem(emulator, token).text.startswith("<html>")
    assert emulator.environment["SF_REFRESH_TOKEN"] != token


def test_an_answer_can_lack_the_access_token(org: Org) -> None:
    emulator, _ = org
    set_fault(emulator, "no_access_token")
    answer = redeem(emulator)
    assert answer.status_code == 200
    assert "access_token" not in answer.json()
    assert answer.json()["refresh_token"] == emulator.environment["SF_REFRESH_TOKEN"]


def test_a_slow_endpoint_delays_its_answer(org: Org) -> None:
    emulator, _ = org
    set_fault(emulator, "slow", seconds=0.2)
    started = time.monotonic()
    assert redeem(emulator).status_code == 200
    assert time.monotonic() - started >= 0.2


def test_a_login_to_the_org_is_not_a_redemption(org: Org) -> None:
    emulator, _ = org
    set_fault(emulator, "rate_limit", count=None)
    form = {"grant_type": "client_credentials"}
    body = redeem(emulator, **form, proxy=new_proxy(emulator)).json()
    assert works(emulator, body["access_token"])
    set_fault(emulator, "rate_limit", "token")
    assert redeem(emulator, **form).json()["error"] == "rate_limit_exceeded"


@pytest.mark.parametrize("address", [None, "127.0.0.22"])
def test_a_save_can_lose_an_address_silently(org: Org, address: str | None) -> None:
    emulator, client = org
    emulator.set_fault(Fault(kind="save_drops_address", address=address))
    package = security_package(security_xml("127.0.0.11", "127.0.0.21", "127.0.0.22"))
    assert client.deployed(package).text("status") == "Succeeded"
    kept = emulator.component_xml(SECURITY, SECURITY_NAME)
    assert [address.encode() in kept for address in ("127.0.0.11", "127.0.0.21")] == [True] * 2
    assert b"127.0.0.22" not in kept
    seen = [redeem(emulator, proxy=new_proxy(emulator)).status_code for _ in range(2)]
    assert seen == [200, 400]


def test_a_proxy_can_refuse_every_client(org: Org) -> None:
    emulator, _ = org
    set_fault(emulator, "proxy_refuses", "new_proxy", count=2)
    url = f"{emulator.url}/ip"
    assert [send(emulator, "GET", url, new_proxy(emulator)).status_code for _ in range(3)] == [
        *(407, 407, 200)
    ]
    set_fault(emulator, "proxy_refuses", "new_proxy")
    assert redeem(emulator).status_code == 200  # the old one


def test_a_proxy_can_be_unreachable(org: Org) -> None:
    emulator, _ = org
    set_fault(emulator, "proxy_down", "any")
    with pytest.raises(requests.exceptions.ProxyError):
        echo(emulator, new_proxy(emulator))
    assert echo(emulator, new_proxy(emulator)) == "127.0.0.21"


@pytest.mark.parametrize("tls", [False, True])
def test_an_address_can_be_unusable(tls: bool) -> None:
    with Emulator(Scenario(), tls=tls) as emulator:
        set_fault(emulator, "address_reset", "old_proxy", address="127.0.0.12", count=None)
        assert redeem(emulator).status_code == 200
        with pytest.raises(requests.exceptions.ConnectionError):
            redeem(emulator)
        assert redeem(emulator).status_code == 200
        assert {one.source for one in emulator.redemptions} == {"127.0.0.11"}


def exchange(port: int, data: bytes) -> bytes:
    """The first byte of the answer."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(data)
        return connection.recv(1)


@pytest.mark.parametrize("kind", ["address_reset", "proxy_down"])
def test_a_reset_is_a_tcp_reset(org: Org, kind: str) -> None:
    emulator, _ = org
    set_fault(emulator, kind, "new_proxy")
    proxy = urlsplit(new_proxy(emulator))
    pair = f"{unquote(proxy.username or '')}:{unquote(proxy.password or '')}"
    password = base64.b64encode(pair.encode()).decode()
    head = f"GET {emulator.url}/ip HTTP/1.1\r\nProxy-Authorization: Basic {password}\r\n\r\n"
    with pytest.raises(ConnectionResetError):
        exchange(proxy.port or 0, head.encode())


def test_an_unusable_address_can_fail_late(org: Org) -> None:
    emulator, _ = org
    set_fault(emulator, "address_timeout", "new_proxy", address="127.0.0.21", seconds=0.2)
    started = time.monotonic()
    assert send(emulator, "GET", f"{emulator.url}/ip", new_proxy(emulator)).status_code == 504
    assert time.monotonic() - started >= 0.2


def test_stopping_does_not_wait_for_an_unusable_address(org: Org) -> None:
    emulator, _ = org
    set_fault(emulator, "address_timeout", "new_proxy", seconds=600)
    proxy = new_proxy(emulator)
    with pytest.raises(requests.Timeout):
        requests.get(f"{emulator.url}/ip", proxies={"http": proxy}, timeout=0.2)
    started = time.monotonic()
    emulator.stop()
    assert time.monotonic() - started < 5


def test_a_proxy_can_intercept_tls() -> None:
    with Emulator() as emulator:
        set_fault(emulator, "proxy_breaks_tls", "new_proxy")
        proxy = new_proxy(emulator)
        with pytest.raises(requests.exceptions.SSLError, match="CERTIFICATE_VERIFY_FAILED"):
            redeem(emulator, proxy=proxy)
        assert redeem(emulator, proxy=proxy).status_code == 400
