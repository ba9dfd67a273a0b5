"""The data that the report of a run is made from: its row and its journal.

What is kept as JSON becomes models here, once; the rest of the report reads these.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Generic, Self, TypeVar

from sfcutover.allowlist.plan import PhaseDocument
from sfcutover.config.checks import Watch
from sfcutover.config.cutover import Cutover
from sfcutover.cutover.evidence import Evidence
from sfcutover.cutover.progress import RunProgress, result_of
from sfcutover.cutover.rundocument import RunState, run_state
from sfcutover.cutover.stepresult import StepEvidence
from sfcutover.cutover.verify import VerifyEvidence
from sfcutover.runs.event import CANCEL_REQUESTED, Event
from sfcutover.runs.store import Run, RunStore, cutover_of
from sfcutover.util.document import Document

Content = TypeVar("Content")
Found = TypeVar("Found", bound=StepEvidence)


class SettingsDocument(Document):
    """The settings of the gates, as the cutover.yaml of the run has them."""

    settle: float
    """Seconds between the last proof and remove-old."""
    confidence: float
    """Probability that no address of a healthy pair went unproven."""
    max_age: float
    """Seconds after which a proof no longer counts."""
    watch_duration: float
    """Seconds that the watch lasts."""
    watch_interval: float
    """Seconds between two rounds of the watch."""
    watch_failures: int
    """Failures in a row that roll back."""
    checks: list[str]
    """The checks, in words."""
    quiet: list[str]
    """The quiet checks, in words."""
    waves: list[int]
    """Targets of each wave of remove-old; the last number holds for all later waves."""
    pause_before: list[str]
    """Steps before which the run pauses for approval."""

    @classmethod
    def of(cls, cutover: Cutover, pause_before: tuple[str, ...]) -> Self:
        verify, watch = cutover.verify, cutover.watch or Watch()
        if verify is None:
            raise TypeError("no run starts without verify")
        return cls(
            settle=verify.settle,
            confidence=verify.confidence,
            max_age=verify.max_age,
            watch_duration=watch.duration,
            watch_interval=watch.interval,
            watch_failures=watch.failures,
            checks=[each.title for each in cutover.checks],
            quiet=[each.title for each in cutover.quiet],
            waves=list(cutover.waves),
            pause_before=list(pause_before),
        )


@dataclass(frozen=True)
class Entry(Generic[Content]):
    """An event of the journal, with its data as a model. time: seconds since 1970."""

    seq: int
    time: float
    step: str
    target: str
    content: Content

    @classmethod
    def of(cls, event: Event, content: Content) -> Entry[Content]:
        return cls(event.seq, event.time, event.step or "", event.target or "", content)


@dataclass(frozen=True)
class RunData:
    """A run as it stands at a time (now, in seconds since 1970).

    place: where a process executes it, None if none does. sources: the files of the documents that
    it was put together from, none for a run. missing: what those do not cover, a sentence each.
    """

    run: Run
    events: tuple[Event, ...]
    now: float
    place: str | None = None
    sources: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()

    @classmethod
    def read(cls, store: RunStore, run: Run, now: float) -> RunData:
        """Raises what reading the state raises."""
        events = tuple(store.journal(run.id).read())
        return cls(store.find(run.id), events, now, store.place(run))

    @cached_property
    def progress(self) -> RunProgress:
        return RunProgress.of(self.events)

    @property
    def cancellation(self) -> Event | None:
        """The first request to cancel the run."""
        return next(iter(self.all(CANCEL_REQUESTED)), None)

    @cached_property
    def cutover(self) -> Cutover:
        """As the run was started with it."""
        return cutover_of(self.run.config)

    @cached_property
    def state(self) -> RunState:
        return run_state(self.run, self.progress, self.place)

    @cached_property
    def targets(self) -> tuple[str, ...]:
        """In the order of cutover.yaml; none before the first event of the run."""
        return self.progress.targets

    @property
    def end(self) -> float:
        """When the run ended; while it has not, the time of the report."""
        ended = self.progress.ended
        return ended.time if ended else self.run.ended or self.now

    def all(self, *kinds: str) -> list[Event]:
        """Every event of these kinds, the oldest first."""
        return [event for event in self.events if event.kind in kinds]

    def found(self, kind: type[Found], *steps: str) -> Iterator[Entry[Found]]:
        """What these steps found, of a kind, at each end without a problem, the oldest first."""
        for each in self._findings:
            if each.step in steps and isinstance(each.content, kind):
                yield Entry(each.seq, each.time, each.step, each.target, each.content)

    @cached_property
    def _findings(self) -> tuple[Entry[StepEvidence], ...]:
        ends = ((event, result_of(event)) for event in self.all("step-ended"))
        return tuple(
            Entry.of(event, result.evidence)
            for event, result in ends
            if result.ok and result.evidence is not None and not result.is_canceled
        )

    @cached_property
    def proven(self) -> tuple[Entry[VerifyEvidence], ...]:
        """The proofs that a removal made for itself."""
        return tuple(
            Entry.of(
                event, VerifyEvidence(proof=Evidence.model_validate(event.data.get("evidence")))
            )
            for event in self.all("proven")
        )

    @cached_property
    def planned(self) -> tuple[Entry[PhaseDocument], ...]:
        """Every phase that was planned, the oldest first."""
        return tuple(
            Entry.of(event, PhaseDocument.model_validate(event.data.get("phase")))
            for event in self.all("planned")
        )
