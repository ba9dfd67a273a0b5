"""Checks by an instant query (Prometheus HTTP API, ``GET /api/v1/query``)."""

from __future__ import annotations

from urllib.parse import urlsplit

import requests

from sfcutover.checks import CheckResult, Look, Verdict
from sfcutover.checks.answer import Answer, NoAnswerError, judge, read_answer
from sfcutover.checks.condition import Condition
from sfcutover.config.traffic import PrometheusCheck
from sfcutover.config.values import SecretReference
from sfcutover.errors import ConfigError, SfcutoverError
from sfcutover.util.http import is_loopback_url, network_error, new_session


def prometheus_check(config: PrometheusCheck, name: str, timeout: float) -> Look:
    """The check. timeout: seconds, to connect and between two reads, and for the query itself.

    The token is read at every look, as it may be renewed in between.
    Raises ConfigError if the URL or the token can't be used.
    """
    url = _base_url(config)
    condition = Condition.parse(config.condition)
    if config.token is not None:
        _bearer(config.token)

    def look() -> CheckResult:
        try:
            answer = _ask(url, config, timeout)
            verdict, detail = judge(answer, condition)
        except (SfcutoverError, NoAnswerError) as error:
            verdict, detail = Verdict.ERROR, str(error)
        except requests.RequestException as error:
            verdict, detail = Verdict.ERROR, network_error(error, url, "").message
        return CheckResult(name, verdict, detail)

    return look


def _ask(url: str, config: PrometheusCheck, timeout: float) -> Answer:
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
        raise NoAnswerError(f"HTTP {response.status_code}: {words}")
    return read_answer(response.status_code, response.content)


def _base_url(config: PrometheusCheck) -> str:
    """The server's URL, which may have a path. An error never quotes it."""
    url = config.url.read().rstrip("/")
    if not _is_plain_url(url):
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


def _is_plain_url(url: str) -> bool:
    try:
        parts = urlsplit(url)
        port_is_one = parts.port != 0
    except ValueError:
        return False
    extra = "@" in parts.netloc or parts.query or parts.fragment
    return parts.scheme in ("http", "https") and bool(parts.hostname) and port_is_one and not extra


def _bearer(token: SecretReference) -> str:
    value = token.read().reveal()
    if not (value.isascii() and value.isprintable() and " " not in value):
        raise ConfigError(
            "the token of prometheus holds a blank or a character that no header can",
            where=token.where,
            hint="the secret is the token alone, without 'Bearer'",
        )
    return f"Bearer {value}"
