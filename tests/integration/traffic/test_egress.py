"""Egress on real sockets: what is sent, through which proxy, and how each failure is classified."""

from __future__ import annotations

import base64
import logging
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
import requests

from sfcutover.allowlist.ranges import IpRange
from sfcutover.emulator import Emulator, Fault
from sfcutover.emulator.network import make_tls
from sfcutover.errors import ConfigError, ExitCode
from sfcutover.traffic import egress as echo
from sfcutover.traffic.egress import Egress, ask_echo
from sfcutover.traffic.proxy import ProxyUrl
from sfcutover.traffic.proxyerrors import (
    DestinationUnreachableError,
    EchoAnswerError,
    EchoHttpError,
    EgressError,
    EgressTlsError,
    ProxyRefusedError,
    ProxyUnreachableError,
)
from sfcutover.util.secrets import Secret, redact
from tests.support import StartEmulator, StartServer, Talk, answer, listening

ECHO = "http://echo.example/ip"
SECURE_ECHO = "https://echo.example/ip"
PASSWORD = "hunter2@pass:wörd"
ENCODED = "hunter2%40pass%3Aw%C3%B6rd"


def egress_by(url: str) -> Egress:
    return Egress("new", ProxyUrl.parse(Secret(url), "here"), (IpRange.parse("198.51.100.20"),))


def with_password(url: str) -> str:
    """The URL of a proxy with a user and the password."""
    scheme, _, place = url.partition("://")
    return f"{scheme}://user:{ENCODED}@{place}"


def seen_through(proxy: str, url: str = ECHO) -> str:
    with egress_by(proxy).session() as session:
        return str(ask_echo(session, url))


def failure(kind: type[EgressError], proxy: str, url: str = ECHO) -> EgressError:
    """The error of the probe, which is exactly of this kind and repeats no password."""
    with pytest.raises(EgressError) as caught:
        seen_through(proxy, url)
    error = caught.value
    assert type(error) is kind, repr(error)
    assert "hunter2" not in f"{error} {error.hint}"
    assert "open@sesame" not in f"{error} {error.hint}"
    return error


@pytest.fixture
def listen() -> Iterator[Callable[[Talk], str]]:
    """Starts servers on bare sockets; each calls talk for every connection. Returns host:port."""
    with ExitStack() as stack:
        yield lambda talk: stack.enter_context(listening(talk))


def replying(*answers: bytes) -> Talk:
    """Read, and send the next answer, until all are sent."""

    def talk(connection: socket.socket) -> None:
        for each in answers:
            connection.recv(65536)
            connection.sendall(each)

    return talk


def closed_port() -> str:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return f"127.0.0.1:{server.getsockname()[1]}"


# Answers of an echo.


@pytest.mark.parametrize(
    ("body", "address"),
    [
        (b"198.51.100.20", "198.51.100.20"),
        (b"  198.51.100.20\r\n", "198.51.100.20"),
        (b'{"ip": "198.51.100.21"}', "198.51.100.21"),
        (b'{"country": "x", "ip": " 2001:db8::1 "}\n', "2001:db8::1"),
        (b"2001:DB8:0::1", "2001:db8::1"),
        (b"::ffff:198.51.100.20", "198.51.100.20"),  # as dual-stack servers write it
    ],
)
def test_an_address_is_read_from_text_or_json(
    body: bytes, address: str, start_server: StartServer
) -> None:
    proxy = start_server(lambda request: answer(request, body))
    assert seen_through(proxy) == address


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html><body>Welcome</body></html>",
        b"999.1.2.3",
        b"198.51.100.20, 198.51.100.21",
        b"198.51.100.20/32",
        b"fe80::1%eth0",
        b'{"address": "198.51.100.20"}',
        b'{"ip": 3325256724}',
        b'{"ip": "proxy.example"}',
        b'{"ip": "198.51.100.20"',
        b'["198.51.100.20"]',
        b'{"ip":' + b"[" * 4000,
        b"198.51.100.20" + b" " * 5000,
        b"\xff\xfe\x00",
    ],
)
def test_an_invalid_address_is_distinguished(body: bytes, start_server: StartServer) -> None:
    proxy = start_server(lambda request: answer(request, body))
    error = failure(EchoAnswerError, proxy)
    assert "echo.example answered something that is not an IP address" in error.message
    assert len(error.message) < 200
    assert error.exit_code is ExitCode.NETWORK


@pytest.mark.parametrize("status", [301, 302, 307, 400, 403, 404, 429, 500, 502, 503])
def test_an_http_error_and_a_redirect_are_distinguished(
    status: int, start_server: StartServer
) -> None:
    asked: list[str] = []

    def handle(request: BaseHTTPRequestHandler) -> None:
        asked.append(request.path)
        answer(request, b"198.51.100.20", status, Location="http://elsewhere.example/")

    error = failure(EchoHttpError, start_server(handle))
    assert f"HTTP {status}" in error.message
    assert asked == [ECHO]  # once, and no other server


# Failures on the way.


def test_a_refused_password_is_distinguished(start_server: StartServer) -> None:
    proxy = start_server(lambda request: answer(request, b"who are you", 407))
    error = failure(ProxyRefusedError, with_password(proxy))
    assert error.exit_code is ExitCode.AUTH
    assert f"the proxy {proxy} refused" in error.message


def test_a_refused_password_of_a_tunnel_is_distinguished(
    listen: Callable[[Talk], str],
) -> None:
    proxy = listen(replying(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n"))
    failure(ProxyRefusedError, f"http://user:{ENCODED}@{proxy}", SECURE_ECHO)


TINYPROXY = b"<html><h1>Unauthorized</h1><hr /><p><em>Generated by tinyproxy</em></p></html>"
BY_TINYPROXY: list[dict[str, str]] = [
    {"Server": "tinyproxy/1.11.1", "Content_Type": "text/html"},
    {"Server": "tinyproxy/1.11.2", "WWW_Authenticate": 'Basic realm="Tinyproxy"'},
    {"WWW_Authenticate": 'Basic realm="Tinyproxy"'},
    {"Content_Type": "text/html"},
]


@pytest.mark.parametrize("headers", BY_TINYPROXY)
def test_a_401_of_tinyproxy_is_a_refused_password(
    headers: dict[str, str], start_server: StartServer
) -> None:
    """It answers 407 if there is no password, and 401 to a wrong one."""
    proxy = start_server(lambda request: answer(request, TINYPROXY, 401, **headers))
    assert failure(ProxyRefusedError, with_password(proxy)).exit_code is ExitCode.AUTH


def test_a_401_of_tinyproxy_to_a_tunnel_is_a_refused_password(
    listen: Callable[[Talk], str],
) -> None:
    proxy = listen(replying(b"HTTP/1.0 401 Unauthorized\r\nServer: tinyproxy/1.11.1\r\n\r\n"))
    error = failure(ProxyRefusedError, f"http://user:{ENCODED}@{proxy}", SECURE_ECHO)
    assert error.exit_code is ExitCode.AUTH


@pytest.mark.parametrize(
    "headers",
    [{"WWW_Authenticate": 'Basic realm="echo"'}, {"Content_Type": "application/json"}],
)
def test_a_401_of_a_page_is_not_one_of_the_proxy(
    headers: dict[str, str], start_server: StartServer
) -> None:
    proxy = start_server(lambda request: answer(request, b'{"error": "login"}', 401, **headers))
    assert failure(EchoHttpError, with_password(proxy)).exit_code is ExitCode.NETWORK


@pytest.mark.parametrize("status", [401, 407])
def test_a_required_password_is_distinguished_from_a_wrong_one(
    status: int, start_server: StartServer
) -> None:
    proxy = start_server(lambda request: answer(request, b"who are you", status))
    error = failure(ProxyRefusedError, proxy)
    assert error.message == f"the proxy {proxy} requires a user and password, but its URL has none"


@pytest.mark.parametrize("scheme", ["http", "https", "socks5h"])
@pytest.mark.parametrize("url", [ECHO, SECURE_ECHO])
def test_an_unreachable_proxy_is_distinguished(scheme: str, url: str) -> None:
    place = closed_port()
    error = failure(ProxyUnreachableError, f"{scheme}://user:{ENCODED}@{place}", url)
    assert f"{scheme}://{place} cannot be reached" in error.message
    assert error.exit_code is ExitCode.NETWORK


@pytest.mark.parametrize("status", [403, 502, 503, 504])
def test_a_failed_tunnel_is_distinguished(status: int, listen: Callable[[Talk], str]) -> None:
    proxy = listen(replying(f"HTTP/1.1 {status} no\r\n\r\n".encode()))
    error = failure(DestinationUnreachableError, f"http://{proxy}", SECURE_ECHO)
    assert f"did not connect to echo.example: HTTP {status}" in error.message


def test_a_broken_connection_is_distinguished(listen: Callable[[Talk], str]) -> None:
    proxy = listen(replying(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"))
    error = failure(DestinationUnreachableError, f"http://{proxy}")
    assert "the connection broke" in error.message


def test_a_timeout_is_distinguished(
    listen: Callable[[Talk], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(echo, "ECHO_READ_SECONDS", 0.1)
    proxy = listen(lambda connection: _until_it_ends(connection))
    assert "in time" in failure(DestinationUnreachableError, f"http://{proxy}").message


def test_a_tls_failure_with_the_proxy_is_distinguished(
    start_emulator: StartEmulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("REQUESTS_CA_BUNDLE", raising=False)
    proxy = start_emulator(tls=True).url
    for url in (ECHO, SECURE_ECHO):
        error = failure(EgressTlsError, with_password(proxy), url)
        assert f"TLS with the proxy {proxy} failed" in error.message
        assert "REQUESTS_CA_BUNDLE" in error.hint


def test_a_trusted_https_proxy_is_used(
    listen: Callable[[Talk], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context, bundle = make_tls(tmp_path)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(bundle))

    def talk(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True) as secure:
            secure.recv(65536)
            secure.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\n198.51.100.20")

    assert seen_through(f"https://{listen(talk)}") == "198.51.100.20"


def test_a_plain_proxy_with_an_https_url_is_distinguished(emulator: Emulator) -> None:
    proxy = emulator.environment["SFCUTOVER_NEW_PROXY_URL"].replace("http://", "https://")
    error = failure(EgressTlsError, proxy)
    assert "its URL must start with http://" in error.hint


def test_a_tls_failure_behind_the_proxy_is_distinguished(
    start_emulator: StartEmulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("REQUESTS_CA_BUNDLE", raising=False)
    emulator = start_emulator(tls=True)
    proxy = emulator.environment["SFCUTOVER_NEW_PROXY_URL"]
    error = failure(EgressTlsError, proxy, emulator.url)
    assert f"{emulator.url.removeprefix('https://')} failed behind" in error.message


def test_a_proxy_that_intercepts_tls_is_refused(
    start_emulator: StartEmulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    emulator = start_emulator(tls=True)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", emulator.environment["REQUESTS_CA_BUNDLE"])
    emulator.set_fault(Fault(kind="proxy_breaks_tls", count=None))
    proxy = emulator.environment["SFCUTOVER_NEW_PROXY_URL"]
    failure(EgressTlsError, proxy, f"{emulator.url}/ip")


def test_socks_failures_are_distinguished(listen: Callable[[Talk], str]) -> None:
    """By the answers of RFC 1928 and 1929; tests/real has a complete SOCKS server."""
    by_password, no_method, accepted = b"\x05\x02", b"\x05\xff", b"\x05\x00"
    place = listen(replying(by_password, b"\x01\x01"))
    failure(ProxyRefusedError, f"socks5h://user:{ENCODED}@{place}")
    failure(ProxyRefusedError, f"socks5h://{listen(replying(no_method))}")
    refused = b"\x05\x05\x00\x01" + bytes(6)
    error = failure(DestinationUnreachableError, f"socks5h://{listen(replying(accepted, refused))}")
    assert "did not connect to echo.example" in error.message
    failure(DestinationUnreachableError, f"socks5h://{listen(replying(accepted))}")
    web = listen(replying(b"HTTP/1.1 400 Bad Request\r\n\r\n"))
    failure(ProxyUnreachableError, f"socks5h://{web}")


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("proxy_refuses", ProxyRefusedError),
        ("address_reset", DestinationUnreachableError),
        ("proxy_down", DestinationUnreachableError),
    ],
)
def test_the_faults_of_the_emulator_are_distinguished(
    kind: str, expected: type[EgressError], emulator: Emulator
) -> None:
    emulator.set_fault(Fault.model_validate({"kind": kind, "count": None}))
    values = emulator.environment
    failure(expected, values["SFCUTOVER_NEW_PROXY_URL"], values["SFCUTOVER_ECHO_URL"])


# Requests, and their route.


def test_only_the_proxy_receives_the_password(
    start_server: StartServer, listen: Callable[[Talk], str]
) -> None:
    sent: list[str | None] = []

    def handle(request: BaseHTTPRequestHandler) -> None:
        sent.append(request.headers["Proxy-Authorization"])
        answer(request, b"198.51.100.20")

    seen_through(with_password(start_server(handle)))
    expected = base64.b64encode(f"user:{PASSWORD}".encode()).decode()
    assert sent == [f"Basic {expected}"]

    heard: list[bytes] = []

    def tunnel(connection: socket.socket) -> None:
        heard.append(connection.recv(65536))
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        heard.append(connection.recv(65536))  # the first bytes of TLS

    failure(DestinationUnreachableError, f"http://user:{ENCODED}@{listen(tunnel)}", SECURE_ECHO)
    assert heard[0].startswith(b"CONNECT echo.example:443 ")
    assert f"Basic {expected}".encode() in heard[0]
    assert expected.encode() not in heard[1]


def test_a_tunnel_trusts_the_authorities_of_the_environment(
    start_emulator: StartEmulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    emulator = start_emulator(tls=True)
    values = emulator.environment
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", values["REQUESTS_CA_BUNDLE"])
    proxy = values["SFCUTOVER_NEW_PROXY_URL"]
    assert seen_through(proxy, f"{emulator.url}/ip").startswith("127.0.0.2")


def test_a_missing_ca_file_fails_closed(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nowhere/authorities.pem")
    values = emulator.environment
    with pytest.raises(ConfigError, match="/nowhere/authorities"):
        seen_through(values["SFCUTOVER_NEW_PROXY_URL"], values["SFCUTOVER_ECHO_URL"])


def test_proxies_and_exceptions_of_the_environment_are_ignored(
    start_server: StartServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong: list[str] = []

    def elsewhere(request: BaseHTTPRequestHandler) -> None:
        wrong.append(request.path)
        answer(request, b"203.0.113.99")

    other = start_server(elsewhere)
    for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, other)
    proxy = start_server(lambda request: answer(request, b"198.51.100.20"))
    assert seen_through(proxy, f"{other}/ip") == "198.51.100.20"
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "*")
    assert seen_through(proxy, f"{other}/ip") == "198.51.100.20"
    with egress_by(proxy).session() as session:  # also if a caller disables verification
        session.trust_env = True
        assert str(ask_echo(session, f"{other}/ip")) == "198.51.100.20"
    assert wrong == []


def test_a_password_in_netrc_is_never_sent(
    start_server: StartServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine echo.example login somebody password hunter2\n")
    monkeypatch.setenv("NETRC", str(netrc))
    sent: list[str | None] = []

    def handle(request: BaseHTTPRequestHandler) -> None:
        sent.append(request.headers["Authorization"])
        answer(request, b"198.51.100.20")

    seen_through(start_server(handle))
    assert sent == [None]


def test_every_request_has_its_own_connection(start_server: StartServer) -> None:
    ports: list[int] = []

    def handle(request: BaseHTTPRequestHandler) -> None:
        ports.append(request.client_address[1])
        answer(request, b"198.51.100.20")

    with egress_by(start_server(handle)).session() as session:
        for _ in range(5):
            ask_echo(session, ECHO)
    assert len(set(ports)) == 5


def test_a_pair_alternates_for_threads_that_share_a_session(emulator: Emulator) -> None:
    values = emulator.environment
    with egress_by(values["SFCUTOVER_NEW_PROXY_URL"]).session() as session:
        with ThreadPoolExecutor(8) as pool:
            asked = [
                pool.submit(ask_echo, session, values["SFCUTOVER_ECHO_URL"]) for _ in range(40)
            ]
        seen = [str(each.result()) for each in asked]
    assert {each: seen.count(each) for each in seen} == {"127.0.0.21": 20, "127.0.0.22": 20}


def test_no_request_is_sent_twice(listen: Callable[[Talk], str]) -> None:
    heard: list[bytes] = []
    proxy = listen(lambda connection: heard.append(connection.recv(65536)))
    with egress_by(f"http://{proxy}").session() as session, pytest.raises(requests.ConnectionError):
        session.post(ECHO, data=b"once")
    assert len(heard) == 1


def test_a_probe_forbids_cached_answers(start_server: StartServer) -> None:
    sent: list[str | None] = []

    def handle(request: BaseHTTPRequestHandler) -> None:
        sent.append(request.headers["Cache-Control"])
        answer(request, b"198.51.100.20")

    seen_through(start_server(handle))
    assert sent == ["no-cache, no-store"]


def test_no_log_contains_the_password(
    start_server: StartServer, caplog: pytest.LogCaptureFixture
) -> None:
    proxy = with_password(start_server(lambda request: answer(request, b"198.51.100.20")))
    with caplog.at_level(logging.DEBUG):
        seen_through(proxy)
        failure(ProxyUnreachableError, f"http://user:{ENCODED}@{closed_port()}")
    assert "GET http://echo.example/ip" in caplog.text
    assert "hunter2" not in caplog.text  # not even before the redaction
    assert base64.b64encode(b"user:hunter2").decode()[:12] not in redact(caplog.text)


# Configuration.


def _until_it_ends(connection: socket.socket) -> None:
    while connection.recv(65536):
        pass
