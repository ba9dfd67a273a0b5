"""What the demo prints as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

if TYPE_CHECKING:
    pass
from sfcutover.util.document import Document

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
