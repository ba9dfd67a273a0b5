"""A forward proxy over HTTP: CONNECT tunnels, and plain http in absolute form."""

from __future__ import annotations

import base64
import binascii
import http.client
import socket
import ssl
from collections.abc import Iterable
from contextlib import ExitStack, suppress
from http.server import BaseHTTPRequestHandler
from typing import NoReturn
from urllib.parse import urlsplit

from sfcutover.emulator.egress import Egress, ForbiddenError
from sfcutover.emulator.faults import Kind
from sfcutover.emulator.proxy_server import ProxyServer
from sfcutover.emulator.tunnel import relay, reset

_IDLE_SECONDS = 60.0
_BLOCK = 64 * 1024
_HTTP_PORT = 80
_HOP_BY_HOP = frozenset(
    {
        *("connection", "keep-alive", "proxy-authenticate", "proxy-authorization"),
        *("proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"),
    }
)
_NO_BODY = (204, 304)


class _AnsweredError(Exception):
    """The request has its answer, and the connection ends with it."""


class HttpProxy(BaseHTTPRequestHandler):
    """One client's connection. Every request and every tunnel leaves by the next address."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = _IDLE_SECONDS
    server: ProxyServer

    def handle(self) -> None:
        """Answer requests until the client or an error ends it."""
        self._upstream: dict[tuple[str, str, int], http.client.HTTPConnection] = {}
        try:
            super().handle()
        except _AnsweredError:
            return
        finally:
            for connection in self._upstream.values():
                connection.close()

    def do_CONNECT(self) -> None:
        """Open a tunnel to ``host:port``."""
        fault = self._strike()
        source = self._source(fault)
        host, _, port = self.path.rpartition(":")
        with ExitStack() as stack:
            upstream = stack.enter_context(self._connect(host.strip("[]"), port, source))
            self.send_response(200, "Connection established")
            self.end_headers()
            self.close_connection = True
            if fault == "proxy_breaks_tls":
                self._break_tls()
            else:
                relay(self.connection, upstream)

    def do_GET(self) -> None:
        """Fetch an absolute http URL."""
        url = urlsplit(self.path)
        if url.scheme != "http" or not url.hostname:
            self._refuse(400, "this proxy fetches http URLs and opens tunnels")
        body = self._body()
        source = self._source(self._strike())
        upstream = self._kept(source, url.hostname, url.port or _HTTP_PORT)
        target = url._replace(scheme="", netloc="").geturl() or "/"
        try:
            self._ask(upstream, target, body)
            self._pass_on(upstream.getresponse())
        except (OSError, http.client.HTTPException):
            self.close_connection = True  # as the server did: the answer is lost
            raise _AnsweredError from None

    do_DELETE = do_HEAD = do_OPTIONS = do_PATCH = do_POST = do_PUT = do_GET  # noqa: N815

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: request lines may hold secrets."""

    @property
    def _egress(self) -> Egress:
        return self.server.egress

    def _strike(self) -> Kind | None:
        fault = self._egress.fault()
        if fault and fault.kind == "proxy_down":
            reset(self.connection)
            raise _AnsweredError
        return fault.kind if fault else None

    def _body(self) -> bytes:
        """All of the request's body: what stays unread would tear the answer down."""
        length = self.headers.get("Content-Length", "0")
        if "Transfer-Encoding" in self.headers or not length.isdecimal():
            self._refuse(411, "this proxy wants a Content-Length")
        return self.rfile.read(int(length))

    def _source(self, fault_of_all: Kind | None) -> str:
        """The address that this request leaves by, once the client may and no fault hits."""
        user, password = _credentials(self.headers.get("Proxy-Authorization", ""))
        exits = self._egress.exits_for(user, password)
        if exits is None or fault_of_all == "proxy_refuses":
            self._refuse(407, "Proxy Authentication Required", 'Basic realm="egress"')
        address = exits.next()
        fault = self._egress.fault(address)
        if fault and fault.kind == "address_timeout":
            self._egress.wait(fault.seconds)
            self._refuse(504, f"no answer by way of {address}")
        if fault:
            reset(self.connection)
            raise _AnsweredError
        return address

    def _connect(self, host: str, port: str | int, source: str) -> socket.socket:
        try:
            return self._egress.connect(host, int(port), source)
        except ForbiddenError:
            self._refuse(403, "this proxy reaches only the emulator that it belongs to")
        except ValueError:
            self._refuse(400, "not a host and a port")
        except OSError as error:
            self._refuse(502, f"no connection from {source}: {error.strerror or error}")

    def _break_tls(self) -> None:
        with (
            suppress(OSError, ssl.SSLError),
            self._egress.untrusted.wrap_socket(self.connection, server_side=True) as broken,
        ):
            broken.recv(1)

    def _kept(self, source: str, host: str, port: int) -> http.client.HTTPConnection:
        """A connection to a server that this client has used from this address, or a new one."""
        key = (source, host, port)
        if key not in self._upstream or self._upstream[key].sock is None:
            connection = http.client.HTTPConnection(host, port, timeout=_IDLE_SECONDS)
            connection.auto_open = 0  # it would leave by an address of its own
            connection.sock = self._connect(host, port, source)
            self._upstream[key] = connection
        return self._upstream[key]

    def _ask(self, upstream: http.client.HTTPConnection, target: str, body: bytes) -> None:
        upstream.putrequest(self.command, target, skip_host=True, skip_accept_encoding=True)
        for name, value in _passed(self.headers.items()):
            upstream.putheader(name, value)
        upstream.endheaders(body or None)

    def _pass_on(self, response: http.client.HTTPResponse) -> None:
        self.send_response_only(response.status, response.reason)
        for name, value in _passed(response.getheaders()):
            self.send_header(name, value)
        bodiless = self.command == "HEAD" or response.status in _NO_BODY
        if response.length is None and not bodiless:
            self.close_connection = True
            self.send_header("Connection", "close")
        self.end_headers()
        while not bodiless and (block := response.read(_BLOCK)):
            self.wfile.write(block)
        response.close()

    def _refuse(self, status: int, text: str, authenticate: str | None = None) -> NoReturn:
        """Answer and end the connection."""
        body = f"{text}\n".encode()
        self.send_response(status)
        if authenticate:
            self.send_header("Proxy-Authenticate", authenticate)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)
        raise _AnsweredError


def _passed(headers: Iterable[tuple[str, str]]) -> Iterable[tuple[str, str]]:
    return ((name, value) for name, value in headers if name.lower() not in _HOP_BY_HOP)


def _credentials(header: str) -> tuple[str, str]:
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        return "", ""
    try:
        user, _, password = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    return user, password
