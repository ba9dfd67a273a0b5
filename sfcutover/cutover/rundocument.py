"""What is known of a run, as JSON."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from sfcutover.cutover.progress import RunProgress, StepState
from sfcutover.runs.event import moment_text
from sfcutover.runs.store import Run
from sfcutover.util.document import Document


class RunStepDocument(Document):
    """A step on a target, or on the whole run (target null)."""

    step: str
    target: str | None
    state: Literal["running", "done", "failed"]
    started: str
    ended: str | None
    tries: int
    problem: str | None

    @classmethod
    def of(cls, step: StepState) -> RunStepDocument:
        state: Literal["running", "done", "failed"] = "running"
        if step.ended is not None:
            state = "failed" if step.problem else "done"
        return cls(
            step=step.name,
            target=step.target,
            state=state,
            started=moment_text(step.started),
            ended=None if step.ended is None else moment_text(step.ended),
            tries=step.tries,
            problem=step.problem,
        )


class RunDocument(Document):
    """A run. state: running, waiting (for a person), left (nobody performs it now), or how it
    ended. waits_for and place are null where they don't apply."""

    id: str
    cutover: str
    state: Literal["running", "waiting", "left", "done", "failed", "rolled-back", "canceled"]
    started: str
    ended: str | None
    exit_code: int | None
    place: str | None
    waits_for: str | None
    message: str | None
    steps: list[RunStepDocument]
    deployments: list[str]

    @classmethod
    def of(cls, run: Run, progress: RunProgress, place: str | None) -> RunDocument:
        state = run_state(run, progress, place)
        return cls(
            id=run.id,
            cutover=run.cutover,
            state=state,
            started=moment_text(run.started),
            ended=None if run.ended is None else moment_text(run.ended),
            exit_code=run.exit_code,
            place=place,
            waits_for=progress.pause.message if progress.pause else None,
            message=progress.ended.text("message") if progress.ended else None,
            steps=[RunStepDocument.of(step) for step in progress.steps.values()],
            deployments=[each.id for each in progress.deployments.values()],
        )


RunState = Literal["running", "waiting", "left", "done", "failed", "rolled-back", "canceled"]


def run_state(run: Run, progress: RunProgress, place: str | None) -> RunState:
    """How a run stands, in one word."""
    match run.outcome:
        case "done" | "failed" | "rolled-back" | "canceled" as outcome:
            return outcome
        case _ if progress.pause is not None:
            return "waiting"
        case _:
            return "left" if place is None else "running"


class RunsDocument(Document):
    """What ``runs`` prints."""

    schema_: Literal["sfcutover/runs/1"] = Field("sfcutover/runs/1", alias="schema")
    runs: list[RunDocument]
