"""docs/explanation/performance.md: what ``make bench`` measured, where and when."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "explanation" / "performance.md"
_HEAD = """\
<!-- `make bench` writes this page; do not edit it. -->
# Performance

`make bench` measures these figures against the local emulator of an org, in one run on one
machine. Most goals are ratios, because machines differ: both sides of a ratio are measured in turn,
and their medians are compared.

Measured on {day} on {machine}.
"""
_TABLE = """\
| measured | result | goal |
|---|---|---|
"""
_MEANING = "## What the figures mean\n"


@dataclass(frozen=True)
class Row:
    """A figure and its goal, as they are shown. meaning: one sentence for the page."""

    what: str
    result: str
    goal: str
    meaning: str


@dataclass(frozen=True)
class Occasion:
    """Where and when the figures were measured."""

    machine: str
    day: date

    @classmethod
    def here(cls) -> Occasion:
        """This machine, today by UTC."""
        python = f"{platform.python_implementation()} {platform.python_version()}"
        system = f"{platform.system()} {platform.machine()}"
        load = f"load average {os.getloadavg()[2]:.0f}"  # of 15 minutes: others slow waits down
        machine = f"{os.cpu_count()} cores, {system}, {python}, {load}"
        return cls(machine, datetime.now(UTC).date())


def page_text(rows: Sequence[Row], occasion: Occasion) -> str:
    """The page as Markdown."""
    table = [f"| {_cell(row.what)} | {row.result} | {_cell(row.goal)} |" for row in rows]
    meanings = [f"- **{_cell(row.what)}**: {row.meaning}" for row in rows]
    head = _HEAD.format(day=occasion.day.isoformat(), machine=occasion.machine)
    return "\n".join([head, _TABLE + "\n".join(table), "", _MEANING, *meanings, ""])


def _cell(text: str) -> str:
    """A text that Markdown shows as it is."""
    return text.replace("<=", "at most").replace(">=", "at least").replace("|", "\\|")
