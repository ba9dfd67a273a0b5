"""HTTP/1.1 on a loopback socket, with or without TLS, and a clean way to stop."""

from __future__ import annotations

import socket
import ssl
import sys
import threading
from typing import TYPE_CHECKING

from werkzeug.serving import ThreadedWSGIServer, WSGIRequestHandler
from werkzeug.wrappers import Response

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

HOST = "127.0.0.1"
_BACKLOG = 128
_TOO_LARGE = 413  # its request was not read to the end
_IDLE_SECONDS = 60.0
_STOP_SECONDS = 5.0
_POLL_SECONDS = 0.01


class Handler(WSGIRequestHandler):
    """Answers with keep-alive; werkzeug's own handler closes after every request."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # or loopback exchanges wait 40 ms for an ACK
    timeout = _IDLE_SECONDS

    def run_wsgi(self) -> None:
        """Run the app and send its answer, bodies without a length in chunks."""
        if self.headers.get("Expect", "").lower().strip() == "100-continue":
            self.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        response = Response.from_app(self.server.app, self.make_environ())
        self._send_head(response)
        if self.command != "HEAD":
            self._send_body(response)
        response.close()

    def _send_head(self, response: Response) -> None:
        self.send_response(response.status_code)
        for name, value in response.headers:
            self.send_header(name, value)
        if response.content_length is None or response.status_code == _TOO_LARGE:
            self.send_header("Connection", "close")
        self.end_headers()

    def _send_body(self, response: Response) -> None:
        for part in response.iter_encoded():
            self.wfile.write(part)

    def log(self, type: str, message: str, *args: object) -> None:
        """Nothing: the org keeps its own log, and request lines may hold secrets."""


class Server(ThreadedWSGIServer):
    """Serves an app from a thread of its own; every connection has one too."""

    def __init__(self, port: int, tls: ssl.SSLContext | None) -> None:
        self._connections: dict[socket.socket, threading.Thread] = {}
        self._connections_lock = threading.Lock()
        # werkzeug would end the process if the port were in use; this raises OSError.
        with socket.create_server((HOST, port), backlog=_BACKLOG) as listening:
            super().__init__(HOST, port, _not_yet, Handler, ssl_context=tls, fd=listening.fileno())
        if isinstance(self.socket, ssl.SSLSocket):
            # A client that connects and says nothing must not hold up the others.
            setattr(self.socket, "do_handshake_on_connect", False)  # noqa: B010 - not in typeshed
        self._thread = threading.Thread(
            target=self.serve_forever, args=(_POLL_SECONDS,), name="emulator", daemon=True
        )

    def start(self, app: WSGIApplication) -> None:
        self.app = app
        self._thread.start()

    def stop(self) -> None:
        """Close every connection and wait for the threads."""
        if self._thread.is_alive():
            self.shutdown()
            self._thread.join(_STOP_SECONDS)
        self.server_close()
        for connection, thread in self._live_connections():
            _hang_up(connection)
            thread.join(_STOP_SECONDS)

    def process_request(
        self, request: socket.socket | tuple[bytes, socket.socket], client_address: object
    ) -> None:
        """Start a thread for a connection."""
        if not isinstance(request, socket.socket):
            raise TypeError("the server listens on TCP")
        thread = threading.Thread(
            target=self._serve_connection, args=(request, client_address), daemon=True
        )
        with self._connections_lock:
            self._connections[request] = thread
        thread.start()

    def _serve_connection(self, request: socket.socket, client_address: object) -> None:
        try:
            self.process_request_thread(request, client_address)
        finally:
            with self._connections_lock:
                self._connections.pop(request, None)

    def _live_connections(self) -> list[tuple[socket.socket, threading.Thread]]:
        with self._connections_lock:
            return list(self._connections.items())

    def handle_error(self, request: object, client_address: tuple[str, int] | str) -> None:
        """Tell standard error, but not about clients that go away."""
        if not isinstance(sys.exception(), ConnectionError | TimeoutError | ssl.SSLError):
            super().handle_error(request, client_address)


def _hang_up(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        return  # it was closed already


def _not_yet(*_: object) -> list[bytes]:
    return []
