"""What faults do to an exchange: before the operation takes effect, and to its answer."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Protocol

from werkzeug.wrappers import Request, Response

from sfcutover.emulator.faults import Fault

_PAGE = "<html><head><title>{title}</title></head><body><h1>{title}</h1></body></html>"
_ELSEWHERE = "https://login.example.com/services/oauth2/token"  # a name that never resolves
_BLOCK = 64 * 1024
_ERROR_PAGES: dict[str, tuple[int, str]] = {
    "http_502": (502, "Bad Gateway"),
    "http_503": (503, "Service Unavailable"),
}


class Waiter(Protocol):
    """Waits for seconds, or less when the server stops."""

    def __call__(self, timeout: float, /) -> object: ...


class DroppedError(ConnectionError):
    """The connection was closed on purpose."""


def interfere_before(fault: Fault | None, request: Request, wait: Waiter) -> Response | None:
    """An answer instead of the effect, or None; DroppedError if the connection is gone."""
    if fault is None:
        return None
    if fault.kind == "drop_before":
        _drop(request)
    if fault.kind == "slow":
        wait(fault.seconds)
    if fault.kind in _ERROR_PAGES:
        status, title = _ERROR_PAGES[fault.kind]
        return Response(_PAGE.format(title=title), status, content_type="text/html")
    if fault.kind == "redirect":
        return Response("", 302, headers={"Location": _ELSEWHERE})
    return None


def interfere_after(fault: Fault | None, request: Request, response: Response) -> Response:
    """The answer that is sent after the effect; DroppedError if the connection is gone."""
    if fault is None:
        return response
    if fault.kind == "drop_after":
        _drop(request)
    if fault.kind == "html_body":
        return Response(_PAGE.format(title="Down for Maintenance"), 200, content_type="text/html")
    if fault.kind == "bad_xml":
        body = response.get_data()
        return Response(body[: len(body) // 2], 200, content_type=response.content_type)
    if fault.kind == "huge_body":
        return Response(_blocks(fault.size), 200, content_type=response.content_type)
    return response


def _blocks(size: int) -> Iterator[bytes]:
    while size > 0:
        block = b" " * min(size, _BLOCK)
        size -= len(block)
        yield block


def _drop(request: Request) -> None:
    connection = request.environ["werkzeug.socket"]
    if isinstance(connection, socket.socket):
        connection.shutdown(socket.SHUT_RDWR)
    raise DroppedError("the connection was dropped by a fault")
