"""A run as the lines of a screen: title, steps, addresses, notes, what needs a person. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from sfcutover.output.liveaddresses import address_lines
from sfcutover.output.livelines import SPACE, Line, Span, Style, Weight, clock
from sfcutover.output.livelook import Look
from sfcutover.output.livesteps import step_lines
from sfcutover.runs.journal import Event
from sfcutover.runs.progress import BACK, Pause, RunProgress

Command = Callable[..., str]
NOTES = 4
_WIDEST_RULE = 78
_OUTCOMES: dict[str, tuple[str, Style]] = {
    "done": ("done", "good"),
    "canceled": ("canceled", "warn"),
    "rolled-back": ("ROLLED BACK", "bad"),
    "failed": ("FAILED", "bad"),
}


def screen(run: str, look: Look, notes: Sequence[str], command: Command) -> list[Line]:
    """Every line there is to show, from the top. command: makes a command to be pasted."""
    parts = (
        list(step_lines(look)),
        list(address_lines(look.progress)),
        [Line.of(note, "dim", Weight.NOTE, whole=True) for note in notes[-NOTES:]],
        list(_boxes(run, look, command)),
    )
    lines = [_title(run, look)]
    for part in filter(None, parts):
        lines += part if look.left else [SPACE, *part]
    return lines


def _title(run: str, look: Look) -> Line:
    progress = look.progress
    end = progress.ended.time if progress.ended else look.now
    targets = progress.targets
    where = ", ".join(targets) if len(targets) == 1 else f"{len(targets)} targets"
    word, style = _state(look)
    about = f"  {progress.app} on {where}" if targets else ""
    elapsed = clock(end - progress.started)
    spans: tuple[Span, ...] = ((f"{run}  ", "bold"), (word, style), (f"  {elapsed}", "bold"))
    return Line((*spans, (about, "")), Weight.ALARM)


def _state(look: Look) -> tuple[str, Style]:
    progress = look.progress
    if progress.ended is not None:
        outcome = progress.ended.text("outcome")
        return _OUTCOMES.get(outcome, (outcome, "bold"))
    if progress.pause is not None:
        return "WAITS FOR A PERSON", "alarm" if _goes_back(progress) else "warn"
    if _goes_back(progress):
        return "ROLLING BACK", "alarm"
    return ("left under way", "warn") if look.left else ("running", "good")


def _goes_back(progress: RunProgress) -> bool:
    return progress.rollback is not None or any(name in BACK for name, _ in progress.steps)


def _boxes(run: str, look: Look, command: Command) -> Iterator[Line]:
    progress = look.progress
    if (page := progress.page) is not None:
        yield from _page(look, page)
    elif _goes_back(progress) and progress.ended is None and progress.pause is None:
        words = [progress.rollback or "", "it goes back by itself: leave it running"]
        inside = [*_words(words), *_commands("if it stops:", [command("run")])]
        yield from _box(look, "ROLLING BACK", inside)
    if progress.pause is not None:
        yield from _pause(run, look, progress.pause, command)


def _page(look: Look, page: Event) -> Iterator[Line]:
    asked = page.data.get("commands")
    commands = map(str, asked) if isinstance(asked, list) else ()
    calls = len(look.progress.pages)
    times = f", called {calls} times" if calls > 1 else ""
    inside = [*_words([page.text("message")]), *_commands("", commands)]
    yield from _box(look, f"A PERSON IS NEEDED{times}", inside)


def _pause(run: str, look: Look, pause: Pause, command: Command) -> Iterator[Line]:
    back = _goes_back(look.progress)
    since = clock(look.now - pause.since)
    title = f"{'ROLLBACK ' if back else ''}WAITS FOR A PERSON at {pause.step}, {since}"
    calm = "" if back else "the lists stay as they are meanwhile; "
    commands = [command("approve", run), command("cancel", run)]
    advice = _commands(f"{calm}go on, or end it:", commands)
    inside = [*_words([pause.message, pause.next]), *advice]
    yield from _box(look, title, inside, "alarm" if back else "warn")


def _words(texts: Iterable[str], weight: Weight = Weight.ALARM) -> Iterator[Line]:
    yield from (Line.of(text, "bold", weight, 2, whole=True) for text in texts if text)


def _commands(advice: str, commands: Iterable[str]) -> Iterator[Line]:
    yield from _words([advice], Weight.ADVICE)
    for command in commands:
        yield Line(((command, "good"),), Weight.ALARM, 6, whole=True, command=True)


def _box(look: Look, title: str, inside: Iterable[Line], style: Style = "alarm") -> Iterator[Line]:
    """Rules above and below only, so that a command can be copied."""
    rule, width = look.marks.rule, min(look.width, _WIDEST_RULE)
    yield Line.of(f"{rule * 2} {title} ".ljust(width, rule), style, Weight.ALARM)
    yield from inside
    yield Line.of(rule * width, style, Weight.EDGE)
