"""A run as it goes where there is no terminal: one line an event, or one JSON document."""

from __future__ import annotations

import json

from sfcutover.documents.runs import EventDocument
from sfcutover.output.console import Console
from sfcutover.output.events import event_line
from sfcutover.output.streams import to_stdout
from sfcutover.runs.journal import Event
from sfcutover.runs.progress import RunProgress


class LineView:
    """For logs, pipes and CI: a line each on stderr."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def show(self, event: Event, progress: RunProgress) -> None:
        if (line := event_line(event)) is None:
            return
        if event.kind in ("page", "rollback-started", "rolling-back"):
            self._console.warn(line)
        else:
            self._console.note(line)

    def tick(self, progress: RunProgress) -> None:
        """Nothing: only events are shown."""


class JsonView:
    """For programs: a document each on stdout, one a line."""

    def show(self, event: Event, progress: RunProgress) -> None:
        document = EventDocument.of(event).model_dump(mode="json", by_alias=True)
        to_stdout(json.dumps(document))

    def tick(self, progress: RunProgress) -> None:
        """Nothing: only events are shown."""
