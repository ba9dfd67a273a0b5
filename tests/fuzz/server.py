"""A server that answers every request with the same bytes."""

from __future__ import annotations

import gzip
import re
import socket
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache

from hypothesis import strategies as st

from tests.fuzz.hostile import texts
from tests.support import listening

_STATUSES = [200] * 8 + [201, 204, 300, 302, 400, 401, 403, 404, 407, 413, 429, 500, 503, 999]
_TYPES = ["application/json", "text/xml; charset=utf-8", "text/plain", "text/html; charset=x", ""]
_CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
_HEADS = [
    b"", b"\r\n", b"HTTP/1.1\r\n\r\n", b"HTTP/1.1 9" + b"9" * 5000 + b" OK\r\n\r\n",
    b"HTTP/9.9 200 OK\r\n\r\n", b"HTTP/1.1 200 OK\r\n" + b"X: 1\r\n" * 5000 + b"\r\n",
    b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000 + b"\r\n\r\n",
    b"HTTP/1.1 100 Continue\r\n\r\n" * 1000,
    b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999\r\n\r\nx",
    b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\nx",
    b"HTTP/1.1 200 OK\r\nContent-Length: 1, 2\r\n\r\nx",
    _CHUNKED + b"f" * 100_000,
    _CHUNKED + b"-5\r\nx", b"\x16\x03\x01\x00\xff",
    b"SSH-2.0-x\r\n",
    _CHUNKED + b"1\r\nx\r\n" * 3000 + b"0\r\n" + b"a: b\r\n" * 3000,
    b"HTTP/1.1 200 OK\r\nContent-Encoding: deflate\r\n\r\n" + zlib.compress(b"x" * 1000)[:-5],
    b"HTTP/1.1 200 OK\r\nContent-Encoding: br, x, gzip, gzip, gzip, gzip, gzip\r\n\r\nx",
]  # fmt: skip


@cache
def _bombs() -> list[bytes]:
    """Answers that are large once they are decompressed."""
    bomb = gzip.compress(bytes(30_000_000))
    length = b"Content-Length: %d" % len(bomb)
    return [
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n" + length + b"\r\n\r\n" + bomb,
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip, gzip\r\n\r\n" + gzip.compress(bomb),
    ]


@dataclass
class AnsweringServer:
    """url: of the server. answer: what each request gets; then the connection is closed."""

    url: str
    answer: bytes = b""


@contextmanager
def answering() -> Iterator[AnsweringServer]:
    """A server on a loopback socket."""
    server = AnsweringServer("")

    def talk(connection: socket.socket) -> None:
        _read_request(connection)
        with suppress(OSError):
            connection.sendall(server.answer)

    with listening(talk) as place:
        server.url = f"http://{place}"
        yield server


def _read_request(connection: socket.socket) -> None:
    """Read the whole request: an answer may be lost if the server closes earlier."""
    data = connection.recv(65536)
    if data.startswith(b"\x05"):  # SOCKS: a greeting, after which the client waits
        return
    while b"\r\n\r\n" not in data and (part := connection.recv(65536)):
        data += part
    head, _, body = data.partition(b"\r\n\r\n")
    length = re.search(rb"(?i)\ncontent-length: *(\d+)", head)
    left = int(length[1]) - len(body) if length else 0
    while left > 0 and (part := connection.recv(65536)):
        left -= len(part)


@st.composite
def http_answers(draw: st.DrawFn, bodies: st.SearchStrategy[bytes]) -> bytes:
    """Mostly the body in a valid answer; sometimes an invalid one."""
    if not draw(st.integers(0, 11)):
        return draw(st.sampled_from([*_HEADS, *_bombs()]) | st.binary(max_size=100))
    body = draw(bodies)
    headers = [f"HTTP/1.1 {draw(st.sampled_from(_STATUSES))} OK"]
    headers.append(f"Content-Type: {draw(st.sampled_from(_TYPES))}")
    if not draw(st.integers(0, 5)):
        headers += draw(st.lists(_header(), max_size=3))
    head = "\r\n".join(headers).encode("utf-8", "replace")
    match draw(
        st.sampled_from(["length", "length", "length", "close", "chunked", "gzip", "short"])
    ):
        case "length":
            return b"%s\r\nContent-Length: %d\r\n\r\n%s" % (head, len(body), body)
        case "short":
            return b"%s\r\nContent-Length: %d\r\n\r\n%s" % (head, len(body) + 1, body)
        case "chunked":
            chunk = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body) if body else b"0\r\n\r\n"
            return b"%s\r\nTransfer-Encoding: chunked\r\n\r\n%s" % (head, chunk)
        case "gzip":
            return b"%s\r\nContent-Encoding: gzip\r\n\r\n%s" % (head, gzip.compress(body))
        case _:
            return b"%s\r\n\r\n%s" % (head, body)


@st.composite
def _header(draw: st.DrawFn) -> str:
    names = [
        "Date", "Sforce-Limit-Info", "Location", "Set-Cookie", "Content-Encoding",
        "Retry-After", "WWW-Authenticate", "Proxy-Authenticate", "X",
    ]  # fmt: skip
    value = draw(texts | st.sampled_from([
        f"api-usage={'9' * 5000}/1", "api-usage=1/2", "Mon, 32 Foo 99999 25:61:61 GMT",
        "Mon, 23 Nov 2026 12:00:00 GMT", "Mon, 23 Nov 2026 12:00:00 +9999", "gzip, br",
        "a=b; Max-Age=x",
    ]))  # fmt: skip
    return f"{draw(st.sampled_from(names))}: {value}"
