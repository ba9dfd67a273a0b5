"""Events for tests: those of recorded runs, and single ones made by hand."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from dataclasses import asdict
from datetime import datetime
from functools import cache
from pathlib import Path

from sfcutover.cutover.progress import RunProgress
from sfcutover.runs.event import Event

JOURNALS = Path(__file__).parent / "journals"
RUN = "emulated-cutover.1"
TARGETS = ["eu", "us", "jp"]


def events_of(name: str) -> list[Event]:
    """A run that was recorded with ``run --json``: done, or rolled-back."""
    lines = (JOURNALS / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
    return [_event(json.loads(line)) for line in lines]


@cache
def _recorded() -> dict[str, dict[str, object]]:
    """The result of each step in the recorded runs, by its name."""
    ends = [e for e in (*events_of("rolled-back"), *events_of("done")) if e.kind == "step-ended"]
    found = {e.step or "": e.data["evidence"] for e in ends if e.data["problem"] is None}
    return {step: evidence for step, evidence in found.items() if isinstance(evidence, dict)} | {
        "switch-back": {"direction": "revert", "seconds": 0.01},
        "state": {"state": "old addresses only", "holds_old": True, "live": []},
        "page": {"message": "broken", "commands": []},
    }


def recorded_evidence(step: str) -> dict[str, object]:
    """The evidence of a step, as the journal keeps it."""
    return dict(_recorded()["add-new" if step == "remove-new" else step])


def proof_document(**changes: object) -> dict[str, object]:
    """The evidence of a recorded verification, with changed values of its canary."""
    proof = recorded_evidence("verify")["proof"]
    assert isinstance(proof, dict)
    (canary,) = proof["canaries"]
    return proof | {"canaries": [canary | changes]}


def problem_document(kind: str, message: str, where: str | None = None) -> dict[str, object]:
    """A problem in the form of a step's end in the journal."""
    rest = {"impact": "t", "next": "n", "exit_code": 1}
    return {"kind": kind, "message": message, "where": where, **rest}


def _event(document: dict[str, object]) -> Event:
    data = document["data"]
    assert isinstance(data, dict)
    return Event(
        int(str(document["seq"])),
        str(document["run"]),
        datetime.fromisoformat(str(document["time"])).timestamp(),
        str(document["kind"]),
        None if document["step"] is None else str(document["step"]),
        None if document["target"] is None else str(document["target"]),
        data,
    )


class Story:
    """A run made event by event; one second passes between two events, unless stated otherwise."""

    def __init__(self, *targets: str) -> None:
        self.now = 1_800_000_000.0
        self.events: list[Event] = []
        self.progress = RunProgress()
        self._numbers = itertools.count(1)
        self.tell(
            "run-started",
            targets=list(targets or TARGETS),
            app="Acme_Connector",
            old=["203.0.113.10"],
            new=["198.51.100.20", "198.51.100.21"],
        )

    def tell(
        self, kind: str, step: str | None = None, target: str | None = None, **data: object
    ) -> Event:
        kept = json.loads(json.dumps(data, default=asdict))
        event = Event(next(self._numbers), RUN, self.now, kind, step, target, kept)
        self.events.append(event)
        self.progress.apply(event)
        self.now += 1
        return event

    def start(self, step: str, target: str | None = None) -> Event:
        return self.tell("step-started", step, target, thread="a thread")

    def end(self, step: str, target: str | None = None, **evidence: object) -> Event:
        """End a step. evidence: differences from that of a recorded run."""
        found = recorded_evidence(step) | evidence
        return self.tell("step-ended", step, target, seconds=1.0, evidence=found, problem=None)

    def cancel(self, step: str, target: str | None = None) -> Event:
        evidence = {"canceled": True}
        return self.tell("step-ended", step, target, seconds=1.0, evidence=evidence, problem=None)

    def fail(
        self, step: str, target: str | None = None, *, kind: str = "failed", message: str = "broken"
    ) -> Event:
        return self.tell(
            "step-ended",
            step,
            target,
            seconds=1.0,
            evidence=None,
            problem=problem_document(kind, message),
        )

    def do(self, *steps: str) -> None:
        """Execute steps successfully, on every target if they have targets."""
        for step in steps:
            on_run = step in ("probe", "switch", "settle", "switch-back", "prove-old", "check-new")
            for target in (None,) if on_run else self.progress.targets:
                self.start(step, target)
                self.end(step, target)

    def traffic(self, target: str, *rows: tuple[str, str, int]) -> Event:
        """rows: address, status, count."""
        buckets = [[int(self.now), *row] for row in rows]
        return self.tell("traffic", None, target, through=int(self.now), buckets=buckets)

    def measure(self, target: str, *results: tuple[str, str]) -> Event:
        """One round of the watch; each measurement is a name and a verdict."""
        documents = [{"name": name, "verdict": verdict, "detail": "d"} for name, verdict in results]
        done = {"number": 0, "time": "2027-01-15T08:00:00Z", "elapsed": 0, "results": documents}
        return self.tell("watch-round", "watch", target, round=done)

    def pause(self, step: str, reason: str = "pause-before", message: str = "wait") -> Event:
        return self.tell("paused", step, pause=1, reason=reason, message=message, next="")

    def stages(self) -> Iterator[tuple[Event, RunProgress]]:
        """Every event, with the progress after it."""
        progress = RunProgress()
        for event in self.events:
            progress.apply(event)
            yield event, progress
