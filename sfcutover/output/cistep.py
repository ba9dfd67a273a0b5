"""Results of a step of GitHub Actions: outputs for later steps, and a summary.

Commands record what they did; the process writes it at its end, whatever that is. Outside
GitHub nothing is written. Source: GitHub "Workflow commands" (environment files), and
actions/runner, FileCommandManager.cs.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from sfcutover.errors import LimitError, SfcutoverError
from sfcutover.output.console import presentable, to_stderr
from sfcutover.util.ciprovider import StepFiles
from sfcutover.util.secrets import redact

if TYPE_CHECKING:
    from sfcutover.allowlist.plan import PhaseDocument
    from sfcutover.cutover.progress import RunProgress
    from sfcutover.cutover.stepdocuments import DeployTargetDocument
    from sfcutover.runs.event import Event
    from sfcutover.salesforce.results import ResultDocument

MAX_SUMMARY_BYTES = 1000 * 1024  # GitHub takes 1,024 KiB of a step
LONGEST = MAX_SUMMARY_BYTES // 4  # characters of a part, whatever they are


@dataclass
class Step:
    """What the command of this process did, as far as it has come.

    changes: None while nothing has been compared. progress: of the run that it shows or executes.
    seen: the newest event of it. parts: what makes its Markdown, in the order of the summary;
    nothing is made where none is written.
    """

    changes: bool | None = None
    added: int = 0
    removed: int = 0
    run: str = ""
    plan: Path | None = None
    report: Path | None = None
    progress: RunProgress | None = None
    seen: int = 0
    deployments: list[tuple[str, str, ResultDocument]] = field(default_factory=list)
    parts: list[Callable[[], str]] = field(default_factory=list)
    failure: SfcutoverError | None = None

    def count(self, phase: PhaseDocument) -> None:
        """A phase is deployed, or would be."""
        self.changes = bool(self.changes) or phase.changed
        self.added += sum(len(each.added) for each in phase.components)
        self.removed += sum(len(each.removed) for each in phase.components)

    def compared(self, phases: Iterable[PhaseDocument], markdown: Callable[[], str]) -> None:
        """The phases would be deployed; markdown makes what shows the change of each."""
        for each in phases:
            self.count(each)
        self.parts.append(markdown)

    def deployed(self, document: DeployTargetDocument) -> None:
        """A phase is on a target, or was sent to it."""
        self.count(document.phase)
        self.parts.append(partial(_deployed, document.target, document.phase))
        phase = document.phase.phase
        self.deployments += [(document.target, phase, each) for each in document.deployments]

    def see(self, event: Event, progress: RunProgress) -> None:
        """An event of a run is shown."""
        self.run, self.progress, self.seen = event.run, progress, event.seq
        self._take(event)

    def catch_up(self, events: Sequence[Event], progress: RunProgress) -> None:
        """The run is left: what it did since the event that was shown last counts, too."""
        for event in events:
            if 0 < self.seen < event.seq:
                self.see(event, progress)

    def _take(self, event: Event) -> None:
        from sfcutover.cutover.deployevidence import DeployEvidence
        from sfcutover.cutover.progress import result_of

        if event.kind != "step-ended":
            return
        evidence = result_of(event).evidence
        if not isinstance(evidence, DeployEvidence):
            return
        self.changes = bool(self.changes)
        if evidence.changed:
            self.count(evidence.diff)
            self.parts.append(partial(_deployed, event.target or "", evidence.diff))
            phase, target = evidence.diff.phase, event.target or ""
            self.deployments += [(target, phase, each) for each in evidence.deployments]

    def outputs(self, code: int) -> dict[str, str]:
        """By the names that action.yml passes on; what is not known is empty."""
        compared = self.changes is not None
        pause = self.progress.pause if self.progress is not None else None
        return {
            "exit-code": str(code),
            "changes": str(self.changes).lower() if compared else "",
            "added": str(self.added) if compared else "",
            "removed": str(self.removed) if compared else "",
            "run-id": self.run,
            "plan": str(self.plan.absolute()) if self.plan is not None else "",
            "report": str(self.report.absolute()) if self.report is not None else "",
            "waiting": pause.step if pause is not None else "",
        }

    def summary(self) -> str:
        """The error first: a reader looks for it."""
        from sfcutover.output.markdown.summary import (
            deployments_markdown,
            failure_markdown,
            steps_markdown,
        )

        parts = [failure_markdown(self.failure)] if self.failure is not None else []
        parts += map(_made, self.parts)
        if self.deployments:
            parts.append(deployments_markdown(self.deployments))
        if self.progress is not None:
            parts.append(steps_markdown(self.run, self.progress))
        return _bounded(parts)


def _deployed(target: str, phase: PhaseDocument) -> str:
    from sfcutover.output.markdown.summary import deployed_markdown

    return deployed_markdown(target, phase)


@dataclass
class _Process:
    """What this process is."""

    step: Step = field(default_factory=Step)


_process = _Process()


def restart() -> None:
    """A process starts."""
    _process.step = Step()


def step() -> Step:
    """The step that this process is."""
    return _process.step


def write(code: int) -> None:
    """Write the outputs and the summary, if the runner names files for them.

    code: what the process exits with. A file that can't be written is warned of.
    """
    files = StepFiles.of()
    if files.output is not None:
        outputs = {name: redact(value) for name, value in step().outputs(code).items()}
        _append(files.output, output_text(outputs))
    if files.summary is not None and (text := step().summary()):
        _append(files.summary, presentable(text))


def _append(path: Path, text: str) -> None:
    try:
        with path.open("a", encoding="utf-8", errors="backslashreplace") as file:
            file.write(text)
    except OSError as error:
        to_stderr(f"warning: {path} was not written: {error.strerror}; the exit code is unchanged")


def output_text(outputs: Mapping[str, str]) -> str:
    """The lines that set them. A value that is not one printable line has a delimiter that it can't
    hold, or it could set other outputs."""
    return "".join(_output_lines(name, value) for name, value in outputs.items())


def _output_lines(name: str, value: str) -> str:
    if value.isprintable():
        return f"{name}={value}\n"
    delimiter = f"sfcutover_{uuid.uuid4().hex}"
    return f"{name}<<{delimiter}\n{value}\n{delimiter}\n"


def _made(part: Callable[[], str]) -> str:
    """A summary that is too long is no failure of the command."""
    try:
        return part()
    except LimitError as error:
        return f"{error.message}; the log shows everything\n"


def _bounded(parts: Sequence[str]) -> str:
    """The parts that GitHub takes, and how many are left out."""
    kept: list[str] = []
    size = 0
    for number, part in enumerate(parts):
        size += len(part.encode(errors="backslashreplace")) + 1
        if size > MAX_SUMMARY_BYTES:
            return "\n".join([*kept, f"… {len(parts) - number} more parts are in the log\n"])
        kept.append(part)
    return "\n".join(kept)
