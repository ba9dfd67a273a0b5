"""Deployments over REST: ``/services/data/vXX.0/metadata/deployRequest`` (Metadata API guide)."""

from __future__ import annotations

import json
from collections.abc import Mapping

from lxml import etree
from werkzeug.wrappers import Request

from sfcutover.emulator.deployments import Deployment, Options
from sfcutover.emulator.deployrequests import DeployRequests, RefusedError, check_permission
from sfcutover.emulator.org import Org
from sfcutover.emulator.results import Nil, Tree, deploy_result

DEPLOY = "deploy"
QUICK_DEPLOY = "deployRecentValidation"
_REPEATED = ("componentFailures", "componentSuccesses")
_PARTS = ("json", "entity_content")  # the guide's name, and the one that clients use

Object = Mapping[str, object]


def operation_of(request: Request) -> str:
    """What a POST asks for, by the name that it has in SOAP."""
    return QUICK_DEPLOY if request.is_json else DEPLOY


class DeployResource:
    """The resource at its url, for one request at an API version. The caller holds the org's lock.

    Every method raises RefusedError.
    """

    def __init__(self, org: Org, url: str, version: float, requests: DeployRequests) -> None:
        check_permission(org)
        self._org = org
        self._url = url
        self._version = version
        self._requests = requests

    def deploy(self, request: Request) -> dict[str, object]:
        """Start a deployment of the zip in a multipart form."""
        part = next((request.form[name] for name in _PARTS if name in request.form), "{}")
        file = request.files.get("file")
        if file is None:
            raise RefusedError("MISSING_ARGUMENT", "the form has no file")  # assumed
        options = _object(_parsed(part).get("deployOptions", {}))
        deployment = self._requests.add(file.read(), _options(options))
        return self._described(deployment) | {"deployOptions": options}

    def deploy_validated(self, request: Request) -> dict[str, object]:
        """Deploy what a recent validation has tested."""
        asked = _parsed(request.get_data(as_text=True))
        validation = str(asked.get("validatedDeployRequestId", ""))
        deployment = self._requests.add_validated(validation)
        return self._described(deployment) | {"validatedDeployRequestId": validation}

    def status(self, deployment_id: str, request: Request) -> dict[str, object]:
        """How a deployment goes, with its components if includeDetails asks for them."""
        details = request.args.get("includeDetails", "").lower() == "true"
        return self._described(self._requests.find(deployment_id), details)

    def cancel(self, deployment_id: str, request: Request) -> dict[str, object]:
        """Cancel a deployment; the only change of one that can be asked for."""
        asked = _parsed(request.get_data(as_text=True))
        if _object(asked.get("deployResult", {})).get("status") != "Canceling":
            raise RefusedError("INVALID_FIELD", "deployResult.status can be Canceling only")
        return self._described(self._requests.cancel(deployment_id, self._version))

    def _described(self, deployment: Deployment, details: bool = False) -> dict[str, object]:
        self._org.queue.advance()
        result = deploy_result(self._org, deployment, self._version, include_details=details)
        url = f"{self._url}/{deployment.id}"
        return {"id": deployment.id, "url": url, "deployResult": _json(result)}


def _options(sent: Object) -> Options:
    def flag(name: str) -> bool:
        return str(sent.get(name, False)).lower() == "true"

    return Options(
        check_only=flag("checkOnly"),
        ignore_warnings=flag("ignoreWarnings"),
        rollback_on_error=flag("rollbackOnError"),
        single_package=flag("singlePackage"),
        test_level=str(sent.get("testLevel") or ""),
    )


def _parsed(text: str) -> Object:
    try:
        return _object(json.loads(text))
    except (ValueError, RecursionError) as error:
        raise RefusedError("JSON_PARSER_ERROR", "the body is no JSON") from error


def _object(value: object) -> Object:
    if not isinstance(value, dict):
        raise RefusedError("JSON_PARSER_ERROR", "a JSON object was expected")  # text assumed
    return value


def _json(tree: Tree) -> dict[str, object]:
    """A result as JSON has it: what may come several times is a list."""
    single: dict[str, object] = {}
    repeated: dict[str, list[object]] = {}
    for name, value in tree:
        if name in _REPEATED:
            repeated.setdefault(name, []).append(_plain(value))
        elif name == "details":
            single[name] = {one: [] for one in _REPEATED} | dict(_object(_plain(value)))
        elif value is not None:
            single[name] = _plain(value)
    return single | repeated


def _plain(value: str | bool | int | float | Nil | etree._Element | Tree | None) -> object:
    if value is None or isinstance(value, Nil):
        return None
    if isinstance(value, str | bool | int | float):
        return value
    if isinstance(value, etree._Element):
        raise TypeError("a component's XML has no form in JSON")
    return _json(value)
