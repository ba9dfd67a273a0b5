"""Diffs as Markdown, for a pull request or a change record."""

from __future__ import annotations

from sfcutover.allowlist.diff import ComponentDiff
from sfcutover.allowlist.plan import PlannedPhase
from sfcutover.output.text import capacity_text, counts_text


def phase_markdown(target: str, planned: PlannedPhase) -> str:
    """One phase on one target: a heading, and a diff block per component."""
    lines = [f"### {target}: {planned.phase}", ""]
    for diff in planned.diffs:
        lines += [f"`{diff.after.path}`: {_summary(diff)}", "", *_block(diff), ""]
    lines += [f"- {note}" for note in planned.notes]
    return "\n".join(lines).rstrip() + "\n"


def _summary(diff: ComponentDiff) -> str:
    if diff.after.carrier is None:
        return counts_text(diff)
    return f"{counts_text(diff)}; {capacity_text(diff.capacity)}"


def _block(diff: ComponentDiff) -> list[str]:
    body = [
        f"{line.sign} {line.entry}{_description(line.entry.description)}" for line in diff.lines
    ]
    for change in diff.fields:
        body += [f"- {change.name}: {change.before}"] if change.before is not None else []
        body += [f"+ {change.name}: {change.after}"] if change.after is not None else []
    fence = "`" * max(3, _longest_fence(body) + 1)
    return [f"{fence}diff", *body, fence]


def _description(description: str | None) -> str:
    return f"  # {' '.join(description.split())}" if description else ""


def _longest_fence(lines: list[str]) -> int:
    return max((len(run) for line in lines for run in _backtick_runs(line)), default=0)


def _backtick_runs(text: str) -> list[str]:
    return [run for run in "".join(c if c == "`" else " " for c in text).split() if run]
