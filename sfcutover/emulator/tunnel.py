"""Carrying bytes between two connections until both are done."""

from __future__ import annotations

import selectors
import socket
import struct
from contextlib import suppress

_BLOCK = 64 * 1024
_IDLE_SECONDS = 120.0


def relay(one: socket.socket, other: socket.socket) -> None:
    """Carry bytes both ways until both sides have ended, one broke off, or nothing came."""
    one.settimeout(_IDLE_SECONDS)
    other.settimeout(_IDLE_SECONDS)
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


def reset(connection: socket.socket) -> None:
    """Have the connection be reset when it is closed, not ended."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
