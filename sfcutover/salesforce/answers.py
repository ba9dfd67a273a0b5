"""What an answer of the org is worth: final, passing or unknown. Only this module decides.

A lock or a limit has many spellings: a SOAP fault, a DeployResult's errorStatusCode and
errorMessage, the problem of a component, a REST error. Codes and words are those of the Metadata
API Developer Guide, of the official CLI's list (SDR), and of users' reports.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

from sfcutover.errors import (
    Answer,
    AuthError,
    BusyError,
    ConfigError,
    LimitError,
    NetworkError,
    OperationFailedError,
    SfcutoverError,
)

INVALID_SESSION = "INVALID_SESSION_ID"
_MAX_QUOTED = 500  # characters of a fault's text
_SERVER_ERROR = 500
_BUSY_STATUSES = frozenset({420, 429})  # 420: seen by SDR
_CLIENT_ERRORS = range(400, 500)
_REQUEST_TIMEOUT, _TOO_LARGE = 408, 413
_MAX_JSON_BYTES = 64 * 1024


class UnknownIdError(NetworkError):
    """The org knows no such id: a wrong one, or a right one that is leaving Pending (SDR)."""


class AccessRefusedError(AuthError):
    """The org knows the session and refuses the request: a permission, or the caller's address."""


class NotTakenError(NetworkError):
    """The request was refused before the API saw it, or never arrived: nothing was done."""


# Nothing was done, and the condition clears by itself.
_PASSING_CODES = frozenset(
    {
        *("ALREADY_IN_PROCESS", "API_CURRENTLY_DISABLED", "LIMIT_EXCEEDED", "ORG_LOCKED"),
        *("REQUEST_LIMIT_EXCEEDED", "UNABLE_TO_LOCK_ROW"),
        # Of the token endpoint (RFC 6749, and users' reports).
        *("rate_limit_exceeded", "server_error", "temporarily_unavailable", "unknown_error"),
    }
)
# The server failed: what it had done by then, it does not say.
_UNKNOWN_CODES = frozenset(
    {
        *("INVALID_CROSS_REFERENCE_KEY", "QUERY_TIMEOUT", "REQUEST_RUNNING_TOO_LONG"),
        *("SERVER_UNAVAILABLE", "UNKNOWN_EXCEPTION"),
    }
)
# A deployment that has ended with one of these has done nothing.
_PASSING_ENDS = _PASSING_CODES | _UNKNOWN_CODES - {"INVALID_CROSS_REFERENCE_KEY"}
_PASSING_WORDS = re.compile(
    r"already in pro(?:gress|cess)|already been locked|exclusive access to this record"
    r"|wait for the previous|retry your request|temporarily (?:unavailable|lock)"
    r"|try again (?:later|in a (?:moment|few))|include this errorid",
    re.IGNORECASE,
)
_LEADING_CODE = re.compile(r"\s*([A-Z][A-Z_]{3,})(?::|$)")

_ADDRESS = re.compile(
    r"(?:current|your|this|source) ip\b|\bip address\b.* not (?:allowed|permitted)"
    r"|\bip restricted\b|\brestricted ip\b",
    re.IGNORECASE,
)
OTHER_ADDRESS = (
    "the org accepts this user only from other addresses: add this machine's address to the "
    "login IP ranges of the user's profile and, in Setup, to Network Access, or run this from an "
    "address that is listed there"
)
_MEANINGS: dict[str, tuple[type[SfcutoverError], str]] = {
    "INSUFFICIENT_ACCESS": (
        AccessRefusedError,
        "the user needs 'Modify Metadata Through Metadata API Functions' (or 'Modify All Data') "
        "and the API enabled",
    ),
    "API_DISABLED_FOR_ORG": (
        AccessRefusedError,
        "the user's profile needs 'API Enabled', and the org an edition that has the API",
    ),
    "UNSUPPORTED_API_VERSION": (
        ConfigError,
        "set api_version: to one that the org supports (67.0 or later)",
    ),
    "INVALID_CROSS_REFERENCE_KEY": (UnknownIdError, "run this again in a moment; check the id"),
}
_BY_ANSWER: dict[Answer, tuple[type[SfcutoverError], str]] = {
    Answer.PASSING: (BusyError, "this is temporary: run this again in a moment"),
    Answer.UNKNOWN: (NetworkError, "run this again in a moment"),
    Answer.FINAL: (OperationFailedError, "look up the code in the Metadata API Developer Guide"),
}


def fault_error(code: str, message: str, where: str) -> SfcutoverError:
    """The error that a fault means. where: the org and the operation."""
    said = " ".join(message.removeprefix(f"{code}:").split())[:_MAX_QUOTED]
    known = (AccessRefusedError, OTHER_ADDRESS) if is_about_address(said) else _MEANINGS.get(code)
    kind, hint = known or _BY_ANSWER[_refusal(code, said)]
    return kind(f"{code}: {said}", where=where, hint=hint)


def is_about_address(message: str) -> bool:
    """True for a refusal of the address that this machine asks from."""
    return _ADDRESS.search(message) is not None


def login_hint(description: str) -> str:
    """What to do about a login that the token endpoint refuses with these words."""
    if is_about_address(description):
        return OTHER_ADDRESS
    words = description.lower()
    if "token" in words and "expired" in words:
        return (
            "the refresh token has expired, was revoked, or was replaced at another login: log in "
            "again (sf org login web); sf org display --verbose --json then shows a new sfdxAuthUrl"
        )
    if "audience" in words:
        return (
            "set audience: beside login_url to what the org accepts: https://login.salesforce.com, "
            "https://test.salesforce.com for a sandbox, or the site's own URL"
        )
    return "check the app's client id and secret or key, its flow settings, and the user"


def json_error(body: bytes) -> tuple[str, str] | None:
    """Code and message of a refusal in JSON; None for what is no JSON."""
    try:
        content = json.loads(body[:_MAX_JSON_BYTES])
    except (ValueError, RecursionError):
        return None
    return rest_error(content)


def rest_error(content: object) -> tuple[str, str]:
    """Code and message of ``[{"errorCode": …, "message": …}]``; empty where there is none."""
    first = content[0] if isinstance(content, list) and content else None
    found = first if isinstance(first, dict) else {}
    code, message = found.get("errorCode"), found.get("message")
    return (code if isinstance(code, str) else "", message if isinstance(message, str) else "")


def http_error(status: int, operation: str, where: str) -> SfcutoverError | None:
    """What an HTTP status of something that is no Metadata API answer means, where it says that
    the request was not taken; None where it leaves that open."""
    said = f"{operation} was answered with HTTP {status}"
    if status in _BUSY_STATUSES:
        hint = "this is temporary: run this again in a moment"
        return BusyError(said, where=where, hint=hint)
    if status == _TOO_LARGE:
        return LimitError(
            f"{said}: the request is too large for the org, or for a proxy on the way",
            where=where,
            hint="check which proxy is in between (HTTPS_PROXY) and its size limit; a package is "
            "small: it has only the app's allowlist and policies",
        )
    if status in _CLIENT_ERRORS and status != _REQUEST_TIMEOUT:
        return NotTakenError(
            f"{said}, not by the Metadata API",
            where=where,
            hint="check what is between this machine and the org (HTTPS_PROXY), and the instance "
            "URL: "
            "it is the org's My Domain, without a path",
        )
    return None


def query_error(status: int, content: object, where: str) -> SfcutoverError:
    """The error that a refused query means. status: of HTTP. content: of the answer, from JSON."""
    code, message = rest_error(content)
    what = f"HTTP {status}, {code}" if code else f"HTTP {status}"
    if is_about_address(message):
        said = " ".join(message.split())[:_MAX_QUOTED]
        refused = f"the org refused a query ({what}: {said})"
        return AccessRefusedError(refused, where=where, hint=OTHER_ADDRESS)
    if status in _BUSY_STATUSES or _refusal(code, "") is Answer.PASSING:
        return BusyError(
            f"the org could not answer a query ({what})",
            where=where,
            hint="this is temporary: run this again in a moment",
        )
    if status >= _SERVER_ERROR:
        return NetworkError(
            f"the org could not answer a query ({what})",
            where=where,
            hint="check whether the org is down for maintenance, then run this again",
        )
    return OperationFailedError(
        f"the org refused a query ({what})",
        where=where,
        hint="check that the user may use the API and read this object",
    )


def login_answer(error: str, description: str) -> Answer:
    """Of a login that the token endpoint answered with an OAuth error."""
    return _refusal(error, description)


def ended_answer(code: str | None, message: str | None, problems: Sequence[str]) -> Answer:
    """Of a deployment that ended without success, all or nothing.

    code, message: errorStatusCode and errorMessage. problems: of its components. It is passing
    where everything that it names passes, as one real refusal would refuse it again.
    """
    reasons = [each for each in (local_code(code), *problems) if each]
    reasons = reasons or [message or ""]
    return Answer.PASSING if all(map(_passes, reasons)) else Answer.FINAL


def local_code(fault_code: str | None) -> str:
    """``INVALID_SESSION_ID`` of ``sf:INVALID_SESSION_ID``."""
    return (fault_code or "").rpartition(":")[2].rpartition("}")[2]


def _refusal(code: str, message: str) -> Answer:
    """Of a request that was answered with an error."""
    if code in _UNKNOWN_CODES:
        return Answer.UNKNOWN
    is_passing = code in _PASSING_CODES or _PASSING_WORDS.search(message)
    return Answer.PASSING if is_passing else Answer.FINAL


def _passes(reason: str) -> bool:
    """Of an error code, or of a text that may begin with one."""
    code = _LEADING_CODE.match(reason)
    if code is not None and code[1] in _PASSING_ENDS:
        return True
    return _PASSING_WORDS.search(reason) is not None
