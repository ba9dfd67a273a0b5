"""Dante as the SOCKS5 proxy: probes and redemptions, plain and with TLS."""

from __future__ import annotations

import os
from collections.abc import Iterator
from urllib.parse import quote

import pytest

from sfcutover.allowlist.ranges import IpRange
from sfcutover.cutover.probe import probe
from sfcutover.emulator import Emulator
from sfcutover.traffic.egress import Egress, ask_echo
from sfcutover.traffic.proxy import ProxyUrl
from sfcutover.traffic.proxyerrors import (
    DestinationUnreachableError,
    EgressError,
    EgressTlsError,
    ProxyRefusedError,
)
from sfcutover.traffic.redemption import Redemption, RedemptionOutcome
from sfcutover.traffic.tokenanswer import TokenEndpoint
from sfcutover.util.secrets import Secret
from tests.real import dante
from tests.support import StartEmulator

pytestmark = pytest.mark.slow  # programs that others wrote

if REASON := dante.missing():  # one line for all, or a failure where SFCUTOVER_REQUIRE_REAL is 1
    if os.environ.get("SFCUTOVER_REQUIRE_REAL") == "1":
        pytest.fail(REASON, pytrace=False)
    pytest.skip(REASON, allow_module_level=True)

LISTED, NOT_LISTED = "127.0.0.11", "127.0.0.21"


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """A proxy whose address is on the emulator's allowlist."""
    with dante.running(LISTED) as port:
        yield port


@pytest.fixture(scope="module")
def other_port() -> Iterator[int]:
    """A proxy whose address is not on it."""
    with dante.running(NOT_LISTED) as port:
        yield port


@pytest.fixture
def emulator(start_emulator: StartEmulator, monkeypatch: pytest.MonkeyPatch) -> Emulator:
    emulator = start_emulator(tls=True)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", emulator.environment["REQUESTS_CA_BUNDLE"])
    return emulator


def egress_by(
    port: int, *expected: str, scheme: str = "socks5h", password: str | None = dante.PASSWORD
) -> Egress:
    login = "" if password is None else f"{dante.USER}:{quote(password, safe='')}@"
    url = ProxyUrl.parse(Secret(f"{scheme}://{login}127.0.0.1:{port}"), "here")
    return Egress("new", url, tuple(IpRange.parse(each) for each in expected))


def failure(egress: Egress, url: str) -> EgressError:
    with egress.session() as session, pytest.raises(EgressError) as caught:
        ask_echo(session, url)
    assert dante.PASSWORD not in str(caught.value)
    return caught.value


def redeem(emulator: Emulator, egress: Egress) -> Redemption:
    values = emulator.environment
    endpoint = TokenEndpoint(
        values["SFCUTOVER_TOKEN_URL"], values["SF_CLIENT_ID"], Secret(values["SF_CLIENT_SECRET"])
    )
    with egress.session() as session:
        return endpoint.redeem(Secret(values["SF_REFRESH_TOKEN"]), session)


@pytest.mark.parametrize("scheme", ["socks5", "socks5h"])
def test_the_address_is_observed(port: int, scheme: str, emulator: Emulator) -> None:
    for url in (emulator.environment["SFCUTOVER_ECHO_URL"], f"{emulator.url}/ip"):
        result = probe(egress_by(port, LISTED, scheme=scheme), url)
        assert result.passed, result.failure
        assert [str(each) for each in result.seen] == [LISTED]


def test_a_name_is_resolved_by_the_proxy(port: int, emulator: Emulator) -> None:
    url = emulator.environment["SFCUTOVER_ECHO_URL"].replace("127.0.0.1", "localhost")
    with egress_by(port, LISTED).session() as session:
        assert str(ask_echo(session, url)) == LISTED


def test_redemptions_depend_on_the_address(port: int, other_port: int, emulator: Emulator) -> None:
    assert redeem(emulator, egress_by(other_port)).outcome is RedemptionOutcome.BLOCKED
    assert redeem(emulator, egress_by(port)).outcome is RedemptionOutcome.REDEEMED
    assert [one.source for one in emulator.redemptions] == [NOT_LISTED, LISTED]


@pytest.mark.parametrize("password", [None, "open@sesame:22"])
def test_a_wrong_password_is_distinguished(
    port: int, password: str | None, emulator: Emulator
) -> None:
    egress = egress_by(port, password=password)
    assert type(failure(egress, f"{emulator.url}/ip")) is ProxyRefusedError
    redemption = redeem(emulator, egress)
    assert redemption.outcome is RedemptionOutcome.PROXY_FAILURE
    assert not redemption.answer_lost
    assert "sesame" not in str(redemption)
    assert emulator.redemptions == []


@pytest.mark.parametrize("place", ["127.0.0.1:1", "192.0.2.1:443"])
def test_an_unreachable_server_is_distinguished(port: int, place: str) -> None:
    error = failure(egress_by(port), f"https://{place}/ip")
    assert type(error) is DestinationUnreachableError
    assert f"did not connect to {place.removesuffix(':443')}" in error.message


def test_a_tls_failure_behind_the_proxy_is_distinguished(
    port: int, start_emulator: StartEmulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("REQUESTS_CA_BUNDLE", raising=False)
    emulator = start_emulator(tls=True)
    error = failure(egress_by(port), f"{emulator.url}/ip")
    assert type(error) is EgressTlsError
    assert "failed behind" in error.message
