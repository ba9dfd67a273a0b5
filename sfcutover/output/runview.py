"""A run as it goes where there is no terminal: one line an event, or one JSON document."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping

from sfcutover.documents.runs import EventDocument
from sfcutover.output.console import Console
from sfcutover.output.events import event_line, is_alarming
from sfcutover.output.settings import Settings
from sfcutover.output.streams import to_stdout
from sfcutover.runs.journal import Event
from sfcutover.runs.progress import RunProgress, looks_of

_STILL_SECONDS = 60.0  # so long a watch that sees the same again is not told of


class LineView:
    """For logs, pipes and CI: a line each on stderr."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._looks: dict[str, tuple[float, object]] = {}  # by target: when told, and what

    def show(self, event: Event, progress: RunProgress) -> None:
        if self._is_nothing_new(event) or (line := event_line(event)) is None:
            return
        if is_alarming(event):
            self._console.warn(line)
        else:
            self._console.note(line)

    def tick(self, progress: RunProgress) -> None:
        """Nothing: only events are shown."""

    def _is_nothing_new(self, event: Event) -> bool:
        """True for a look that saw what the last one did: a long watch is for nobody to read."""
        if event.kind != "watch-round":
            return False
        target, looks = event.target or "", looks_of(event)
        told, before = self._looks.get(target, (0.0, None))
        if looks == before and event.time < told + _STILL_SECONDS:
            return True
        self._looks[target] = (event.time, looks)
        return False


class JsonView:
    """For programs: a document each on stdout, one a line."""

    def show(self, event: Event, progress: RunProgress) -> None:
        document = EventDocument.of(event).model_dump(mode="json", by_alias=True)
        to_stdout(json.dumps(document))

    def tick(self, progress: RunProgress) -> None:
        """Nothing: only events are shown."""


def is_redrawn(settings: Settings, environment: Mapping[str, str]) -> bool:
    """True where a person looks at a screen. Not with -v: its lines would stand in between; not
    in CI, where a terminal is only simulated and every redrawn line is kept."""
    if settings.quiet or settings.verbose or environment.get("CI"):
        return False
    if environment.get("TERM", "dumb") in ("", "dumb", "unknown"):
        return False
    return sys.stderr is not None and sys.stderr.isatty()
