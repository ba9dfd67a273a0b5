"""A report as HTML and as Markdown, through the templates."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from sfcutover.allowlist.diff import CapacityDocument, ComponentDiffDocument
from sfcutover.allowlist.templates import Templates
from sfcutover.config.verify import called
from sfcutover.cutover.removal import waves
from sfcutover.output.report.beforeafter import alike
from sfcutover.output.report.chart import draw, full_height
from sfcutover.output.report.lists import ReportPhaseDocument
from sfcutover.output.report.proofs import CanaryDocument
from sfcutover.output.report.report import Report, ReportDocument
from sfcutover.output.report.timescale import (
    Bin,
    clock,
    date_and_clock,
    duration,
    moment,
    timestamp,
)
from sfcutover.output.report.traffic import AddressTraffic, total

# The page shows the one that fits: a chart that is scaled down has illegible letters.
_WIDTHS = {"wide": 1000.0, "middle": 640.0, "narrow": 340.0}
_COLUMNS, _ROWS = 60, 40  # of a chart made of text
_LEVELS, _NONE, _BLOCKED, _LATE = "▁▂▃▄▅▆▇█", "·", "x", "░"
_DIGITS = "123456789abcdefghijklmnopqrstuvwxyz"
_WAVES_LISTED = 8
_WORDS = {
    "sides": {"old": "old", "new": "new", "kept": "old and new", "other": "neither"},
    "held": {"all": "on the list", "some": "partly", "none": "off the list", None: "unknown"},
    "entry_signs": {"added": "+", "removed": "−", "described": "~", "kept": "", "unknown": ""},
    "entry_changes": {
        "added": "added",
        "removed": "removed",
        "described": "new description",
        "kept": "kept",
        "unknown": "not read before",
    },
}


_WORD = re.compile(r"(?!sfcutover\b)[a-z][a-z-]*\b(?![./=])")


def sentence(text: str) -> str:
    """The text as it stands alone: with a capital, unless it starts with a command or a file."""
    return f"{text[0].upper()}{text[1:]}" if _WORD.match(text) else text


def html(report: Report, templates: Templates) -> str:
    """One file that needs nothing else. Raises ConfigError for a faulty template."""
    charts = [draw(report, *each) for each in _WIDTHS.items()] if report.rows else []
    return templates.render_html("report", {**_variables(report), "charts": charts})


def markdown(report: Report, templates: Templates) -> str:
    """The same for a pull request or a ticket. Raises ConfigError for a faulty template."""
    variables = {**_variables(report), "chart": text_chart(report), "cell": _cell}
    text = templates.render_text("report", variables)
    return re.sub("\n{3,}", "\n\n", text)  # where a part of the template said nothing


def _variables(report: Report) -> dict[str, object]:
    document = report.document
    succeeded = sum(each.redeemed for each in document.traffic)
    return {
        **_WORDS,
        "report": document,
        "rows": report.rows,
        "incomplete": report.incomplete_from is not None
        and report.incomplete_from < report.scale.end,
        "lists": alike((target.name, each) for target in document.targets for each in target.lists),
        "sentence": sentence,
        "changes": changes(document),
        "fullest": fullest(document),
        "at": _clock_of(report),
        "whose": _whose(document),
        "called": called,
        "canary": _canary_text(document.canary, succeeded),
        "waves": waves_text(document.rules.waves, len(document.targets)),
        "date_and_clock": date_and_clock,
        "origin": _origin(document),
        "duration": duration,
    }


def _origin(document: ReportDocument) -> str:
    """What the report was made from."""
    if not document.sources:
        return "from the journal of the run"
    return f"from {', '.join(document.sources)}"


def _clock_of(report: Report) -> Callable[[str], str]:
    """A time of day; with its date where the run passed midnight."""
    start, end = moment(report.scale.start), moment(report.scale.end)
    return clock if start.date() == end.date() else date_and_clock


def _cell(text: object) -> str:
    """The text of a table's cell: a bar within it would end the cell, even in a code span."""
    return str(text).replace("|", r"\|")


def _canary_text(made: CanaryDocument, succeeded: int) -> str:
    """How many of the redemptions that succeeded are the canary's; empty where none can be."""
    if not made.redeemed or not succeeded:
        return ""
    if made.in_login_history and made.redeemed <= succeeded:
        return f"{made.redeemed:,} of them by this run's canary"
    return f"up to {made.redeemed:,} of them by this run's canary"


def _whose(document: ReportDocument) -> str:
    """What LoginHistory counts, so that a reader can tell why another count differs."""
    org = "the target's org" if len(document.targets) == 1 else "each target's org"
    measured = document.rules.checks
    others = f"measured by {', '.join(measured)}" if measured else "not measured in this run"
    return (
        f"LoginHistory of {org} shows successful and refused attempts of that org's own users, "
        "this run's canary included, while the run lasts. Customers who log in to orgs of their "
        "own are not in it, so an application's own count differs; their redemptions were "
        f"{others}."
    )


def waves_text(sizes: Sequence[int], targets: int) -> str:
    """``1 target: one wave``, ``7 targets: 3 waves, of 1, 5 and 1``. sizes: as configured; the
    last one counts for all that follow."""
    if not targets:
        return f"of {', '.join(map(str, sizes))} targets"
    counts = list(map(len, waves([""] * targets, sizes)))
    many = f"{targets} target{'s' if targets != 1 else ''}"
    if len(counts) == 1:
        return f"{many}: one wave"
    shown = list(map(str, counts[:_WAVES_LISTED]))
    rest = len(counts) - len(shown)
    last = f"{rest} more" if rest else shown.pop()
    return f"{many}: {len(counts)} waves, of {', '.join(shown)} and {last}"


@dataclass(frozen=True)
class ComponentChange:
    """What a phase does to one component, with the targets on which that is the same."""

    targets: list[tuple[ReportPhaseDocument, ComponentDiffDocument]]

    @property
    def phase(self) -> ReportPhaseDocument:
        """Of the first target; its name, its notes and whether it changes anything hold for all."""
        return self.targets[0][0]

    @property
    def component(self) -> ComponentDiffDocument:
        """Of the first target; what it adds, removes and changes holds for all."""
        return self.targets[0][1]

    @property
    def found(self) -> bool:
        """True if this run changed it nowhere."""
        return all(phase.found for phase, _ in self.targets)


def changes(document: ReportDocument) -> list[ComponentChange]:
    """In the order of the run, the same change on many targets once."""
    found: dict[str, ComponentChange] = {}
    for phase in document.phases:
        for component in _shown(phase):
            same = component.model_dump_json(exclude={"unchanged", "capacity"})
            change = found.setdefault(f"{phase.phase} {phase.notes} {same}", ComponentChange([]))
            change.targets.append((phase, component))
    order = {each.name: number for number, each in enumerate(document.targets)}
    for change in found.values():
        change.targets.sort(key=lambda one: order.get(one[0].target, len(order)))
    return list(found.values())


def _shown(phase: ReportPhaseDocument) -> Iterable[ComponentDiffDocument]:
    """The components that change, or the lists where none does."""
    changed = [each for each in phase.components if each.added or each.removed or each.fields]
    return changed or _lists(phase)


def fullest(document: ReportDocument) -> CapacityDocument | None:
    """The capacity that came nearest to a limit."""
    every = [each.capacity for phase in document.phases for each in _lists(phase)]
    return max(every, key=_share_used, default=None)


def _lists(phase: ReportPhaseDocument) -> list[ComponentDiffDocument]:
    return [each for each in phase.components if each.carrier is not None]


def _share_used(capacity: CapacityDocument) -> float:
    """Of the limit that it came nearest to; none where it has no limit."""
    used = (
        (capacity.ranges, capacity.max_ranges),
        (capacity.addresses, capacity.max_addresses),
    )
    return max((count / most for count, most in used if most is not None), default=0.0)


def text_chart(report: Report) -> list[str]:
    """A line for each address, one more where redemptions were blocked, and above them the
    boundaries by number. A column is one bin of the scale of time."""
    bins = report.scale.bins(_COLUMNS)
    rows = report.rows[:_ROWS]
    binned = [each.binned(bins) for each in rows]
    peak = full_height(binned, bins)
    width = max((len(_name(each)) for each in rows), default=0)
    lines = [f"{'':{width}}  {_ruler(report, bins)}"]
    for row, counts in zip(rows, binned, strict=True):
        rates = (
            each.total() / (bin_.end - bin_.start) for each, bin_ in zip(counts, bins, strict=True)
        )
        lines += _lines(row, counts, [rate / peak for rate in rates], width)
    return [line.rstrip() for line in [*lines, *_late_line(report, bins, width)]]


def _late_line(report: Report, bins: Sequence[Bin], width: int) -> Iterator[str]:
    """Below the columns in which rows of LoginHistory may not have arrived."""
    start = report.incomplete_from
    marks = [" " if start is None or each.end <= start else _LATE for each in bins]
    if _LATE in marks:
        yield f"{'':{width}}  {''.join(marks)}  rows may be missing here: they arrive late"


def _ruler(report: Report, bins: Sequence[Bin]) -> str:
    starts, marks = [each.start for each in bins], [" "] * len(bins)
    for sign, each in zip(_DIGITS, report.document.boundaries, strict=False):
        column = max(0, bisect_right(starts, timestamp(each.time)) - 1)
        free = (place for place in range(column, len(marks)) if marks[place] == " ")
        marks[next(free, column)] = sign
    return "".join(marks)


def _lines(
    row: AddressTraffic, counts: Iterable[Counter[str]], shares: Iterable[float], width: int
) -> Iterator[str]:
    """shares: of the full height, by bin."""
    levels = "".join(map(_level, shares))
    yield f"{_name(row):{width}}  {levels}  {total(row.counts, 'redeemed')} redeemed"
    if blocked := total(row.counts, "blocked"):
        marks = "".join(_BLOCKED if each["blocked"] else " " for each in counts)
        yield f"{'blocked':>{width}}  {marks}  {blocked} blocked"


def _level(share: float) -> str:
    return _LEVELS[min(int(share * len(_LEVELS)), len(_LEVELS) - 1)] if share else _NONE


def _name(row: AddressTraffic) -> str:
    return f"{row.address} {row.side}"
