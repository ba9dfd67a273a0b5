"""What must hold beside the canary's redemptions: a Prometheus query, or a command.

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

from sfcutover.config.checks import Check, Condition, Measurement, PrometheusCheck
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
_BASELINE_STEP = 15.0  # seconds between the samples that a mean is made of
_NO_SERIES = "the query found no series (stale, or never recorded; put a comparison in condition)"


_NOTHING_BEFORE = "its value before the switch is unknown"


class Verdict(enum.StrEnum):
    """The result of a check, made once."""

    PASSED = "passed"
    FAILED = "failed"
    INCONCLUSIVE = "inconclusive"
    ERROR = "error"


@dataclass(frozen=True)
class CheckResult:
    """A check made once. detail: one line for display; it may quote what was seen."""

    name: str
    verdict: Verdict
    detail: str


_VERDICTS = {0: Verdict.PASSED, 1: Verdict.FAILED, 2: Verdict.INCONCLUSIVE}
Checker = Callable[[], CheckResult]  # makes the check once; never raises
Switched = Callable[[], float | None]


@dataclass(frozen=True)
class Baseline:
    """What ``before`` in a condition is the mean of: these seconds before the switch.

    switched: see checker_for.
    """

    seconds: float
    switched: Switched


def checker_for(config: Measurement, switched: Switched = lambda: None) -> Checker:
    """What makes the check, each time it is called.

    switched: when traffic started to move, in seconds since 1970, None where that is unknown.
    Only a check asks it, in its own thread, as a state that hangs must not stop what it is asked
    for. Raises ConfigError for what can't work at all: an unset variable, a URL that is none, a
    program that is not there.
    """
    if config.prometheus is not None:
        baseline = Baseline(config.baseline, switched) if isinstance(config, Check) else None
        return _PrometheusChecker(config.prometheus, config.title, config.timeout, baseline).check
    return _command_checker(config)


class QueryError(Exception):
    """Why there is no result of a query."""


@dataclass(frozen=True)
class Sample:
    """A series and its value. labels: without the name of the metric, which functions drop."""

    labels: str
    value: float
    metric: str = ""

    @property
    def name(self) -> str:
        """As it is shown."""
        return f"{self.metric}{self.labels}" or "the value"


@dataclass(frozen=True)
class QueryResult:
    """The result of an instant query: a value per series, and what the server remarked."""

    samples: tuple[Sample, ...]
    warnings: tuple[str, ...] = ()

    def value_of(self, labels: str) -> float:
        """Of the series with these labels; no number where there is none."""
        return next((each.value for each in self.samples if each.labels == labels), math.nan)


NOTHING_BEFORE = QueryResult(())


def judge(
    result: QueryResult, condition: Condition, before: QueryResult = NOTHING_BEFORE
) -> tuple[Verdict, str]:
    """The verdict on a result, and why. before: what a relative condition compares with, series by
    series."""
    passed, failed, nan, unknown = list[str](), list[str](), list[str](), list[str]()
    for sample in result.samples:
        value_before = before.value_of(sample.labels)
        compared = condition.against(value_before)
        shown = f"{sample.name} = {sample.value:.12g}"
        if math.isnan(sample.value):
            nan.append(shown)
        elif math.isnan(compared.bound):
            unknown.append(shown)
        else:
            shown += f" (before: {value_before:.12g})" if condition.relative else ""
            (passed if compared.holds(sample.value) else failed).append(shown)
    if failed:
        verdict, detail = Verdict.FAILED, f"{_listed(failed)} (required: {condition})"
    elif nan:
        verdict, detail = Verdict.INCONCLUSIVE, f"{_listed(nan)} is not a number"
    elif unknown:
        verdict, detail = Verdict.INCONCLUSIVE, f"{_listed(unknown)}; {_NOTHING_BEFORE}"
    elif not passed:
        verdict, detail = Verdict.INCONCLUSIVE, _NO_SERIES
    else:
        verdict, detail = Verdict.PASSED, f"{_listed(passed)} (required: {condition})"
    return verdict, "; warning: ".join([detail, *result.warnings])


def read_result(status: int, body: bytes) -> QueryResult:
    """The result in an HTTP body. Raises QueryError for everything else."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise QueryError(f"HTTP {status} with an answer that is not from Prometheus")
    if status != _OK or document.get("status") != "success":
        kind, words = _text(document.get("errorType")), _text(document.get("error"))
        raise QueryError(f"HTTP {status}: {kind}: {words}")
    warnings = document.get("warnings")
    return QueryResult(
        _samples_in(document.get("data")),
        tuple(_text(each) for each in warnings) if isinstance(warnings, list) else (),
    )


def _samples_in(data: object) -> tuple[Sample, ...]:
    try:
        match data:
            case {"resultType": "vector", "result": list(series)}:
                return tuple(_sample(each["metric"], each["value"]) for each in series)
            case {"resultType": "scalar", "result": sample}:
                return (Sample("", _number(sample)),)
            case {"resultType": str(kind)}:
                raise QueryError(f"the query returns a {_text(kind)}, not one number per series")
    except (KeyError, TypeError, ValueError, AttributeError):
        pass
    raise QueryError("the answer has something other than one number per series")


def _number(sample: object) -> float:
    """Of ``[time, "text"]``: JSON has no NaN, so numbers come as texts."""
    match sample:
        case [int() | float(), str(text)]:
            return float(text)
    raise ValueError


def _sample(metric: Mapping[str, str], value: object) -> Sample:
    labels = ", ".join(f'{name}="{metric[name]}"' for name in sorted(metric) if name != "__name__")
    shown, name = f"{{{labels}}}" if labels else "", metric.get("__name__", "")
    if not isinstance(name, str):
        raise TypeError
    return Sample(_text(shown), _number(value), _text(name))


def _listed(found: Sequence[str]) -> str:
    more = len(found) - _SHOWN_SERIES
    return ", ".join(found[:_SHOWN_SERIES]) + (f" and {more} more" if more > 0 else "")


def _text(value: object) -> str:
    """The server's own words."""
    return one_line(str(value)) if value is not None else ""


def _command_checker(config: Measurement) -> Checker:
    """Exit status 0 passed, 1 failed, 2 inconclusive, anything else an error.

    config.timeout (seconds) ends it and all it has started. Raises ConfigError if there is no
    such program.
    """
    argv = config.command or ()
    if not argv or shutil.which(argv[0]) is None:
        raise ConfigError(
            f"the program {argv[0] if argv else ''} was not found",
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
            detail = f"it cannot be run: {error.strerror}"
            return CheckResult(config.title, Verdict.ERROR, detail)
        verdict = _VERDICTS.get(ended.status, Verdict.ERROR)
        detail = f"{ended}: {last}" if last else str(ended)
        return CheckResult(config.title, Verdict.ERROR if ended.cut_short else verdict, detail)

    return check


class _PrometheusChecker:
    """timeout: seconds, to connect and between two reads, and for the query itself.

    The token is read for every check, as it may be renewed in between.
    Raises ConfigError if the URL or the token can't be used.
    """

    def __init__(
        self, config: PrometheusCheck, name: str, timeout: float, baseline: Baseline | None
    ) -> None:
        self._config, self._name, self._timeout = config, name, timeout
        self._url = _base_url(config)
        self._baseline = baseline
        self._before: QueryResult | None = None
        if config.token is not None:
            _bearer(config.token)

    def check(self) -> CheckResult:
        """The check, made once."""
        try:
            condition = self._config.parsed_condition
            before = self._measured_before() if condition.relative else NOTHING_BEFORE
            verdict, detail = judge(self._query(self._config.query), condition, before)
        except (SfcutoverError, QueryError) as error:
            verdict, detail = Verdict.ERROR, str(error)
        except requests.RequestException as error:
            found = network_error(error, self._url, "")
            cure = f"; {found.hint}" if is_about_tls(error) else ""
            verdict, detail = Verdict.ERROR, f"{found.message}{cure}"
        return CheckResult(self._name, verdict, detail)

    def _measured_before(self) -> QueryResult:
        """The mean before the switch, asked once; nothing where there is none."""
        if self._before is not None and self._before.samples:
            return self._before
        switched = self._baseline.switched() if self._baseline else None
        if self._baseline is None or switched is None:
            return NOTHING_BEFORE
        seconds = self._baseline.seconds
        step = max(1, round(min(_BASELINE_STEP, seconds) * 1000))
        window = f"{max(1, round(seconds * 1000))}ms:{step}ms"
        query = f"avg_over_time(({self._config.query})[{window}])"
        self._before = self._query(query, time=f"{switched:.3f}")
        return self._before

    def _query(self, query: str, **parameters: str) -> QueryResult:
        token = self._config.token
        milliseconds = max(1, round(self._timeout * 1000))
        with new_session() as session:
            response = session.get(
                f"{self._url}/api/v1/query",
                params={"query": query, "timeout": f"{milliseconds}ms", **parameters},
                headers={"Authorization": _bearer(token)} if token else {},
                timeout=(self._timeout, self._timeout),
            )
        if response.status_code in (requests.codes.unauthorized, requests.codes.forbidden):
            words = "the token was not accepted" if token else "a token is required"
            raise QueryError(f"HTTP {response.status_code}: {words}")
        return read_result(response.status_code, response.content)


def _base_url(config: PrometheusCheck) -> str:
    """The server's URL, which may have a path. An error never quotes it."""
    url = config.url.read().rstrip("/")
    if not is_http_url(url) or urlsplit(url).query or urlsplit(url).fragment:
        raise ConfigError(
            "the URL of prometheus is not an http or https URL",
            where=config.url.where,
            hint="write https://host or https://host/path, without a user; token: holds the token",
        )
    if config.token and urlsplit(url).scheme == "http" and not is_loopback_url(url):
        raise ConfigError(
            "the token would be sent without encryption",
            where=config.url.where,
            hint="use https://…, or remove token:",
        )
    return url


def _bearer(token: SecretReference) -> str:
    value = token.read().reveal()
    if not (value.isascii() and value.isprintable() and " " not in value):
        raise ConfigError(
            "the token of prometheus has a space or a character that is not valid in a header",
            where=token.where,
            hint="the secret is the token alone, without 'Bearer'",
        )
    return f"Bearer {value}"
