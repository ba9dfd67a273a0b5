"""What the report is made from: a run's row, its journal, and what people said to it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

from sfcutover.report.rules import Rules
from sfcutover.runs.documents import RunState, run_state
from sfcutover.runs.journal import Event
from sfcutover.runs.progress import RunProgress, evidence_of
from sfcutover.runs.store import Request, Run, RunStore

_NAMED = 5  # of many targets, so many are named
Evidence = dict[str, object]


@dataclass(frozen=True)
class Facts:
    """A run as it stood at a time (now, in seconds since 1970).

    place: where it is performed, None if nowhere. approval: of what it waits for, where nobody
    has gone on with it yet.
    """

    run: Run
    events: tuple[Event, ...]
    now: float
    place: str | None = None
    cancellation: Request | None = None
    approval: Request | None = None

    @classmethod
    def read(cls, store: RunStore, run: Run, now: float) -> Facts:
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
    def rules(self) -> Rules:
        return Rules.of(self.run)

    @cached_property
    def state(self) -> RunState:
        return run_state(self.run, self.progress, self.place)

    @cached_property
    def targets(self) -> tuple[str, ...]:
        """In the order of cutover.yaml; none of a run that was not begun yet."""
        return self.progress.targets

    @property
    def end(self) -> float:
        """When it ended; of a run that has not, the time of the report."""
        ended = self.progress.ended
        return ended.time if ended else self.run.ended or self.now

    def all(self, *kinds: str) -> list[Event]:
        """Every event of these kinds, the oldest first."""
        return [event for event in self.events if event.kind in kinds]

    def succeeded(self, *steps: str) -> Iterator[tuple[Event, Evidence]]:
        """Every end of these steps that had no problem, with what was found."""
        for event in self.all("step-ended"):
            evidence = evidence_of(event)
            good = event.step in steps and event.data.get("problem") is None
            if good and not evidence.get("canceled"):
                yield event, evidence


def problem_of(event: Event) -> str | None:
    """What kept a step from being done, in words."""
    problem = event.data.get("problem")
    return str(problem.get("message")) if isinstance(problem, dict) else None


def names_of(targets: Iterable[str]) -> str:
    """``a, b and c``; of many the first, and how many more."""
    names = list(dict.fromkeys(targets))
    if len(names) > _NAMED + 1:
        names = [*names[:_NAMED], f"{len(names) - _NAMED} more"]
    return " and ".join(filter(None, (", ".join(names[:-1]), *names[-1:])))
