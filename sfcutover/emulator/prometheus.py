"""Prometheus' query API over the emulator's metrics: instant queries, answered as vectors."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from werkzeug.exceptions import HTTPException, MethodNotAllowed
from werkzeug.wrappers import Request, Response

from sfcutover.emulator.bodies import read_request
from sfcutover.emulator.formats import Clock
from sfcutover.emulator.metrics import Metrics, MetricsError, Series

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

QUERY_PATH = "/prometheus/api/v1/query"
_SECONDS = re.compile(r"\d{1,12}(\.\d*)?")


class Prometheus:
    """``/prometheus/api/v1/query`` before another WSGI application, which answers all other paths.

    The form of its answers is that of Prometheus 2.42: ``query`` and ``time`` (RFC 3339 or
    seconds since 1970, by default now) come by GET, or by POST in a form. measure: what there
    is to ask for.
    """

    def __init__(
        self, measure: Callable[[], Metrics], clock: Clock, other: WSGIApplication
    ) -> None:
        self._measure = measure
        self._clock = clock
        self._other = other

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if environ.get("PATH_INFO") != QUERY_PATH:
            return self._other(environ, start_response)
        try:
            with read_request(environ) as request:
                response = self._answer(request)
        except HTTPException as error:
            response = error.get_response(environ)
        return response(environ, start_response)

    def _answer(self, request: Request) -> Response:
        if request.method not in ("GET", "POST"):
            raise MethodNotAllowed(["GET", "POST"])
        asked = request.values
        try:
            at = _moment(asked["time"]) if "time" in asked else self._clock().timestamp()
            series = self._measure().series(asked.get("query", ""))
        except MetricsError as error:
            return _bad_data(f'invalid parameter "query": {error}')
        except ValueError:
            text = f'cannot parse "{asked["time"]}" to a valid timestamp'
            return _bad_data(f'invalid parameter "time": {text}')
        found = [vector for one in series if (vector := _vector(one, at)) is not None]
        data = {"resultType": "vector", "result": found}
        return _json({"status": "success", "data": data}, 200)


def _moment(text: str) -> float:
    """Seconds since 1970. ValueError for a text that is no time."""
    if _SECONDS.fullmatch(text):
        return float(text)
    moment = datetime.fromisoformat(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _vector(series: Series, at: float) -> dict[str, object] | None:
    value = series.value(at)
    if value is None:
        return None
    name = {} if series.name is None else {"__name__": series.name}
    return {"metric": name | dict(series.labels), "value": [round(at, 3), f"{value:.15g}"]}


def _bad_data(text: str) -> Response:
    return _json({"status": "error", "errorType": "bad_data", "error": text}, 400)


def _json(value: object, status: int) -> Response:
    return Response(json.dumps(value), status, content_type="application/json")
