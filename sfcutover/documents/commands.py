"""What the remaining commands print as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from sfcutover.errors import SfcutoverError

if TYPE_CHECKING:
    pass
from sfcutover.allowlist.documents import RangeDocument
from sfcutover.util.document import Document


class CheckDocument(Document):
    """One line of the doctor. fix is what to do where the check did not pass."""

    target: str | None
    check: str
    status: Literal["ok", "warning", "failed", "skipped"]
    detail: str
    fix: str | None = None


class DoctorDocument(Document):
    schema_: Literal["sfcutover/doctor/1"] = Field("sfcutover/doctor/1", alias="schema")
    ok: bool
    checks: list[CheckDocument]


class InitDocument(Document):
    schema_: Literal["sfcutover/init/1"] = Field("sfcutover/init/1", alias="schema")
    path: str
    app: str
    instance_url: str
    live: list[RangeDocument]


class EmulatorDocument(Document):
    """Printed once the emulator is ready."""

    schema_: Literal["sfcutover/emulator/1"] = Field("sfcutover/emulator/1", alias="schema")
    instance_url: str
    env_file: str | None
    config_file: str | None


DemoFault = Literal[
    "one-address",
    "dead-proxy",
    "lost-answer",
    "slow-propagation",
    "save-does-not-take",
    "crash",
]


class DemoCommandDocument(Document):
    """One command of the demo. A command that was killed has minus the signal's number."""

    command: str
    exit_code: int
    expected_exit_code: int


class DemoAddressDocument(Document):
    """Redemptions from one address, as the org saw them."""

    address: str
    redeemed: int
    refused: int


class DemoPhaseDocument(Document):
    """The traffic from the beginning of a phase to that of the next one.

    failed: redemptions that failed for the application.
    """

    phase: str
    failed: int
    addresses: list[DemoAddressDocument]


class DemoPerformanceDocument(Document):
    """A cutover under live traffic, in one order of its steps.

    outage_seconds: of the customer who waited longest. logged_in: customers whose grant is
    alive in the end. deployments: how many the org was sent, by phase.
    """

    order: Literal["right", "wrong"]
    commands: list[DemoCommandDocument]
    redemptions: int
    failed: int
    outage_seconds: float
    customers: int
    logged_in: int
    deployments: dict[str, int]
    phases: list[DemoPhaseDocument]


class DemoDocument(Document):
    """caught: how the fault was caught. problems: what was not as it should be.

    report: where the run's report is, as HTML.
    """

    schema_: Literal["sfcutover/demo/1"] = Field("sfcutover/demo/1", alias="schema")
    ok: bool
    fault: DemoFault | None
    caught: str | None
    problems: list[str]
    report: str | None
    performances: list[DemoPerformanceDocument]


class ErrorDocument(Document):
    """What every command prints with --json when it fails."""

    schema_: Literal["sfcutover/error/1"] = Field("sfcutover/error/1", alias="schema")
    error: str
    where: str | None
    tokens: str
    next: str
    exit_code: int

    @classmethod
    def of(cls, error: SfcutoverError) -> ErrorDocument:
        return cls(
            error=error.message,
            where=error.where,
            tokens=error.tokens,
            next=error.hint,
            exit_code=int(error.exit_code),
        )
