"""A run as the lines of a screen: title, steps, addresses, notes, banners. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from sfcutover.allowlist.phases import Change, Side
from sfcutover.allowlist.ranges import IpRange
from sfcutover.cutover.addressproof import each_address
from sfcutover.cutover.progress import Pause, RunProgress
from sfcutover.cutover.stepnames import BACK
from sfcutover.errors import Command
from sfcutover.output.console import shown
from sfcutover.output.live.lines import SPACE, Line, Picture, Span, Style, Weight
from sfcutover.output.live.steps import step_lines
from sfcutover.output.text import ACTION_REQUIRED, AWAITING_APPROVAL, KEYS, clock
from sfcutover.runs.event import Event

NOTES = 4
_SIDES: tuple[Side, ...] = ("old", "kept", "new", "other")
_LISTED = 8  # addresses of the old and new ranges that have a line before any redemption
_MOST = 12  # addresses with a line
_BEFORE_TRAFFIC = ("probe", "snapshot", "add-new")
_WIDEST_RULE = 78
_OUTCOMES: dict[str, tuple[str, Style]] = {
    "done": ("done", "good"),
    "canceled": ("canceled", "warn"),
    "rolled-back": ("ROLLED BACK", "bad"),
    "failed": ("FAILED", "bad"),
}


def screen(run: str, picture: Picture, notes: Iterable[str]) -> list[Line]:
    """Every line there is to show, from the top."""
    parts = (
        list(step_lines(picture)),
        list(_address_lines(picture.progress)),
        [Line.of(note, "dim", Weight.NOTE, whole=True) for note in notes],
        list(_boxes(run, picture)),
    )
    lines = [_title(run, picture)]
    for part in filter(None, parts):
        lines += part if picture.left else [SPACE, *part]
    return lines


def _title(run: str, picture: Picture) -> Line:
    progress = picture.progress
    end = progress.ended.time if progress.ended else picture.now
    targets = progress.targets
    where = ", ".join(targets) if len(targets) == 1 else f"{len(targets)} targets"
    word, style = _state(picture)
    about = f"  {progress.app} on {where}" if targets else ""
    elapsed = clock(end - progress.started)
    spans: tuple[Span, ...] = ((f"{run}  ", "bold"), (word, style), (f"  {elapsed}", "bold"))
    return Line((*spans, (about, "")), Weight.ALARM)


def _state(picture: Picture) -> tuple[str, Style]:
    progress = picture.progress
    if progress.ended is not None:
        outcome = progress.ended.text("outcome")
        return _OUTCOMES.get(outcome, (outcome, "bold"))
    if progress.pause is not None:
        return _heading(progress), "alarm" if _goes_back(progress) else "warn"
    if _goes_back(progress):
        return "ROLLING BACK", "alarm"
    if not picture.left:
        return "running", "good"
    return ("interrupted", "warn") if picture.executes else ("no longer followed", "warn")


def _heading(progress: RunProgress) -> str:
    return AWAITING_APPROVAL if progress.waits_for_approval else ACTION_REQUIRED


def _goes_back(progress: RunProgress) -> bool:
    return progress.rollback is not None or any(name in BACK for name, _ in progress.steps)


def _boxes(run: str, picture: Picture) -> Iterator[Line]:
    progress = picture.progress
    if (page := progress.page) is not None:
        yield from _page(picture, page)
    elif _goes_back(progress) and progress.ended is None and progress.pause is None:
        words = [progress.rollback or "", "the rollback needs no action: leave it running"]
        inside = [*_words(words), *_commands("if it stops, resume it:", [Command("run")])]
        yield from _box(picture, "ROLLING BACK", inside)
    if progress.pause is not None and not (picture.left and picture.ends_at_pause):
        yield from _pause(run, picture, progress.pause)


def _page(picture: Picture, page: Event) -> Iterator[Line]:
    calls = len(picture.progress.pages)
    times = f", alert {calls}" if calls > 1 else ""
    inside = [*_words([page.text("message")]), *_commands("", page.commands)]
    yield from _box(picture, f"{ACTION_REQUIRED}{times}", inside)


def _pause(run: str, picture: Picture, pause: Pause) -> Iterator[Line]:
    back = _goes_back(picture.progress)
    since = clock(picture.now - pause.since)
    title = f"{_heading(picture.progress)}{' (rollback)' if back else ''}: {pause.step}, {since}"
    calm = "" if back else "the allowlists stay as they are; "
    commands = [Command("approve", run), Command("cancel", run)]
    keys = [KEYS] if picture.takes_keys else []
    advice = _commands(f"{calm}{'in another terminal' if keys else 'approve or cancel'}:", commands)
    inside = [*_words([pause.message, shown(pause.next), *keys]), *advice]
    yield from _box(picture, title, inside, "alarm" if back else "warn")


def _words(texts: Iterable[str], weight: Weight = Weight.ALARM) -> Iterator[Line]:
    yield from (Line.of(text, "bold", weight, 2, whole=True) for text in texts if text)


def _commands(advice: str, commands: Iterable[Command]) -> Iterator[Line]:
    yield from _words([advice], Weight.ADVICE)
    for command in commands:
        yield Line(((shown(command), "good"),), Weight.ALARM, 6, whole=True, command=True)


def _box(
    picture: Picture, title: str, inside: Iterable[Line], style: Style = "alarm"
) -> Iterator[Line]:
    """Rules above and below only, so that a command can be copied."""
    rule, width = picture.marks.rule, min(picture.width, _WIDEST_RULE)
    yield Line.of(f"{rule * 2} {title} ".ljust(width, rule), style, Weight.ALARM)
    yield from inside
    yield Line.of(rule * width, style, Weight.EDGE)


def _address_lines(progress: RunProgress) -> Iterator[Line]:
    """Redemptions by address, from the first verify or the first redemption on."""
    started = any(name not in _BEFORE_TRAFFIC for name, _ in progress.steps)
    if not started and not progress.traffic:
        return
    old, new = (tuple(map(IpRange.parse, each)) for each in (progress.old, progress.new))
    change = Change(old, new)
    addresses = _addresses(progress, change)
    width = max(map(len, addresses), default=0)
    head = f"{'in LoginHistory':<{width + 11}}  {'redeemed':>8}  {'blocked':>8}"
    yield Line.of(head, "bold", Weight.DETAIL)
    for address in addresses[:_MOST]:
        yield _line(progress, address, change.side_of(address), width)
    if rest := addresses[_MOST:]:
        redeemed = sum(_count(progress, address, "redeemed") for address in rest)
        yield Line.of(f"and {len(rest)} more: {redeemed} redeemed", "dim", Weight.DETAIL, 4)
    if progress.redeemed:
        yield Line.of(_canary(progress), "dim", Weight.NOTE, 4)
    yield from _looks(progress)


def _canary(progress: RunProgress) -> str:
    """The run counts its own redemptions immediately; LoginHistory shows them later, or never."""
    shown = sum(counts.get("redeemed", 0) for counts in progress.traffic.values())
    if shown < progress.redeemed:
        most = f"at most {shown} are" if shown else "none is"
        return f"of the canary's {progress.redeemed} redemptions, {most} in LoginHistory so far"
    return f"may include {progress.redeemed} canary redemptions"


def _addresses(progress: RunProgress, change: Change) -> list[str]:
    """Blocked ones first; then old, kept, new, others, each in the order of their numbers."""
    every = dict.fromkeys([*_each(change.old), *_each(change.new), *progress.traffic])

    def place(address: str) -> tuple[bool, int, tuple[int, int, int]]:
        blocked, side = _count(progress, address, "blocked"), change.side_of(address)
        return not blocked, _SIDES.index(side), IpRange.parse(address).span

    return sorted(every, key=place)


def _line(progress: RunProgress, address: str, side: Side, width: int) -> Line:
    redeemed, blocked, other = (
        _count(progress, address, status) for status in ("redeemed", "blocked", "other")
    )
    refused = f"  {other} refused otherwise" if other else ""
    if not (blocked and progress.has_blocked_others):
        text = f"{address:<{width}}  {side:<5}  {redeemed:>8}  {blocked:>8}{refused}"
        return Line.of(text, "", Weight.ADDRESS, 4)
    alarm = f"!! {blocked} BLOCKED !!"  # in front, where no narrow terminal cuts it off
    targets = ", ".join(sorted(progress.blocked_on[address]))
    text = f"  {address}  {side}, {redeemed} redeemed{refused}, on {targets}"
    return Line(((alarm, "alarm"), (text, "bad")), Weight.ALARM, 1)


def _looks(progress: RunProgress) -> Iterator[Line]:
    """Results of the watch, by check."""
    for name, verdicts in progress.results.items():
        bad = {verdict: count for verdict, count in verdicts.items() if verdict != "passed"}
        words = [f"{verdicts.get('passed', 0)} passed"]
        words += [f"{count} {verdict.upper()}" for verdict, count in bad.items()]
        failed = "failed" in bad
        mark = "!! " if failed else ""
        style: Style = "bad" if failed else "warn" if bad else ""
        weight = Weight.ALARM if failed else Weight.DETAIL
        yield Line.of(f"{mark}watch: {name}: {', '.join(words)}", style, weight, 4 - len(mark))


def _count(progress: RunProgress, address: str, status: str) -> int:
    return progress.traffic.get(address, {}).get(status, 0)


def _each(ranges: tuple[IpRange, ...]) -> list[str]:
    """The addresses one by one, if they are few."""
    few = sum(each.size for each in ranges) <= _LISTED
    return [str(one) for each in ranges for one in each_address(each)] if few else []
