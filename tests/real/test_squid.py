"""Squid as the proxy: probes over plain http and through tunnels."""

from __future__ import annotations

import os
from collections.abc import Iterator
from urllib.parse import quote

import pytest

from sfcutover.allowlist.ranges import IpRange
from sfcutover.cutover.probe import probe
from sfcutover.emulator.emulator import Emulator
from sfcutover.traffic.egress import Egress, ask_echo
from sfcutover.traffic.proxy import ProxyUrl
from sfcutover.traffic.proxyerrors import (
    DestinationUnreachableError,
    EchoHttpError,
    EgressError,
    ProxyRefusedError,
)
from sfcutover.util.secrets import Secret
from tests.real import squid
from tests.support import StartEmulator

pytestmark = pytest.mark.slow  # programs that others wrote

if REASON := squid.missing():  # one line for all, or a failure where SFCUTOVER_REQUIRE_REAL is 1
    if os.environ.get("SFCUTOVER_REQUIRE_REAL") == "1":
        pytest.fail(REASON, pytrace=False)
    pytest.skip(REASON, allow_module_level=True)

FIRST, SECOND = "127.0.0.31", "127.0.0.32"


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """The port of squid."""
    with squid.running(FIRST, SECOND) as port:
        yield port


def egress_by(port: int, *expected: str, password: str = squid.PASSWORD) -> Egress:
    url = f"http://{squid.USER}:{quote(password, safe='')}@127.0.0.1:{port}"
    return Egress(
        "new",
        ProxyUrl.parse(Secret(url), "here"),
        tuple(IpRange.parse(each) for each in expected),
    )


@pytest.fixture(params=["http", "https"])
def echo_url(
    request: pytest.FixtureRequest, start_emulator: StartEmulator, monkeypatch: pytest.MonkeyPatch
) -> str:
    """The emulator's echo, plain and inside a tunnel."""
    emulator: Emulator = start_emulator(tls=request.param == "https")
    if request.param == "https":
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", emulator.environment["REQUESTS_CA_BUNDLE"])
    return f"{emulator.url}/ip"


def failure(egress: Egress, url: str) -> EgressError:
    with egress.session() as session, pytest.raises(EgressError) as caught:
        ask_echo(session, url)
    assert squid.PASSWORD not in str(caught.value)
    return caught.value


def test_both_addresses_are_observed(port: int, echo_url: str) -> None:
    result = probe(egress_by(port, FIRST, SECOND), echo_url)
    assert result.passed, result.failure
    assert [str(each) for each in result.seen] == [FIRST, SECOND]
    assert result.observation.tries == 37


def test_an_unlisted_address_is_named(port: int, echo_url: str) -> None:
    result = probe(egress_by(port, FIRST), echo_url)
    assert [str(each) for each in result.unexpected] == [SECOND]


def test_a_missing_address_is_named(port: int, echo_url: str) -> None:
    result = probe(egress_by(port, FIRST, SECOND, "127.0.0.33"), echo_url)
    assert [str(each) for each in result.missing] == ["127.0.0.33"]


def test_a_wrong_password_is_distinguished(port: int, echo_url: str) -> None:
    error = failure(egress_by(port, FIRST, password="open@sesame:22"), echo_url)
    assert type(error) is ProxyRefusedError


def test_a_missing_page_is_distinguished(port: int) -> None:
    plain = failure(egress_by(port, FIRST), "http://127.0.0.1:1/ip")
    assert type(plain) is EchoHttpError
    assert "HTTP 503" in plain.message
    tunnel = failure(egress_by(port, FIRST), "https://127.0.0.1:1/ip")
    assert type(tunnel) is DestinationUnreachableError
    assert "did not connect to 127.0.0.1:1: HTTP 503" in tunnel.message
