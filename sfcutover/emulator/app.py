"""The HTTP surface of the org: routes, authorization, faults, and a log line per request."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

from werkzeug.exceptions import HTTPException
from werkzeug.routing import Map, Rule
from werkzeug.wrappers import Request, Response

from sfcutover.emulator.echo import Echo
from sfcutover.emulator.edits import RETRIEVE
from sfcutover.emulator.events import Event
from sfcutover.emulator.faults import Fault
from sfcutover.emulator.metadata_api import Asked, MetadataApi
from sfcutover.emulator.oauth import TokenEndpoint
from sfcutover.emulator.org import Org
from sfcutover.emulator.redemption import TokenError, TokenRequest
from sfcutover.emulator.rest import STATUSES, RestApi, RestError
from sfcutover.emulator.soap import SoapFaultError, read_call, write_answer, write_fault
from sfcutover.emulator.wire import Waiter, interfere_after, interfere_before

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
"""Clients disagree about a slash at the end; it is taken off before matching."""


class App:
    """A WSGI application around one org."""

    def __init__(self, org: Org, url: str, tokens: TokenEndpoint, wait: Waiter) -> None:
        self._org = org
        self._wait = wait
        self._metadata = MetadataApi(org)
        self._rest = RestApi(org, url)
        self._tokens = tokens
        self._echo = Echo(org.scenario)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        request = Request(environ)
        request.max_content_length = MAX_BODY
        try:
            response = self._route(request)
        except HTTPException as error:
            self._org.log.add("rest", "unknown")["status"] = error.code
            code = error.name.upper().replace(" ", "_")  # NOT_FOUND, as Salesforce has it
            response = _rest_error(error.code or 500, code, error.name)
        response.date = self._org.clock.shown(self._org.clock())
        return response(environ, start_response)

    def _route(self, request: Request) -> Response:
        body = request.get_data()  # all of it: the next request comes behind it
        path = request.path.rstrip("/")
        endpoint, values = ROUTES.bind_to_environ(request.environ).match(path)
        if endpoint == "soap":
            return self._soap(request, body, str(values["version"]))
        if endpoint == "token":
            return self._token(request)
        if endpoint == "echo":
            return self._exchange(
                "echo", "echo", request, "", lambda event, _: self._echo.answer(request)
            )
        return self._exchange(
            "rest",
            endpoint,
            request,
            _bearer(request),
            lambda event, fault: self._read_rest(endpoint, request, values, event, fault),
        )

    def _exchange(
        self,
        kind: str,
        operation: str,
        request: Request,
        token: str,
        answer: Callable[[Event, Fault | None], Response],
    ) -> Response:
        """Log a request, let its fault have its way, and take its effect under the lock."""
        fault = self._org.faults.strike(operation)
        struck = fault.kind if fault else None
        event = self._org.log.add(kind, operation, fault=struck, source=request.remote_addr)
        response = interfere_before(fault, request, self._wait)
        if response is None:
            with self._org.lock:
                if fault and fault.kind == "expired_session":
                    self._org.sessions.end(token)
                response = self._take_effect(operation, lambda: answer(event, fault))
        event["status"] = response.status_code
        return interfere_after(fault, request, response)

    def _take_effect(self, operation: str, answer: Callable[[], Response]) -> Response:
        """Answer, with the edits that are due at this operation before and behind it."""
        org = self._org
        if operation == RETRIEVE:  # its edits are due when the content is read
            return answer()
        org.edits.reach(operation, "before", org.clock())
        response = answer()
        org.edits.reach(operation, "after", org.clock())
        return response

    def _soap(self, request: Request, body: bytes, version: str) -> Response:
        try:
            call = read_call(body)
        except SoapFaultError as error:
            event = self._org.log.add("soap", "unreadable")
            event.update(code=error.code, status=500)
            return _soap_response(write_fault(error.code, str(error)), 500)
        return self._exchange(
            "soap",
            call.operation,
            request,
            call.session_id,
            lambda event, fault: self._call(Asked(call, _number(version), fault, event)),
        )

    def _call(self, asked: Asked) -> Response:
        try:
            if asked.fault and asked.fault.refusal and asked.fault.kind != "failed":
                raise SoapFaultError(*asked.fault.refusal)
            results = self._metadata.answer(asked)
        except SoapFaultError as error:
            asked.event["code"] = error.code
            return _soap_response(write_fault(error.code, str(error)), 500)
        return _soap_response(write_answer(asked.call.operation, results), 200)

    def _token(self, request: Request) -> Response:
        basic = request.authorization
        pair = None
        if basic is not None and basic.type == "basic":
            pair = (basic.username or "", basic.password or "")
        asked = TokenRequest(request.form, pair, request.remote_addr or "")
        return self._exchange(
            "oauth",
            self._tokens.operation(asked),
            request,
            "",
            lambda event, fault: self._issue(asked, event, fault),
        )

    def _issue(self, asked: TokenRequest, event: Event, fault: Fault | None) -> Response:
        try:
            return _json_response(self._tokens.answer(asked, event, fault))
        except TokenError as error:
            event["code"] = error.error
            body = {"error": error.error, "error_description": str(error)}
            return _json_response(body, error.status)

    def _read_rest(
        self,
        endpoint: str,
        request: Request,
        values: Mapping[str, object],
        event: Event,
        fault: Fault | None,
    ) -> Response:
        try:
            if fault and fault.refusal:
                code, message = fault.refusal
                raise RestError(STATUSES.get(code, 400), code, message)
            return _json_response(self._resource(endpoint, request, values))
        except RestError as error:
            event["code"] = error.code
            if endpoint == "userinfo":
                return Response("Bad_OAuth_Token", 403, content_type="text/html;charset=UTF-8")
            return _rest_error(error.status, error.code, str(error))

    def _resource(self, endpoint: str, request: Request, values: Mapping[str, object]) -> object:
        if endpoint == "versions":
            return self._rest.versions()
        self._rest.check_session(_bearer(request))
        if endpoint == "userinfo":
            return self._rest.identity()
        version = str(values["version"])
        self._rest.check_version(version)
        if endpoint == "resources":
            return self._rest.resources(version)
        if endpoint == "limits":
            return self._rest.limits()
        if endpoint == "user":
            return self._rest.user(version, str(values["record_id"]))
        text = request.args.get("q", "")
        return self._rest.query(version, text, tooling=endpoint == "tooling_query")


def _bearer(request: Request) -> str:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip() if scheme.lower() in ("bearer", "oauth") else ""


def _number(version: str) -> float:
    try:
        return float(version)
    except ValueError:
        return 0.0


def _soap_response(body: bytes, status: int) -> Response:
    return Response(body, status, content_type="text/xml;charset=UTF-8")


def _json_response(value: object, status: int = 200) -> Response:
    text = json.dumps(value, ensure_ascii=False)
    return Response(text, status, content_type="application/json;charset=UTF-8")


def _rest_error(status: int, code: str, message: str) -> Response:
    return _json_response([{"message": message, "errorCode": code}], status)
