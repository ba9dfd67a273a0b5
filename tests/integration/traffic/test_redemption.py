"""Redemptions on real sockets, and how every kind of answer is classified."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler
from urllib.parse import parse_qs, urlencode

import pytest
import requests
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

from sfcutover.emulator.faults import Fault
from sfcutover.traffic.egress import Egress
from sfcutover.traffic.proxy import ProxyUrl
from sfcutover.traffic.redemption import Redemption, RedemptionOutcome
from sfcutover.traffic.tokenanswer import MAX_ANSWER_BYTES, TokenEndpoint
from sfcutover.util.http import new_session
from sfcutover.util.secrets import MAX_QUOTED, Secret
from tests.support import StartEmulator, StartServer, answer, listening

TOKEN = Secret("5Aep861-the-token-of-these-tests")
CLIENT_SECRET = Secret("client/secret&of=these tests")
NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
FORM_END = urlencode({"client_secret": CLIENT_SECRET.reveal()}).encode()
SUCCESS = {
    "access_token": "00D000000000001!an-access-token",
    "instance_url": "https://acme.my.salesforce.com",
    "id": "https://login.salesforce.com/id/00D000000000001EAA/005000000000001AAA",
    "token_type": "Bearer",
}


def redeem(url: str, session: requests.Session) -> Redemption:
    return TokenEndpoint(url, "a client", CLIENT_SECRET).redeem(TOKEN, session)


def answering(
    status: int, body: object, **headers: str
) -> Callable[[BaseHTTPRequestHandler], None]:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return lambda request: answer(request, data, status, **headers)


def closed_port() -> str:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return f"127.0.0.1:{server.getsockname()[1]}"


def test_a_redemption_returns_the_user_and_a_new_token(
    session: requests.Session, start_server: StartServer
) -> None:
    forms = []

    def handle(request: BaseHTTPRequestHandler) -> None:
        forms.append(parse_qs(request.body.decode()))  # type: ignore[attr-defined]
        answer(request, json.dumps(SUCCESS | {"refresh_token": "5Aep861new"}).encode())

    before = datetime.now(UTC)
    redemption = redeem(start_server(handle), session)
    assert redemption.outcome is RedemptionOutcome.REDEEMED
    assert redemption.new_token == Secret("5Aep861new")
    assert redemption.user_id == "005000000000001AAA"
    assert before <= redemption.time <= datetime.now(UTC)
    assert not redemption.answer_lost
    assert forms == [
        {
            "grant_type": ["refresh_token"],
            "client_id": ["a client"],
            "client_secret": [CLIENT_SECRET.reveal()],
            "refresh_token": [TOKEN.reveal()],
        }
    ]


@pytest.mark.parametrize("secret", [None, Secret("s3cret")])
def test_a_public_client_sends_no_secret(
    secret: Secret | None, session: requests.Session, start_server: StartServer
) -> None:
    bodies = []

    def handle(request: BaseHTTPRequestHandler) -> None:
        bodies.append(request.body)  # type: ignore[attr-defined]
        answer(request, json.dumps(SUCCESS).encode())

    assert (
        TokenEndpoint(start_server(handle), "id", secret).redeem(TOKEN, session).new_token is None
    )
    assert (b"client_secret" in bodies[0]) == (secret is not None)


UNCLEAR = [
    (200, {}, True),
    (200, {"access_token": ""}, True),
    (200, {"access_token": 5}, True),
    (200, SUCCESS | {"refresh_token": ["x"]}, True),
    (200, SUCCESS | {"refresh_token": "two words"}, True),
    (200, {"error": "invalid_grant", "error_description": "ip restricted"}, True),
    (200, ["access_token"], True),
    (200, b"<html>welcome to this hotel</html>", True),
    (200, b"[" * 100_000, True),
    (200, json.dumps(SUCCESS).encode() + b" " * MAX_ANSWER_BYTES, True),
    (204, b"", True),
    (400, b"<html>ip restricted</html>", True),
    (400, {"error": {"code": "ip restricted"}}, True),
    (500, {"error": "invalid_grant", "error_description": "ip restricted"}, True),
    (502, b"<html>bad gateway</html>", True),
    (503, b"", False),
]


@pytest.mark.parametrize(("status", "body", "lost"), UNCLEAR)
def test_an_unknown_answer_is_neither_a_success_nor_a_block(
    status: int, body: object, lost: bool, session: requests.Session, start_server: StartServer
) -> None:
    redemption = redeem(start_server(answering(status, body)), session)
    assert (redemption.outcome, redemption.answer_lost) == (RedemptionOutcome.UNKNOWN, lost)
    assert redemption.http_status == status
    assert "hotel" not in str(redemption)
    assert "00D000000000001" not in str(redemption)


def test_http_429_is_a_rate_limit_with_any_body(
    session: requests.Session, start_server: StartServer
) -> None:
    for body in (b"slow down", {"error": "x", "error_description": "ip not allowed"}):
        redemption = redeem(start_server(answering(429, body)), session)
        assert redemption.outcome is RedemptionOutcome.RATE_LIMITED
        assert not redemption.answer_lost


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("plain", [True, False])
def test_redirects_are_not_followed(status: int, plain: bool, start_server: StartServer) -> None:
    asked: list[str] = []

    def elsewhere(request: BaseHTTPRequestHandler) -> None:
        asked.append(request.path)
        answer(request, json.dumps(SUCCESS).encode())

    url = start_server(answering(status, b"", Location=start_server(elsewhere)))
    with requests.Session() if plain else new_session() as session:
        redemption = redeem(url, session)
    assert (redemption.outcome, redemption.http_status) == (RedemptionOutcome.UNKNOWN, status)
    assert not redemption.answer_lost
    assert asked == []


def through(proxy: str) -> requests.Session:
    session = new_session()
    session.trust_env = False
    session.proxies = {"http": proxy, "https": proxy}
    return session


@pytest.mark.parametrize(
    ("said", "status"),
    [
        (b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", 407),
        (b"HTTP/1.1 502 Bad Gateway\r\n\r\n", 502),
        (b"HTTP/1.1 403 ip restricted\r\n\r\n", 403),
        (b"what?\r\n\r\n", None),
        (b"", None),
    ],
)
def test_a_failed_proxy_connection_is_a_proxy_failure(said: bytes, status: int | None) -> None:
    def talk(connection: socket.socket) -> None:
        assert connection.recv(65536).startswith(b"CONNECT ")
        connection.sendall(said)

    with listening(talk) as place, through(f"http://user:pa55word@{place}") as session:
        redemption = redeem("https://login.salesforce.example/", session)
    assert (redemption.outcome, redemption.http_status) == (RedemptionOutcome.PROXY_FAILURE, status)
    assert not redemption.answer_lost
    assert "pa55word" not in str(redemption)
    assert (status is None) or str(status) in (redemption.description or "")


def test_a_proxy_can_refuse_plain_http(start_server: StartServer) -> None:
    html = b"<html>ip not allowed</html>"
    with through(start_server(answering(407, html))) as session:
        redemption = redeem("http://127.0.0.1:1/", session)
    assert (redemption.outcome, redemption.http_status) == (RedemptionOutcome.PROXY_FAILURE, 407)
    assert not redemption.answer_lost


@pytest.mark.parametrize("scheme", ["http", "https", "socks5", "socks5h"])
@pytest.mark.parametrize("url", ["https://login.salesforce.example/", "http://127.0.0.1:1/"])
def test_an_unreachable_proxy_is_a_proxy_failure(scheme: str, url: str) -> None:
    with through(f"{scheme}://{closed_port()}") as session:
        redemption = redeem(url, session)
    assert redemption.outcome is RedemptionOutcome.PROXY_FAILURE
    assert not redemption.answer_lost


def test_a_silent_proxy_has_not_received_the_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sfcutover.traffic.tokenanswer.CONNECT_SECONDS", 0.1)
    ended = threading.Event()

    def talk(connection: socket.socket) -> None:
        connection.recv(65536)
        ended.wait(5)

    with listening(talk) as place, through(f"http://{place}") as session:
        redemption = redeem("https://login.salesforce.example/", session)
        ended.set()
    assert redemption.outcome is RedemptionOutcome.PROXY_FAILURE
    assert not redemption.answer_lost


def test_without_a_connection_no_answer_can_be_lost(session: requests.Session) -> None:
    redemption = redeem(f"http://{closed_port()}/", session)
    assert redemption.outcome is RedemptionOutcome.NETWORK_FAILURE
    assert redemption.http_status is None
    assert not redemption.answer_lost


def test_without_tls_nothing_is_sent(session: requests.Session, start_server: StartServer) -> None:
    asked: list[str] = []
    url = start_server(lambda request: asked.append(request.path))
    redemption = redeem(url.replace("http:", "https:"), session)
    assert redemption.outcome is RedemptionOutcome.NETWORK_FAILURE
    assert not redemption.answer_lost
    assert asked == []


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Le",
        b'HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n{"access_token": "x"',
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfff\r\n{",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}",
        b"garbage\r\n\r\n",
    ],
)
def test_a_truncated_answer_is_lost(said: bytes, session: requests.Session) -> None:
    def talk(connection: socket.socket) -> None:
        receive_form(connection)
        connection.sendall(said)

    with listening(talk) as place:
        redemption = redeem(f"http://{place}/", session)
    assert redemption.outcome in (RedemptionOutcome.NETWORK_FAILURE, RedemptionOutcome.UNKNOWN)
    assert redemption.answer_lost
    assert TOKEN.reveal() not in str(redemption)


def receive_form(connection: socket.socket) -> bytes:
    """Everything up to the end of the form or of the connection."""
    data = b""
    while not data.endswith(FORM_END) and (part := connection.recv(65536)):
        data += part
    return data


def test_a_missing_answer_is_lost(
    session: requests.Session, start_server: StartServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sfcutover.traffic.tokenanswer.READ_SECONDS", 0.1)
    ended = threading.Event()

    def wait(_: BaseHTTPRequestHandler) -> None:
        ended.wait(5)

    redemption = redeem(start_server(wait), session)
    ended.set()
    assert redemption.outcome is RedemptionOutcome.NETWORK_FAILURE
    assert redemption.answer_lost


def test_a_session_with_retries_does_not_send_the_token_again() -> None:
    received: list[bytes] = []

    def talk(connection: socket.socket) -> None:
        received.append(receive_form(connection))

    with listening(talk) as place, requests.Session() as session:
        retry = Retry(3, allowed_methods=None, backoff_factor=0)
        session.mount("http://", HTTPAdapter(max_retries=retry))
        redemption = redeem(f"http://{place}/", session)
    assert redemption.answer_lost
    assert [TOKEN.reveal().encode() in each for each in received] == [True, False, False, False]


def test_a_connection_closed_meanwhile_sends_the_token_once(
    session: requests.Session,
) -> None:
    """The server keeps the first connection open, then drops it at the next request."""
    got: list[int] = []

    def talk(connection: socket.socket) -> None:
        body = json.dumps(SUCCESS).encode()
        receive_form(connection)
        got.append(1)
        head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n".encode()
        connection.sendall(head + body)
        if connection.recv(65536):
            got.append(2)

    with listening(talk) as place:
        assert redeem(f"http://{place}/", session).outcome is RedemptionOutcome.REDEEMED
        second = redeem(f"http://{place}/", session)
        session.close()
    assert (second.outcome, second.answer_lost) == (RedemptionOutcome.NETWORK_FAILURE, True)
    assert got == [1, 2]


def test_messages_of_an_endpoint_are_shortened_and_masked(
    session: requests.Session, start_server: StartServer
) -> None:
    said = f"\x1b[2J{TOKEN.reveal()}\n{CLIENT_SECRET.reveal()} " + "x" * 500
    body = {"error": "invalid_grant\r\n", "error_description": said}
    redemption = redeem(start_server(answering(400, body)), session)
    assert redemption.error == "invalid_grant"
    assert redemption.description is not None
    assert redemption.description.startswith("[2J*** *** xxx")
    assert len(redemption.description) == MAX_QUOTED


def test_the_answers_of_an_org_are_distinguished(start_emulator: StartEmulator) -> None:
    org = start_emulator(tls=True)
    environment = org.environment
    url, client = environment["SFCUTOVER_TOKEN_URL"], environment["SF_CLIENT_ID"]
    endpoint = TokenEndpoint(url, client, Secret(environment["SF_CLIENT_SECRET"]))
    first = Secret(environment["SF_REFRESH_TOKEN"])
    with (
        egress(environment["SFCUTOVER_OLD_PROXY_URL"], environment) as old,
        egress(environment["SFCUTOVER_NEW_PROXY_URL"], environment) as new,
    ):
        assert endpoint.redeem(first, new).outcome is RedemptionOutcome.BLOCKED
        redeemed = endpoint.redeem(first, old)
        assert redeemed.outcome is RedemptionOutcome.REDEEMED
        assert redeemed.user_id == org.user_id("canary")
        assert redeemed.new_token == Secret(org.environment["SF_REFRESH_TOKEN"])
        stranger = TokenEndpoint(url, client, Secret("another"))
        assert stranger.redeem(first, old).outcome is RedemptionOutcome.CLIENT_REJECTED
        assert endpoint.redeem(first, old).outcome is RedemptionOutcome.TOKEN_DEAD  # reused
        assert endpoint.redeem(redeemed.new_token, old).outcome is RedemptionOutcome.TOKEN_DEAD


FAULTS = [
    ("ip_restricted", "redeem", RedemptionOutcome.BLOCKED, False),
    ("ip_restricted_older", "redeem", RedemptionOutcome.BLOCKED, False),
    ("token_expired", "redeem", RedemptionOutcome.TOKEN_DEAD, False),
    ("not_approved", "redeem", RedemptionOutcome.TOKEN_DEAD, False),
    ("authentication_failure", "redeem", RedemptionOutcome.UNKNOWN, False),
    ("inactive_user_grant", "redeem", RedemptionOutcome.INACTIVE, False),
    ("inactive_org", "redeem", RedemptionOutcome.INACTIVE, False),
    ("rate_limit", "redeem", RedemptionOutcome.RATE_LIMITED, False),
    ("invalid_app_access", "redeem", RedemptionOutcome.CLIENT_REJECTED, False),
    ("https_required", "redeem", RedemptionOutcome.CLIENT_REJECTED, False),
    ("drop_before", "redeem", RedemptionOutcome.NETWORK_FAILURE, True),
    ("drop_after", "redeem", RedemptionOutcome.NETWORK_FAILURE, True),
    ("http_502", "redeem", RedemptionOutcome.UNKNOWN, True),
    ("http_503", "redeem", RedemptionOutcome.UNKNOWN, False),
    ("html_body", "redeem", RedemptionOutcome.UNKNOWN, True),
    ("no_access_token", "redeem", RedemptionOutcome.UNKNOWN, True),
    ("redirect", "redeem", RedemptionOutcome.UNKNOWN, False),
    ("proxy_refuses", "old_proxy", RedemptionOutcome.PROXY_FAILURE, False),
    ("proxy_down", "old_proxy", RedemptionOutcome.PROXY_FAILURE, False),
    ("proxy_breaks_tls", "old_proxy", RedemptionOutcome.NETWORK_FAILURE, False),
]


@pytest.mark.parametrize(("kind", "operation", "outcome", "lost"), FAULTS)
def test_the_errors_of_an_org_are_distinguished(
    kind: str, operation: str, outcome: RedemptionOutcome, lost: bool, start_emulator: StartEmulator
) -> None:
    org = start_emulator(tls=True)
    environment = org.environment
    org.set_fault(Fault.model_validate({"kind": kind, "operation": operation}))
    endpoint = TokenEndpoint(
        environment["SFCUTOVER_TOKEN_URL"],
        environment["SF_CLIENT_ID"],
        Secret(environment["SF_CLIENT_SECRET"]),
    )
    token = Secret(environment["SF_REFRESH_TOKEN"])
    with egress(environment["SFCUTOVER_OLD_PROXY_URL"], environment) as session:
        redemption = endpoint.redeem(token, session)
    assert (redemption.outcome, redemption.answer_lost) == (outcome, lost)


def egress(proxy: str, environment: dict[str, str]) -> requests.Session:
    session = Egress("old", ProxyUrl.parse(Secret(proxy), "here"), ()).session()
    session.verify = environment.get("REQUESTS_CA_BUNDLE", True)
    return session


def test_an_org_receives_no_password_of_the_proxy(start_emulator: StartEmulator) -> None:
    environment = start_emulator().environment
    endpoint = TokenEndpoint(environment["SFCUTOVER_TOKEN_URL"], "id", None)
    place = environment["SFCUTOVER_OLD_PROXY_URL"].rpartition("@")[2]
    with egress(f"http://acme:wrong-password@{place}", environment) as session:
        redemption = endpoint.redeem(TOKEN, session)
    assert redemption.outcome is RedemptionOutcome.PROXY_FAILURE
    assert not redemption.answer_lost
    assert "wrong-password" not in str(redemption)
