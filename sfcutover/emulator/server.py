"""HTTP/1.1 on loopback sockets, with or without TLS."""

from __future__ import annotations

import socket
import ssl

from werkzeug.serving import ThreadedWSGIServer, WSGIRequestHandler
from werkzeug.wrappers import Response

from sfcutover.emulator.connections import BACKLOG, Connections, TrackingMixIn

HOST = "127.0.0.1"
HOST_6 = "::1"
_TOO_LARGE = 413  # its request was not read to the end
_IDLE_SECONDS = 60.0
_TRIES = 20  # a port that is free on 127.0.0.1 may be taken on ::1


class Handler(WSGIRequestHandler):
    """Answers with keep-alive; werkzeug's own handler closes after every request."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # or loopback exchanges wait 40 ms for an ACK
    timeout = _IDLE_SECONDS
    wbufsize = -1  # head and body in one packet

    def run_wsgi(self) -> None:
        """Run the app and send its answer, bodies without a length in chunks."""
        if self.headers.get("Expect", "").lower().strip() == "100-continue":
            self.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            self.wfile.flush()
        response = Response.from_app(self.server.app, self.make_environ())
        self._send_head(response)
        if self.command != "HEAD":
            self._send_body(response)
        self.wfile.flush()
        response.close()

    def _send_head(self, response: Response) -> None:
        self.send_response_only(response.status_code)
        self.send_header("Server", self.version_string())
        for name, value in response.headers:
            self.send_header(name, value)
        if response.content_length is None or response.status_code == _TOO_LARGE:
            self.send_header("Connection", "close")
        self.end_headers()

    def _send_body(self, response: Response) -> None:
        for part in response.iter_encoded():
            self.wfile.write(part)

    def finish(self) -> None:
        """Close both files, also when a client that has gone left an answer unsent."""
        try:
            super().finish()
        finally:
            self.rfile.close()

    def log(self, type: str, message: str, *args: object) -> None:
        """Nothing: the org keeps its own log, and request lines may hold secrets."""


class Server(TrackingMixIn, ThreadedWSGIServer):
    """Serves an app on one address; set ``app`` before it accepts."""

    def __init__(self, host: str, port: int, tls: ssl.SSLContext | None) -> None:
        self.connections = Connections()
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        # werkzeug would end the process if the port were in use; this raises OSError.
        with socket.create_server((host, port), family=family, backlog=BACKLOG) as listening:
            super().__init__(host, port, _not_yet, Handler, ssl_context=tls, fd=listening.fileno())
        if isinstance(self.socket, ssl.SSLSocket):
            # A client that connects and says nothing must not hold up the others.
            setattr(self.socket, "do_handshake_on_connect", False)  # noqa: B010 - not in typeshed


def listen(port: int, tls: ssl.SSLContext | None, *, ipv6: bool) -> list[Server]:
    """A server on 127.0.0.1 and, if asked and the machine has it, one on ::1, on one port.

    port: 0 takes a free one. OSError if the port is in use on either.
    """
    if not (ipv6 and has_ipv6()):
        return [Server(HOST, port, tls)]
    for tries_left in reversed(range(_TRIES)):
        first = Server(HOST, port, tls)
        try:
            return [first, Server(HOST_6, first.port, tls)]
        except OSError:
            first.server_close()
            if port or not tries_left:
                raise
    raise AssertionError("unreachable")


def has_ipv6() -> bool:
    """True if this machine has ::1."""
    try:
        with socket.create_server((HOST_6, 0), family=socket.AF_INET6):
            return True
    except OSError:
        return False


def _not_yet(*_: object) -> list[bytes]:
    return []
