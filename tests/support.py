"""Helpers shared by test packages: time that passes only on request, small servers, and logins."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import yaml

from sfcutover.config.cutover import Cutover, load_config
from sfcutover.emulator.emulator import Emulator
from sfcutover.salesforce.connection import Connection
from sfcutover.salesforce.sessions import Session, SessionProvider
from sfcutover.util.clock import Clock
from sfcutover.util.secrets import Secret

LOOPBACK = [r"127\.", r"localhost$", r"::1$", r"/"]  # addresses, and Unix sockets
NAMESPACE = "http://soap.sforce.com/2006/04/metadata"
SECURITY = "ExtlClntAppOauthSecuritySettings"
SECURITY_NAME = "Acme_Connector_oauthSecurity"
SECURITY_PATH = f"extlClntAppOauthSecuritySettings/{SECURITY_NAME}.ecaOauthSecurity"

StartEmulator = Callable[..., Emulator]
OpenConnection = Callable[..., Connection]
Handle = Callable[["Request"], None]
StartServer = Callable[[Handle], str]
Talk = Callable[[socket.socket], None]


def cutover_in(folder: Path, *targets: str, **keys: object) -> Cutover:
    """Write the smallest cutover.yaml with these targets and further keys there, and load it."""
    config = {
        "version": 1,
        "name": "move",
        "app": "Acme",
        "old": ["203.0.113.1"],
        "new": ["198.51.100.1"],
        "targets": [{"name": name, "org": {"alias": name}} for name in targets],
    } | keys
    path = folder / "cutover.yaml"
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    return load_config(path)


class FakeTime:
    """One time for the client and its org: a pause advances it and takes no real time."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.pauses: list[float] = []
        self.on_pause: Callable[[], None] = lambda: None

    @property
    def clock(self) -> Clock:
        return Clock(now=lambda: self.seconds, pause=self.pause)

    def pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.seconds += seconds
        self.on_pause()

    def of_the_org(self) -> datetime:
        return datetime(2026, 11, 23, 12, 0, tzinfo=UTC) + timedelta(seconds=self.seconds)


def one_session(url: str, access_token: str = "a-session-of-the-tests") -> SessionProvider:
    """A provider of one session that cannot be renewed."""
    return SessionProvider(lambda: Session(url, Secret(access_token)), can_renew=False)


class Server(ThreadingHTTPServer):
    """A server that does not report clients that closed their connection."""

    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Print nothing: a test closes connections on purpose."""


class Request(BaseHTTPRequestHandler):
    """A request that has been read completely."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # or every exchange waits 40 ms for an ACK
    handle_request: Handle
    body: bytes

    def do_GET(self) -> None:
        self.body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        type(self).handle_request(self)

    do_POST = do_GET  # noqa: N815

    def log_message(self, format: str, *args: object) -> None:
        """Print nothing."""


@contextmanager
def serving(handle: Handle) -> Iterator[str]:
    """A server on a loopback socket; ``handle`` answers every request. Yields its URL."""

    class Handler(Request):
        handle_request = staticmethod(handle)

    server = Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def listening(talk: Talk) -> Iterator[str]:
    """A server that passes each connection to ``talk``, then closes it; yields its host and port.

    It ends when it accepts its own last connection, after all earlier ones.
    """
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket() as last:
        last.bind(("127.0.0.1", 0))
        end = last.getsockname()

        def serve() -> None:
            while True:
                connection, peer = server.accept()
                with connection, suppress(OSError):
                    if peer == end:
                        return
                    connection.settimeout(5)
                    talk(connection)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"127.0.0.1:{server.getsockname()[1]}"
        last.connect(server.getsockname())
        thread.join(10)
        assert not thread.is_alive()


def answer(request: BaseHTTPRequestHandler, body: bytes, status: int = 200, **headers: str) -> None:
    """Send a complete answer; header names have underscores for hyphens."""
    request.send_response(status)
    for name, value in ({"Content_Type": "text/xml"} | headers).items():
        request.send_header(name.replace("_", "-"), value)
    request.send_header("Content-Length", str(len(body)))
    request.end_headers()
    request.wfile.write(body)


def envelope(content: str) -> bytes:
    """A SOAP envelope of the Metadata API around content."""
    return (
        '<?xml version="1.0" encoding="UTF-8"?><soapenv:Envelope '
        f'xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" xmlns="{NAMESPACE}" '
        'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">'
        f"<soapenv:Body>{content}</soapenv:Body></soapenv:Envelope>"
    ).encode()


def operations(emulator: Emulator, name: str) -> list[dict[str, object]]:
    """The org's log entries of one operation."""
    return [dict(event) for event in emulator.log if event["operation"] == name]


def client_credentials(emulator: Emulator, prefix: str = "") -> dict[str, object]:
    """A target's ``org:`` that logs in by client credentials, so that an expired session can be
    renewed.

    prefix: of the environment variables that hold the client's id and secret.
    """
    login = {
        "client_id": {"env": f"{prefix}SF_CLIENT_ID"},
        "client_secret": {"env": f"{prefix}SF_CLIENT_SECRET"},
        "login_url": emulator.url,
    }
    return {"client_credentials": login}
