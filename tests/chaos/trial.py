"""One whole cutover under live traffic with one trouble, and its verdict."""

from __future__ import annotations

import random
import re
import signal
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.chaos.circumstances import Circumstances, circumstances
from tests.chaos.claims import false_claims
from tests.chaos.databases import SharedDatabases
from tests.chaos.faults import Trouble
from tests.chaos.settings import Settings, draw
from tests.chaos.verdict import past_of, problems_of
from tests.chaos.world import NEW, OLD, Customers, World, world

LATEST_KILL_SECONDS = 7.0
LONGEST_TROUBLE_SECONDS = 12.0  # of a database
APPROVALS = 4  # the fault is cleared before each of them
_WAITS = (69, 75)
_DRIFT = 4
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
# A removal would be possible there.
_SECOND_ORG: dict[str, object] = {"old": [*OLD, *NEW], "old_egress": list(OLD)}


@dataclass(frozen=True)
class Trial:
    """The result of one cutover. problems: empty if all is correct. outcome: of the run."""

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
        approved = f", {self.approvals} approvals" if self.approvals else ""
        return (
            f"{self.number:4} {word} {self.seconds:5.1f} s  {self.outcome:<11}  "
            f"{self.redeemed:4} redeemed, {self.failed} failed{approved}  {self.trouble}"
        )


def run_trial(
    number: int,
    seed: int,
    folder: Path,
    troubles: Sequence[Trouble],
    databases: SharedDatabases | None,
) -> Trial:
    """Run the trial of this number; the same seed repeats it.

    troubles: the trial has the one in turn. databases: keep the state; None for SQLite.
    """
    chance = random.Random(f"{seed}/{number}")
    trouble = troubles[number % len(troubles)]
    around = circumstances(number, len(troubles), chance)
    settings = draw(random.Random(f"{seed}/{number}/settings"))
    state = databases.proxied(databases.url(f"run{number}")) if databases else ""
    started = time.monotonic()
    scenario = settings.scenario(
        {
            "deploy_seconds": chance.choice((0.0, 0.3, 1.0)),
            "clock_offset_seconds": around.clock_offset,
            "second_org": _SECOND_ORG if trouble.another_org else {},
        }
    )
    with world(folder, scenario, state) as here:
        settings.configure(here)
        customers = Customers(here.emulator, folder)
        attempt = _Attempt(here, customers, trouble, settings, chance, databases)
        with customers.at_work():
            _make_trouble(here, trouble, around, chance)
            attempt.run()
            time.sleep(0.5)  # customers must still be served after the run
        outcome = _outcome(here)
        problems = (
            *attempt.problems,
            *problems_of(here, customers, trouble, around, settings, outcome, attempt.said),
        )
        if problems:
            problems += (attempt.said[-6000:], *past_of(here))
    seconds = time.monotonic() - started
    failed = len(customers.failures)
    name = trouble.name + around.words + settings.words
    approvals = attempt.approvals
    return Trial(number, name, outcome, seconds, customers.redeemed, failed, approvals, problems)


def _make_trouble(
    here: World, trouble: Trouble, around: Circumstances, chance: random.Random
) -> None:
    for fault in trouble.faults(chance):
        here.emulator.set_fault(fault)
    if around.edit is not None:
        here.emulator.set_edit(around.edit)


@dataclass
class _Attempt:
    """A run to its end, with its trouble and approvals when it is paused.

    said: all output. problems: what was found wrong on the way.
    """

    here: World
    customers: Customers
    trouble: Trouble
    settings: Settings
    chance: random.Random
    databases: SharedDatabases | None
    said: str = ""
    approvals: int = 0
    problems: list[str] = field(default_factory=list)

    def run(self) -> None:
        """Raises AssertionError for a command that hangs."""
        code = self._with_another_org() if self.trouble.another_org else self._run()
        while code in _WAITS and self.approvals < APPROVALS:
            self.approvals += 1
            self.here.emulator.clear_faults()
            code = self._call("approve", "--note", "looked at it")

    def _run(self) -> int:
        process = self.here.start("run", "--yes", *self.settings.options)
        if self.trouble.database and self.databases is not None:
            _let_pass(process, self.chance.uniform(0.5, LATEST_KILL_SECONDS))
            with self.databases.trouble(self.trouble.database):
                _let_pass(process, self.chance.uniform(0.5, LONGEST_TROUBLE_SECONDS))
        if self.trouble.kill:
            _let_pass(process, self.chance.uniform(0.3, LATEST_KILL_SECONDS))
            process.kill()
            self.said += process.communicate()[0]
            process = self.here.start("run", "--yes", *self.settings.options)
        if self.trouble.signals:
            self._interrupt(process)
            process = self.here.start("run", "--yes", *self.settings.options)
        return self._end(process)

    def _interrupt(self, process: subprocess.Popen[str]) -> None:
        """Send two signals close together; the process reports how it ends, and does so."""
        _let_pass(process, self.chance.uniform(0.3, LATEST_KILL_SECONDS))
        for _ in range(2):
            process.send_signal(self.chance.choice(_SIGNALS))
            _let_pass(process, self.chance.choice((0.0, 0.01, 0.1)))
        before = len(self.said)
        code = self._end(process)
        printed = re.findall(r"^\s+exit:\s+(\d+)$", self.said[before:], re.MULTILINE)
        if code < 0 or (printed and int(printed[-1]) != code):
            self.problems.append(f"two signals: exit {code}, printed {printed}")

    def _with_another_org(self) -> int:
        """The run waits; the org that answers in place of its own must not be changed."""
        step = self.chance.choice(("add-new", "switch", "remove-old"))
        code = self._call("run", "--yes", *self.settings.options, "--pause-before", step)
        if code not in _WAITS:
            return code
        emulator, token = self.here.emulator, self.here.folder / "canary.token"
        kept = dict(self.here.environment), token.read_text(encoding="utf-8")
        with self.customers.held():
            emulator.use_org(2)
            self.here.environment.update(emulator.environment)
            token.write_text(emulator.environment["SF_REFRESH_TOKEN"], encoding="utf-8")
            refused, out = self.here.call("approve", "--note", "with another org's environment")
            if emulator.deployments or refused != _DRIFT:
                self.problems += (f"another org: exit {refused}, {emulator.deployments}", out)
            emulator.use_org(1)
            self.here.environment = kept[0]
            token.write_text(kept[1], encoding="utf-8")
        self.said += out
        return self._call("approve", "--note", "its own org again")

    def _call(self, *words: str) -> int:
        return self._end(self.here.start(*words))

    def _end(self, process: subprocess.Popen[str]) -> int:
        out, _ = process.communicate(timeout=180)
        self.said += out
        self.problems += (f"untrue: {line}" for line in false_claims(self.here, out))
        return process.returncode


def _let_pass(process: subprocess.Popen[str], seconds: float) -> None:
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        return


def _outcome(here: World) -> str:
    runs = here.runs()
    return str(runs[0]["state"]) if runs else "none"
