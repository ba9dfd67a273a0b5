"""The result of a scenario, as the application, the org and the run's journal saw it; also as the
document of ``--json``."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from pydantic import Field

from sfcutover.cli.demo.commands import DemoCommandDocument
from sfcutover.runs.event import Event
from sfcutover.util.document import AddressText, Document

Order = Literal["right", "wrong"]
DemoFault = Literal[
    "one-address",
    "dead-proxy",
    "lost-answer",
    "slow-propagation",
    "save-does-not-take",
    "crash",
    "enforcement-off",
    "not-honoured",
    "customers-own-rule",
    "customers-left-behind",
]
STEP_SECONDS = 2.0  # how long each step of the wrong order takes an operator
BEFORE = "before"
_BEFORE_ADD_NEW = (BEFORE, "probe")
_PHASES = ("probe", "add-new", "switch", "remove-old", "watch")  # steps of a run that start one


@dataclass(frozen=True)
class Attempt:
    """A redemption as the application saw it. time: of its answer, in seconds since 1970."""

    customer: str
    time: float
    redeemed: bool


@dataclass(frozen=True)
class Arrival:
    """A redemption as the org saw it. address: its source. time: in seconds since 1970."""

    address: str
    time: float
    redeemed: bool


@dataclass(frozen=True)
class Mark:
    """The start of a phase, which ends the phase before it."""

    phase: str
    time: float


class DemoAddressDocument(Document):
    """Redemptions from one address, as the org saw them."""

    address: AddressText
    """Source address."""
    redeemed: int
    """Redemptions that succeeded."""
    refused: int
    """Redemptions that the org refused."""


class DemoPhaseDocument(Document):
    """The traffic from the start of a phase to that of the next one."""

    phase: str
    """Name of the phase."""
    failed: int
    """Redemptions that failed for the application."""
    addresses: list[DemoAddressDocument]
    """Redemptions by source address."""


@dataclass(frozen=True)
class ScenarioResult:
    """A cutover under live traffic, in one order of its steps.

    deployments_sent: when each was sent. customers, logged_in: how many there are, and how many
    have a live grant at the end. switches: how often the switch command has run. canary_arrivals:
    redemptions of the run's canary. faults_hit: kinds of faults that hit a request.
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
    canary_arrivals: Sequence[Arrival] = ()
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
    def canary_refused(self) -> int:
        """Refused redemptions of the canary after add-new began: before it, one should be."""
        return sum(
            not each.redeemed and phase_at(self.marks, each.time) not in _BEFORE_ADD_NEW
            for each in self.canary_arrivals
        )

    @property
    def all_served(self) -> bool:
        """True if the last redemption of every customer succeeded."""
        last = {each.customer: each.redeemed for each in sorted(self.attempts, key=_time)}
        return all(last.values())

    def has(self, kind: str) -> bool:
        """True if an event of this kind is in the run's journal."""
        return any(each.kind == kind for each in self.events)

    def paused(self, step: str) -> str:
        """What the run waited for at this step; empty if it did not."""
        found = (e.text("message") for e in self.events if (e.kind, e.step) == ("paused", step))
        return next(found, "")

    @property
    def resumed(self) -> int:
        """How often the run was started again."""
        return sum(each.kind == "run-resumed" for each in self.events)

    @property
    def message(self) -> str:
        """The message with which the run ended; empty if it did not end."""
        return next((each.text("message") for each in self.events if each.kind == "run-ended"), "")

    def problems(self, deployments: Mapping[str, int], refused: str | None = None) -> Iterator[str]:
        """What differs from the expected result.

        deployments: the expected number, by phase. refused: the name of the one customer whose
        redemptions may fail.
        """
        for each in self.commands:
            if each.exit_code != each.expected_exit_code:
                yield (
                    f"{each.command} ended with exit code {each.exit_code}, "
                    f"not {each.expected_exit_code}"
                )
        if not self.attempts:
            yield "the application redeemed no token"
        if self.deployments != deployments:
            sent = self.deployments or "nothing"
            yield f"the org was sent {sent}, not {deployments or 'nothing'}"
        if self.logged_in != self.customers:
            yield f"only {self.logged_in} of {self.customers} customers are still logged in"
        yield from self._traffic_problems(refused)

    def _traffic_problems(self, refused: str | None) -> Iterator[str]:
        redeemed = self.redemptions - self.failed
        seen = sum(each.redeemed for each in self.arrivals)
        if redeemed != seen:
            yield f"the application counts {redeemed} successes, and the org {seen}"
        failed = sum(not (each.redeemed or each.customer == refused) for each in self.attempts)
        if self.order == "right" and failed:
            yield f"{failed} redemptions failed"
        if self.order == "wrong" and not self.failed:
            yield "the wrong order showed no outage"
        if self.order == "right" and not self.report:
            yield "there is no report"


@dataclass(frozen=True)
class DemoResult:
    """fault: which one was injected. caught: how the run detected it. problems: what differs from
    the expected result. report: path of the run's report."""

    performances: Sequence[ScenarioResult]
    problems: Sequence[str] = ()
    report: str | None = None
    fault: DemoFault | None = None
    caught: str | None = None

    @property
    def ok(self) -> bool:
        """True if the result is the expected one."""
        return not self.problems


def phase_at(marks: Iterable[Mark], time: float) -> str:
    """The phase that a time falls into; ``before`` until the first mark."""
    started = [mark for mark in marks if mark.time <= time]
    return max(started, key=_time).phase if started else BEFORE


def count(
    phase: str, arrivals: Iterable[Arrival], attempts: Iterable[Attempt]
) -> DemoPhaseDocument:
    """Count all these redemptions as those of one phase; addresses are sorted."""
    seen = Counter((each.address, each.redeemed) for each in arrivals)
    return DemoPhaseDocument(
        phase=phase,
        failed=sum(not each.redeemed for each in attempts),
        addresses=[
            DemoAddressDocument(address=each, redeemed=seen[each, True], refused=seen[each, False])
            for each in sorted({address for address, _ in seen})
        ],
    )


def count_by_phase(
    marks: Sequence[Mark], arrivals: Sequence[Arrival], attempts: Sequence[Attempt]
) -> list[DemoPhaseDocument]:
    """Count redemptions phase by phase, in the order of the marks; phases without traffic too."""
    names = [BEFORE, *(mark.phase for mark in sorted(marks, key=_time))]
    return [
        count(
            name,
            [each for each in arrivals if phase_at(marks, each.time) == name],
            [each for each in attempts if phase_at(marks, each.time) == name],
        )
        for name in dict.fromkeys(names)
    ]


def outage_seconds(attempts: Iterable[Attempt]) -> float:
    """The longest time in which a customer could not redeem: from a first failure to the next
    success, or to the last attempt where no success follows."""
    by_customer: dict[str, list[Attempt]] = defaultdict(list)
    for each in sorted(attempts, key=_time):
        by_customer[each.customer].append(each)
    return max(map(_longest_outage, by_customer.values()), default=0.0)


def _longest_outage(attempts: Iterable[Attempt]) -> float:
    """Of one customer's attempts, oldest first."""
    longest = 0.0
    down_since: float | None = None
    for each in attempts:
        if down_since is not None:
            longest = max(longest, each.time - down_since)
        if each.redeemed:
            down_since = None
        elif down_since is None:
            down_since = each.time
    return longest


def _time(of: Attempt | Mark) -> float:
    return of.time


def marks_of(events: Iterable[Event]) -> list[Mark]:
    """When each step that starts a phase first started."""
    first: dict[str, float] = {}
    for event in events:
        if event.kind == "step-started" and event.step in _PHASES:
            first.setdefault(event.step, event.time)
    return [Mark(step, time) for step, time in first.items()]


class DemoPerformanceDocument(Document):
    """A cutover under live traffic, in one order of its steps."""

    order: Order
    """Order of the steps."""
    commands: list[DemoCommandDocument]
    """The commands, in order."""
    redemptions: int
    """Redemptions of all customers."""
    failed: int
    """Redemptions that failed."""
    outage_seconds: float
    """Outage of the customer who waited longest, in seconds."""
    customers: int
    """Number of customers."""
    logged_in: int
    """Customers whose grant is valid at the end."""
    deployments: dict[str, int]
    """Deployments sent to the org, by phase."""
    phases: list[DemoPhaseDocument]
    """The traffic, by phase."""


class DemoDocument(Document):
    """What ``demo`` prints."""

    schema_: Literal["sfcutover/demo/1"] = Field("sfcutover/demo/1", alias="schema")
    """Name and version of this document's format."""
    ok: bool
    """True if the result is the expected one."""
    fault: DemoFault | None
    """Name of the injected fault; null if there was none."""
    caught: str | None
    """How the run detected the fault, in words; null if there was none."""
    problems: list[str]
    """What differs from the expected result."""
    report: str | None
    """Path of the run's report, HTML; null if there is none."""
    performances: list[DemoPerformanceDocument]
    """The cutovers of the demo."""
