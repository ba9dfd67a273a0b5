"""A TCP proxy that can stop forwarding without closing, as a network that loses every packet.

What was sent in the meantime arrives when it forwards again, also from a client that has exited.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

_CHUNK = 65536


@dataclass
class TcpProxy:
    """port: where it listens on 127.0.0.1. target: the port to which it forwards."""

    target: int
    _listener: socket.socket = field(init=False)
    _forwards: threading.Event = field(default_factory=threading.Event, init=False)
    _sockets: list[socket.socket] = field(default_factory=list, init=False)

    def __post_init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._forwards.set()

    @property
    def port(self) -> int:
        port: int = self._listener.getsockname()[1]
        return port

    @contextmanager
    def cut(self) -> Iterator[None]:
        """Stop forwarding: no connection is closed, and none is refused."""
        self._forwards.clear()
        try:
            yield
        finally:
            self._forwards.set()

    def accept(self) -> None:
        """Accept connections until it is closed."""
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self._sockets.append(client)
                _in_thread(self._connect, client)

    def close(self) -> None:
        self._forwards.set()
        for each in (self._listener, *self._sockets):
            _close(each)

    def _connect(self, client: socket.socket) -> None:
        self._forwards.wait()
        try:
            server = socket.create_connection(("127.0.0.1", self.target))
        except OSError:
            _close(client)
            return
        self._sockets.append(server)
        _in_thread(self._forward, client, server)
        _in_thread(self._forward, server, client)

    def _forward(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(_CHUNK):
                self._forwards.wait()
                sink.sendall(data)
        self._forwards.wait()  # nor does the end of a connection arrive
        _close(source)
        _close(sink)


@contextmanager
def proxy_to(port: int) -> Iterator[TcpProxy]:
    """A running proxy."""
    proxy = TcpProxy(port)
    _in_thread(proxy.accept)
    try:
        yield proxy
    finally:
        proxy.close()


def _in_thread(work: object, *arguments: socket.socket) -> None:
    assert callable(work)
    threading.Thread(target=work, args=arguments, daemon=True).start()


def _close(one: socket.socket) -> None:
    with suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
    one.close()
