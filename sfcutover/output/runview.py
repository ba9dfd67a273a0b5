"""A run as it goes where there is no terminal: one line an event, or one JSON document."""

from __future__ import annotations

import sys
from collections.abc import Mapping

from sfcutover.output.console import Console
from sfcutover.output.events import blocked_line, event_line, is_alarming
from sfcutover.output.json import print_document
from sfcutover.output.settings import Settings
from sfcutover.runs.documents import EventDocument
from sfcutover.runs.journal import Event
from sfcutover.runs.progress import RunProgress
from sfcutover.runs.summaries import looks_of

_STILL_SECONDS = 60.0  # so long what is seen again and again is not told of


class LineView:
    """For logs, pipes and CI: a line each on stderr."""

    whole = False

    def __init__(self, console: Console) -> None:
        self._console = console
        self._told: dict[object, tuple[float, object]] = {}  # by what it is about: when, and what

    def show(self, event: Event, progress: RunProgress) -> None:
        match event.kind:
            case "watch-round":
                if self._is_news(event, event.target, looks_of(event)):
                    self._tell(event, event_line(event))
            case "traffic":
                if is_alarming(event) and self._is_news(event, "blocked", set(progress.blocked_on)):
                    self._tell(event, blocked_line(event, progress))
            case "run-ended" if progress.blocked_on:
                self._console.warn(blocked_line(event, progress))
                self._tell(event, event_line(event))
            case _:
                self._tell(event, event_line(event))

    def tick(self, progress: RunProgress) -> None:
        """Nothing: only events are shown."""

    def _tell(self, event: Event, line: str | None) -> None:
        if line is not None:
            write = self._console.warn if is_alarming(event) else self._console.note
            write(line)

    def _is_news(self, event: Event, about: object, seen: object) -> bool:
        """False for what was told a moment ago: a line for each look is for nobody to read."""
        told, before = self._told.get(about, (0.0, None))
        if seen == before and event.time < told + _STILL_SECONDS:
            return False
        self._told[about] = (event.time, seen)
        return True


class JsonView:
    """For programs: a document each on stdout, one a line."""

    whole = False

    def show(self, event: Event, progress: RunProgress) -> None:
        print_document(EventDocument.of(event), one_line=True)

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
