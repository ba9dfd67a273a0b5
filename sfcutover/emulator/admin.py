"""The emulator's own endpoint, for people and tools that can't call its Python API."""

from __future__ import annotations

import json

from pydantic import BaseModel, ValidationError
from werkzeug.wrappers import Response

from sfcutover.allowlist.ranges import IpRange
from sfcutover.emulator.clock import soap_time
from sfcutover.emulator.faults import Fault
from sfcutover.emulator.oauth import TokenEndpoint
from sfcutover.emulator.org import Org
from sfcutover.emulator.people import People


class _Ranges(BaseModel):
    ranges: list[str]


class _Person(BaseModel):
    name: str
    legacy: bool = False


class Admin:
    """``/emulator/faults`` (GET, POST, DELETE); to look at: log, state, redemptions, allowlist.

    POST ``support`` with ``{"ranges": […]}`` changes the legacy app's list; POST
    ``grants`` or ``codes`` with ``{"name": …, "legacy": false}`` answers with a new
    refresh token or authorization code, the only secrets here. The server listens on
    loopback only. The caller holds the org's lock.
    """

    def __init__(self, org: Org, tokens: TokenEndpoint, people: People) -> None:
        self._org = org
        self._tokens = tokens
        self._people = people

    def answer(self, method: str, what: str, body: bytes) -> Response:
        """The answer as JSON; 404 for anything else."""
        if (method, what) == ("POST", "faults"):
            return self._set_fault(body)
        if (method, what) == ("DELETE", "faults"):
            self._org.faults.clear()
            return _json([])
        views = {
            "faults": self._faults,
            "log": self._org.log.snapshot,
            "state": self._state,
            "redemptions": self._redemptions,
            "allowlist": self._allowlist,
        }
        if method == "GET" and what in views:
            return _json(views[what]())
        if method == "POST" and what in ("support", "grants", "codes"):
            return self._act(what, body)
        return _json({"error": f"{method} {what} is not known here"}, 404)

    def _set_fault(self, body: bytes) -> Response:
        try:
            fault = Fault.model_validate_json(body)
        except ValidationError as error:
            problems = error.errors(include_url=False, include_input=False, include_context=False)
            return _json({"error": problems}, 400)
        self._org.faults.set(fault)
        return _json(self._faults(), 201)

    def _act(self, what: str, body: bytes) -> Response:
        try:
            if what == "support":
                ranges = _Ranges.model_validate_json(body).ranges
                self._tokens.clients.support.set([IpRange.parse(text) for text in ranges])
                return _json({"ranges": ranges}, 201)
            person = _Person.model_validate_json(body)
        except ValueError as error:  # also a RangeError and a ValidationError
            return _json({"error": str(error)}, 400)
        if what == "codes":
            code = self._people.issue_code(person.name, legacy=person.legacy)
            return _json({"code": code}, 201)
        grant = self._people.add_customer(person.name, legacy=person.legacy)
        return _json({"refresh_token": grant.refresh_token}, 201)

    def _redemptions(self) -> object:
        return [
            {
                "time": soap_time(one.time),
                "source": one.source,
                "grant": one.grant,
                "result": one.result,
            }
            for one in self._tokens.redemptions
        ]

    def _allowlist(self) -> object:
        self._org.queue.advance()
        return [
            {"time": soap_time(one.time), "ranges": [str(entry) for entry in one.allowlist]}
            for one in self._tokens.clients.deployed.versions()
        ]

    def _faults(self) -> object:
        return [fault.model_dump(mode="json") for fault in self._org.faults.active()]

    def _state(self) -> object:
        self._org.queue.advance()
        return {
            "components": [
                {"type": one.metadata_type, "fullName": one.full_name, "id": one.id}
                for one in self._org.store
            ],
            "deployments": [
                {
                    "id": one.id,
                    "status": one.status.value,
                    "done": one.done,
                    "checkOnly": one.check_only,
                }
                for one in self._org.queue
            ],
            "faults": self._faults(),
        }


def _json(value: object, status: int = 200) -> Response:
    return Response(json.dumps(value), status, content_type="application/json")
