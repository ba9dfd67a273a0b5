"""A step of the cutover as a single command executes it: its context, and what it shows."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from sfcutover.allowlist.templates import Templates
from sfcutover.cli.context import Invocation
from sfcutover.cutover.context import CommandControl, StepContext
from sfcutover.cutover.evidence import Evidence
from sfcutover.cutover.shared import Connections, Probes
from sfcutover.cutover.watchstate import RoundDocument
from sfcutover.output.progress import LineProgress, Status, progress_for
from sfcutover.output.text import evidence_text, round_text
from sfcutover.runs.events import CommandLog, Event


@contextmanager
def command_step(
    invocation: Invocation, step: str, templates: Templates | None = None
) -> Iterator[StepContext]:
    """What a step is given that no run executes; its connections are closed in the end."""
    cutover = invocation.cutover
    connections = Connections(cutover)
    view = StepView(invocation)
    try:
        yield StepContext(
            cutover,
            CommandLog(view.show),
            CommandControl(),
            step,
            f"command {cutover.where} {cutover.name}",
            Probes(cutover),
            connections,
            templates or Templates(),
        )
    finally:
        view.close()
        connections.close()


class StepView:
    """Shows the events of a command. A deployment's progress is shown from Preparing to Done."""

    def __init__(self, invocation: Invocation) -> None:
        self._invocation = invocation
        self._console = invocation.console
        self._progress: LineProgress | None = None
        self._shown = ExitStack()

    def show(self, event: Event) -> None:
        match event.kind:
            case "stage":
                self._progress_of(event).stage(event.text("name"))
            case "deployment-sent":
                self._progress_of(event).sent(event.text("id"))
            case "deployment-progress":
                self._progress_of(event).progress(Status.of_event(event))
            case "note":
                self._note(event)
            case "proven":
                self._console.note(evidence_text(Evidence.model_validate(event.data["evidence"])))
            case "watch-round":
                self._console.note(round_text(RoundDocument.model_validate(event.data["round"])))
            case "rolling-back":
                self._console.warn(f"rolling back: {event.text('reason')}")

    def close(self) -> None:
        """End the progress that is shown, if there is one."""
        self._shown.close()
        self._progress = None

    def _note(self, event: Event) -> None:
        if self._progress is not None:
            self._progress.note(event.text("text"))
        else:
            place = f"{event.target}: " if event.target else ""
            self._console.note(f"{place}{event.text('text')}")

    def _progress_of(self, event: Event) -> LineProgress:
        if self._progress is None:
            progress = progress_for(event.target or "", self._invocation.settings)
            self._progress = self._shown.enter_context(progress)
        return self._progress
