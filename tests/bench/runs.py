"""How long a run takes beyond its timers and the org's own time, for one target and for many."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from sfcutover.traffic.switch import DRAIN_SECONDS
from tests.bench.page import Row
from tests.chaos.world import fleet

Event = dict[str, object]
_ONE_SECONDS, _MANY = 3.0, 1.5


def run_overhead(folder: Path, targets: int) -> Iterator[Row]:
    one = seconds_beyond_timers(folder / "one", 1)
    many = seconds_beyond_timers(folder / "many", targets)
    yield Row(
        "a whole run beyond its timers, 1 target",
        f"{one:.1f} s",
        "<= 3 s",
        "What a run takes for itself: the rest is draining, settling and watching.",
    )
    yield Row(
        f"the same, {targets} targets, each an org of its own",
        f"{many:.1f} s",
        f"<= {_MANY * _ONE_SECONDS:.1f} s",
        "One process executes all targets, and one machine here runs their orgs, too.",
    )
    yield Row(
        f"{targets} targets against 1",
        f"{many / one:.2f}x",
        f"<= {_MANY}x",
        "Targets are changed side by side.",
    )


def seconds_beyond_timers(folder: Path, size: int) -> float:
    """Wall time of the command less what it waited for on purpose; the orgs take no time."""
    with fleet(folder, size, waves=[1, size]) as whole:
        del whole.first.environment["CI"]  # or it warns, on stderr, of the state a CI job may lose
        started = time.monotonic()
        process = whole.first.start("run", "--yes", "--json", "-q")
        out, _ = process.communicate(timeout=300)
        took = time.monotonic() - started
        if process.returncode:
            raise SystemExit(out[-2000:])
        return took - timers(list(map(json.loads, out.splitlines())))


def timers(events: list[Event]) -> float:
    """Draining, settling, and the time in which at least one list was watched."""
    spans = [
        (seconds_of(event["time"]), float(str(data_of(event)["until"])))
        for event in events
        if event["kind"] in ("watch-started", "settling")
    ]
    total, end = DRAIN_SECONDS, 0.0
    for start, until in sorted(spans):
        total += max(0.0, until - max(start, end))
        end = max(end, until)
    return total


def data_of(event: Event) -> dict[str, object]:
    data = event["data"]
    return data if isinstance(data, dict) else {}


def seconds_of(moment: object) -> float:
    return datetime.fromisoformat(str(moment).replace("Z", "+00:00")).timestamp()
