"""A rollout as it goes: a live line on a terminal, one line an event elsewhere. All on stderr."""

from __future__ import annotations

import os
import sys
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from types import TracebackType
from typing import TYPE_CHECKING, Self

from sfcutover.output.console import Settings, presentable, to_stderr
from sfcutover.salesforce.results import DeployResult

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

_STAGES = {
    "Pending": "Waiting for the org",
    "InProgress": "Deploying",
    "Finalizing": "Deploying",
    "FinalizingDeploy": "Deploying",
    "Canceling": "Canceling",
}


def stage_of(result: DeployResult) -> str:
    """The stage a deployment is in. A status nobody knows is shown as it is."""
    if result.done:
        return "Done"
    if result.tests_total and result.components_deployed >= result.components_total:
        return "Running tests"
    return _STAGES.get(result.status, result.status)


class LineProgress(AbstractContextManager["LineProgress"]):
    """One timestamped line an event: for logs, pipes and CI."""

    def __init__(self, target: str, settings: Settings) -> None:
        self._target = target
        self._quiet = settings.quiet
        self._last = ""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        return None

    def stage(self, name: str) -> None:
        self._line(name)

    def sending(self) -> str | None:
        """Nothing: the stage says it."""
        return None

    def sent(self, deployment_id: str) -> None:
        self._line(f"deployment {deployment_id}")

    def progress(self, result: DeployResult) -> None:
        text = stage_of(result)
        if result.components_total:
            text += f" ({result.components_deployed} of {result.components_total} components)"
        self._line(f"{text} [{result.status}]")

    def note(self, text: str) -> None:
        self._line(text)

    def _line(self, text: str) -> None:
        if self._quiet or text == self._last:
            return
        self._last = text
        time = datetime.now(UTC).strftime("%H:%M:%SZ")
        to_stderr(f"{time} {self._target}: {text}")


class LiveProgress(AbstractContextManager["LiveProgress"]):
    """A spinner, the stage and a bar of components, on a terminal."""

    def __init__(self, target: str, settings: Settings) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

        self._target = target
        self._progress: Progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=20),
            TextColumn("{task.completed:.0f}/{task.total:.0f} components"),
            TimeElapsedColumn(),
            console=Console(stderr=True, no_color=settings.color is False, highlight=False),
            transient=True,
        )
        self._task: TaskID = self._progress.add_task(f"{target}: Preparing", total=1)

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._progress.stop()

    def stage(self, name: str) -> None:
        self._describe(name)

    def sending(self) -> str | None:
        """Nothing: the stage says it."""
        return None

    def sent(self, deployment_id: str) -> None:
        self.note(f"deployment {deployment_id}")

    def progress(self, result: DeployResult) -> None:
        self._describe(f"{stage_of(result)} [{result.status}]")
        self._progress.update(
            self._task,
            completed=result.components_deployed,
            total=max(1, result.components_total),
        )

    def note(self, text: str) -> None:
        self._progress.console.print(presentable(f"{self._target}: {text}"), markup=False)

    def _describe(self, text: str) -> None:
        self._progress.update(self._task, description=presentable(f"{self._target}: {text}"))


def progress_for(target: str, settings: Settings) -> LineProgress | LiveProgress:
    """The live form on a person's terminal, unless quiet; lines everywhere else."""
    live = _is_terminal() and not settings.quiet and not settings.json
    return LiveProgress(target, settings) if live else LineProgress(target, settings)


def _is_terminal() -> bool:
    """False in CI too, where a terminal is only simulated and every redrawn line is kept."""
    return sys.stderr is not None and sys.stderr.isatty() and not os.environ.get("CI")
