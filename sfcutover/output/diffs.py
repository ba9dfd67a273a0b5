"""What phases change, as text for a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from sfcutover.allowlist.diff import ComponentDiff, FieldDocument, RangeLine
    from sfcutover.allowlist.drift import DriftDocument, TargetDriftDocument
    from sfcutover.allowlist.phases import Phase
    from sfcutover.allowlist.plan import PlannedPhase
    from sfcutover.allowlist.planfile import PlanTargetDocument
    from sfcutover.cutover.plans import Plan

_LONGEST_RUN = 12
_RUN_END = 3
_COLORS = {"+": "green", "-": "red", " ": None}


def phase_text(target: str, planned: PlannedPhase, *, on_top_of: Phase | None = None) -> str:
    """One phase on one target: every entry of every list, and what it adds up to.

    on_top_of: the phase from whose lists it is computed, where that is not live yet.
    """
    blocks = [_component_text(diff) for diff in planned.diffs]
    notes = [f"  note: {note}" for note in planned.notes]
    start = f", on top of {on_top_of}" if on_top_of else ""
    head = click.style(f"{target}: {planned.phase}{start}", bold=True)
    return "\n".join([head, *blocks, *notes])


def plan_text(plan: Plan) -> str:
    """Every phase of every target, and the digests that a run announces."""
    from sfcutover.cutover.announcement import shown_digest

    parts = [
        "\n".join(
            [_target_text(target), *(f"{phase_text(target.name, each)}\n" for each in phases)]
        )
        for target in plan.document.targets
        for phases in [plan.planned[target.name].values()]
    ]
    digests = plan.document.digests.items()
    return "\n".join(
        [*parts, *(f"{phase}: digest {shown_digest(digest)}" for phase, digest in digests)]
    ).rstrip("\n")


def drift_text(document: DriftDocument) -> str:
    """Every difference between the live lists and those that were expected."""
    return "\n".join(line for target in document.targets for line in _drift_lines(target))


def _drift_lines(target: TargetDriftDocument) -> Iterator[str]:
    head = f"{target.target} ({target.instance_url}): "
    is_as = "not as" if target.changed else "as"
    yield click.style(f"{head}{is_as} in {target.expected_from}", bold=True)
    for each in target.lists:
        yield f"  {each.path}"
        yield from (f"    {_one_line(words)}" for words in each.words)
        yield f"    = {each.counts}"


def _target_text(target: PlanTargetDocument) -> str:
    where = target.instance_url or "from files"
    return f"{target.name} ({where})\n  live now: {target.live}\n"


def _summary(diff: ComponentDiff) -> str:
    """``2 added, 0 removed, 3 unchanged; 5 of 128 ranges, ...``, or ``no change; ...``."""
    if diff.after.carrier is None:
        return f"{len(diff.fields)} changed" if diff.changed else "no change"
    kept = sum(line.sign == " " for line in diff.lines)
    counts = f"{len(diff.added)} added, {len(diff.removed)} removed, {kept} unchanged"
    return f"{counts if diff.changed else 'no change'}; {diff.capacity}"


def _component_text(diff: ComponentDiff) -> str:
    lines = [f"  {diff.after.path}"]
    width = max((len(str(line.entry)) for line in diff.lines), default=0)
    lines += _range_texts(diff.lines, width)
    for sign, text in _field_lines(diff.fields):
        lines.append(click.style(f"    {text}", fg=_COLORS[sign]))
    return "\n".join([*lines, f"    = {_summary(diff)}"])


def _range_texts(lines: Sequence[RangeLine], width: int) -> list[str]:
    """Every changed entry; of a long run of unchanged ones only its ends."""
    texts: list[str] = []
    for unchanged, run in groupby(lines, key=lambda line: line.sign == " "):
        entries = [_range_text(line, width) for line in run]
        if unchanged and len(entries) > _LONGEST_RUN:
            left_out = len(entries) - 2 * _RUN_END
            entries[_RUN_END:-_RUN_END] = [f"      … {left_out} more, unchanged"]
        texts += entries
    return texts


def _range_text(line: RangeLine, width: int) -> str:
    description = f"  {_one_line(line.entry.description)}" if line.entry.description else ""
    text = f"    {line.sign} {line.entry!s:<{width if description else 0}}{description}"
    return click.style(text, fg=_COLORS[line.sign])


def _field_lines(changes: Iterable[FieldDocument]) -> Iterator[tuple[str, str]]:
    """Signs and lines; none for a field that is absent on that side."""
    for change in changes:
        for sign, value in (("-", change.before), ("+", change.after)):
            if value is not None:
                yield sign, f"{sign} {change.name}: {value}"


def _one_line(text: str) -> str:
    """The org's text without anything that could move a terminal's cursor."""
    return "".join(char if char.isprintable() else "·" for char in text)
