"""The live view of a run on a terminal, driven by events."""

from __future__ import annotations

from rich.console import Console

from sfcutover.cutover.progress import RunProgress
from sfcutover.output.console import Settings
from sfcutover.output.live.view import LiveView
from sfcutover.runs.event import Event
from tests.unit.cutover.journaled import Story, events_of
from tests.unit.output.terminal import Terminal


class ViewedRun:
    """The live view of a run on a terminal."""

    def __init__(self, story: Story, terminal: Terminal, color: str | None = None) -> None:
        self.story, self.terminal = story, terminal
        self.console = Console(
            file=terminal,
            force_terminal=True,
            width=terminal.width,
            height=terminal.height,
            color_system="standard" if color else None,
        )
        self.now = story.events[0].time
        self.view = LiveView(Settings(), console=self.console, clock=lambda: self.now)
        self._shown = 0

    def screen(self, seconds: float = 0.0) -> str:
        """What the screen shows this long after the newest event."""
        for event in self.story.events[self._shown :]:
            self.view.show(event, self.story.progress)
            self.now = event.time
        self._shown = len(self.story.events)
        self.now += seconds
        self.view.tick(self.story.progress)
        return "\n".join(self.terminal.screen)

    def close(self) -> str:
        """Close the live view; return everything that remains."""
        self.view.__exit__(None, None, None)
        return self.terminal.text

    def resize(self, width: int, height: int) -> None:
        self.terminal.resize(width, height)
        self.console.size = (width, height)


def viewed_run(
    story: Story, width: int = 80, height: int = 24, color: str | None = None
) -> ViewedRun:
    return ViewedRun(story, Terminal(width, height), color)


def recorded(name: str) -> Story:
    """The story of a recorded run."""
    story = Story()
    story.events = events_of(name)
    return story


def line_with(text: str, words: str) -> str:
    found = [line for line in text.splitlines() if words in line]
    assert found, f"no {words!r} in\n{text}"
    return found[0]


def paused_before_removal() -> Story:
    """A run paused before remove-old: ids of both title lengths, an operator, a long message."""
    story = recorded("done")
    story.events = story.events[: next(n for n, each in enumerate(story.events) if _removes(each))]
    story.now = story.events[-1].time
    story.progress = RunProgress.of(story.events)
    message = (
        "it removes 127.0.0.11, 127.0.0.12 from the allowlist of packaging, an org of some "
        "customers"
    )
    story.pause("remove-old", message=message)
    return story


def _removes(event: Event) -> bool:
    return (event.kind, event.step) == ("step-started", "remove-old")
