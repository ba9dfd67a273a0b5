from __future__ import annotations

import socket
from contextlib import closing
from urllib.parse import urlsplit

import pytest
import requests

from sfcutover.emulator import Emulator, Fault
from tests.emulator.client import Client
from tests.emulator.traffic import echo, redeem, results, send

Org = tuple[Emulator, Client]
GREETING = b"\x05\x02\x00\x02"


def proxy(emulator: Emulator, name: str = "NEW") -> str:
    return emulator.environment[f"SFCUTOVER_{name}_SOCKS_URL"]


def open_socket(emulator: Emulator) -> socket.socket:
    return socket.create_connection(("127.0.0.1", urlsplit(proxy(emulator)).port or 0), timeout=10)


def authenticate(connection: socket.socket, emulator: Emulator) -> bytes:
    connection.sendall(GREETING)
    assert connection.recv(2) == b"\x05\x02"
    user, password = emulator.scenario.proxy_user, emulator.scenario.proxy_password
    texts = b"".join(bytes([len(text)]) + text.encode() for text in (user, password))
    connection.sendall(b"\x01" + texts)
    return connection.recv(2)


def reply_to(emulator: Emulator, request: bytes) -> int:
    """The reply code to a request after the password."""
    with closing(open_socket(emulator)) as connection:
        assert authenticate(connection, emulator) == b"\x01\x00"
        connection.sendall(request)
        return connection.recv(10)[1]


def test_it_takes_turns_like_the_other(org: Org) -> None:
    emulator, _ = org
    assert [echo(emulator, proxy(emulator)) for _ in range(4)] == ["127.0.0.21", "127.0.0.22"] * 2
    assert echo(emulator, proxy(emulator, "OLD")) == "127.0.0.11"


def test_a_redemption_over_tls_leaves_by_it() -> None:
    with Emulator() as emulator:
        assert redeem(emulator, proxy=proxy(emulator, "OLD")).status_code == 200
        assert redeem(emulator, proxy=proxy(emulator)).status_code == 400
        assert results(emulator) == ["redeemed", "blocked"]


def test_names_are_looked_up_by_the_proxy_and_it_knows_one(org: Org) -> None:
    emulator, _ = org
    url = emulator.environment["SFCUTOVER_ECHO_URL"]
    known = url.replace("127.0.0.1", "localhost")
    assert send(emulator, "GET", known, proxy(emulator)).text == "127.0.0.21\n"
    with pytest.raises(requests.ConnectionError, match="not allowed by ruleset"):
        send(emulator, "GET", url.replace("127.0.0.1", "ip.example.com"), proxy(emulator))


def test_a_wrong_password_is_refused(org: Org) -> None:
    emulator, _ = org
    wrong = proxy(emulator).replace("sesame", "barley")
    with pytest.raises(requests.ConnectionError, match="authentication failed"):
        echo(emulator, wrong)


def test_a_client_without_a_password_is_refused(org: Org) -> None:
    emulator, _ = org
    with closing(open_socket(emulator)) as connection:
        connection.sendall(b"\x05\x01\x00")
        assert connection.recv(2) == b"\x05\xff"
        assert connection.recv(1) == b""


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        (b"\x05\x01\x00\x01" + bytes([192, 0, 2, 1]) + b"\x01\xbb", 2),
        (b"\x05\x01\x00\x04" + bytes(15) + b"\x02" + b"\x01\xbb", 2),
        (b"\x05\x02\x00\x01" + bytes([127, 0, 0, 1]) + b"\x01\xbb", 7),
        (b"\x05\x01\x00\x09", 8),
    ],
)
def test_other_requests_are_refused_by_their_codes(org: Org, request_: bytes, code: int) -> None:
    assert reply_to(org[0], request_) == code


def test_a_client_that_goes_away_is_no_error(org: Org, capfd: pytest.CaptureFixture[str]) -> None:
    emulator, _ = org
    open_socket(emulator).close()
    with closing(open_socket(emulator)) as connection:
        connection.sendall(GREETING[:1])
    assert echo(emulator, proxy(emulator)) == "127.0.0.21"
    emulator.stop()
    assert capfd.readouterr().err == ""


def test_faults_hit_it_too(org: Org) -> None:
    emulator, _ = org
    emulator.set_fault(Fault(kind="proxy_refuses", operation="new_proxy"))
    with pytest.raises(requests.ConnectionError, match="authentication failed"):
        echo(emulator, proxy(emulator))
    emulator.set_fault(Fault(kind="proxy_down", operation="new_proxy"))
    with pytest.raises(requests.ConnectionError):
        echo(emulator, proxy(emulator))
    emulator.set_fault(Fault(kind="address_reset", address="127.0.0.22", count=None))
    assert echo(emulator, proxy(emulator)) == "127.0.0.21"
    with pytest.raises(requests.ConnectionError):
        echo(emulator, proxy(emulator))
    emulator.clear_faults()
    assert echo(emulator, proxy(emulator)) == "127.0.0.21"
