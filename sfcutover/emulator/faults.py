"""Things that go wrong on purpose: which, at which operation, and how often."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from enum import StrEnum
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

MAX_HUGE_BODY = 256 * 1024 * 1024
ANY = "any"


class Kind(StrEnum):
    """What a fault does. "Effect" is what the operation changes in the org."""

    DROP_BEFORE = "drop_before"  # the connection closes, without the effect
    DROP_AFTER = "drop_after"  # the connection closes, after the effect
    HTTP_502 = "http_502"  # an HTML error page, without the effect
    HTTP_503 = "http_503"
    HTML_BODY = "html_body"  # 200 with an HTML page, after the effect
    BAD_XML = "bad_xml"  # 200 with half of the answer, after the effect
    HUGE_BODY = "huge_body"  # 200 and an endless body, after the effect
    SLOW = "slow"  # the answer waits `seconds`
    EXPIRED_SESSION = "expired_session"  # the caller's session is dead from now on
    ORG_LOCKED = "org_locked"  # a SOAP fault
    CROSS_REFERENCE_500 = "cross_reference_500"  # a stray SOAP fault while polling
    SAVE_DOES_NOT_TAKE = "save_does_not_take"  # Succeeded, and the org is as before
    CANCELING = "canceling"  # somebody cancels the deployment
    SUCCEEDED_PARTIAL = "succeeded_partial"  # its first component fails, the others are saved
    FAILED = "failed"
    FINALIZING_FAILED = "finalizing_failed"
    UNKNOWN_STATUS = "unknown_status"  # a status nobody knows for `seconds`, then success


OF_A_DEPLOYMENT = frozenset(
    {
        Kind.SAVE_DOES_NOT_TAKE,
        Kind.CANCELING,
        Kind.SUCCEEDED_PARTIAL,
        Kind.FAILED,
        Kind.FINALIZING_FAILED,
        Kind.UNKNOWN_STATUS,
    }
)
DEPLOYING = frozenset({"deploy", "deployRecentValidation"})


class Fault(BaseModel):
    """One fault.

    operation: a SOAP operation (``deploy``), a REST or OAuth one as the log names it
    (``query``, ``userinfo``, ``token``), or ``any``.
    skip: how many calls go well first. count: how many then fail; None means all.
    seconds: for slow and unknown_status. size: bytes of a huge_body.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Kind
    operation: str = ANY
    count: int | None = Field(default=1, ge=1)
    skip: int = Field(default=0, ge=0)
    seconds: float = Field(default=0.5, ge=0, le=3600)
    size: int = Field(default=64 * 1024 * 1024, ge=1, le=MAX_HUGE_BODY)

    @model_validator(mode="after")
    def _check_operation(self) -> Self:
        if self.kind in OF_A_DEPLOYMENT and self.operation not in (ANY, *DEPLOYING):
            raise ValueError(f"{self.kind} happens to a deployment: its operation is deploy")
        return self

    def concerns(self, operation: str) -> bool:
        """True if a call of operation counts for this fault."""
        if self.kind in OF_A_DEPLOYMENT and operation not in DEPLOYING:
            return False
        return self.operation in (ANY, operation)


class _Active:
    def __init__(self, fault: Fault) -> None:
        self.fault = fault
        self.skip = fault.skip
        self.left = fault.count

    def strike(self) -> bool:
        """Count one call; True if the fault hits it."""
        if self.skip:
            self.skip -= 1
            return False
        if self.left is not None:
            self.left -= 1
        return True

    @property
    def is_spent(self) -> bool:
        return self.left == 0


class FaultBoard:
    """The faults that are switched on. Thread-safe."""

    def __init__(self, faults: Iterable[Fault] = ()) -> None:
        self._active = [_Active(fault) for fault in faults]
        self._lock = threading.Lock()

    def set(self, fault: Fault) -> None:
        """Switch a fault on, behind those that are."""
        with self._lock:
            self._active.append(_Active(fault))

    def clear(self) -> None:
        """Switch all of them off."""
        with self._lock:
            self._active.clear()

    def strike(self, operation: str) -> Fault | None:
        """The fault that hits this call, at most one; the oldest goes first."""
        with self._lock:
            for active in self._active:
                if active.fault.concerns(operation) and active.strike():
                    self._active = [other for other in self._active if not other.is_spent]
                    return active.fault
        return None

    def active(self) -> list[Fault]:
        """Those that may still hit."""
        with self._lock:
            return [active.fault for active in self._active]
