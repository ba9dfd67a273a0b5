"""HTTP/1.1 on loopback sockets, with or without TLS."""

from __future__ import annotations

import selectors
import socket
import socketserver
import ssl
import sys
import threading
from collections.abc import Callable, Iterable

from werkzeug.serving import ThreadedWSGIServer, WSGIRequestHandler
from werkzeug.wrappers import Response

BACKLOG = 128
_STOP_SECONDS = 5.0
HOST = "127.0.0.1"
HOST_6 = "::1"
_TOO_LARGE = 413  # its request was not read to the end
_IDLE_SECONDS = 60.0
_TRIES = 20  # a port that is free on 127.0.0.1 may be taken on ::1


class Connections:
    """The open connections of a server, a thread each. Thread-safe."""

    def __init__(self) -> None:
        self._live: dict[socket.socket, threading.Thread] = {}
        self._lock = threading.Lock()

    def run(self, connection: socket.socket, serve: Callable[[], None]) -> None:
        """Serve a connection from a thread of its own."""
        thread = threading.Thread(target=serve, name="emulator connection", daemon=True)
        with self._lock:
            self._live = {one: work for one, work in self._live.items() if work.is_alive()}
            self._live[connection] = thread
            thread.start()

    def close(self) -> None:
        """Close all and wait for the threads, also for those about to end."""
        with self._lock:
            live = list(self._live.items())
        for connection, _ in live:
            hang_up(connection)
        for _, thread in live:
            thread.join(_STOP_SECONDS)


class TrackingMixIn(socketserver.ThreadingMixIn, socketserver.BaseServer):
    """A server whose connections are closed with it. Set ``connections`` first of all."""

    connections: Connections

    def process_request(
        self, request: socket.socket | tuple[bytes, socket.socket], client_address: object
    ) -> None:
        """Start a thread for a connection."""
        if not isinstance(request, socket.socket):
            raise TypeError("the server listens on TCP")
        self.connections.run(request, lambda: self.process_request_thread(request, client_address))

    def server_close(self) -> None:
        """Close the listening socket and every connection."""
        super().server_close()
        self.connections.close()

    def handle_error(self, request: object, client_address: object) -> None:
        """Tell standard error, but not about clients that go away."""
        if not isinstance(sys.exception(), ConnectionError | TimeoutError | ssl.SSLError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


class Acceptor:
    """One thread that waits for the connections of all servers."""

    def __init__(self, servers: Iterable[socketserver.TCPServer]) -> None:
        self._servers = list(servers)
        self._asleep, self._alarm = socket.socketpair()
        self._thread = threading.Thread(target=self._accept, name="emulator", daemon=True)

    def start(self) -> None:
        """Accept from now on."""
        self._thread.start()

    def stop(self) -> None:
        """Accept no more and close all servers; may be called twice."""
        if self._thread.is_alive():
            self._alarm.send(b"!")
            self._thread.join(_STOP_SECONDS)
        for server in self._servers:
            server.server_close()
        self._asleep.close()
        self._alarm.close()

    def _accept(self) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self._asleep, selectors.EVENT_READ, None)
            for server in self._servers:
                selector.register(server.fileno(), selectors.EVENT_READ, server)
            while True:
                for key, _ in selector.select():
                    if key.data is None:
                        return
                    key.data.handle_request()


def hang_up(connection: socket.socket) -> None:
    """End a connection in both directions, so that its reader wakes up."""
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        return  # it was closed already


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
