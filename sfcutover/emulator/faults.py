"""Things that go wrong on purpose: which, at which operation, and how often."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

MAX_HUGE_BODY = 256 * 1024 * 1024
ANY = "any"

Kind = Literal[
    "drop_before",  # the connection closes, without the effect
    "drop_after",  # the connection closes, after the effect
    "http_502",  # an HTML error page, without the effect
    "http_503",
    "html_body",  # 200 with an HTML page, after the effect
    "bad_xml",  # 200 with half of the answer, after the effect
    "huge_body",  # 200 and a body of `size` bytes, after the effect
    "slow",  # the operation waits `seconds`, then goes on
    "expired_session",  # the caller's session is dead from now on
    "org_locked",  # a SOAP fault; REST goes on as ever
    "cross_reference_500",  # a stray SOAP fault while polling
    "save_does_not_take",  # Succeeded, and the org is as before
    "canceling",  # somebody cancels the deployment
    "succeeded_partial",  # its first component fails, the others are saved
    "failed",  # its first component fails, nothing is saved
    "finalizing_failed",
    "unknown_status",  # a status nobody knows for `seconds`, then success
]
"""What a fault does. The effect is what the operation changes in the org."""

OF_A_DEPLOYMENT: frozenset[Kind] = frozenset(
    {
        "save_does_not_take",
        "canceling",
        "succeeded_partial",
        "failed",
        "finalizing_failed",
        "unknown_status",
    }
)
DEPLOYING = frozenset({"deploy", "deployRecentValidation"})
OPERATIONS = DEPLOYING | {
    *("cancelDeploy", "checkDeployStatus", "checkRetrieveStatus", "checkStatus"),
    *("describeMetadata", "listMetadata", "retrieve"),
    *("limits", "query", "resources", "tooling_query", "user", "userinfo", "versions"),
    "token",
}


class Fault(BaseModel):
    """One fault.

    operation: one of OPERATIONS, as the log names them, or ``any``.
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
        if self.operation not in (ANY, *OPERATIONS):
            known = ", ".join(sorted(OPERATIONS))
            raise ValueError(f"unknown operation {self.operation!r}; known: {ANY}, {known}")
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
