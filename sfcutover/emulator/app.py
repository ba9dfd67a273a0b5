"""The HTTP surface of the org: routes, authorization, faults, and a log line per request."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from werkzeug.exceptions import HTTPException, MethodNotAllowed, NotFound
from werkzeug.routing import Map, Rule
from werkzeug.wrappers import Request, Response

from sfcutover.emulator.bodies import read_request
from sfcutover.emulator.deployrequests import DeployRequests, RefusedError
from sfcutover.emulator.edits import RETRIEVE
from sfcutover.emulator.faults import Fault, FaultBoard
from sfcutover.emulator.formats import version_of
from sfcutover.emulator.interference import Interference
from sfcutover.emulator.log import Event, EventLog
from sfcutover.emulator.metadata import Asked, MetadataApi
from sfcutover.emulator.oauth import JwtKey, TokenEndpoint, TokenError, TokenRequest
from sfcutover.emulator.org import Org
from sfcutover.emulator.rest import NO_SUCH_RESOURCE, STATUSES, RestApi
from sfcutover.emulator.restdeploy import DEPLOY, QUICK_DEPLOY, DeployResource, operation_of
from sfcutover.emulator.soap import read_call, write_answer, write_fault

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

_REST = "/services/data/v<version>"
_DEPLOYS = f"{_REST}/metadata/deployRequest"


def _reads(path: str, endpoint: str) -> Rule:
    return Rule(path, endpoint=endpoint, methods=["GET"])


ROUTES = Map(
    [
        Rule("/services/Soap/m/<version>", endpoint="soap"),
        Rule("/services/Soap/m/<version>/<path:ignored>", endpoint="soap"),  # an org id, mostly
        _reads("/services/data", "versions"),
        _reads(_REST, "resources"),
        _reads(f"{_REST}/limits", "limits"),
        _reads(f"{_REST}/query", "query"),
        _reads(f"{_REST}/tooling/query", "tooling_query"),
        _reads(f"{_REST}/sobjects/User/<record_id>", "user"),
        _reads(f"{_REST}/sobjects/Organization/<record_id>", "organization"),
        Rule(_DEPLOYS, endpoint=DEPLOY, methods=["POST"]),
        _reads(f"{_DEPLOYS}/<deployment_id>", "checkDeployStatus"),
        Rule(f"{_DEPLOYS}/<deployment_id>", endpoint="cancelDeploy", methods=["PATCH"]),
        Rule("/services/oauth2/userinfo", endpoint="userinfo"),
        Rule("/id/<org_id>/<user_id>", endpoint="userinfo"),
        Rule("/services/oauth2/token", endpoint="token"),
        Rule("/ip", endpoint="echo"),
    ],
    merge_slashes=False,
)
"""Clients disagree about a slash at the end; it is removed before matching."""

_CREATED, _ACCEPTED = 201, 202
_STATUSES = {DEPLOY: _CREATED, QUICK_DEPLOY: _CREATED, "cancelDeploy": _ACCEPTED}
_BROKEN_ECHOES: dict[str, tuple[int, str, str]] = {
    "html": (200, "<html><body>Welcome to our captive portal</body></html>", "text/html"),
    "empty": (200, "", "text/plain"),
    "garbage": (200, "999.1.2.three\n", "text/plain"),
    "error_500": (500, "Internal Server Error\n", "text/plain"),
}


@dataclass(frozen=True)
class Surface:
    """What all requests to an emulator share.

    key: for the JWT bearer flow. wait: for seconds, or less when it stops.
    """

    faults: FaultBoard
    log: EventLog
    key: JwtKey
    wait: Callable[[float], object]


class App:
    """A WSGI application around an org. answering: which it is at the moment."""

    def __init__(self, answering: Callable[[], Org], surface: Surface) -> None:
        self._answering = answering
        self._surface = surface

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        org = self._answering()
        try:
            with read_request(environ) as request:  # closes the files of a form
                response = _Exchange(org, self._surface, request).answer()
        except HTTPException as error:
            source = str(environ.get("REMOTE_ADDR", ""))
            event = self._surface.log.add("rest", "unknown", source=source)
            code = error.name.upper().replace(" ", "_")  # NOT_FOUND, as Salesforce has it
            event.update(status=error.code, code=code)
            text = _http_error(error, str(environ.get("REQUEST_METHOD")))
            response = _rest_error(error.code or 500, code, text)
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
        path = self._request.path.rstrip("/")
        endpoint, values = ROUTES.bind_to_environ(self._request.environ).match(path)
        if endpoint == "soap":
            return self._soap(str(values["version"]))
        if endpoint == "token":
            return self._token()
        if endpoint == "echo":
            return self._take("echo", "echo", "", lambda event, _: self._echo())
        operation = operation_of(self._request) if endpoint == DEPLOY else endpoint
        return self._take(
            "rest",
            operation,
            _bearer(self._request),
            lambda event, fault: self._rest(operation, values, event, fault),
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
        interference = Interference(fault, self._request, self._surface.wait)
        response = interference.before()
        if response is None:
            with self._org.lock:
                if fault and fault.kind == "expired_session":
                    self._org.sessions.end(token)
                response = self._with_edits(operation, lambda: effect(event, fault))
        event["status"] = response.status_code
        return interference.after(response)

    def _with_edits(self, operation: str, effect: Callable[[], Response]) -> Response:
        """Take effect, with the edits that are due at this operation before and behind it."""
        if operation == RETRIEVE:  # its edits are due when the content is read
            return effect()
        self._org.queue.advance()
        self._org.edits.reach(operation, "before", self._org.clock())
        response = effect()
        self._org.edits.reach(operation, "after", self._org.clock())
        return response

    def _soap(self, version: str) -> Response:
        try:
            call = read_call(self._request.get_data())
        except RefusedError as error:
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
        except RefusedError as error:
            asked.event["code"] = error.code
            return _soap_response(write_fault(error.code, str(error)), 500)
        return _soap_response(write_answer(asked.call.operation, results), 200)

    def _token(self) -> Response:
        basic = self._request.authorization
        pair = None
        if basic is not None and basic.type == "basic":
            pair = (basic.username or "", basic.password or "")
        asked = TokenRequest(self._request.form, pair, self._request.remote_addr or "")
        with self._org.lock:
            home = self._org.home_of(asked.presented)
        endpoint = TokenEndpoint(home, self._surface.key)
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
        self, operation: str, values: Mapping[str, object], event: Event, fault: Fault | None
    ) -> Response:
        try:
            if fault and fault.refusal and fault.kind != "failed":
                raise RefusedError(*fault.refusal)
            body = self._resource(operation, values, DeployRequests(self._org, fault, event))
            return _json_response(body, _STATUSES.get(operation, 200))
        except RefusedError as error:
            event["code"] = error.code
            if operation == "userinfo":
                return Response("Bad_OAuth_Token", 403, content_type="text/html;charset=UTF-8")
            return _rest_error(STATUSES.get(error.code, 400), error.code, str(error))

    def _resource(
        self, operation: str, values: Mapping[str, object], requests: DeployRequests
    ) -> object:
        rest = RestApi(self._org)
        if operation == "versions":
            return rest.versions()
        rest.check_session(_bearer(self._request))
        if operation == "userinfo":
            return rest.identity()
        version = str(values["version"])
        rest.check_version(version)
        if operation == "resources":
            return rest.resources(version)
        if operation == "limits":
            return rest.limits(len(self._surface.log.events()))
        if operation in ("organization", "user"):
            return rest.record(version, operation.title(), str(values["record_id"]))
        if operation in ("query", "tooling_query"):
            return self._query(rest, version, tooling=operation == "tooling_query")
        return self._deployments(operation, values, requests)

    def _query(self, rest: RestApi, version: str, *, tooling: bool) -> object:
        text = self._request.args.get("q", "")
        if self._request.args.get("columns", "").lower() == "true":
            return rest.columns(text, tooling=tooling)
        return rest.query(version, text, tooling=tooling)

    def _deployments(
        self, operation: str, values: Mapping[str, object], requests: DeployRequests
    ) -> object:
        version = str(values["version"])
        url = f"{self._org.url}/services/data/v{version}/metadata/deployRequest"
        resource = DeployResource(self._org, url, version_of(version) or 0, requests)
        if operation == DEPLOY:
            return resource.deploy(self._request)
        if operation == QUICK_DEPLOY:
            return resource.deploy_validated(self._request)
        deployment_id = str(values["deployment_id"])
        if operation == "cancelDeploy":
            return resource.cancel(deployment_id, self._request)
        return resource.status(deployment_id, self._request)

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


def _http_error(error: HTTPException, method: str) -> str:
    """The org's answer for an unknown resource, or an unsupported method."""
    if isinstance(error, NotFound):
        return NO_SUCH_RESOURCE
    if isinstance(error, MethodNotAllowed):
        allowed = ",".join(sorted(error.valid_methods or ()))
        return f"HTTP Method '{method}' not allowed. Allowed are {allowed}"
    return error.description or error.name
