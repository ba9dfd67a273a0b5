"""Diffs and deployments as text for a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby

import click

from sfcutover.allowlist.diff import Capacity, ComponentDiff, FieldChange, RangeLine
from sfcutover.allowlist.plan import PlannedPhase
from sfcutover.salesforce.results import DeployResult

_LONGEST_RUN = 12
_RUN_END = 3
_COLORS = {"+": "green", "-": "red", " ": None}


def phase_text(target: str, planned: PlannedPhase) -> str:
    """One phase on one target: every entry of every list, and what it adds up to."""
    blocks = [_component_text(diff) for diff in planned.diffs]
    notes = [f"  note: {note}" for note in planned.notes]
    head = click.style(f"{target}: {planned.phase}", bold=True)
    return "\n".join([head, *blocks, *notes])


def capacity_text(capacity: Capacity) -> str:
    return (
        f"{capacity.ranges} of {capacity.max_ranges} ranges, "
        f"{capacity.addresses} of {capacity.max_addresses} addresses"
    )


def counts_text(diff: ComponentDiff) -> str:
    """``2 added, 0 removed, 3 unchanged``, or ``no change``."""
    if not diff.changed:
        return "no change"
    if diff.after.carrier is None:
        return f"{len(diff.fields)} changed"
    kept = sum(line.sign == " " for line in diff.lines)
    return f"{len(diff.added)} added, {len(diff.removed)} removed, {kept} unchanged"


def result_text(result: DeployResult) -> str:
    """A deployment as the org reports it, with everything that went wrong."""
    lines = [
        f"deployment {result.id}: {result.status}",
        f"  components: {result.components_deployed} of {result.components_total}, "
        f"{result.component_errors} errors",
    ]
    lines += [f"  created:    {result.created_date} by {result.created_by}"]
    lines += [f"  completed:  {result.completed_date}"] if result.completed_date else []
    lines += ["  validation only: nothing was changed"] if result.check_only else []
    lines += [f"  error: {result.error_message}"] if result.error_message else []
    lines += [f"  error: {message}" for message in result.failures]
    lines += [
        f"  test failed: {each.name}.{each.method}: {each.message}" for each in result.test_failures
    ]
    lines += [f"  warning: {message}" for message in result.warnings]
    return "\n".join(lines)


def _component_text(diff: ComponentDiff) -> str:
    lines = [f"  {diff.after.path}"]
    width = max((len(str(line.entry)) for line in diff.lines), default=0)
    lines += _range_texts(diff.lines, width)
    lines += list(_field_texts(diff.fields))
    total = counts_text(diff)
    if diff.after.carrier is not None:
        total += f"; {capacity_text(diff.capacity)}"
    return "\n".join([*lines, f"    = {total}"])


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


def _field_texts(changes: Iterable[FieldChange]) -> Iterable[str]:
    for change in changes:
        if change.before is not None:
            yield click.style(f"    - {change.name}: {change.before}", fg="red")
        if change.after is not None:
            yield click.style(f"    + {change.name}: {change.after}", fg="green")


def _one_line(text: str) -> str:
    """The org's text without anything that could move a terminal's cursor."""
    return "".join(char if char.isprintable() else "·" for char in text)
