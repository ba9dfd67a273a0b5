"""kill -9 at every point of a run, then ``run`` again: it completes, and each effect occurs once.

``python -m tests.chaos.killpoints`` takes all points; with ``boundaries``, those between two steps
and those next to an effect; with any other word, those that have it in their name.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from sfcutover.emulator.scenario import Scenario
from tests.chaos.world import NEW, World, world

AT_ONCE = 4  # they wait most of the time
_SCENARIO = Scenario(deploy_seconds=0.3)


@dataclass(frozen=True)
class Killed:
    """The result of one point. reached: False if the run ended before it."""

    point: str
    reached: bool
    seconds: float
    problems: tuple[str, ...]


def all_points(folder: Path) -> list[str]:
    """Every point of a run that goes well, in order."""
    with world(folder / "recorded", _SCENARIO) as recorded:
        file = folder / "points"
        code, out = recorded.call("run", "--yes", point=f"record:{file}")
        assert code == 0, out
        return file.read_text(encoding="utf-8").splitlines()


def between_steps(points: Sequence[str]) -> list[str]:
    """Those between two steps, and one inside each step that has an effect."""
    effects = (
        "before deploy",
        "after deploy",
        "write journal switching",
        "write journal redeemed#1",
    )
    return [each for each in points if each.startswith(("write operation", *effects))]


def kill_at(point: str, folder: Path) -> Killed:
    """Kill one run there, and resume it."""
    started = time.monotonic()
    with world(folder, _SCENARIO) as here:
        code, first = here.call("run", "--yes", point=point)
        again, second = here.call("run", "--yes") if code else (0, "")
        problems = tuple(_problems(here, again))
        if problems:
            problems += (first[-2000:], second[-3000:])
    return Killed(point, code != 0, time.monotonic() - started, problems)


def _problems(here: World, code: int) -> Iterator[str]:
    if code:
        yield f"exit {code}"
    if here.live != set(NEW):
        yield f"the list holds {here.live}"
    if here.phases != ["Succeeded", "Succeeded"]:
        yield f"deployments: {here.phases}"
    if here.switches != ["apply"]:
        yield f"switches: {here.switches}"
    if not here.canary_redeems():
        yield "the canary's token is dead"
    (run,) = here.runs()
    if run["state"] != "done":
        yield f"the run is {run['state']}"


def kill_at_each(points: Sequence[str], folder: Path) -> Iterator[Killed]:
    """Kill a run at each point, a few at once."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        jobs = ((each, folder / f"killed-{number}") for number, each in enumerate(points))
        yield from pool.map(lambda job: kill_at(*job), jobs)


def _wanted(points: list[str], word: str) -> list[str]:
    return between_steps(points) if word == "boundaries" else [p for p in points if word in p]


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="sfcutover-kill-") as name:
        folder = Path(name)
        points = all_points(folder)
        wanted = _wanted(points, " ".join(sys.argv[1:]))
        print(f"{len(wanted)} of {len(points)} points", flush=True)
        bad = 0
        for number, killed in enumerate(kill_at_each(wanted, folder), 1):
            word = "ok" if killed.reached else "not reached"
            print(
                f"{number:4} {killed.seconds:5.1f} s  {word if not killed.problems else 'BAD'}  "
                f"{killed.point}",
                flush=True,
            )
            for problem in killed.problems:
                print(problem, flush=True)
            bad += bool(killed.problems)
        print(f"{len(wanted) - bad} of {len(wanted)} resumed and did everything once")
    sys.exit(bool(bad))


if __name__ == "__main__":
    main()
