"""The emulator's own endpoint, for users and tools that can't call its Python API."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

from pydantic import ValidationError, validate_call
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Request, Response

from sfcutover.emulator.bodies import MAX_BODY
from sfcutover.emulator.edits import Edit
from sfcutover.emulator.faults import Fault
from sfcutover.emulator.formats import is_same_secret, soap_time

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

    from sfcutover.emulator.emulator import Emulator

_PREFIX = "/emulator/"
_RESULTS = {"grants": "refresh_token", "codes": "code"}  # key of a new one


class Admin:
    """``/emulator/…`` before another WSGI application, which answers all other paths.

    A request needs ``Authorization: Bearer`` with the token, a Host of this server, and no
    Origin but its own, so that no web page can use it. About the org that answers:

    - GET: faults, edits, log, state, redemptions, allowlist, enforcement, clock, org,
      environment (the variables of this org, secrets among them)
    - POST faults and edits: a Fault, an Edit; DELETE faults: all of them
    - POST clock ``{"offset_seconds": …}``; org ``{"number": 1 or 2}``; enforcement
      ``{"is_on": …}``
    - POST support ``{"ranges": […]}``: the legacy app's list; login-ranges ``{"name": …,
      "ranges": […] or null}``: a rule of the user's own; customer-login-ranges
      ``{"number": …, "ranges": […] or null}``: a rule of a customer's org, counted from 1
    - POST grants or codes ``{"name": …, "legacy": false}``: a new refresh token or code
    """

    def __init__(self, emulator: Emulator, token: str, other: WSGIApplication) -> None:
        self._emulator = emulator
        self._token = token
        self._other = other
        self._views: Mapping[str, Callable[[], object]] = {
            "faults": lambda: [one.model_dump(mode="json") for one in emulator.faults],
            "edits": lambda: [one.model_dump(mode="json") for one in emulator.edits],
            "log": lambda: emulator.log,
            "state": self._state,
            "redemptions": self._redemptions,
            "allowlist": self._allowlist,
            "enforcement": lambda: {"is_on": emulator.enforcement},
            "clock": lambda: {"offset_seconds": emulator.clock_offset},
            "org": self._org,
            "environment": lambda: emulator.environment,
        }
        self._actions: Mapping[str, Callable[..., object]] = {
            "clock": emulator.set_clock_offset,
            "org": emulator.use_org,
            "enforcement": emulator.set_enforcement,
            "support": emulator.support_sets_allowlist,
            "login-ranges": emulator.set_login_ranges,
            "customer-login-ranges": self._set_customer_login_ranges,
            "grants": emulator.issue_grant,
            "codes": emulator.issue_code,
        }

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        request = Request(environ)
        if not request.path.startswith(_PREFIX):
            return self._other(environ, start_response)
        request.max_content_length = MAX_BODY
        try:
            body = request.get_data()  # all of it: the next request comes behind it
            response = self._refusal(request) or self._answer(request, body)
        except HTTPException as error:
            response = _json({"error": error.name}, error.code or 500)
        return response(environ, start_response)

    def _refusal(self, request: Request) -> Response | None:
        port = request.environ["SERVER_PORT"]
        own = {f"{name}:{port}" for name in ("127.0.0.1", "localhost", "[::1]")}
        origin = request.headers.get("Origin")
        if request.host not in own or origin not in (None, request.host_url.rstrip("/")):
            return _json({"error": "only for this machine, and for no web page"}, 403)
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not is_same_secret(token.strip(), self._token):
            text = "Authorization: Bearer with SFCUTOVER_ADMIN_TOKEN of the env file is needed"
            return _json({"error": text}, 401)
        return None

    def _answer(self, request: Request, body: bytes) -> Response:
        what = request.path.removeprefix(_PREFIX).rstrip("/")
        try:
            if request.method == "POST" and what in (*self._actions, "faults", "edits"):
                return _json(self._act(what, body), 201)
            if (request.method, what) == ("DELETE", "faults"):
                self._emulator.clear_faults()
                return _json([])
            if request.method == "GET" and what in self._views:
                return _json(self._views[what]())
        except ValidationError as error:
            problems = error.errors(include_url=False, include_input=False, include_context=False)
            return _json({"error": problems}, 400)
        except (TypeError, ValueError) as error:
            return _json({"error": str(error)}, 400)
        return _json({"error": f"no such resource: {request.method} {what}"}, 404)

    def _act(self, what: str, body: bytes) -> object:
        """Do it, and answer with what came of it, or with what was asked for."""
        if what == "faults":
            self._emulator.set_fault(Fault.model_validate_json(body))
        elif what == "edits":
            self._emulator.set_edit(Edit.model_validate_json(body))
        else:
            asked = json.loads(body)
            result = validate_call(self._actions[what])(**asked)
            return asked if result is None else {_RESULTS[what]: result}
        return self._views[what]()

    def _set_customer_login_ranges(self, number: int, ranges: list[str] | None) -> None:
        customers = dict(enumerate(self._emulator.customer_orgs, 1))
        if number not in customers:
            raise ValueError(
                f"no customer org {number}; the orgs are numbered 1 to {len(customers)}"
            )
        customers[number].set_login_ranges(ranges)

    def _org(self) -> object:
        emulator = self._emulator
        return {"number": emulator.org_number, "organization_id": emulator.organization_id}

    def _redemptions(self) -> object:
        return [
            {
                "time": soap_time(one.time),
                "source": one.source,
                "grant": one.grant,
                "result": one.result,
                "organization_id": one.organization_id,
            }
            for one in self._emulator.redemptions
        ]

    def _allowlist(self) -> object:
        return [
            {"time": soap_time(one.time), "ranges": [str(entry) for entry in one.allowlist]}
            for one in self._emulator.allowlist_history
        ]

    def _state(self) -> object:
        return {
            "components": [
                {"type": one.metadata_type, "fullName": one.full_name, "id": one.id}
                for one in self._emulator.components
            ],
            "deployments": [
                {
                    "id": one.id,
                    "status": one.status.value,
                    "done": one.done,
                    "checkOnly": one.check_only,
                }
                for one in self._emulator.deployments
            ],
            "faults": self._views["faults"](),
        }


def _json(value: object, status: int = 200) -> Response:
    return Response(json.dumps(value), status, content_type="application/json")
