"""Servers that keep track of their connections, and one thread that accepts for all of them."""

from __future__ import annotations

import selectors
import socket
import socketserver
import ssl
import sys
import threading
from collections.abc import Callable, Iterable

BACKLOG = 128
_STOP_SECONDS = 5.0


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
        """Hang up on everybody and wait for the threads, also for those about to end."""
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
    """End a connection in both directions, so that whoever reads from it wakes up."""
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        return  # it was closed already
