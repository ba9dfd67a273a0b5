"""What the token endpoint's answer means. Pure: bytes in, a Redemption out.

Codes and descriptions are those that users of the flow report; the allowlist's own
body is not published, so a block is recognised by its words, and no refusal that is
not understood is taken for one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import datetime

from sfcutover.oauth.redemption import Outcome, Redemption
from sfcutover.util.secrets import Secret, redact

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
