"""One order of steps under live traffic, and what came of it: as the application saw it, as the
org saw it, and as the run's journal tells it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from sfcutover.demo.stage import Stage
from sfcutover.demo.tally import (
    Arrival,
    Attempt,
    Mark,
    PhaseTally,
    by_phase,
    outage_seconds,
    phase_at,
)
from sfcutover.emulator import Emulator
from sfcutover.runs.journal import Event

Order = Literal["right", "wrong"]
PHASES = ("probe", "add-new", "switch", "remove-old", "watch")  # steps of a run that begin one


@dataclass(frozen=True)
class Command:
    """A command of this program. expected: the exit code it should end with; minus 9 where it
    was killed."""

    line: str
    exit_code: int
    expected: int


@dataclass(frozen=True)
class Performance:
    """deployments_sent: when each was. customers, logged_in: how many there are, and how many
    have a grant that is alive in the end. moves: how often the switch command has run.
    canary_refused: redemptions of the run's own canary. faults_hit: kinds of faults that hit a
    request. report: the run's, as HTML; empty if there is none."""

    order: Order
    commands: Sequence[Command]
    marks: Sequence[Mark]
    attempts: Sequence[Attempt]
    arrivals: Sequence[Arrival]
    deployments_sent: Sequence[float]
    customers: int
    logged_in: int
    moves: int = 0
    canary_refused: int = 0
    faults_hit: frozenset[str] = frozenset()
    events: Sequence[Event] = ()
    report: str = ""

    @property
    def redemptions(self) -> int:
        """Those that the application tried."""
        return len(self.attempts)

    @property
    def failed(self) -> int:
        return sum(not each.redeemed for each in self.attempts)

    @property
    def outage(self) -> float:
        """Seconds; of the customer who waited longest."""
        return outage_seconds(self.attempts)

    @cached_property
    def phases(self) -> list[PhaseTally]:
        return by_phase(self.marks, self.arrivals, self.attempts)

    @property
    def addresses(self) -> list[str]:
        """Every address that a redemption came from."""
        return sorted({each.address for each in self.arrivals})

    @property
    def deployments(self) -> dict[str, int]:
        """How many the org was sent, by the phase in which it was."""
        return dict(Counter(phase_at(self.marks, each) for each in self.deployments_sent))

    @property
    def last_word(self) -> str:
        """What the run ended with; empty if it did not end."""
        return next((each.text("message") for each in self.events if each.kind == "run-ended"), "")


def performed(
    stage: Stage,
    order: Order,
    commands: Sequence[Command],
    marks: Sequence[Mark] = (),
    report: str = "",
) -> Performance:
    """What came of it; the application serves nobody any more. marks: of steps done by hand."""
    stage.application.stop()
    customers = {each.customer for each in stage.application.attempts}
    org, events = stage.emulator, stage.journal
    return Performance(
        order=order,
        commands=commands,
        marks=[*marks, *marks_of(events)],
        attempts=stage.application.attempts,
        arrivals=_arrivals(org, customers),
        deployments_sent=[each.created.timestamp() for each in org.deployments],
        customers=len(customers),
        logged_in=len(org.customer_tokens),
        moves=stage.moves,
        canary_refused=sum(not each.redeemed for each in _arrivals(org, {"canary"})),
        faults_hit=frozenset(str(each["fault"]) for each in org.log if each["fault"]),
        events=events,
        report=report,
    )


def _arrivals(org: Emulator, grants: Collection[str]) -> list[Arrival]:
    return [
        Arrival(each.source, each.time.timestamp(), each.result == "redeemed")
        for each in org.redemptions
        if each.grant in grants
    ]


def marks_of(events: Iterable[Event]) -> list[Mark]:
    """When the steps first began that begin a phase."""
    begun: dict[str, float] = {}
    for event in events:
        if event.kind == "step-started" and event.step in PHASES:
            begun.setdefault(event.step, event.time)
    return [Mark(step, time) for step, time in begun.items()]
