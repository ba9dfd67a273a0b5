"""Notifications to receivers on loopback sockets: working, busy, hanging and refusing ones."""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import trustme

from sfcutover.config.cutover import parse_config
from sfcutover.config.notify import Notifier
from sfcutover.cutover import notifiers
from sfcutover.cutover.notification import NotificationDocument
from sfcutover.cutover.notifiers import require_url, send, send_at_once
from sfcutover.errors import ConfigError
from sfcutover.util.logs import RedactingFormatter
from tests.support import Request, Server, answer, serving
from tests.unit.cutover.test_notification import CUTOVER

PATH = "/services/T00000000/B00000000/not-for-others"
NOTIFICATION = NotificationDocument.of(CUTOVER, "move.1", "waiting", "it waits", "approve it")


@dataclass
class Receiver:
    """Records each request: its path, headers and body. statuses: of the answers, in order."""

    statuses: list[int] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)
    taken: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)
    hangs: threading.Event | None = None

    def handle(self, request: Request) -> None:
        body = request.body
        self.taken.append((request.path, dict(request.headers), body))
        if self.hangs is not None:
            self.hangs.wait(30)
        status = self.statuses.pop(0) if self.statuses else 200
        answer(request, b"no_service", status, **self.headers)


@pytest.fixture
def receiver() -> Receiver:
    return Receiver()


@pytest.fixture
def url(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    with serving(receiver.handle) as server:
        monkeypatch.setenv("HOOK", server + PATH)
        yield server


def webhook(**keys: object) -> Notifier:
    return Notifier.model_validate({"webhook": {"url": {"env": "HOOK"}, **keys}})


def failure(notifier: Notifier) -> str:
    lines: list[str] = []
    return send(notifier, NOTIFICATION, lines.append)


@pytest.mark.usefixtures("url")
def test_a_webhook_receives_the_document(receiver: Receiver) -> None:
    assert failure(webhook()) == ""
    ((path, headers, body),) = receiver.taken
    assert path == PATH
    assert headers["Content-Type"] == "application/json"
    assert json.loads(body)["id"] == NOTIFICATION.id
    assert "X-Hub-Signature-256" not in headers


@pytest.mark.usefixtures("url")
def test_a_key_signs_the_body(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEY", "a key of the receiver")
    assert failure(webhook(secret={"env": "KEY"})) == ""
    ((_, headers, body),) = receiver.taken
    expected = hmac.new(b"a key of the receiver", body, hashlib.sha256).hexdigest()
    assert headers["X-Hub-Signature-256"] == f"sha256={expected}"


@pytest.mark.usefixtures("url")
def test_slack_receives_blocks(receiver: Receiver) -> None:
    assert failure(Notifier.model_validate({"slack": {"url": {"env": "HOOK"}}})) == ""
    ((_, _, body),) = receiver.taken
    assert [block["type"] for block in json.loads(body)["blocks"]] == [
        "header",
        "section",
        "section",
    ]


@pytest.mark.usefixtures("url")
def test_a_busy_receiver_is_retried(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notifiers, "RETRY_SECONDS", (0.0, 0.0))
    receiver.statuses = [503, 429]
    assert failure(webhook()) == ""
    bodies = [json.loads(body)["id"] for _, _, body in receiver.taken]
    assert bodies == [NOTIFICATION.id] * 3


@pytest.mark.usefixtures("url")
def test_retries_of_a_busy_receiver_are_limited(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notifiers, "RETRY_SECONDS", (0.0, 0.0))
    receiver.statuses = [500] * 9
    assert failure(webhook()) == "the notify webhook failed: HTTP 500: no_service"
    assert len(receiver.taken) == 3


@pytest.mark.usefixtures("url")
def test_a_refusing_receiver_is_not_retried(receiver: Receiver) -> None:
    receiver.statuses = [404]
    assert failure(webhook()) == "the notify webhook failed: HTTP 404: no_service"
    assert len(receiver.taken) == 1


def test_redirects_are_not_followed(receiver: Receiver, url: str) -> None:
    other = Receiver()
    with serving(other.handle) as elsewhere:
        receiver.statuses, receiver.headers = [307], {"Location": elsewhere + PATH}
        assert (
            failure(webhook()) == "the notify webhook failed: the server answered with a redirect"
        )
    assert url != elsewhere
    assert other.taken == []


@pytest.mark.usefixtures("url")
def test_a_hanging_receiver_is_abandoned_in_time(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notifiers, "RETRY_SECONDS", (0.0,))
    monkeypatch.setattr(notifiers, "TRY_SECONDS", 0.2)
    receiver.hangs = threading.Event()
    started = time.monotonic()
    try:
        assert failure(webhook()) == "the notify webhook failed: the server did not answer in time"
    finally:
        receiver.hangs.set()
    assert time.monotonic() - started < 5
    assert len(receiver.taken) == 2


def test_a_receiver_that_sends_single_bytes_is_abandoned_in_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(notifiers, "RETRY_SECONDS", (0.0,))
    monkeypatch.setattr(notifiers, "TRY_SECONDS", 0.4)
    stop = threading.Event()

    def drip(request: Request) -> None:
        request.wfile.write(b"HTTP/1.1 200 OK\r\nX-Long: ")
        while not stop.wait(0.05):
            request.wfile.write(b"x")

    with serving(drip) as server:
        monkeypatch.setenv("HOOK", server + PATH)
        started = time.monotonic()
        try:
            assert (
                failure(webhook()) == "the notify webhook failed: the server did not answer in time"
            )
        finally:
            stop.set()
    assert time.monotonic() - started < 10


def test_an_unreachable_receiver_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notifiers, "RETRY_SECONDS", (0.0,))
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    monkeypatch.setenv("HOOK", f"http://127.0.0.1:{port}{PATH}")
    assert failure(webhook()) == "the notify webhook failed: the connection failed or broke"


@contextmanager
def serving_tls(receiver: Receiver, authority: trustme.CA) -> Iterator[str]:
    server = Server(("127.0.0.1", 0), handler_of(receiver))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield f"https://localhost:{server.server_port}{PATH}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def handler_of(receiver: Receiver) -> type[Request]:
    class Handler(Request):
        handle_request = staticmethod(receiver.handle)

    return Handler


def test_certificates_are_verified(
    receiver: Receiver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = trustme.CA()
    with serving_tls(receiver, authority) as server:
        monkeypatch.setenv("HOOK", server)
        assert "its TLS certificate could not be verified" in failure(webhook())
        assert receiver.taken == []
        authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "ca.pem"))
        assert failure(webhook()) == ""
        assert len(receiver.taken) == 1


@pytest.mark.parametrize(
    "value",
    [
        "http://hooks.example.com" + PATH,
        "https://user:word@hooks.example.com" + PATH,
        "hooks.example.com" + PATH,
        "ftp://hooks.example.com" + PATH,
    ],
)
def test_receivers_elsewhere_require_https(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOOK", value)
    url = webhook().url
    assert url is not None
    with pytest.raises(ConfigError) as refused:
        require_url(url)
    assert "not-for-others" not in f"{refused.value} {refused.value.hint}"
    assert "the URL of this receiver is not an https URL" in failure(webhook())


def test_an_unset_variable_is_a_problem(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("HOOK", raising=False)
    assert "the environment variable HOOK is not set" in failure(webhook())


@pytest.mark.usefixtures("url")
def test_no_log_contains_the_url(receiver: Receiver, caplog: pytest.LogCaptureFixture) -> None:
    receiver.statuses = [404]
    with caplog.at_level(logging.DEBUG):
        problem = failure(webhook())
    shown = "\n".join(RedactingFormatter().format(record) for record in caplog.records)
    assert "POST" in shown
    assert PATH not in shown + problem


def test_a_command_receives_the_facts(tmp_path: Path) -> None:
    script = f'echo "$SFCUTOVER_EVENT $SFCUTOVER_RUN $SFCUTOVER_MESSAGE" > {tmp_path}/heard'
    assert failure(Notifier.model_validate({"command": ["sh", "-c", script]})) == ""
    assert (tmp_path / "heard").read_text() == "waiting move.1 it waits\n"
    failing = Notifier.model_validate({"command": ["sh", "-c", "exit 3"]})
    assert failure(failing) == "the notify command sh failed: exit status 3"
    missing = Notifier.model_validate({"command": ["/nowhere/page"]})
    assert failure(missing) == "the notify command /nowhere/page failed: No such file or directory"


@pytest.mark.usefixtures("url")
def test_final_notifications_reach_all_receivers_without_waiting_for_any(
    receiver: Receiver,
) -> None:
    receiver.hangs = threading.Event()
    quick = Notifier.model_validate({"command": ["true"]})
    lines: list[str] = []
    try:
        problems = send_at_once((webhook(), quick), NOTIFICATION, lines.append, 0.4)
    finally:
        receiver.hangs.set()
    assert problems == ["the notify webhook failed: it did not end within 0 s"]


def test_a_problem_names_the_line_of_the_receiver() -> None:
    text = (
        "version: 1\nname: n\napp: A\ncarriers: []\npolicies: {ipRelaxationPolicyType: Enforce}\n"
    )
    text += "targets: [{name: t, org: {alias: a}}]\nnotify:\n  - {slack: {url: {env: HOOK}}}\n"
    (notifier,) = parse_config(text, "cutover.yaml").notify
    assert notifier.where == "cutover.yaml:8"
