"""The data that the report of a run is made from: its row, its journal, what people asked of it.

What is kept as JSON becomes models here, once; the rest of the report reads these.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict

from sfcutover.allowlist.diff import RangeDocument
from sfcutover.allowlist.phases import Change
from sfcutover.allowlist.plan import PhaseDocument
from sfcutover.allowlist.ranges import IpRange
from sfcutover.allowlist.readback import AllowlistDocument
from sfcutover.config.cutover import Cutover
from sfcutover.config.traffic import Verify, Watch
from sfcutover.cutover.evidence import Evidence
from sfcutover.cutover.progress import RunProgress
from sfcutover.cutover.rundocument import RunState, run_state
from sfcutover.cutover.summaries import evidence_of
from sfcutover.runs.events import Event
from sfcutover.runs.store import Request, Run, RunStore
from sfcutover.salesforce.results import ResultDocument
from sfcutover.util.document import Document

Side = Literal["old", "new", "kept", "other"]
Content = TypeVar("Content")


class SettingsDocument(Document):
    """The settings of the gates, as the cutover.yaml of the run has them. Times are in seconds."""

    settle: float
    confidence: float
    max_age: float
    watch_duration: float
    watch_interval: float
    watch_failures: int
    watch_checks: list[str]
    waves: list[int]
    pause_before: list[str]


class _Recorded(BaseModel):
    """A part of a JSON text of which the report reads some fields."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class _VerifySettings(_Recorded):
    settle: float = Verify.model_fields["settle"].default
    confidence: float = Verify.model_fields["confidence"].default
    max_age: float = Verify.model_fields["max_age"].default


class _Query(_Recorded):
    query: str


class _CheckSettings(_Recorded):
    name: str | None = None
    prometheus: _Query | None = None
    command: tuple[str, ...] = ("command",)

    @property
    def title(self) -> str:
        """The name of the check in every output, as ``Check.title`` gives it."""
        return self.name or (self.prometheus.query if self.prometheus else self.command[0])


class _WatchSettings(_Recorded):
    duration: float = Watch.model_fields["duration"].default
    interval: float = Watch.model_fields["interval"].default
    failures: int = Watch.model_fields["failures"].default
    checks: tuple[_CheckSettings, ...] = ()


class Settings(_Recorded):
    """The cutover.yaml of a run, as the run keeps it: durations in seconds, no secret's value.

    That text leaves defaults out, and it may be of an older version of this tool.
    """

    app: str
    api_version: str = Cutover.model_fields["api_version"].default
    carriers: tuple[str, ...] = Cutover.model_fields["carriers"].default
    old: tuple[RangeDocument, ...]
    new: tuple[RangeDocument, ...]
    verify: _VerifySettings = _VerifySettings()
    watch: _WatchSettings = _WatchSettings()
    waves: tuple[int, ...] = Cutover.model_fields["waves"].default

    @cached_property
    def change(self) -> Change:
        return Change(_ranges(self.old), _ranges(self.new))

    def side(self, address: str) -> Side:
        """Which side of the change an address is on."""
        one = IpRange.parse(address)
        old, new = (_contains(each, one) for each in (self.change.old, self.change.new))
        if old and new:
            return "kept"
        return "old" if old else "new" if new else "other"

    def document(self, pause_before: tuple[str, ...]) -> SettingsDocument:
        return SettingsDocument(
            **self.verify.model_dump(),
            watch_duration=self.watch.duration,
            watch_interval=self.watch.interval,
            watch_failures=self.watch.failures,
            watch_checks=[each.title for each in self.watch.checks],
            waves=list(self.waves),
            pause_before=list(pause_before),
        )


class StepEvidence(_Recorded):
    """What a step found, as far as a report says it.

    live: the lists as the org was read back. state: their phase, in words. restored: what a
    watch found that deployed restore-old.
    """

    canceled: bool = False
    instance_url: str | None = None
    state: str | None = None
    phase: str | None = None
    live: list[AllowlistDocument] | None = None
    deployments: list[ResultDocument] = []
    proof: Evidence | None = None
    outcome: str | None = None
    restored: StepEvidence | None = None


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

    place: where a process performs it, None if none does. approval: of what the run waits for,
    where no process has continued it since.
    """

    run: Run
    events: tuple[Event, ...]
    now: float
    place: str | None = None
    cancellation: Request | None = None
    approval: Request | None = None

    @classmethod
    def read(cls, store: RunStore, run: Run, now: float) -> RunData:
        """Raises what reading the state raises."""
        events = tuple(store.journal(run.id).read())
        requests, pause = store.requests(run.id), RunProgress.of(events).pause
        alive = {each.id: each.place for each in store.executors.alive(run.cutover)}
        return cls(
            store.find(run.id),
            events,
            now,
            alive.get(run.owner or "") if run.ended is None else None,
            requests.cancellation(),
            requests.approval_of(pause.seq) if pause else None,
        )

    @cached_property
    def progress(self) -> RunProgress:
        return RunProgress.of(self.events)

    @cached_property
    def settings(self) -> Settings:
        return Settings.model_validate_json(self.run.config)

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

    def succeeded(self, *steps: str) -> Iterator[Entry[StepEvidence]]:
        """Every end of these steps that had no problem, the oldest first."""
        return (each for each in self.findings if each.step in steps)

    @cached_property
    def findings(self) -> tuple[Entry[StepEvidence], ...]:
        """What every step found that ended without a problem."""
        ends = (
            Entry.of(event, StepEvidence.model_validate(evidence_of(event)))
            for event in self.all("step-ended")
            if event.data.get("problem") is None
        )
        return tuple(each for each in ends if not each.content.canceled)

    @cached_property
    def proven(self) -> tuple[Entry[StepEvidence], ...]:
        """The proofs that a removal made for itself."""
        return tuple(
            Entry.of(event, StepEvidence(proof=Evidence.model_validate(evidence_of(event))))
            for event in self.all("proven")
        )

    @cached_property
    def planned(self) -> tuple[Entry[PhaseDocument], ...]:
        """Every phase that was planned, the oldest first."""
        return tuple(
            Entry.of(event, PhaseDocument.model_validate(event.data.get("phase")))
            for event in self.all("planned")
        )


def _ranges(entries: tuple[RangeDocument, ...]) -> tuple[IpRange, ...]:
    return tuple(IpRange.parse(each.range, each.description) for each in entries)


def _contains(ranges: tuple[IpRange, ...], one: IpRange) -> bool:
    return any(each.contains(one) for each in ranges)
