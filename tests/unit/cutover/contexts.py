"""The context of a step outside a run, for tests that reach no org."""

from __future__ import annotations

from pathlib import Path

from sfcutover.cutover.context import CommandControl, StepContext, TargetContext
from sfcutover.cutover.recordedbaselines import RecordedBaselines
from sfcutover.cutover.resources import Connections, Probes
from sfcutover.runs.event import CommandLog
from tests.support import cutover_in


def target_context(folder: Path, step: str) -> TargetContext:
    """The step on the only target of a small cutover in this folder."""
    cutover = cutover_in(folder, "org")
    return StepContext(
        cutover,
        CommandLog(),
        CommandControl(),
        step,
        "key",
        Probes(cutover),
        Connections(cutover),
        RecordedBaselines(cutover),
    ).at(cutover.targets[0])
