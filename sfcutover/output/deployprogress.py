"""A deployment in progress: a bar on a terminal, one line an event elsewhere. All on stderr."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Self

from sfcutover.output.console import Settings, is_redrawn, presentable, to_stderr
from sfcutover.runs.event import Event
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


@dataclass(frozen=True)
class Status:
    """How a deployment stands. tests: how many it has to run."""

    status: str
    done: bool
    deployed: int
    total: int
    tests: int

    @classmethod
    def of(cls, result: DeployResult) -> Self:
        return cls(
            result.status,
            result.done,
            result.components_deployed,
            result.components_total,
            result.tests_total,
        )

    @classmethod
    def of_event(cls, event: Event) -> Self:
        """The status in a deployment-progress event."""
        numbers = (int(event.number(name)) for name in ("deployed", "total", "tests"))
        return cls(event.text("status"), event.data.get("done") is True, *numbers)

    @property
    def stage(self) -> str:
        """The stage the deployment is in. An unknown status is shown as it is."""
        if self.done:
            return "Ended"
        if self.tests and self.deployed >= self.total:
            return "Running tests"
        return _STAGES.get(self.status, self.status)


class LineProgress:
    """One timestamped line an event: for logs, pipes and CI."""

    def __init__(self, target: str, *, quiet: bool = False) -> None:
        self._target = target
        self._quiet = quiet
        self._last = ""

    def stage(self, name: str) -> None:
        self.note(name)

    def sent(self, deployment_id: str) -> None:
        self.note(f"deployment {deployment_id}")

    def progress(self, status: Status) -> None:
        text = status.stage
        if status.total:
            text += f" ({status.deployed} of {status.total} components)"
        self.note(f"{text} [{status.status}]")

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

    def progress(self, status: Status) -> None:
        self.stage(f"{status.stage} [{status.status}]")
        self._bar.update(self._task, completed=status.deployed, total=max(1, status.total))

    def note(self, text: str) -> None:
        self._bar.console.print(presentable(f"{self._target}: {text}"), markup=False)


@contextmanager
def progress_for(target: str, settings: Settings) -> Iterator[LineProgress]:
    """The bar at a terminal; lines everywhere else."""
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
