"""One deployment: its options, its record, and when it reaches which status."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from sfcutover.emulator.faults import Fault, Kind
from sfcutover.emulator.ids import User
from sfcutover.emulator.outcome import Message, Outcome

PENDING_SHARE = 0.1  # of a deployment's time
FINALIZING_SHARE = 0.8  # from here on; between the two it is in progress


class Status(StrEnum):
    PENDING = "Pending"
    IN_PROGRESS = "InProgress"
    FINALIZING = "Finalizing"
    FINALIZING_FAILED = "FinalizingFailed"
    SUCCEEDED = "Succeeded"
    SUCCEEDED_PARTIAL = "SucceededPartial"
    FAILED = "Failed"
    CANCELING = "Canceling"
    CANCELED = "Canceled"
    UNKNOWN = "Reconciling"  # not one of Salesforce's; the fault unknown_status shows it


@dataclass(frozen=True)
class Options:
    """The DeployOptions that make a difference here."""

    check_only: bool = False
    ignore_warnings: bool = False
    rollback_on_error: bool = False
    single_package: bool = False
    test_level: str = ""


@dataclass
class Deployment:
    """One deploy request and how it goes. Public fields are for tests to look at.

    seconds: what it takes once it is its turn.
    """

    id: str
    zip_bytes: bytes = field(repr=False)
    options: Options
    created: datetime
    by: User
    fault: Fault | None = None
    seconds: float = 0
    status: Status = Status.PENDING
    started: datetime | None = None
    ended: datetime | None = None
    modified: datetime | None = None
    cancel_requested: datetime | None = None
    outcome: Outcome = field(default_factory=Outcome)
    components_total: int = 0
    components_deployed: int = 0
    error_code: str | None = None
    error_message: str | None = None
    zip_size: int = 0
    file_count: int | None = None

    @property
    def affliction(self) -> Kind | None:
        """The kind of fault that happens to it."""
        return self.fault.kind if self.fault else None

    @property
    def check_only(self) -> bool:
        return self.options.check_only

    @property
    def done(self) -> bool:
        return self.ended is not None

    @property
    def success(self) -> bool:
        return self.status in (Status.SUCCEEDED, Status.SUCCEEDED_PARTIAL)

    @property
    def failures(self) -> tuple[Message, ...]:
        return self.outcome.failures if self.done else ()

    @property
    def successes(self) -> tuple[Message, ...]:
        return self.outcome.successes if self.done else ()


class Plan:
    """When a deployment that starts at a moment reaches which status; seconds is its time."""

    def __init__(self, start: datetime, seconds: float, fault: Fault | None) -> None:
        unknown = fault.seconds if fault and fault.kind == "unknown_status" else 0.0
        self.in_progress_at = start + timedelta(seconds=seconds * PENDING_SHARE)
        self.finalizing_at = start + timedelta(seconds=seconds * FINALIZING_SHARE)
        self.known_at = self.finalizing_at + timedelta(seconds=unknown)
        self.ends_at = start + timedelta(seconds=seconds + unknown)

    def progress(self, now: datetime) -> float:
        """From 0 to 1 while it is in progress."""
        whole = self.finalizing_at - self.in_progress_at
        return min(1.0, (now - self.in_progress_at) / whole) if whole else 1.0
