"""The emulator's own endpoint, for people and tools that can't call its Python API."""

from __future__ import annotations

import json

from pydantic import ValidationError
from werkzeug.wrappers import Response

from sfcutover.emulator.faults import Fault
from sfcutover.emulator.org import Org


class Admin:
    """``/emulator/faults`` (GET, POST, DELETE), ``/emulator/log``, ``/emulator/state`` (GET).

    The server listens on loopback only; nothing it says here is a secret. The caller
    holds the org's lock.
    """

    def __init__(self, org: Org) -> None:
        self._org = org

    def answer(self, method: str, what: str, body: bytes) -> Response:
        """The answer as JSON; 404 for anything else."""
        if (method, what) == ("POST", "faults"):
            return self._set_fault(body)
        if (method, what) == ("DELETE", "faults"):
            self._org.faults.clear()
            return _json([])
        views = {"faults": self._faults, "log": self._org.log.snapshot, "state": self._state}
        if method == "GET" and what in views:
            return _json(views[what]())
        return _json({"error": f"{method} {what} is not known here"}, 404)

    def _set_fault(self, body: bytes) -> Response:
        try:
            fault = Fault.model_validate_json(body)
        except ValidationError as error:
            problems = error.errors(include_url=False, include_input=False, include_context=False)
            return _json({"error": problems}, 400)
        self._org.faults.set(fault)
        return _json(self._faults(), 201)

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
