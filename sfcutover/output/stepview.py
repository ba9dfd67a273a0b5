"""Progress of a step that a single command executes."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

from sfcutover.output.console import Console, Settings
from sfcutover.output.deployprogress import LineProgress, Status, progress_for
from sfcutover.output.text import evidence_text, round_text
from sfcutover.runs.event import Event

if TYPE_CHECKING:
    from sfcutover.output.metrics import CommandMeter


class StepView:
    """Shows the events of a command. A deployment's progress is shown from Preparing to the end.

    meter: keeps the figures, if cutover.yaml wants them. shown: closes what is shown.
    """

    def __init__(
        self, settings: Settings, console: Console, meter: CommandMeter | None, shown: ExitStack
    ) -> None:
        self._settings = settings
        self._console = console
        self._meter = meter
        self._shown = shown
        self._progress: LineProgress | None = None
        self._is_folded = False

    def show(self, event: Event) -> None:
        if self._meter is not None:
            self._meter.show(event)
        match event.kind:
            case "stage":
                self._progress_of(event).stage(event.text("name"))
            case "deployment-sent":
                self._progress_of(event).sent(event.text("id"))
            case "deployment-progress":
                self._progress_of(event).progress(Status.of_event(event))
            case "note" | "org-busy" if self._progress is not None:
                self._progress.note(event.text("text"))
            case "note" | "org-busy":
                place = f"{event.target}: " if event.target else ""
                self._console.note(f"{place}{event.text('text')}")
            case "proven":
                self._console.note(_evidence_text(event))
            case "watch-round":
                self._fold("watch")
                self._console.note(_round_text(event))
            case "external-change":
                self._console.warn(event.text("text"))
            case "rolling-back":
                self._console.warn(f"rolling back: {event.text('reason')}")

    def _fold(self, title: str) -> None:
        """What is shown from here to the end folds, in the log of a CI system."""
        if not self._is_folded:
            self._is_folded = True
            self._shown.enter_context(self._console.group(title))

    def _progress_of(self, event: Event) -> LineProgress:
        if self._progress is None:
            self._fold(f"{event.target}: deployment")
            progress = progress_for(event.target or "", self._settings)
            self._progress = self._shown.enter_context(progress)
        return self._progress


def _evidence_text(event: Event) -> str:
    from sfcutover.cutover.evidence import Evidence  # only a step that verifies tells of it

    return evidence_text(Evidence.model_validate(event.data["evidence"]))


def _round_text(event: Event) -> str:
    from sfcutover.cutover.watchtrigger import RoundDocument  # only a watch tells of it

    return round_text(RoundDocument.model_validate(event.data["round"]))
