"""A SOCKS5 proxy (RFC 1928) with user name and password (RFC 1929); CONNECT only."""

from __future__ import annotations

import ipaddress
import socket
import socketserver
import ssl
import struct
from contextlib import suppress
from typing import NoReturn

from sfcutover.emulator.egress import Egress, Exits, ForbiddenError
from sfcutover.emulator.proxy_server import ProxyServer
from sfcutover.emulator.tunnel import relay, reset

_IDLE_SECONDS = 60.0
_VERSION = 5
_AUTH_VERSION = 1
_BY_PASSWORD, _NO_METHOD = 2, 0xFF
_CONNECT = 1
_IPV4, _NAME, _IPV6 = 1, 3, 4
# Replies (RFC 1928, section 6).
_SUCCEEDED, _NOT_ALLOWED, _HOST_UNREACHABLE, _REFUSED = 0, 2, 4, 5
_BAD_COMMAND, _BAD_ADDRESS = 7, 8


class _EndError(Exception):
    """The conversation is over."""


class SocksProxy(socketserver.BaseRequestHandler):
    """One client's connection, which is one tunnel by the next address."""

    server: ProxyServer
    request: socket.socket

    def handle(self) -> None:
        """Greet, ask for the password, connect, and carry bytes."""
        self.request.settimeout(_IDLE_SECONDS)
        self.request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        fault = self._egress.fault()
        self._fault = fault.kind if fault else None
        if self._fault == "proxy_down":
            reset(self.request)
            return
        with suppress(_EndError):
            self._greet()
            exits = self._authenticate()
            host, port = self._read_target()
            with self._connect(host, port, self._source(exits)) as upstream:
                self._reply(_SUCCEEDED)
                self._carry(upstream)

    @property
    def _egress(self) -> Egress:
        return self.server.egress

    def _greet(self) -> None:
        version, count = self._read(2)
        methods = self._read(count)
        if version != _VERSION or _BY_PASSWORD not in methods:
            self.request.sendall(bytes([_VERSION, _NO_METHOD]))
            raise _EndError
        self.request.sendall(bytes([_VERSION, _BY_PASSWORD]))

    def _authenticate(self) -> Exits:
        self._read(1)
        user = self._read_text()
        exits = self._egress.exits_for(user, self._read_text())
        if exits is None or self._fault == "proxy_refuses":
            self.request.sendall(bytes([_AUTH_VERSION, 1]))
            raise _EndError
        self.request.sendall(bytes([_AUTH_VERSION, 0]))
        return exits

    def _read_target(self) -> tuple[str, int]:
        _, command, _, kind = self._read(4)
        if kind == _NAME:
            host = self._read_text()
        elif kind in (_IPV4, _IPV6):
            host = str(ipaddress.ip_address(self._read(4 if kind == _IPV4 else 16)))
        else:
            self._end(_BAD_ADDRESS)
        (port,) = struct.unpack("!H", self._read(2))
        if command != _CONNECT:
            self._end(_BAD_COMMAND)
        return host, port

    def _source(self, exits: Exits) -> str:
        address = exits.next()
        fault = self._egress.fault(address)
        if fault and fault.kind == "address_timeout":
            self._egress.wait(fault.seconds)
            self._end(_HOST_UNREACHABLE)
        if fault:
            reset(self.request)
            raise _EndError
        return address

    def _connect(self, host: str, port: int, source: str) -> socket.socket:
        try:
            return self._egress.connect(host, port, source)
        except ForbiddenError:
            self._end(_NOT_ALLOWED)
        except ConnectionRefusedError:
            self._end(_REFUSED)
        except OSError:
            self._end(_HOST_UNREACHABLE)

    def _carry(self, upstream: socket.socket) -> None:
        if self._fault != "proxy_breaks_tls":
            relay(self.request, upstream)
            return
        with (
            suppress(OSError, ssl.SSLError),
            self._egress.untrusted.wrap_socket(self.request, server_side=True) as broken,
        ):
            broken.recv(1)

    def _end(self, reply: int) -> NoReturn:
        self._reply(reply)
        raise _EndError

    def _reply(self, reply: int) -> None:
        self.request.sendall(struct.pack("!BBBB4sH", _VERSION, reply, 0, _IPV4, bytes(4), 0))

    def _read_text(self) -> str:
        (length,) = self._read(1)
        return self._read(length).decode("utf-8", "replace")

    def _read(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            part = self.request.recv(size - len(data))
            if not part:
                raise _EndError
            data += part
        return data
