"""What a scenario showed: to the application, to the org and in the run's journal; as the
document of ``--json``, too."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from sfcutover.cli.demo.commands import DemoCommandDocument
from sfcutover.cli.demo.counters import (
    Arrival,
    Attempt,
    DemoPhaseDocument,
    Mark,
    count,
    count_by_phase,
    outage_seconds,
    phase_at,
)
from sfcutover.util.document import Document

if TYPE_CHECKING:
    from sfcutover.runs.events import Event

Order = Literal["right", "wrong"]
DemoFault = Literal[
    "one-address",
    "dead-proxy",
    "lost-answer",
    "slow-propagation",
    "save-does-not-take",
    "crash",
]
_PHASES = ("probe", "add-new", "switch", "remove-old", "watch")  # steps of a run that start one


@dataclass(frozen=True)
class ScenarioResult:
    """A cutover under live traffic, in one order of its steps.

    deployments_sent: when each was sent. customers, logged_in: how many there are, and how many
    have a live grant at the end. switches: how often the switch command has run. canary_refused:
    refused redemptions of the run's canary. faults_hit: kinds of faults that hit a request.
    report: the run's report as HTML; empty if there is none.
    """

    order: Order
    commands: Sequence[DemoCommandDocument]
    marks: Sequence[Mark]
    attempts: Sequence[Attempt]
    arrivals: Sequence[Arrival]
    deployments_sent: Sequence[float]
    customers: int
    logged_in: int
    switches: int = 0
    canary_refused: int = 0
    faults_hit: frozenset[str] = frozenset()
    events: Sequence[Event] = ()
    report: str = ""

    @property
    def redemptions(self) -> int:
        """Redemptions that the application tried."""
        return len(self.attempts)

    @property
    def failed(self) -> int:
        """Redemptions that failed for the application."""
        return self.total.failed

    @property
    def outage_seconds(self) -> float:
        """The outage of the customer who waited longest, to the millisecond."""
        return round(outage_seconds(self.attempts), 3)

    @cached_property
    def phases(self) -> list[DemoPhaseDocument]:
        """The redemptions of each phase."""
        return count_by_phase(self.marks, self.arrivals, self.attempts)

    @cached_property
    def total(self) -> DemoPhaseDocument:
        """The redemptions of all phases."""
        return count("all", self.arrivals, self.attempts)

    @property
    def deployments(self) -> dict[str, int]:
        """How many deployments the org was sent, by phase."""
        return dict(Counter(phase_at(self.marks, each) for each in self.deployments_sent))

    @property
    def message(self) -> str:
        """The message with which the run ended; empty if it did not end."""
        return next((each.text("message") for each in self.events if each.kind == "run-ended"), "")

    def problems(self, deployments: Mapping[str, int]) -> Iterator[str]:
        """What is not as it should be. deployments: how many of each phase there should be."""
        for each in self.commands:
            if each.exit_code != each.expected_exit_code:
                yield (
                    f"{each.command} ended with exit code {each.exit_code}, "
                    f"not {each.expected_exit_code}"
                )
        if not self.attempts:
            yield "the application redeemed nothing"
        if self.deployments != deployments:
            sent = self.deployments or "nothing"
            yield f"the org was sent {sent}, not {deployments or 'nothing'}"
        if self.logged_in != self.customers:
            yield f"only {self.logged_in} of {self.customers} customers are still logged in"
        yield from self._traffic_problems()

    def _traffic_problems(self) -> Iterator[str]:
        redeemed = self.redemptions - self.failed
        seen = sum(each.redeemed for each in self.arrivals)
        if redeemed != seen:
            yield f"the application counts {redeemed} successes, and the org {seen}"
        if self.order == "right" and self.failed:
            yield f"{self.failed} redemptions failed"
        if self.order == "wrong" and not self.failed:
            yield "the wrong order showed no outage"
        if self.order == "right" and not self.report:
            yield "there is no report"


@dataclass(frozen=True)
class DemoResult:
    """fault: which one was made, and caught: how the run caught it. problems: what was not as it
    should be. report: where the run's report is."""

    performances: Sequence[ScenarioResult]
    problems: Sequence[str] = ()
    report: str | None = None
    fault: DemoFault | None = None
    caught: str | None = None

    @property
    def ok(self) -> bool:
        """True if all was as it should be."""
        return not self.problems


def marks_of(events: Iterable[Event]) -> list[Mark]:
    """When each step that starts a phase first started."""
    first: dict[str, float] = {}
    for event in events:
        if event.kind == "step-started" and event.step in _PHASES:
            first.setdefault(event.step, event.time)
    return [Mark(step, time) for step, time in first.items()]


class DemoPerformanceDocument(Document):
    """A cutover under live traffic, in one order of its steps.

    outage_seconds: of the customer who waited longest. logged_in: customers whose grant is
    alive in the end. deployments: how many the org was sent, by phase.
    """

    order: Order
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

    @classmethod
    def of(cls, result: DemoResult) -> DemoDocument:
        """The document that shows a result."""
        return cls.model_validate(result, from_attributes=True)
