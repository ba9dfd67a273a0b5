"""A probe as text for a terminal."""

from __future__ import annotations

import click

from sfcutover.cutover.probe import ProbeResult


def probe_text(result: ProbeResult) -> str:
    """Every address, seen or missing, and what remains uncertain."""
    counts = result.observation.counts
    width = max((len(str(each)) for each in (*counts, *result.missing)), default=0)
    lines = [click.style(f"{result.egress.name}: {result.egress.proxy}", bold=True)]
    for address in result.seen:
        unexpected = address in result.unexpected
        mark, color = ("UNEXPECTED", "red") if unexpected else ("ok        ", "green")
        answers = f"{counts[address]} answer{'s' if counts[address] > 1 else ''}"
        lines.append(f"  {click.style(mark, fg=color)}  {address!s:<{width}}  {answers}")
    for entry in result.missing:
        lines.append(f"  {click.style('MISSING   ', fg='red')}  {entry!s:<{width}}  never seen")
    if result.observation.errors:
        failed = click.style("FAILED    ", fg="red")
        lines.append(f"  {failed}  {len(result.observation.errors)} of {result.observation.tries}")
    verdict = "passed" if result.passed else "not passed"
    lines.append(f"  = {verdict}; {result.certainty}")
    return "\n".join(lines)
