"""kill -9 at every point of a run, then ``run`` again: it completes, and each effect occurs once.

Without ONLY, it takes all points; with ``boundaries``, those between two steps and those next to an
effect; with any other words, those that have them in their name.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from sfcutover.emulator.scenario import Scenario
from tests.chaos.world import NEW, World, world
from tests.real import postgres

UrlOf = Callable[[str], str]  # of a new database by its name, empty for SQLite in its folder
AT_ONCE = 4  # the runs wait most of the time
_SCENARIO = Scenario(deploy_seconds=0.3)
_WATCH = {"duration": "2s", "interval": "1s", "failures": 2}  # also on a machine that is busy


@dataclass(frozen=True)
class Killed:
    """The result of one point. reached: False if the run ended before it."""

    point: str
    reached: bool
    seconds: float
    problems: tuple[str, ...]


def all_points(folder: Path, url_of: UrlOf) -> list[str]:
    """Every point of a successful run, in order."""
    with world(folder / "recorded", _SCENARIO, url_of("recorded"), watch=_WATCH) as recorded:
        file = folder / "points"
        code, out = recorded.call("run", "--yes", point=f"record:{file}")
        assert code == 0, out
        return file.read_text(encoding="utf-8").splitlines()


def between_steps(points: Sequence[str]) -> list[str]:
    """The points between two steps, and one inside each step that has an effect."""
    effects = (
        "before deploy",
        "after deploy",
        "write journal switching",
        "write journal redeemed#1",
    )
    return [each for each in points if each.startswith(("write operation", *effects))]


def kill_at(point: str, folder: Path, state: str) -> Killed:
    """Kill one run at that point, and resume it."""
    started = time.monotonic()
    with world(folder, _SCENARIO, state, watch=_WATCH) as here:
        try:
            reached, problems = _killed_and_resumed(here, point)
        except AssertionError as hangs:
            reached, problems = True, (str(hangs),)
    return Killed(point, reached, time.monotonic() - started, problems)


def _killed_and_resumed(here: World, point: str) -> tuple[bool, tuple[str, ...]]:
    """Whether the point was reached, and the problems afterwards. Raises AssertionError if a
    command hangs."""
    code, first = here.call("run", "--yes", point=point)
    again, second = here.call("run", "--yes") if code else (0, "")
    problems = tuple(_problems(here, again))
    if problems:
        problems += (first[-2000:], second[-3000:])
    return code != 0, problems


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


def kill_at_each(points: Sequence[str], folder: Path, url_of: UrlOf) -> Iterator[Killed]:
    """Kill a run at each point, a few at a time."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        yield from pool.map(
            lambda job: kill_at(job[1], folder / f"killed-{job[0]}", url_of(f"killed{job[0]}")),
            enumerate(points),
        )


def _wanted(points: list[str], word: str) -> list[str]:
    return between_steps(points) if word == "boundaries" else [p for p in points if word in p]


def _in_folder(_name: str) -> str:
    return ""


def main() -> None:
    options = argparse.ArgumentParser(prog="make killpoints", description=__doc__)
    options.add_argument("only", nargs="*", help="which points")
    options.add_argument("--state", choices=("sqlite", "postgresql"), default="sqlite")
    given = options.parse_args()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="sfcutover-kill-")))
        is_shared = given.state == "postgresql"
        url_of = stack.enter_context(postgres.running()).url if is_shared else _in_folder
        points = all_points(folder, url_of)
        wanted = _wanted(points, " ".join(given.only))
        print(f"{len(wanted)} of {len(points)} points, {given.state}", flush=True)
        bad = 0
        for number, killed in enumerate(kill_at_each(wanted, folder, url_of), 1):
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
