"""A deployment in progress: a bar on a terminal, one line an event elsewhere. All on stderr."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from sfcutover.output.console import Settings, is_redrawn, presentable, to_stderr
from sfcutover.salesforce.results import DeployResult

if TYPE_CHECKING:
    from rich.progress import Progress

_STAGES = {
    "Pending": "Waiting for the org",
    "InProgress": "Deploying",
    "Finalizing": "Deploying",
    "FinalizingDeploy": "Deploying",
    "Canceling": "Canceling",
}


def stage_of(result: DeployResult) -> str:
    """The stage a deployment is in. An unknown status is shown as it is."""
    if result.done:
        return "Done"
    if result.tests_total and result.components_deployed >= result.components_total:
        return "Running tests"
    return _STAGES.get(result.status, result.status)


class LineProgress:
    """One timestamped line an event: for logs, pipes and CI."""

    def __init__(self, target: str, *, quiet: bool = False) -> None:
        self._target = target
        self._quiet = quiet
        self._last = ""

    def stage(self, name: str) -> None:
        self.note(name)

    def sending(self) -> str | None:
        """Nothing: the stage says it."""
        return None

    def sent(self, deployment_id: str) -> None:
        self.note(f"deployment {deployment_id}")

    def progress(self, result: DeployResult) -> None:
        text = stage_of(result)
        if result.components_total:
            text += f" ({result.components_deployed} of {result.components_total} components)"
        self.note(f"{text} [{result.status}]")

    def note(self, text: str) -> None:
        if self._quiet or text == self._last:
            return
        self._last = text
        to_stderr(f"{datetime.now(UTC):%H:%M:%SZ} {self._target}: {text}")


class LiveProgress(LineProgress):
    """A spinner, the stage and a bar of components, on a terminal."""

    def __init__(self, target: str, bar: Progress) -> None:
        super().__init__(target)
        self._bar = bar
        self._task = bar.add_task(f"{target}: Preparing", total=1)

    def stage(self, name: str) -> None:
        self._bar.update(self._task, description=presentable(f"{self._target}: {name}"))

    def progress(self, result: DeployResult) -> None:
        self.stage(f"{stage_of(result)} [{result.status}]")
        self._bar.update(
            self._task,
            completed=result.components_deployed,
            total=max(1, result.components_total),
        )

    def note(self, text: str) -> None:
        self._bar.console.print(presentable(f"{self._target}: {text}"), markup=False)


@contextmanager
def progress_for(target: str, settings: Settings) -> Iterator[LineProgress]:
    """The bar on a person's terminal; lines everywhere else."""
    if settings.json or not is_redrawn(settings, os.environ):
        yield LineProgress(target, quiet=settings.quiet)
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    bar = Progress(
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=20),
        TextColumn("{task.completed:.0f}/{task.total:.0f} components"),
        TimeElapsedColumn(),
        console=Console(stderr=True, no_color=settings.color is False, highlight=False),
        transient=True,
    )
    with bar:
        yield LiveProgress(target, bar)
