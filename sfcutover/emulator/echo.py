"""The IP echo: a page that answers with the address a request came from."""

from __future__ import annotations

import json

from werkzeug.wrappers import Request, Response

from sfcutover.emulator.scenario import Scenario

_BROKEN: dict[str, tuple[int, str, str]] = {
    "html": (200, "<html><body>Welcome to our captive portal</body></html>", "text/html"),
    "empty": (200, "", "text/plain"),
    "garbage": (200, "999.1.2.three\n", "text/plain"),
    "error_500": (500, "Internal Server Error\n", "text/plain"),
}


class Echo:
    """``/ip``: text, or JSON for ``?format=json`` or where JSON is accepted by name."""

    def __init__(self, scenario: Scenario) -> None:
        self._broken = _BROKEN.get(scenario.echo)

    def answer(self, request: Request) -> Response:
        """The TCP peer's address, or what the scenario has instead."""
        if self._broken:
            status, text, content_type = self._broken
            return Response(text, status, content_type=content_type)
        address = request.remote_addr or ""
        if _wants_json(request):
            return Response(json.dumps({"ip": address}), content_type="application/json")
        return Response(f"{address}\n", content_type="text/plain")


def _wants_json(request: Request) -> bool:
    accepted = (kind for kind, _ in request.accept_mimetypes)
    return request.args.get("format") == "json" or "application/json" in accepted
