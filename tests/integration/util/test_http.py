"""The limits of every request, on real sockets."""

from __future__ import annotations

import gzip
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
import requests

from sfcutover.errors import ConfigError, ExitCode
from sfcutover.traffic.proxy import EgressSession, ProxyUrl
from sfcutover.util import http
from sfcutover.util.http import ResponseTooLargeError, network_error, new_session
from sfcutover.util.secrets import Secret
from tests.support import StartEmulator, StartServer, Talk, answer, listening


@pytest.fixture
def session() -> Iterator[requests.Session]:
    with new_session() as session:
        yield session


@contextmanager
def raw_server(talk: Talk) -> Iterator[str]:
    """A server that reads a request and calls talk to write the answer; its URL."""

    def answer_one(connection: socket.socket) -> None:
        connection.recv(65536)
        talk(connection)

    with listening(answer_one) as place:
        yield f"http://{place}"


def drip(connection: socket.socket) -> None:
    """A byte every 20 ms, for at most 4 s."""
    for _ in range(200):
        connection.sendall(b"x")
        threading.Event().wait(0.02)


def drip_body(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
    drip(connection)


def drip_chunks(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffff\r\n")
    drip(connection)


def drip_headers(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    drip(connection)


def drip_trailers(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX-Slow: ")
    drip(connection)


def continue_forever(connection: socket.socket) -> None:
    for _ in range(200):
        connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        threading.Event().wait(0.02)


DRIPS = [drip, drip_headers, drip_body, drip_chunks, drip_trailers, continue_forever]


def error_of(session: requests.Session, url: str) -> requests.RequestException:
    with pytest.raises(requests.RequestException) as caught:
        session.get(url)
    return caught.value


def test_an_answer_is_read_completely(session: requests.Session, start_server: StartServer) -> None:
    body = b"0123456789" * 100_000
    url = start_server(lambda request: answer(request, body))
    assert session.get(url).content == body
    assert session.get(url).content == body  # over the same connection


def test_a_compressed_answer_is_read_completely(
    session: requests.Session, start_server: StartServer
) -> None:
    body = b"0123456789" * 100_000
    packed = gzip.compress(body)
    url = start_server(lambda request: answer(request, packed, Content_Encoding="gzip"))
    assert session.get(url).content == body


def test_a_huge_answer_is_cut_off(
    session: requests.Session, start_server: StartServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "MAX_RESPONSE_BYTES", 100_000)
    url = start_server(lambda request: answer(request, bytes(100_001)))
    assert isinstance(error_of(session, url), ResponseTooLargeError)
    fits = start_server(lambda request: answer(request, bytes(100_000)))
    assert len(session.get(fits).content) == 100_000


def test_a_decompression_bomb_is_cut_off(
    session: requests.Session, start_server: StartServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "MAX_RESPONSE_BYTES", 1_000_000)
    bomb = gzip.compress(bytes(50_000_000))
    assert len(bomb) < 100_000
    url = start_server(lambda request: answer(request, bomb, Content_Encoding="gzip"))
    assert isinstance(error_of(session, url), ResponseTooLargeError)


@pytest.mark.parametrize("talk", DRIPS)
def test_a_slow_answer_is_cut_off(
    talk: Talk, session: requests.Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "TOTAL_SECONDS", 0.1)
    started = time.monotonic()
    with raw_server(talk) as url:
        error = error_of(session, url)
        assert isinstance(error, requests.Timeout)
        assert "in time" in network_error(error, url, "").message
        assert time.monotonic() - started < 2


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("talk", [drip, drip_headers])
def test_a_slow_proxy_is_cut_off(talk: Talk, scheme: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also in its answer to CONNECT, which is not the answer to the request."""
    monkeypatch.setattr(http, "TOTAL_SECONDS", 0.1)
    started = time.monotonic()
    with raw_server(talk) as url, EgressSession(ProxyUrl.parse(Secret(url), "x")) as session:
        error_of(session, f"{scheme}://echo.example/")
        assert time.monotonic() - started < 2


def test_the_time_limit_applies_to_one_exchange_and_not_to_the_connection(
    session: requests.Session, start_server: StartServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "TOTAL_SECONDS", 0.3)
    url = start_server(lambda request: answer(request, b"x"))
    deadline = time.monotonic() + 0.5
    while time.monotonic() < deadline:
        assert session.get(url).content == b"x"


@pytest.mark.parametrize(
    "body",
    [
        b'{"a":' * 200_000,
        b"[" * 200_000,
        b"9" * 5000,
        b"[" + b"[]," * (http.MAX_JSON_BYTES // 3) + b"[]]",
        b"\xff\xfe",
        b"",
    ],
)
def test_an_undecodable_answer_is_a_request_error(
    body: bytes, session: requests.Session, start_server: StartServer
) -> None:
    url = start_server(lambda request: answer(request, body, Content_Type="application/json"))
    with pytest.raises(requests.exceptions.JSONDecodeError):
        session.get(url).json()


def test_a_missing_answer_is_cut_off(
    session: requests.Session, start_server: StartServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "READ_SECONDS", 0.1)
    done = threading.Event()
    url = start_server(lambda _: _wait(done))
    error = error_of(session, url)
    done.set()
    assert isinstance(error, requests.Timeout)
    assert "in time" in network_error(error, url, "").message


def test_a_pause_in_the_middle_of_an_answer_is_cut_off(
    session: requests.Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "READ_SECONDS", 0.1)
    done = threading.Event()

    def stop_halfway(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
        done.wait(5)

    with raw_server(stop_halfway) as url:
        error = error_of(session, url)
        done.set()
    assert isinstance(error, requests.Timeout)


@pytest.mark.parametrize(
    "head", [b"Content-Length: 100\r\n\r\n", b"Transfer-Encoding: chunked\r\n\r\n64\r\n"]
)
def test_a_truncated_answer_is_an_error(head: bytes, session: requests.Session) -> None:
    with raw_server(lambda peer: peer.sendall(b"HTTP/1.1 200 OK\r\n" + head + b"half")) as url:
        error = error_of(session, url)
    assert "broke" in network_error(error, url, "").message


def test_redirects_are_refused(session: requests.Session, start_server: StartServer) -> None:
    seen: list[str] = []
    elsewhere = start_server(lambda request: _note(request, seen))
    url = start_server(lambda request: answer(request, b"", 302, Location=f"{elsewhere}/stolen"))
    error = error_of(session, url)
    assert isinstance(error, requests.TooManyRedirects)
    assert "redirect" in network_error(error, url, "").message
    assert seen == []


def test_a_password_in_netrc_is_never_sent(
    session: requests.Session,
    start_server: StartServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password hunter2\n")
    monkeypatch.setenv("NETRC", str(netrc))
    seen: list[str | None] = []

    def note(request: BaseHTTPRequestHandler) -> None:
        seen.append(request.headers["Authorization"])
        answer(request, b"")

    url = start_server(note)
    session.get(url)
    session.get(url, headers={"Authorization": "Bearer mine"})
    assert seen == [None, "Bearer mine"]
    requests.get(url, timeout=5)  # what requests does by default
    assert (seen[2] or "").startswith("Basic ")


def test_an_unknown_certificate_is_refused(
    session: requests.Session, start_emulator: StartEmulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("REQUESTS_CA_BUNDLE", raising=False)
    emulator = start_emulator(tls=True)
    explained = network_error(error_of(session, f"{emulator.url}/services/data"), emulator.url, "")
    assert "certificate" in explained.message
    assert "REQUESTS_CA_BUNDLE" in explained.hint
    assert explained.exit_code is ExitCode.NETWORK
    assert len(emulator.log) == 0


def test_a_port_without_tls_is_not_a_certificate_error(
    session: requests.Session, start_server: StartServer
) -> None:
    url = start_server(lambda request: answer(request, b"")).replace("http:", "https:")
    explained = network_error(error_of(session, url), url, "")
    assert explained.message.endswith(": TLS failed")
    assert "the URL may need http:// here" in explained.hint


@pytest.mark.parametrize("status", [401, 403, 407])
def test_a_failed_proxy_connection_is_reported_with_its_status(
    session: requests.Session, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A proxy of the environment; tinyproxy answers 401 to a wrong password."""

    def refuse(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(f"HTTP/1.1 {status} Refused\r\n\r\n".encode())

    url = "https://acme.example.com"
    with listening(refuse) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://{proxy}")
        explained = network_error(error_of(session, url), url, "")
    assert explained.message.endswith(f"did not connect (HTTP {status})")
    assert ("password" in explained.hint) is (status != 403)


def test_a_private_authority_is_read_from_the_environment(
    session: requests.Session, start_emulator: StartEmulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    emulator = start_emulator(tls=True)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", emulator.environment["REQUESTS_CA_BUNDLE"])
    assert session.get(f"{emulator.url}/services/data").ok


def test_a_missing_ca_file_fails_closed(
    session: requests.Session, start_emulator: StartEmulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    emulator = start_emulator(tls=True)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nowhere/authorities.pem")
    with pytest.raises(ConfigError, match=r"/nowhere/authorities\.pem") as caught:
        session.get(f"{emulator.url}/services/data")
    assert "REQUESTS_CA_BUNDLE" in caught.value.hint


def test_a_ca_file_without_a_certificate_fails_closed(
    session: requests.Session,
    start_emulator: StartEmulator,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    emulator = start_emulator(tls=True)
    bundle = tmp_path / "authorities.pem"
    bundle.write_text("not a certificate")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(bundle))
    with pytest.raises((ConfigError, requests.RequestException)):
        session.get(f"{emulator.url}/services/data")


def test_a_request_is_never_sent_twice(
    session: requests.Session, start_server: StartServer
) -> None:
    seen: list[str] = []

    def hang_up(request: BaseHTTPRequestHandler) -> None:
        seen.append(request.path)
        request.connection.shutdown(socket.SHUT_RDWR)
        request.close_connection = True

    url = start_server(hang_up)
    with pytest.raises(requests.ConnectionError):
        session.post(url, data=b"once")
    assert len(seen) == 1


def _wait(done: threading.Event) -> None:
    done.wait(5)


def _note(request: BaseHTTPRequestHandler, seen: list[str]) -> None:
    seen.append(request.path)
    answer(request, b"")
