"""What is known of a run, as JSON."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from sfcutover.cutover.progress import RunProgress, StepMark, StepState
from sfcutover.cutover.runfollower import lists_at_risk
from sfcutover.runs.event import moment_text
from sfcutover.runs.store import Run
from sfcutover.util.document import DeploymentId, Document, UtcTime

RunState = Literal["running", "waiting", "interrupted", "done", "failed", "rolled-back", "canceled"]


RunStepState = Literal[StepMark, "interrupted"]


class RunStepDocument(Document):
    """A step on a target, or on the whole run."""

    step: str
    """Name of the step."""
    target: str | None
    """Name of the target; null for a step of the whole run."""
    state: RunStepState
    """How the step stands; skipped: it was not made; unproven: it was made and showed nothing;
    interrupted: it has started, and no process is executing it."""
    started: UtcTime
    """When it started first, UTC, ISO 8601."""
    ended: UtcTime | None
    """When it ended, UTC, ISO 8601; null until it has."""
    tries: int
    """How often it was tried."""
    problem: str | None
    """Why it failed, or was skipped, or what it leaves unproven; else null."""

    @classmethod
    def of(cls, step: StepState, run: RunState) -> RunStepDocument:
        is_interrupted = run == "interrupted" and step.mark == "running"
        return cls(
            step=step.name,
            target=step.target,
            state="interrupted" if is_interrupted else step.mark,
            started=moment_text(step.started),
            ended=None if step.ended is None else moment_text(step.ended),
            tries=step.tries,
            problem=step.problem or step.open or None,
        )


class RunDocument(Document):
    """A run."""

    id: str
    """Id of the run."""
    cutover: str
    """Name of the cutover."""
    state: RunState
    """How the run stands: running, waiting (for the operator), interrupted (no process is executing
    it), or how it ended."""
    started: UtcTime
    """When it started, UTC, ISO 8601."""
    ended: UtcTime | None
    """When it ended, UTC, ISO 8601; null while it lasts."""
    exit_code: int | None
    """Exit code that it ended with; null while it lasts."""
    place: str | None
    """Host and process that execute it; null where none does."""
    waits_for: str | None
    """What it waits for; null where it does not wait."""
    unwatched: list[str]
    """Targets whose old addresses may be off the allowlist while no process monitors it."""
    message: str | None
    """How it ended, in words; null while it lasts."""
    steps: list[RunStepDocument]
    """Its steps, in order."""
    deployments: list[DeploymentId]
    """Ids of its deployments, in order."""

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
            unwatched=lists_at_risk(progress) if state in ("waiting", "interrupted") else [],
            message=progress.ended.text("message") if progress.ended else None,
            steps=[RunStepDocument.of(step, state) for step in progress.steps.values()],
            deployments=[each.id for each in progress.deployments.values()],
        )


def run_state(run: Run, progress: RunProgress, place: str | None) -> RunState:
    """How a run stands, in one word."""
    match run.outcome:
        case "done" | "failed" | "rolled-back" | "canceled" as outcome:
            return outcome
        case _ if progress.pause is not None:
            return "waiting"
        case _:
            return "interrupted" if place is None else "running"


class RunsDocument(Document):
    """What ``runs`` prints."""

    schema_: Literal["sfcutover/runs/1"] = Field("sfcutover/runs/1", alias="schema")
    """Name and version of this document's format."""
    runs: list[RunDocument]
    """The runs, the newest first."""
