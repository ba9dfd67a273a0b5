"""One refresh-token grant at the token endpoint: sent once, and how its answer is read.

The token is the request's body, and whether the body was asked for tells whether the
endpoint can have seen it. That decides if an answer was lost or never possible. A block is
recognized by its words, as no error code of its own is known for it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import urlencode, urlsplit

import requests

from sfcutover.errors import ConfigError
from sfcutover.traffic.proxyerrors import failed_at_proxy, is_refusal_of_proxy, proxy_answer
from sfcutover.traffic.redemption import BlockRule, Redemption, RedemptionOutcome
from sfcutover.util.http import (
    CONNECT_SECONDS,
    READ_SECONDS,
    check_url,
    is_about_tls,
    is_loopback_url,
    network_error,
)
from sfcutover.util.secrets import Secret, one_line

if TYPE_CHECKING:  # a helper process that redeems needs no settings
    from sfcutover.config.verify import CanaryConfig

_SALESFORCE = ("salesforce.com", "force.com")  # My Domains lie below them
_HOST = re.compile(r"[a-z0-9.-]+")
_HEADERS = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}

MAX_ANSWER_BYTES = 256 * 1024
_OK = 200
_CLIENT_ERRORS = range(400, 500)
_UNAUTHORIZED, _PROXY_AUTHENTICATION, _TOO_MANY, _UNAVAILABLE = 401, 407, 429, 503
# These statuses say that the request was not carried out.
_NOT_DONE = {
    *range(300, 400),
    *(_UNAUTHORIZED, _PROXY_AUTHENTICATION, _TOO_MANY, _UNAVAILABLE),
}
_BY_ERROR = {
    "invalid_client": RedemptionOutcome.CLIENT_REJECTED,
    "invalid_client_id": RedemptionOutcome.CLIENT_REJECTED,
    "invalid_client_credentials": RedemptionOutcome.CLIENT_REJECTED,
    "unauthorized_client": RedemptionOutcome.CLIENT_REJECTED,
    "unsupported_grant_type": RedemptionOutcome.CLIENT_REJECTED,
    "inactive_user": RedemptionOutcome.INACTIVE,
    "inactive_org": RedemptionOutcome.INACTIVE,
    "rate_limit_exceeded": RedemptionOutcome.RATE_LIMITED,
    "server_error": RedemptionOutcome.BUSY,
    "temporarily_unavailable": RedemptionOutcome.BUSY,
    "unknown_error": RedemptionOutcome.BUSY,  # "retry your request"
}
# Checked after the words of a block, as their descriptions say all sorts of things.
_BY_VAGUE_ERROR = {
    "invalid_app_access": RedemptionOutcome.CLIENT_REJECTED,
    "invalid_request": RedemptionOutcome.CLIENT_REJECTED,
    "invalid_scope": RedemptionOutcome.CLIENT_REJECTED,
}
_BY_GRANT_DESCRIPTION = (
    (re.compile(r"\bexpired (access/)?refresh token\b"), RedemptionOutcome.TOKEN_DEAD),
    (re.compile(r"\btoken validity expired\b"), RedemptionOutcome.TOKEN_DEAD),
    (re.compile(r"\bapproved this consumer\b"), RedemptionOutcome.TOKEN_DEAD),
    (re.compile(r"\binactive (user|org)"), RedemptionOutcome.INACTIVE),
)
_IP = frozenset({"ip", "ips", "ipv4", "ipv6"})
_LIMITED = ("restrict", "range", "allow", "whitelist", "permit")
_TOKEN = re.compile(r"[\x21-\x7e]{1,16384}")  # RFC 6749, appendix A.17, without blanks
_IDENTITY = re.compile(  # the identity URL: https://HOST/id/<organization>/<user>
    r"/id/(00D[0-9A-Za-z]{12}(?:[0-9A-Za-z]{3})?)/(005[0-9A-Za-z]{12}(?:[0-9A-Za-z]{3})?)/?$"
)


def is_token(value: object) -> bool:
    """True for a text that can be a refresh token and can be stored as one line."""
    return isinstance(value, str) and _TOKEN.fullmatch(value) is not None


def read_answer(status: int, body: bytes, time: datetime) -> Redemption:
    """The meaning of a whole HTTP answer. Never raises."""
    answer = _object_in(body)
    if status == _OK:
        return _read_success(answer, time)
    error, description = _words(answer, "error"), _words(answer, "error_description")
    if status == _TOO_MANY:
        return Redemption(RedemptionOutcome.RATE_LIMITED, time, status, error, description)
    if error is None or status not in _CLIENT_ERRORS:
        return _useless(status, error, "no OAuth error" if error is None else "an error", time)
    outcome = classify(str(answer["error"]), str(answer.get("error_description") or ""))
    if outcome is not RedemptionOutcome.BLOCKED:
        return Redemption(outcome, time, status, error, description)
    rule, words = _rule_of(description or ""), one_line(body.decode("utf-8", "replace"))
    return Redemption(outcome, time, status, error, description, rule=rule, body=words)


def _rule_of(description: str) -> BlockRule:
    words = " ".join(re.findall(r"[a-z0-9]+", description.lower()))
    if "by app developer" in words:
        return BlockRule.APP
    return BlockRule.USER if words == "ip restricted" else BlockRule.UNKNOWN


def classify(error: str, description: str) -> RedemptionOutcome:
    """What a refusal (HTTP 4xx with an OAuth error code) means."""
    error, description = error.lower(), description.lower()
    if error in _BY_ERROR:
        return _BY_ERROR[error]
    if _speaks_of_ip_limits(error) or _speaks_of_ip_limits(description):
        return RedemptionOutcome.BLOCKED
    if error == "invalid_grant":
        for pattern, outcome in _BY_GRANT_DESCRIPTION:
            if pattern.search(description):
                return outcome
    return _BY_VAGUE_ERROR.get(error, RedemptionOutcome.UNKNOWN)


def _words(answer: Mapping[str, object], name: str) -> str | None:
    """The endpoint's own words; None without any."""
    value = answer.get(name)
    return one_line(value) or None if isinstance(value, str) else None


def _speaks_of_ip_limits(text: str) -> bool:
    """True if one sentence holds "ip" as a word and a word of limits."""
    for sentence in re.split(r"[.;!?]\s", text):
        words = re.findall(r"[a-z0-9]+", sentence)
        if not _IP.isdisjoint(words) and any(word.startswith(_LIMITED) for word in words):
            return True
    return False


def _read_success(answer: Mapping[str, object], time: datetime) -> Redemption:
    """Of a 200: anything but a whole answer leaves open whether the token was used up."""
    new, identity = answer.get("refresh_token"), answer.get("id")
    found = _IDENTITY.search(identity) if isinstance(identity, str) else None
    if not is_token(answer.get("access_token")):
        return _useless(_OK, _words(answer, "error"), "no access token", time)
    if new is not None and not is_token(new):
        return _useless(_OK, None, "an invalid refresh token", time)
    return Redemption(
        RedemptionOutcome.REDEEMED,
        time,
        _OK,
        new_token=Secret(new) if isinstance(new, str) else None,
        organization_id=found[1] if found else None,
        user_id=found[2] if found else None,
    )


def _useless(status: int, error: str | None, what: str, time: datetime) -> Redemption:
    """Of an answer that says neither yes nor no; its body is never quoted."""
    return Redemption(
        RedemptionOutcome.UNKNOWN,
        time,
        status,
        error,
        f"HTTP {status} with {what}",
        answer_lost=status not in _NOT_DONE,
    )


def _object_in(body: bytes) -> Mapping[str, object]:
    """The JSON object, or nothing for anything else, however large or deep."""
    if len(body) > MAX_ANSWER_BYTES:
        return {}
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return answer if isinstance(answer, dict) else {}


@dataclass(frozen=True)
class TokenEndpoint:
    """A token endpoint, and the app that redeems there."""

    url: str
    client_id: str
    client_secret: Secret | None

    def redeem(self, token: Secret, session: requests.Session) -> Redemption:
        """Post the refresh-token grant, once.

        Every result of the endpoint, the proxy or the network is an outcome, not an error.
        """
        body = _SentOnce(self._form(token))
        try:
            response = session.post(
                self.url,
                data=body,
                headers=_HEADERS,
                timeout=(CONNECT_SECONDS, READ_SECONDS),
                allow_redirects=False,
            )
        except requests.RequestException as error:
            if error.response is None:
                return self._failure(error, body.was_sent)
            response = error.response  # the session's way to refuse a redirect
        status, now = response.status_code, datetime.now(UTC)
        if is_refusal_of_proxy(response):
            words = "the proxy requires a user and password"
            return Redemption(RedemptionOutcome.PROXY_FAILURE, now, status, description=words)
        return read_answer(status, response.content, now)

    def _form(self, token: Secret) -> bytes:
        form = {
            "grant_type": "refresh_token",
            "client_id": self.client_id,
            "refresh_token": token.reveal(),
        }
        if self.client_secret is not None:
            form["client_secret"] = self.client_secret.reveal()
        return urlencode(form).encode()

    def _failure(self, error: requests.RequestException, sent: bool) -> Redemption:
        """No answer, or half of one."""
        outcome, status = RedemptionOutcome.NETWORK_FAILURE, None
        found = network_error(error, self.url, "")
        reason = found.message
        if not sent and failed_at_proxy(error):
            outcome = RedemptionOutcome.PROXY_FAILURE
            status, reason = proxy_answer(error)
        return Redemption(
            outcome,
            datetime.now(UTC),
            status,
            description=one_line(reason),
            answer_lost=sent,
            cure=found.hint if is_about_tls(error) else None,
        )


def token_endpoint(canary: CanaryConfig, *, allow_other_hosts: bool) -> TokenEndpoint:
    """The endpoint that cutover.yaml names, with its secrets read.

    Raises ConfigError, also for a host that is not Salesforce's: it would get a token
    and a client secret, unless allow_other_hosts says that it may.
    """
    where = canary.token_url.where
    url = check_url(canary.token_url.read(), where)
    if not (allow_other_hosts or _is_trusted(url)):
        raise ConfigError(
            f"token_url's host {urlsplit(url).hostname} is not Salesforce's; it would receive "
            f"the refresh token",
            where=where,
            hint="use https://login.salesforce.com/services/oauth2/token or the My Domain's; set "
            "allow_other_hosts: true if the host is yours",
        )
    secret = canary.client_secret.read() if canary.client_secret else None
    return TokenEndpoint(url, canary.client_id.read(), secret)


class _SentOnce:
    """A request body that can be read once, so that nothing below can send it again."""

    def __init__(self, data: bytes) -> None:
        self._length = len(data)
        self._parts = [data, b""]
        self.was_sent = False  # True from the instant on at which a connection asks for it

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[bytes]:
        """requests takes only what has this for a stream; it then reads."""
        while part := self.read():
            yield part

    def read(self, size: int = -1) -> bytes:
        """All of it at the first call, for every size; then the end; then an error."""
        if not self._parts:
            raise OSError("a grant is sent once")
        self.was_sent = True
        return self._parts.pop(0)


def _is_trusted(url: str) -> bool:
    host = (urlsplit(url).hostname or "").removesuffix(".")
    salesforce = any(host == each or host.endswith(f".{each}") for each in _SALESFORCE)
    return is_loopback_url(url) or (salesforce and _HOST.fullmatch(host) is not None)
