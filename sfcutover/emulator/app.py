"""The HTTP surface of the org: routes, authorization, faults, and a log line per request."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from werkzeug.exceptions import HTTPException
from werkzeug.routing import Map, Rule
from werkzeug.wrappers import Request, Response

from sfcutover.emulator.edits import RETRIEVE
from sfcutover.emulator.faults import Fault, FaultBoard
from sfcutover.emulator.formats import version_of
from sfcutover.emulator.log import Event, EventLog
from sfcutover.emulator.metadata import Asked, MetadataApi
from sfcutover.emulator.oauth import JwtKey, TokenEndpoint, TokenError, TokenRequest
from sfcutover.emulator.org import Org, Orgs
from sfcutover.emulator.rest import STATUSES, RestApi, RestError
from sfcutover.emulator.soap import SoapFaultError, read_call, write_answer, write_fault

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

MAX_BODY = 60 * 1024 * 1024  # bytes; the 39 MB zip limit in base64, and the envelope
_REST = "/services/data/v<version>"
ROUTES = Map(
    [
        Rule("/services/Soap/m/<version>", endpoint="soap"),
        Rule("/services/Soap/m/<version>/<path:ignored>", endpoint="soap"),  # an org id, mostly
        Rule("/services/data", endpoint="versions"),
        Rule(_REST, endpoint="resources"),
        Rule(f"{_REST}/limits", endpoint="limits"),
        Rule(f"{_REST}/query", endpoint="query"),
        Rule(f"{_REST}/tooling/query", endpoint="tooling_query"),
        Rule(f"{_REST}/sobjects/User/<record_id>", endpoint="user"),
        Rule("/services/oauth2/userinfo", endpoint="userinfo"),
        Rule("/id/<org_id>/<user_id>", endpoint="userinfo"),
        Rule("/services/oauth2/token", endpoint="token"),
        Rule("/ip", endpoint="echo"),
    ],
    merge_slashes=False,
)
"""Clients disagree about a slash at the end; it is removed before matching."""

_PAGE = "<html><head><title>{title}</title></head><body><h1>{title}</h1></body></html>"
_ELSEWHERE = "https://login.example.com/services/oauth2/token"  # a name that never resolves
_BLOCK = 64 * 1024
_ERROR_PAGES: dict[str, tuple[int, str]] = {
    "http_502": (502, "Bad Gateway"),
    "http_503": (503, "Service Unavailable"),
}
_BROKEN_ECHOES: dict[str, tuple[int, str, str]] = {
    "html": (200, "<html><body>Welcome to our captive portal</body></html>", "text/html"),
    "empty": (200, "", "text/plain"),
    "garbage": (200, "999.1.2.three\n", "text/plain"),
    "error_500": (500, "Internal Server Error\n", "text/plain"),
}


class DroppedError(ConnectionError):
    """The connection was closed on purpose."""


@dataclass(frozen=True)
class Surface:
    """What all requests to an emulator share.

    url: its base address. key: for the JWT bearer flow. wait: for seconds, or less when it
    stops.
    """

    url: str
    faults: FaultBoard
    log: EventLog
    key: JwtKey
    wait: Callable[[float], object]


class App:
    """A WSGI application around the org that answers."""

    def __init__(self, orgs: Orgs, surface: Surface) -> None:
        self._orgs = orgs
        self._surface = surface

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        request = Request(environ)
        request.max_content_length = MAX_BODY
        org = self._orgs.current
        try:
            response = _Exchange(org, self._surface, request).answer()
        except HTTPException as error:
            self._surface.log.add("rest", "unknown")["status"] = error.code
            code = error.name.upper().replace(" ", "_")  # NOT_FOUND, as Salesforce has it
            response = _rest_error(error.code or 500, code, error.name)
        response.date = org.clock.shown(org.clock())
        return response(environ, start_response)


class _Exchange:
    """One request to an org, and its answer."""

    def __init__(self, org: Org, surface: Surface, request: Request) -> None:
        self._org = org
        self._surface = surface
        self._request = request

    def answer(self) -> Response:
        """The answer as it goes out; DroppedError if the connection is gone."""
        body = self._request.get_data()  # all of it: the next request comes behind it
        path = self._request.path.rstrip("/")
        endpoint, values = ROUTES.bind_to_environ(self._request.environ).match(path)
        if endpoint == "soap":
            return self._soap(body, str(values["version"]))
        if endpoint == "token":
            return self._token()
        if endpoint == "echo":
            return self._take("echo", "echo", "", lambda event, _: self._echo())
        return self._take(
            "rest",
            endpoint,
            _bearer(self._request),
            lambda event, fault: self._rest(endpoint, values, event, fault),
        )

    def _take(
        self,
        kind: str,
        operation: str,
        token: str,
        effect: Callable[[Event, Fault | None], Response],
    ) -> Response:
        """Log the request, apply its fault, and take its effect under the lock."""
        fault = self._surface.faults.strike(operation)
        event = self._surface.log.add(
            kind, operation, fault.kind if fault else None, self._request.remote_addr
        )
        response = self._interfere_before(fault)
        if response is None:
            with self._org.lock:
                if fault and fault.kind == "expired_session":
                    self._org.sessions.end(token)
                response = self._with_edits(operation, lambda: effect(event, fault))
        event["status"] = response.status_code
        return self._interfere_after(fault, response)

    def _with_edits(self, operation: str, effect: Callable[[], Response]) -> Response:
        """Take effect, with the edits that are due at this operation before and behind it."""
        if operation == RETRIEVE:  # its edits are due when the content is read
            return effect()
        self._org.queue.advance()
        self._org.edits.reach(operation, "before", self._org.clock())
        response = effect()
        self._org.edits.reach(operation, "after", self._org.clock())
        return response

    def _interfere_before(self, fault: Fault | None) -> Response | None:
        """An answer instead of the effect, or None."""
        if fault is None:
            return None
        if fault.kind == "drop_before":
            self._drop()
        if fault.kind == "slow":
            self._surface.wait(fault.seconds)
        if fault.kind in _ERROR_PAGES:
            status, title = _ERROR_PAGES[fault.kind]
            return Response(_PAGE.format(title=title), status, content_type="text/html")
        if fault.kind == "redirect":
            return Response("", 302, headers={"Location": _ELSEWHERE})
        return None

    def _interfere_after(self, fault: Fault | None, response: Response) -> Response:
        """The answer that is sent after the effect."""
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

    def _soap(self, body: bytes, version: str) -> Response:
        try:
            call = read_call(body)
        except SoapFaultError as error:
            self._surface.log.add("soap", "unreadable").update(code=error.code, status=500)
            return _soap_response(write_fault(error.code, str(error)), 500)
        return self._take(
            "soap",
            call.operation,
            call.session_id,
            lambda event, fault: self._call(Asked(call, version_of(version) or 0, fault, event)),
        )

    def _call(self, asked: Asked) -> Response:
        try:
            results = MetadataApi(self._org).answer(asked)
        except SoapFaultError as error:
            asked.event["code"] = error.code
            return _soap_response(write_fault(error.code, str(error)), 500)
        return _soap_response(write_answer(asked.call.operation, results), 200)

    def _token(self) -> Response:
        basic = self._request.authorization
        pair = None
        if basic is not None and basic.type == "basic":
            pair = (basic.username or "", basic.password or "")
        asked = TokenRequest(self._request.form, pair, self._request.remote_addr or "")
        endpoint = TokenEndpoint(self._org, self._surface.url, self._surface.key)
        return self._take(
            "oauth",
            endpoint.operation(asked),
            "",
            lambda event, fault: self._issue(endpoint, asked, event, fault),
        )

    def _issue(
        self, endpoint: TokenEndpoint, asked: TokenRequest, event: Event, fault: Fault | None
    ) -> Response:
        try:
            return _json_response(endpoint.answer(asked, event, fault))
        except TokenError as error:
            event["code"] = error.error
            body = {"error": error.error, "error_description": str(error)}
            return _json_response(body, error.status)

    def _rest(
        self, endpoint: str, values: Mapping[str, object], event: Event, fault: Fault | None
    ) -> Response:
        try:
            if fault and fault.refusal:
                code, message = fault.refusal
                raise RestError(STATUSES.get(code, 400), code, message)
            return _json_response(self._resource(endpoint, values))
        except RestError as error:
            event["code"] = error.code
            if endpoint == "userinfo":
                return Response("Bad_OAuth_Token", 403, content_type="text/html;charset=UTF-8")
            return _rest_error(error.status, error.code, str(error))

    def _resource(self, endpoint: str, values: Mapping[str, object]) -> object:
        rest = RestApi(self._org, self._surface.url)
        if endpoint == "versions":
            return rest.versions()
        rest.check_session(_bearer(self._request))
        if endpoint == "userinfo":
            return rest.identity()
        version = str(values["version"])
        rest.check_version(version)
        if endpoint == "resources":
            return rest.resources(version)
        if endpoint == "limits":
            return rest.limits(len(self._surface.log.events()))
        if endpoint == "user":
            return rest.user(version, str(values["record_id"]))
        text = self._request.args.get("q", "")
        return rest.query(version, text, tooling=endpoint == "tooling_query")

    def _echo(self) -> Response:
        """The TCP peer's address, as text or JSON, or what the scenario has instead."""
        if broken := _BROKEN_ECHOES.get(self._org.scenario.echo):
            text_status, text, content_type = broken
            return Response(text, text_status, content_type=content_type)
        address = self._request.remote_addr or ""
        accepted = [kind for kind, _ in self._request.accept_mimetypes]
        if self._request.args.get("format") == "json" or "application/json" in accepted:
            return Response(json.dumps({"ip": address}), content_type="application/json")
        return Response(f"{address}\n", content_type="text/plain")


def _blocks(size: int) -> Iterator[bytes]:
    while size > 0:
        block = b" " * min(size, _BLOCK)
        size -= len(block)
        yield block


def _bearer(request: Request) -> str:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip() if scheme.lower() in ("bearer", "oauth") else ""


def _soap_response(body: bytes, status: int) -> Response:
    return Response(body, status, content_type="text/xml;charset=UTF-8")


def _json_response(value: object, status: int = 200) -> Response:
    text = json.dumps(value, ensure_ascii=False)
    return Response(text, status, content_type="application/json;charset=UTF-8")


def _rest_error(status: int, code: str, message: str) -> Response:
    return _json_response([{"message": message, "errorCode": code}], status)
