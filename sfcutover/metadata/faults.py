"""SOAP faults, told apart by the local name of their code (``sf:CODE`` or ``fns:CODE``)."""

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
UNKNOWN_ID = "INVALID_CROSS_REFERENCE_KEY"

# Passing conditions of the org; SDR's list and the Metadata API Developer Guide.
TRANSIENT_CODES = frozenset(
    {
        "SERVER_UNAVAILABLE",
        "REQUEST_RUNNING_TOO_LONG",
        "UNABLE_TO_LOCK_ROW",
        "UNKNOWN_EXCEPTION",
    }
)
_PERMISSION_CODES = frozenset(
    {"INSUFFICIENT_ACCESS", "API_CURRENTLY_DISABLED", "API_DISABLED_FOR_ORG"}
)
_LIMIT_CODES = frozenset({"LIMIT_EXCEEDED", "REQUEST_LIMIT_EXCEEDED"})


class UnknownIdError(NetworkError):
    """The org knows no such id: a wrong one, or a right one that just leaves Pending (SDR)."""


class OrgLockedError(OperationFailedError):
    """Another deployment or an upgrade holds the org; nothing was begun."""


def local_code(fault_code: str) -> str:
    """``INVALID_SESSION_ID`` of ``sf:INVALID_SESSION_ID``."""
    return fault_code.rpartition(":")[2].rpartition("}")[2]


def fault_error(code: str, message: str, where: str) -> SfcutoverError:
    """The error that a fault means. where: the org and the operation."""
    text = f"{code}: {_without_code(code, message)}"
    if code in _PERMISSION_CODES:
        return AuthError(
            text,
            where=where,
            hint="the user needs 'Modify Metadata Through Metadata API Functions' "
            "(or 'Modify All Data') and the API enabled",
        )
    if code == "UNSUPPORTED_API_VERSION":
        return ConfigError(
            text, where=where, hint="set api_version: to one that the org has (67.0 or later)"
        )
    if code in _LIMIT_CODES:
        return LimitError(
            text, where=where, hint="wait until the org has room again, then run this again"
        )
    if code == UNKNOWN_ID:
        return UnknownIdError(text, where=where, hint="run this again in a moment; check the id")
    if code in TRANSIENT_CODES:
        return NetworkError(text, where=where, hint="run this again in a moment")
    if code == "ORG_LOCKED":
        return OrgLockedError(
            text, where=where, hint="another deployment or upgrade holds the org; try again later"
        )
    return OperationFailedError(
        text, where=where, hint="see the code in the Metadata API Developer Guide"
    )


def _without_code(code: str, message: str) -> str:
    return " ".join(message.removeprefix(f"{code}:").split())[:500]
