"""What a fault of the Metadata API means: a refusal, a limit, or a condition that passes."""

from __future__ import annotations

from sfcutover.errors import (
    AuthError,
    ConfigError,
    LimitError,
    NetworkError,
    OperationFailedError,
    SfcutoverError,
)

INVALID_SESSION = "INVALID_SESSION_ID"
_MAX_QUOTED = 500  # characters of a fault's text


class UnknownIdError(NetworkError):
    """The org knows no such id: a wrong one, or a right one that is leaving Pending (SDR)."""


class OrgLockedError(OperationFailedError):
    """Another deployment or an upgrade holds the org; nothing has started."""


_PERMISSION = (
    AuthError,
    "the user needs 'Modify Metadata Through Metadata API Functions' (or 'Modify All Data') "
    "and the API enabled",
)
_LIMIT = (LimitError, "wait until the org has room again, then run this again")
# Passing conditions of the org; SDR's list and the Metadata API Developer Guide.
_PASSING = (NetworkError, "run this again in a moment")
_OTHER = (OperationFailedError, "see the code in the Metadata API Developer Guide")
_MEANINGS: dict[str, tuple[type[SfcutoverError], str]] = {
    "INSUFFICIENT_ACCESS": _PERMISSION,
    "API_CURRENTLY_DISABLED": _PERMISSION,
    "API_DISABLED_FOR_ORG": _PERMISSION,
    "LIMIT_EXCEEDED": _LIMIT,
    "REQUEST_LIMIT_EXCEEDED": _LIMIT,
    "SERVER_UNAVAILABLE": _PASSING,
    "REQUEST_RUNNING_TOO_LONG": _PASSING,
    "UNABLE_TO_LOCK_ROW": _PASSING,
    "UNKNOWN_EXCEPTION": _PASSING,
    "UNSUPPORTED_API_VERSION": (
        ConfigError,
        "set api_version: to one that the org has (67.0 or later)",
    ),
    "INVALID_CROSS_REFERENCE_KEY": (UnknownIdError, "run this again in a moment; check the id"),
    "ORG_LOCKED": (
        OrgLockedError,
        "another deployment or upgrade holds the org; try again later",
    ),
}


def fault_error(code: str, message: str, where: str) -> SfcutoverError:
    """The error that a fault means. where: the org and the operation."""
    kind, hint = _MEANINGS.get(code, _OTHER)
    said = " ".join(message.removeprefix(f"{code}:").split())[:_MAX_QUOTED]
    return kind(f"{code}: {said}", where=where, hint=hint)


def local_code(fault_code: str | None) -> str:
    """``INVALID_SESSION_ID`` of ``sf:INVALID_SESSION_ID``."""
    return (fault_code or "").rpartition(":")[2].rpartition("}")[2]
