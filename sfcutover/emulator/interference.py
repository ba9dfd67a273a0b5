"""Faults as a client meets them: what comes before an answer, instead of it, or of it."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator

from werkzeug.wrappers import Request, Response

from sfcutover.emulator.faults import Fault

_PAGE = "<html><head><title>{title}</title></head><body><h1>{title}</h1></body></html>"
_ELSEWHERE = "https://login.example.com/services/oauth2/token"  # a name that never resolves
_BLOCK = 64 * 1024
_ERROR_PAGES: dict[str, tuple[int, str]] = {
    "http_502": (502, "Bad Gateway"),
    "http_503": (503, "Service Unavailable"),
}


class DroppedError(ConnectionError):
    """The connection was closed on purpose."""


class Interference:
    """What a fault makes of one exchange. wait: for seconds, or less when the emulator stops."""

    def __init__(
        self, fault: Fault | None, request: Request, wait: Callable[[float], object]
    ) -> None:
        self._fault = fault
        self._request = request
        self._wait = wait

    def before(self) -> Response | None:
        """An answer instead of the effect, or None; DroppedError if the connection is gone."""
        fault = self._fault
        if fault is None:
            return None
        if fault.kind == "drop_before":
            self._drop()
        if fault.kind == "slow":
            self._wait(fault.seconds)
        if fault.kind in _ERROR_PAGES:
            status, title = _ERROR_PAGES[fault.kind]
            return Response(_PAGE.format(title=title), status, content_type="text/html")
        if fault.kind == "redirect":
            return Response("", 302, headers={"Location": _ELSEWHERE})
        return None

    def after(self, response: Response) -> Response:
        """The answer that is sent after the effect; DroppedError if the connection is gone."""
        fault = self._fault
        if fault is None:
            return response
        if fault.kind == "drop_after":
            self._drop()
        if fault.kind == "html_body":
            return Response(_PAGE.format(title="Down for Maintenance"), content_type="text/html")
        if fault.kind == "bad_xml":
            body = response.get_data()
            return Response(body[: len(body) // 2], content_type=response.content_type)
        if fault.kind == "huge_body":
            return Response(_blocks(fault.size), content_type=response.content_type)
        return response

    def _drop(self) -> None:
        connection = self._request.environ["werkzeug.socket"]
        if isinstance(connection, socket.socket):
            connection.shutdown(socket.SHUT_RDWR)
        raise DroppedError("the connection was dropped by a fault")


def _blocks(size: int) -> Iterator[bytes]:
    while size > 0:
        block = b" " * min(size, _BLOCK)
        size -= len(block)
        yield block
