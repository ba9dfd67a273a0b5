"""Redeeming a refresh token at the token endpoint: once, and never a second time by accident.

The token is the request's body, and whether the body was asked for tells whether the
endpoint can have seen it. That decides if an answer was lost or never possible.
"""

from __future__ import annotations

import enum
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from traceback import walk_tb
from typing import TYPE_CHECKING
from urllib.parse import urlencode, urlsplit

import requests

from sfcutover.errors import ConfigError
from sfcutover.util.http import (
    CONNECT_SECONDS,
    READ_SECONDS,
    check_url,
    is_loopback_url,
    network_error,
)
from sfcutover.util.secrets import Secret, redact

if TYPE_CHECKING:
    from sfcutover.config.traffic import Verify


class Outcome(enum.StrEnum):
    """The kinds of answers to a refresh-token grant. Only BLOCKED speaks of the allowlist."""

    REDEEMED = "redeemed"
    BLOCKED = "blocked"
    TOKEN_DEAD = "token-dead"  # noqa: S105 - no password
    CLIENT_REJECTED = "client-rejected"
    INACTIVE = "inactive"
    RATE_LIMITED = "rate-limited"
    PROXY_FAILURE = "proxy-failure"
    NETWORK_FAILURE = "network-failure"
    UNKNOWN = "unknown"

    @property
    def advice(self) -> str:
        """What to do next, in one sentence, as the procedure has it."""
        return _ADVICE[self]


_ADVICE = {
    Outcome.REDEEMED: "Nothing to do: the token endpoint lets this address redeem.",
    Outcome.BLOCKED: (
        "Put the address this request came from back on the allowlist at once (add-new for a "
        "new one, restore-old for an old one), before any diagnosis, then redeem again."
    ),
    Outcome.TOKEN_DEAD: (
        "Authorize the app again and put the new refresh token into the store: this one has "
        "expired, or was revoked or rotated out, which says nothing about the allowlist."
    ),
    Outcome.CLIENT_REJECTED: (
        "Check token_url, client_id, client_secret and the app's flow settings: the endpoint "
        "refuses the app itself, which says nothing about the allowlist."
    ),
    Outcome.INACTIVE: (
        "Have the org or the user behind the token activated, or verify with the token of "
        "another user: this says nothing about the allowlist."
    ),
    Outcome.RATE_LIMITED: (
        "Wait before the next redemption, and make them less often: too many logins say "
        "nothing about the allowlist."
    ),
    Outcome.PROXY_FAILURE: (
        "Check the proxy's URL, its user and password, and its provider's status: the proxy "
        "refused or failed, so the allowlist was not put to the test."
    ),
    Outcome.NETWORK_FAILURE: (
        "Check the network between here and the token endpoint; if the answer was lost, don't "
        "redeem the same token again."
    ),
    Outcome.UNKNOWN: (
        "Read the answer and the org's LoginHistory before the next step: take it neither for "
        "a block nor for a success, and remove no address."
    ),
}


@dataclass(frozen=True)
class Redemption:
    """One refresh-token grant at the token endpoint.

    time: when the answer came or was given up; UTC, this machine's clock.
    http_status: None if no HTTP answer came; 407 also if a proxy refused to connect.
    error, description: the endpoint's own words; short, one line, without secrets.
    new_token: set if the endpoint rotated the token; the old one is void then.
    user_id: of the token's user (``005…``), as LoginHistory names it.
    answer_lost: nobody knows whether the token was used up; never redeem it again.
    """

    outcome: Outcome
    time: datetime
    http_status: int | None = None
    error: str | None = None
    description: str | None = None
    new_token: Secret | None = None
    user_id: str | None = None
    answer_lost: bool = False


MAX_ANSWER_BYTES = 256 * 1024
MAX_QUOTED = 200  # characters
_OK = 200
_CLIENT_ERRORS = range(400, 500)
_PROXY_AUTHENTICATION, _TOO_MANY, _UNAVAILABLE = 407, 429, 503
# By these statuses whoever answered says that it did not carry the request out.
_NOT_DONE = {*range(300, 400), _PROXY_AUTHENTICATION, _TOO_MANY, _UNAVAILABLE}
_BY_ERROR = {
    "invalid_client": Outcome.CLIENT_REJECTED,
    "invalid_client_id": Outcome.CLIENT_REJECTED,
    "invalid_client_credentials": Outcome.CLIENT_REJECTED,
    "unauthorized_client": Outcome.CLIENT_REJECTED,
    "unsupported_grant_type": Outcome.CLIENT_REJECTED,
    "inactive_user": Outcome.INACTIVE,
    "inactive_org": Outcome.INACTIVE,
    "rate_limit_exceeded": Outcome.RATE_LIMITED,
}
# These stand behind the words of a block, as their descriptions say all sorts of things.
_BY_VAGUE_ERROR = {
    "invalid_app_access": Outcome.CLIENT_REJECTED,
    "invalid_request": Outcome.CLIENT_REJECTED,
    "invalid_scope": Outcome.CLIENT_REJECTED,
}
_BY_GRANT_DESCRIPTION = (
    (re.compile(r"\bexpired (access/)?refresh token\b"), Outcome.TOKEN_DEAD),
    (re.compile(r"\btoken validity expired\b"), Outcome.TOKEN_DEAD),
    (re.compile(r"\bapproved this consumer\b"), Outcome.TOKEN_DEAD),
    (re.compile(r"\binactive (user|org)"), Outcome.INACTIVE),
)
_IP = frozenset({"ip", "ips", "ipv4", "ipv6"})
_LIMITED = ("restrict", "range", "allow", "whitelist", "permit")
_TOKEN = re.compile(r"[\x21-\x7e]{1,16384}")  # RFC 6749, appendix A.17, without blanks
_USER = re.compile(r"/id/00D[0-9A-Za-z]{12,15}/(005[0-9A-Za-z]{12}(?:[0-9A-Za-z]{3})?)/?$")


def is_token(value: object) -> bool:
    """True for a text that can be a refresh token and can be stored as one line."""
    return isinstance(value, str) and _TOKEN.fullmatch(value) is not None


def read_answer(status: int, body: bytes, time: datetime) -> Redemption:
    """The meaning of a whole HTTP answer. Never raises."""
    if status == _PROXY_AUTHENTICATION:
        words = "the proxy asks for a user and password"
        return Redemption(Outcome.PROXY_FAILURE, time, status, description=words)
    answer = _object_in(body)
    if status == _OK:
        return _read_success(answer, time)
    error = one_line(answer.get("error"))
    if error is None or status not in _CLIENT_ERRORS:
        return _not_understood(status, error, time)
    description = one_line(answer.get("error_description"))
    outcome = classify(status, str(answer["error"]), str(answer.get("error_description") or ""))
    return Redemption(outcome, time, status, error, description)


def classify(status: int, error: str, description: str) -> Outcome:
    """What a refusal (HTTP 4xx with an OAuth error code) means."""
    error, description = error.lower(), description.lower()
    if status == _TOO_MANY:
        return Outcome.RATE_LIMITED
    if error in _BY_ERROR:
        return _BY_ERROR[error]
    if _speaks_of_ip_limits(error) or _speaks_of_ip_limits(description):
        return Outcome.BLOCKED
    if error == "invalid_grant":
        for pattern, outcome in _BY_GRANT_DESCRIPTION:
            if pattern.search(description):
                return outcome
    return _BY_VAGUE_ERROR.get(error, Outcome.UNKNOWN)


def one_line(value: object) -> str | None:
    """A foreign text, safe to show: masked before a cut could halve a secret."""
    if not isinstance(value, str):
        return None
    text = "".join(each if each.isprintable() else " " for each in redact(value))
    return " ".join(text.split())[:MAX_QUOTED] or None


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
    user = _USER.search(identity) if isinstance(identity, str) else None
    if not is_token(answer.get("access_token")):
        return _useless(_OK, one_line(answer.get("error")), "no access token", time)
    if new is not None and not is_token(new):
        return _useless(_OK, None, "a refresh token that is none", time)
    return Redemption(
        Outcome.REDEEMED,
        time,
        _OK,
        new_token=Secret(new) if isinstance(new, str) else None,
        user_id=user[1] if user else None,
    )


def _not_understood(status: int, error: str | None, time: datetime) -> Redemption:
    """Of another status, or without an error code; its body is never quoted."""
    if status == _TOO_MANY:
        return Redemption(Outcome.RATE_LIMITED, time, status, error)
    return _useless(status, error, "no OAuth error" if error is None else "an error", time)


def _useless(status: int, error: str | None, what: str, time: datetime) -> Redemption:
    return Redemption(
        Outcome.UNKNOWN,
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


__all__ = ["Outcome", "Redemption", "TokenEndpoint", "token_endpoint"]

_SALESFORCE = ("salesforce.com", "force.com")  # My Domains lie below them
_HOST = re.compile(r"[a-z0-9.-]+")
_TUNNEL_STATUS = re.compile(r"Tunnel connection failed: ([0-9]{3})\b")
_HEADERS = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}


@dataclass(frozen=True)
class TokenEndpoint:
    """A token endpoint, and the app that redeems there."""

    url: str
    client_id: str
    client_secret: Secret | None

    def redeem(self, token: Secret, session: requests.Session) -> Redemption:
        """Post the refresh-token grant, once.

        Whatever the endpoint, the proxy or the network does is an outcome, no error.
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
        return read_answer(response.status_code, response.content, datetime.now(UTC))

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
        by_proxy = not sent and _is_proxys(error)
        reason = network_error(error, self.url, "").message
        status = None
        if by_proxy:
            status, reason = _tunnel_status(error), _proxy_words(error)
        return Redemption(
            Outcome.PROXY_FAILURE if by_proxy else Outcome.NETWORK_FAILURE,
            datetime.now(UTC),
            status,
            description=one_line(reason),
            answer_lost=sent,
        )


def token_endpoint(verify: Verify, *, allow_other_hosts: bool) -> TokenEndpoint:
    """The endpoint that cutover.yaml names, with its secrets read.

    Raises ConfigError, also for a host that is not Salesforce's: it would get a token
    and a client secret, unless allow_other_hosts says that it may.
    """
    where = verify.token_url.where
    url = check_url(verify.token_url.read(), where)
    if not (allow_other_hosts or _is_trusted(url)):
        raise ConfigError(
            f"token_url's host {urlsplit(url).hostname} is not Salesforce's; it would get the "
            "refresh token",
            where=where,
            hint="use https://login.salesforce.com/services/oauth2/token or the My Domain's; "
            "allow_other_hosts: true if the host is yours",
        )
    secret = verify.client_secret.read() if verify.client_secret else None
    return TokenEndpoint(url, verify.client_id.read(), secret)


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
        """All, whatever the size, at the first call; then the end; then no more."""
        if not self._parts:
            raise OSError("a grant is sent once")
        self.was_sent = True
        return self._parts.pop(0)


def _is_trusted(url: str) -> bool:
    host = (urlsplit(url).hostname or "").removesuffix(".")
    salesforce = any(host == each or host.endswith(f".{each}") for each in _SALESFORCE)
    return is_loopback_url(url) or (salesforce and _HOST.fullmatch(host) is not None)


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """The error and what led to it, at most ten."""
    for _ in range(10):
        if error is None:
            return
        yield error
        error = error.__cause__ or error.__context__


def _is_proxys(error: BaseException) -> bool:
    """True if it was a proxy that refused or failed; only for a grant that was not sent.

    PySocks' errors come as if they were the network's, and so does much of what goes
    wrong while a proxy is asked to connect. (Once the grant is sent, urllib3 blames the
    proxy for whatever happens to the connection.)
    """
    return any(
        isinstance(each, requests.exceptions.ProxyError)
        or type(each).__module__ == "socks"
        or any(frame.f_code.co_name == "_tunnel" for frame, _ in walk_tb(each.__traceback__))
        for each in _chain(error)
    )


def _tunnel_status(error: BaseException) -> int | None:
    """The status with which a proxy refused to connect (CONNECT)."""
    found = _TUNNEL_STATUS.search(str(error))
    return int(found[1]) if found else None


def _proxy_words(error: BaseException) -> str:
    status = _tunnel_status(error)
    if status == requests.codes.proxy_authentication_required:
        return "the proxy asks for a user and password (HTTP 407)"
    if status is not None:
        return f"the proxy refused to connect to the token endpoint (HTTP {status})"
    chain = [str(each) for each in _chain(error) if type(each).__module__ == "socks"]
    return f"the SOCKS proxy failed: {chain[0]}" if chain else "the proxy could not be reached"
