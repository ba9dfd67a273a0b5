"""Connections on which an exchange has one time limit in all, however its bytes arrive.

A time limit of a socket starts again with each byte, so that a peer that sends one byte at a
time would never meet it: in a header, in the answer to CONNECT, in chunks or behind them.
"""

from __future__ import annotations

import io
import math
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from http.client import HTTPResponse
from typing import Any

from urllib3.connection import HTTPConnection

_deadline: ContextVar[float] = ContextVar("deadline", default=math.inf)


@contextmanager
def exchange_within(seconds: float) -> Iterator[None]:
    """All that timed connections of this thread read in here must come within these seconds, and
    within those of an exchange around it.

    What comes later raises TimeoutError in the reader, as a silent peer does.
    """
    token = _deadline.set(min(_deadline.get(), time.monotonic() + seconds))
    try:
        yield
    finally:
        _deadline.reset(token)


@cache
def timed(kind: type[HTTPConnection]) -> type[HTTPConnection]:
    """The same kind of connection, with the time limit of the exchange it is used in."""
    if issubclass(kind.response_class, _TimedResponse):
        return kind
    return type(kind.__name__, (kind,), {"response_class": _TimedResponse})


class _TimedResponse(HTTPResponse):
    """As http.client makes it, for an answer and for that of a proxy to CONNECT."""

    def __init__(self, sock: socket.socket, *args: Any, **options: Any) -> None:
        super().__init__(sock, *args, **options)
        self.fp = io.BufferedReader(_TimedReader(self.fp.detach(), sock))


class _TimedReader(io.RawIOBase):
    """Reads a socket, each time for no longer than is left.

    raw: the socket as a file. sock: its time limit is that of one read.
    """

    def __init__(self, raw: io.RawIOBase, sock: socket.socket) -> None:
        self._raw = raw
        self._sock = sock
        self._limit = sock.gettimeout() or math.inf
        self._deadline = _deadline.get()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        """Raises TimeoutError behind the deadline, and what the socket raises."""
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("the answer did not end in time")
        limit = min(self._limit, left)
        self._sock.settimeout(None if limit == math.inf else limit)
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()
