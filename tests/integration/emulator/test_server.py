from __future__ import annotations

import http.client
import socket
import threading
from urllib.parse import urlsplit

import pytest
import requests

from sfcutover.emulator import Emulator, Fault
from sfcutover.emulator.bodies import MAX_BODY
from tests.integration.emulator.client import Client

Org = tuple[Emulator, Client]


def connect(emulator: Emulator) -> http.client.HTTPConnection:
    return http.client.HTTPConnection(urlsplit(emulator.url).netloc, timeout=10)


def test_a_connection_is_kept_alive(org: Org) -> None:
    emulator, _ = org
    connection = connect(emulator)
    ports = set()
    for path in ("/services/data", "/nonsense", "/services/data"):
        connection.request("GET", path)
        connection.getresponse().read()
        ports.add(connection.sock.getsockname()[1])
    connection.close()
    assert len(ports) == 1


def test_an_unexpected_body_does_not_affect_the_next_request(org: Org) -> None:
    emulator, client = org
    connection = connect(emulator)
    client.admin(emulator, "POST", "faults", {"kind": "http_503", "operation": "token"})
    statuses = []
    for path in ("/services/oauth2/token", "/nonsense", "/services/data"):
        connection.request("POST" if "token" in path else "GET", path, body="grant_type=a")
        answer = connection.getresponse()
        answer.read()
        statuses.append(answer.status)
    connection.close()
    assert statuses == [503, 404, 200]


def test_a_body_that_is_too_long_is_refused_unread(org: Org) -> None:
    emulator, _ = org
    connection = connect(emulator)
    connection.putrequest("POST", "/services/Soap/m/67.0")
    connection.putheader("Content-Length", str(MAX_BODY + 1))
    connection.endheaders()
    answer = connection.getresponse()
    assert answer.status == 413
    assert answer.headers["Connection"] == "close"
    connection.close()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not xml",
        b"<a/>",
        b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>',
        b'<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Body/></e:Envelope>',
        b'<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Body><a/></e:Body></e:Envelope>',
    ],
)
def test_a_body_that_is_not_an_envelope_gets_a_fault(org: Org, body: bytes) -> None:
    _, client = org
    answer = client.post(body)
    assert answer.status_code == 500
    assert "<faultcode>sf:" in answer.text


def test_a_port_in_use_is_an_error(org: Org) -> None:
    emulator, _ = org
    with pytest.raises(OSError, match="in use"):
        Emulator(port=urlsplit(emulator.url).port or 0, tls=False)


def test_the_server_listens_on_loopback_only(org: Org) -> None:
    emulator, _ = org
    assert urlsplit(emulator.url).hostname == "127.0.0.1"
    with socket.socket() as probe:
        probe.bind(("127.0.0.2", urlsplit(emulator.url).port or 0))  # still free elsewhere


def test_tls_requires_only_the_authority_of_the_emulator() -> None:
    with Emulator() as emulator:
        bundle = emulator.environment["REQUESTS_CA_BUNDLE"]
        assert emulator.url.startswith("https://127.0.0.1:")
        assert requests.get(f"{emulator.url}/services/data", verify=bundle, timeout=10).ok
        named = emulator.url.replace("127.0.0.1", "localhost")
        assert requests.get(f"{named}/services/data", verify=bundle, timeout=10).ok
        with pytest.raises(requests.exceptions.SSLError):
            requests.get(f"{emulator.url}/services/data", timeout=10)


def test_a_tls_connection_can_be_dropped() -> None:
    with Emulator() as emulator:
        emulator.set_fault(Fault(kind="drop_after"))
        bundle = emulator.environment["REQUESTS_CA_BUNDLE"]
        with pytest.raises(requests.ConnectionError):
            requests.get(f"{emulator.url}/services/data", verify=bundle, timeout=10)
        assert requests.get(f"{emulator.url}/services/data", verify=bundle, timeout=10).ok


def test_a_silent_client_does_not_block_a_tls_server() -> None:
    with (
        Emulator() as emulator,
        socket.create_connection(("127.0.0.1", urlsplit(emulator.url).port or 0), timeout=10),
    ):
        bundle = emulator.environment["REQUESTS_CA_BUNDLE"]
        assert requests.get(f"{emulator.url}/services/data", verify=bundle, timeout=5).ok


def test_stopping_closes_open_connections_and_leaves_no_thread() -> None:
    before = set(threading.enumerate())
    emulator = Emulator(tls=False).start()
    connection = connect(emulator)
    connection.request("GET", "/services/data")
    connection.getresponse().read()
    emulator.stop()
    connection.close()
    assert set(threading.enumerate()) <= before
    with pytest.raises(requests.ConnectionError):
        requests.get(emulator.url, timeout=1)


def test_an_emulator_that_never_started_can_be_stopped() -> None:
    emulator = Emulator(tls=False)
    path = emulator.jwt_private_key_path
    assert path.stat().st_mode & 0o777 == 0o600
    emulator.stop()
    emulator.stop()
    assert not path.exists()
