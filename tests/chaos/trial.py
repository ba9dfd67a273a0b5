"""One whole cutover under live traffic while one thing goes wrong, and its verdict."""

from __future__ import annotations

import random
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from sfcutover.emulator import Scenario
from sfcutover.emulator.deployments import Deployment, Status
from tests.chaos.faults import TROUBLES, Trouble
from tests.chaos.world import NEW, OLD, Customers, World, world

LATEST_KILL_SECONDS = 7.0
APPROVALS = 3  # each time, the fault is cleared before
_WAITS = (69, 75)
_ENDS = ("done", "rolled-back", "failed")


@dataclass(frozen=True)
class Trial:
    """The result of one cutover. problems: empty if all is well. outcome: of the run."""

    number: int
    trouble: str
    outcome: str
    seconds: float
    redeemed: int
    failed: int
    approvals: int
    problems: tuple[str, ...]

    def __str__(self) -> str:
        word = "BAD" if self.problems else "ok "
        person = f", {self.approvals} approvals" if self.approvals else ""
        return (
            f"{self.number:4} {word} {self.seconds:5.1f} s  {self.outcome:<11}  "
            f"{self.redeemed:4} redeemed, {self.failed} failed{person}  {self.trouble}"
        )


def run_trial(
    number: int, seed: int, folder: Path, state: str, restart: Callable[[], None] | None
) -> Trial:
    """Run the trial of this number; the same seed repeats it. restart: restarts PostgreSQL."""
    chance = random.Random(f"{seed}/{number}")
    trouble = TROUBLES[number % len(TROUBLES)]
    started = time.monotonic()
    scenario = Scenario(deploy_seconds=chance.choice((0.0, 0.3, 1.0)))
    with world(folder, scenario, state) as here:
        customers = Customers(here.emulator, folder)
        with customers.at_work():
            for fault in trouble.faults(chance):
                here.emulator.set_fault(fault)
            out, approvals = _run(here, trouble, chance, restart)
            time.sleep(0.5)  # customers must still be served after the run
        outcome = _outcome(here)
        problems = tuple(_problems(here, customers, trouble, outcome))
        if problems:
            problems += (out[-6000:],)
    seconds = time.monotonic() - started
    failed = len(customers.failures)
    return Trial(
        number, trouble.name, outcome, seconds, customers.redeemed, failed, approvals, problems
    )


def _run(
    here: World, trouble: Trouble, chance: random.Random, restart: Callable[[], None] | None
) -> tuple[str, int]:
    """Run to the end, with a kill and approvals where the trouble needs them; return all output
    and the number of approvals."""
    process = here.start("run", "--yes")
    said = ""
    if trouble.restart and restart is not None:
        _let_pass(process, chance.uniform(0.5, LATEST_KILL_SECONDS))
        restart()
    if trouble.kill:
        _let_pass(process, chance.uniform(0.3, LATEST_KILL_SECONDS))
        process.kill()
        said, _ = process.communicate()
        process = here.start("run", "--yes")
    out, _ = process.communicate(timeout=180)
    said, code, approvals = said + out, process.returncode, 0
    while code in _WAITS and approvals < APPROVALS:
        approvals += 1
        here.emulator.clear_faults()
        code, out = here.call("approve", "--note", "looked at it")
        said += out
    return said, approvals


def _let_pass(process: subprocess.Popen[str], seconds: float) -> None:
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        return


def _outcome(here: World) -> str:
    runs = here.runs()
    return str(runs[0]["state"]) if runs else "none"


def _problems(here: World, customers: Customers, trouble: Trouble, outcome: str) -> Iterator[str]:
    here.emulator.clear_faults()
    if outcome not in _ENDS:
        yield f"the run is {outcome}"
    if outcome == "done" and here.live != set(NEW):
        yield f"done, but the list holds {here.live}"
    if outcome != "done" and not set(OLD) <= here.live:
        yield f"{outcome}, but the list holds {here.live}"
    side = (here.folder / "egress").read_text(encoding="utf-8").strip()
    if not set(NEW if side == "new" else OLD) <= here.live:
        yield f"traffic leaves by {side}, and the list holds {here.live}"
    if customers.failures and not trouble.at_application:
        yield f"customers failed: {customers.failures[:3]}"
    blocked = [one for one in here.emulator.redemptions if one.result == "blocked"]
    if trouble.at_application and any(one.grant.startswith("customer") for one in blocked):
        yield f"customers were blocked: {blocked[:3]}"
    if twice := _sent_twice(here.emulator.deployments):
        yield f"sent twice: {twice}"
    if not here.canary_redeems():
        yield "the canary's token is dead"


def _sent_twice(deployments: list[Deployment]) -> list[str]:
    """A package that was sent although the one before it was the same, and had taken."""
    took = {Status.SUCCEEDED, Status.PENDING, Status.IN_PROGRESS, Status.FINALIZING}
    return [
        second.id
        for first, second in pairwise(deployments)
        if first.outcome.changes == second.outcome.changes
        and first.status in took
        and (first.fault is None or not first.fault.kind.startswith("save_"))
    ]
