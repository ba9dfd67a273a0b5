"""What must hold while watching, beside the canary: a Prometheus query, or a command.

A check has one of four verdicts, which are never mixed: it passed, it failed, what was seen
does not tell, or there was nothing to see.
"""

from __future__ import annotations

import enum
import json
import math
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

import requests

from sfcutover.config.checks import Check, Condition, PrometheusCheck
from sfcutover.config.values import SecretReference
from sfcutover.errors import ConfigError, SfcutoverError
from sfcutover.util.childenvironment import child_environment
from sfcutover.util.http import (
    is_about_tls,
    is_http_url,
    is_loopback_url,
    network_error,
    new_session,
)
from sfcutover.util.processes import run_in_group
from sfcutover.util.secrets import one_line

_OK = 200
_SHOWN_SERIES = 3
_NO_SERIES = (
    "the query found no series (they are stale or never were; a comparison belongs in condition)"
)


class Verdict(enum.StrEnum):
    """The result of a check, made once."""

    PASSED = "passed"
    FAILED = "failed"
    INCONCLUSIVE = "inconclusive"
    ERROR = "error"


@dataclass(frozen=True)
class CheckResult:
    """A check made once. detail: one line for people; it may quote what was seen."""

    name: str
    verdict: Verdict
    detail: str


_VERDICTS = {0: Verdict.PASSED, 1: Verdict.FAILED, 2: Verdict.INCONCLUSIVE}
Checker = Callable[[], CheckResult]  # makes the check once; never raises


def checker_for(config: Check) -> Checker:
    """What makes the check, each time it is called.

    Raises ConfigError for what can't work at all: an unset variable, a URL that is
    none, a program that is not there.
    """
    if config.prometheus is not None:
        return _prometheus_checker(config.prometheus, config.title, config.timeout)
    return _command_checker(config)


class QueryError(Exception):
    """Why there is no result of a query."""


@dataclass(frozen=True)
class QueryResult:
    """The result of an instant query: a value per series, and what the server remarked."""

    values: tuple[tuple[str, float], ...]
    warnings: tuple[str, ...]


def judge(result: QueryResult, condition: Condition) -> tuple[Verdict, str]:
    """The verdict on a result, and why."""
    failed = [each for each in result.values if not _holds(each[1], condition)]
    unknown = [each for each in result.values if math.isnan(each[1])]
    if failed:
        verdict, detail = Verdict.FAILED, f"{_shown(failed)} is not {condition}"
    elif unknown:
        verdict, detail = Verdict.INCONCLUSIVE, f"{_shown(unknown)} is no number"
    elif not result.values:
        verdict, detail = Verdict.INCONCLUSIVE, _NO_SERIES
    else:
        verdict, detail = Verdict.PASSED, f"{_shown(result.values)} is {condition}"
    return verdict, "; warning: ".join([detail, *result.warnings])


def read_result(status: int, body: bytes) -> QueryResult:
    """The result in an HTTP body. Raises QueryError for everything else."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise QueryError(f"HTTP {status} with something that is no answer of Prometheus")
    if status != _OK or document.get("status") != "success":
        kind, words = _text(document.get("errorType")), _text(document.get("error"))
        raise QueryError(f"HTTP {status}: {kind}: {words}")
    warnings = document.get("warnings")
    return QueryResult(
        _values_in(document.get("data")),
        tuple(_text(each) for each in warnings) if isinstance(warnings, list) else (),
    )


def _values_in(data: object) -> tuple[tuple[str, float], ...]:
    try:
        match data:
            case {"resultType": "vector", "result": list(series)}:
                return tuple((_labels(each["metric"]), _number(each["value"])) for each in series)
            case {"resultType": "scalar", "result": sample}:
                return (("the value", _number(sample)),)
            case {"resultType": str(kind)}:
                raise QueryError(f"the query gives a {_text(kind)}, not one number a series")
    except (KeyError, TypeError, ValueError, AttributeError):
        pass
    raise QueryError("the answer holds something that is not one number a series")


def _number(sample: object) -> float:
    """Of ``[time, "text"]``: JSON has no NaN, so numbers come as texts."""
    match sample:
        case [int() | float(), str(text)]:
            return float(text)
    raise ValueError


def _labels(metric: Mapping[str, str]) -> str:
    labels = ", ".join(f'{name}="{value}"' for name, value in metric.items() if name != "__name__")
    return _text(metric.get("__name__", "") + (f"{{{labels}}}" if labels else "")) or "the value"


def _holds(value: float, condition: Condition) -> bool:
    return math.isnan(value) or condition.holds(value)


def _shown(values: Sequence[tuple[str, float]]) -> str:
    shown = ", ".join(f"{name} = {value:.12g}" for name, value in values[:_SHOWN_SERIES])
    more = len(values) - _SHOWN_SERIES
    return f"{shown} and {more} more" if more > 0 else shown


def _text(value: object) -> str:
    """The server's own words."""
    return one_line(str(value)) if value is not None else ""


def _command_checker(config: Check) -> Checker:
    """Exit status 0 passed, 1 failed, 2 inconclusive, anything else an error.

    config.timeout (seconds) ends it and all it has started. Raises ConfigError if there is no
    such program.
    """
    argv = config.command or ()
    if not argv or shutil.which(argv[0]) is None:
        raise ConfigError(
            f"there is no program {argv[0] if argv else ''}",
            where=config.where,
            hint="check the name and PATH; a command runs without a shell",
        )

    def check() -> CheckResult:
        last = ""  # the last line that is not blank

        def take(line: str) -> None:
            nonlocal last
            last = one_line(line) or last

        try:
            environment = child_environment()
            ended = run_in_group(argv, environment, timeout=config.timeout, output=take)
        except OSError as error:
            detail = f"it can't be run: {error.strerror}"
            return CheckResult(config.title, Verdict.ERROR, detail)
        verdict = _VERDICTS.get(ended.status, Verdict.ERROR)
        detail = f"{ended}: {last}" if last else str(ended)
        return CheckResult(config.title, Verdict.ERROR if ended.cut_short else verdict, detail)

    return check


def _prometheus_checker(config: PrometheusCheck, name: str, timeout: float) -> Checker:
    """timeout: seconds, to connect and between two reads, and for the query itself.

    The token is read for every check, as it may be renewed in between.
    Raises ConfigError if the URL or the token can't be used.
    """
    url = _base_url(config)
    condition = Condition.parse(config.condition)
    if config.token is not None:
        _bearer(config.token)

    def check() -> CheckResult:
        try:
            verdict, detail = judge(_query(url, config, timeout), condition)
        except (SfcutoverError, QueryError) as error:
            verdict, detail = Verdict.ERROR, str(error)
        except requests.RequestException as error:
            found = network_error(error, url, "")
            cure = f"; {found.hint}" if is_about_tls(error) else ""
            verdict, detail = Verdict.ERROR, f"{found.message}{cure}"
        return CheckResult(name, verdict, detail)

    return check


def _query(url: str, config: PrometheusCheck, timeout: float) -> QueryResult:
    headers = {"Authorization": _bearer(config.token)} if config.token else {}
    with new_session() as session:
        response = session.get(
            f"{url}/api/v1/query",
            params={"query": config.query, "timeout": f"{max(1, round(timeout * 1000))}ms"},
            headers=headers,
            timeout=(timeout, timeout),
        )
    if response.status_code in (requests.codes.unauthorized, requests.codes.forbidden):
        words = "the token was not accepted" if config.token else "it asks for a token"
        raise QueryError(f"HTTP {response.status_code}: {words}")
    return read_result(response.status_code, response.content)


def _base_url(config: PrometheusCheck) -> str:
    """The server's URL, which may have a path. An error never quotes it."""
    url = config.url.read().rstrip("/")
    if not is_http_url(url) or urlsplit(url).query or urlsplit(url).fragment:
        raise ConfigError(
            "the URL of prometheus is not an http or https URL of a server",
            where=config.url.where,
            hint="write https://host or https://host/path, without a user; token: holds the token",
        )
    if config.token and urlsplit(url).scheme == "http" and not is_loopback_url(url):
        raise ConfigError(
            "the token would be sent without encryption",
            where=config.url.where,
            hint="write https://…, or leave token: out",
        )
    return url


def _bearer(token: SecretReference) -> str:
    value = token.read().reveal()
    if not (value.isascii() and value.isprintable() and " " not in value):
        raise ConfigError(
            "the token of prometheus holds a blank or a character that no header can",
            where=token.where,
            hint="the secret is the token alone, without 'Bearer'",
        )
    return f"Bearer {value}"
