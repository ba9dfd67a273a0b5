"""Runs as text: a line each, or one with its steps."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import click

from sfcutover.output.livelines import duration
from sfcutover.runs.documents import RunDocument, RunStepDocument

_COLORS = {"done": "green", "failed": "red", "rolled-back": "red", "canceled": "yellow"}
_MARKS = {"done": "ok", "failed": "NOT DONE", "running": "running"}


def runs_text(runs: Sequence[RunDocument]) -> str:
    """The newest first."""
    if not runs:
        return "there are no runs"
    width = max(len(run.id) for run in runs)
    return "\n".join(_line(run, width) for run in runs)


def run_text(run: RunDocument) -> str:
    """One run: its state, its steps with times, what comes next."""
    lines = [_line(run, len(run.id)), *map(_step, run.steps)]
    if run.deployments:
        lines.append(f"  deployments: {', '.join(run.deployments)}")
    if run.message:
        lines.append(f"  {run.message}")
    return "\n".join(lines)


def _line(run: RunDocument, width: int) -> str:
    state = click.style(run.state, fg=_COLORS.get(run.state))
    parts = [f"{run.id:<{width}}  {run.started[:19]}Z  {state}"]
    if run.ended is not None:
        parts.append(f"after {duration(_seconds(run.started, run.ended))}")
    if run.exit_code:
        parts.append(f"exit {run.exit_code}")
    if run.place:
        parts.append(f"at {run.place}")
    if run.waits_for:
        parts.append(f"waits for a person: {run.waits_for}; sfcutover approve {run.id}")
    if run.state == "left":
        parts.append("nobody performs it now; go on: sfcutover run")
    return "  ".join(parts)


def _step(step: RunStepDocument) -> str:
    took = duration(_seconds(step.started, step.ended)) if step.ended else ""
    name = f"{step.step}{f' {step.target}' if step.target else ''}"
    again = f"  ({step.tries} tries)" if step.tries > 1 else ""
    problem = f"  {step.problem}" if step.problem else ""
    time = f"{step.started[11:19]}Z"
    return f"  {time}  {took:>7}  {_MARKS[step.state]:<8}  {name}{again}{problem}"


def _seconds(started: str, ended: str) -> float:
    return (datetime.fromisoformat(ended) - datetime.fromisoformat(started)).total_seconds()
