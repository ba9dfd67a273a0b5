"""The old and the new egress: forward proxies over HTTP whose traffic leaves by a pair.

They open CONNECT tunnels and fetch plain http URLs, and reach only the emulator itself.
"""

from __future__ import annotations

import base64
import binascii
import http.client
import ipaddress
import itertools
import selectors
import socket
import socketserver
import ssl
import struct
import threading
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from http.server import BaseHTTPRequestHandler
from typing import NoReturn
from urllib.parse import quote, urlsplit

from sfcutover.emulator.faults import Fault, FaultBoard
from sfcutover.emulator.formats import Clock, is_same_secret
from sfcutover.emulator.server import BACKLOG, HOST, HOST_6, Connections, TrackingMixIn

_IDLE_SECONDS = 60.0
_CONNECT_SECONDS = 10.0
_BLOCK = 64 * 1024
_HTTP_PORT = 80
_IPV4, _IPV6 = 4, 6
_HOP_BY_HOP = frozenset(
    {
        *("connection", "keep-alive", "proxy-authenticate", "proxy-authorization"),
        *("proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"),
    }
)
_NO_BODY = (204, 304)


@dataclass(frozen=True)
class Surroundings:
    """What the proxies share.

    clock: the true time. ports: those of the emulator. wait: for seconds, or less when it
    stops. untrusted: a context with a certificate of an unknown authority.
    """

    clock: Clock
    ports: frozenset[int]
    faults: FaultBoard
    wait: Callable[[float], object]
    untrusted: Callable[[], ssl.SSLContext]


class Proxy(TrackingMixIn, socketserver.TCPServer):
    """One egress, on a port of its own. operation: its name for faults.

    requests: when one passed through it; a tunnel is one, whatever it carries.
    Its addresses take turns. A client that gives the user name with ``-`` and an address
    behind it leaves by that one. IPv4 addresses are those of 127.0.0.0/8; of IPv6, loopback
    has only ::1, so that there is no pair of two. Traffic can leave by no other address; the
    proxy then says so.
    """

    allow_reuse_address = True
    request_queue_size = BACKLOG

    def __init__(
        self,
        operation: str,
        addresses: tuple[str, ...],
        user: str,
        password: str,
        surroundings: Surroundings,
    ) -> None:
        self.connections = Connections()
        self.surroundings = surroundings
        self.requests: list[datetime] = []
        self._operation = operation
        self._user = user
        self._password = password
        self._turns: Mapping[str, itertools.cycle[str]] = {
            user: itertools.cycle(addresses),
            **{self._user_for(one): itertools.cycle((one,)) for one in addresses},
        }
        self._lock = threading.Lock()
        super().__init__((HOST, 0), _Exchange)
        self.port = int(self.socket.getsockname()[1])

    def url(self, address: str | None = None) -> str:
        """The proxy's URL with its password, a secret, or the one that leaves by an address.

        KeyError for an address that is not one of its own.
        """
        user = self._user if address is None else self._user_for(address)
        if user not in self._turns:
            raise KeyError(address)
        password = quote(self._password, safe="")
        return f"http://{quote(user, safe='')}:{password}@{HOST}:{self.port}"

    def next_address(self, user: str, password: str) -> str | None:
        """The source address of a user's next connection; None for a wrong password."""
        if user not in self._turns or not is_same_secret(password, self._password):
            return None
        with self._lock:
            return next(self._turns[user])

    def fault(self, address: str | None = None) -> Fault | None:
        """The fault that affects a connection: the proxy's, or that of its source address."""
        return self.surroundings.faults.strike(self._operation, address)

    def reaches(self, host: str, port: int) -> bool:
        """True for the emulator's own servers; a name other than localhost is not resolved."""
        if port not in self.surroundings.ports:
            return False
        with suppress(ValueError):
            return host.lower() == "localhost" or ipaddress.ip_address(host).is_loopback
        return False

    def shutdown_request(self, request: socket.socket | tuple[bytes, socket.socket]) -> None:
        """Close it, so that a connection that is to be reset is."""
        self.close_request(request)

    def _user_for(self, address: str) -> str:
        return f"{self._user}-{address.replace(':', '.')}"  # basic auth splits at a colon


class _AnsweredError(Exception):
    """The request has its answer, and the connection ends with it."""


class _Exchange(BaseHTTPRequestHandler):
    """One client's connection. Every request and tunnel uses the next source address."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = _IDLE_SECONDS
    server: Proxy

    def handle(self) -> None:
        """Answer requests until the client or an error ends it."""
        with suppress(_AnsweredError):
            super().handle()

    def do_CONNECT(self) -> None:
        """Open a tunnel to ``host:port``."""
        fault, source = self._admit()
        host, _, port = self.path.rpartition(":")
        with self._connect(host.strip("[]"), port, source) as upstream:
            self.send_response(200, "Connection established")
            self.end_headers()
            self.close_connection = True
            if fault and fault.kind == "proxy_breaks_tls":
                self._break_tls()
            else:
                relay(self.connection, upstream)

    def do_GET(self) -> None:
        """Fetch an absolute http URL."""
        url = urlsplit(self.path)
        if url.scheme != "http" or not url.hostname:
            self._refuse(400, "this proxy fetches http URLs and opens tunnels")
        body = self._body()
        _, source = self._admit()
        upstream = http.client.HTTPConnection(url.hostname)
        upstream.sock = self._connect(url.hostname, url.port or _HTTP_PORT, source)
        try:
            self._ask(upstream, url._replace(scheme="", netloc="").geturl() or "/", body)
            self._pass_on(upstream.getresponse())
        except (OSError, http.client.HTTPException):
            raise _AnsweredError from None  # as the server did: the answer is lost
        finally:
            upstream.close()

    do_DELETE = do_HEAD = do_OPTIONS = do_PATCH = do_POST = do_PUT = do_GET  # noqa: N815

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: request lines may hold secrets."""

    def _admit(self) -> tuple[Fault | None, str]:
        """The proxy's fault, and the address to leave by, once the client may and none hits."""
        fault = self.server.fault()
        if fault and fault.kind == "proxy_down":
            self._reset()
        pair = _credentials(self.headers.get("Proxy-Authorization", ""))
        address = self.server.next_address(*pair)
        if address is None or (fault and fault.kind == "proxy_refuses"):
            self._refuse(407, "Proxy Authentication Required", 'Basic realm="egress"')
        of_address = self.server.fault(address)
        if of_address and of_address.kind == "address_timeout":
            self.server.surroundings.wait(of_address.seconds)
            self._refuse(504, f"no answer by way of {address}")
        if of_address:
            self._reset()
        return fault, address

    def _body(self) -> bytes:
        """All of the request's body: what stays unread would tear the answer down."""
        length = self.headers.get("Content-Length", "0")
        if "Transfer-Encoding" in self.headers or not length.isdecimal():
            self._refuse(411, "this proxy wants a Content-Length")
        return self.rfile.read(int(length))

    def _connect(self, host: str, port: str | int, source: str) -> socket.socket:
        """A connection from source; a host of the other IP family means the same server."""
        try:
            number = int(port)
        except ValueError:
            self._refuse(400, "not a host and a port")
        if not self.server.reaches(host, number):
            self._refuse(403, "this proxy reaches only the emulator that it belongs to")
        there = HOST_6 if ipaddress.ip_address(source).version == _IPV6 else _ipv4(host)
        try:
            connection = socket.create_connection((there, number), _CONNECT_SECONDS, (source, 0))
        except OSError as error:
            self._refuse(502, f"no connection from {source}: {error.strerror or error}")
        self.server.requests.append(self.server.surroundings.clock())
        connection.settimeout(_IDLE_SECONDS)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection

    def _break_tls(self) -> None:
        context = self.server.surroundings.untrusted()
        with (
            suppress(OSError, ssl.SSLError),
            context.wrap_socket(self.connection, server_side=True) as broken,
        ):
            broken.recv(1)

    def _ask(self, upstream: http.client.HTTPConnection, target: str, body: bytes) -> None:
        upstream.putrequest(self.command, target, skip_host=True, skip_accept_encoding=True)
        for name, value in _passed(self.headers.items()):
            upstream.putheader(name, value)
        upstream.putheader("Connection", "close")
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

    def _reset(self) -> NoReturn:
        """Have the connection be reset, not ended."""
        linger = struct.pack("ii", 1, 0)
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        raise _AnsweredError

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


def relay(one: socket.socket, other: socket.socket) -> None:
    """Carry bytes both ways until both sides have ended, one broke off, or nothing came."""
    with selectors.DefaultSelector() as selector:
        selector.register(one, selectors.EVENT_READ, other)
        selector.register(other, selectors.EVENT_READ, one)
        while selector.get_map():
            ready = selector.select(_IDLE_SECONDS)
            if not ready:
                return
            for key, _ in ready:
                if isinstance(key.fileobj, socket.socket) and not _carry(key.fileobj, key.data):
                    selector.unregister(key.fileobj)


def _carry(source: socket.socket, sink: socket.socket) -> bool:
    """Carry what is there; False at the end, which is passed on."""
    data = source.recv(_BLOCK)
    if data:
        sink.sendall(data)
        return True
    with suppress(OSError):  # it may be gone already
        sink.shutdown(socket.SHUT_WR)
    return False


def _ipv4(host: str) -> str:
    """The host, or 127.0.0.1 for an IPv6 one."""
    is_name = host.lower() == "localhost"
    return host if is_name or ipaddress.ip_address(host).version == _IPV4 else HOST


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
