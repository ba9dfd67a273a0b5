"""The main job, run for real against an emulated org: real commands, real sockets."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from sfcutover.durablefile import write_durably
from sfcutover.emulator import Emulator, Scenario
from sfcutover.errors import ExitCode

DEPLOY_SECONDS = 1.0
STEP_TIMEOUT_SECONDS = 120
_SECURITY_SETTINGS = ("ExtlClntAppOauthSecuritySettings", "Acme_Connector_oauthSecurity")


@dataclass(frozen=True)
class Step:
    """One command of the demo. before happens in the org first, as if by a colleague."""

    shows: str
    words: tuple[str, ...]
    expected: ExitCode
    before: Callable[[Emulator], None] | None = None


@dataclass(frozen=True)
class StepResult:
    """How a step's command ended."""

    step: Step
    exit_code: int

    @property
    def as_expected(self) -> bool:
        return self.exit_code == self.step.expected


def _colleague_adds(address: str) -> Callable[[Emulator], None]:
    """Somebody edits the list in Setup meanwhile."""

    def edit(emulator: Emulator) -> None:
        xml = emulator.component_xml(*_SECURITY_SETTINGS)
        entry = (
            "<tokenIpRanges><description>added in Setup</description>"
            f"<endIpAddress>{address}</endIpAddress><startIpAddress>{address}</startIpAddress>"
            "</tokenIpRanges>"
        )
        head, root_end, name = xml.rpartition(b"</")
        emulator.put_component(*_SECURITY_SETTINGS, head + entry.encode() + root_end + name)

    return edit


_DEPLOY_PLANNED = ("deploy", "add-new", "--plan", "plan.json", "--yes")
_REMOVE_PROVEN = ("deploy", "remove-old", "--evidence", "evidence.json", "--yes")
STEPS = (
    Step("Is everything in place?", ("doctor",), ExitCode.DONE),
    Step("Which addresses does traffic leave from? (step 1)", ("probe",), ExitCode.DONE),
    Step(
        "What would each phase change? The plan file is what a reviewer approves.",
        ("plan", "--out", "plan.json"),
        ExitCode.DONE,
    ),
    Step(
        "Add the new addresses, exactly as planned, wait for the org, read the list back. (step 2)",
        _DEPLOY_PLANNED,
        ExitCode.DONE,
    ),
    Step(
        "Is it live? The dry run against the org says: nothing left to change.",
        ("diff", "add-new", "--exit-code"),
        ExitCode.DONE,
    ),
    Step(
        "A colleague adds an entry in Setup. The plan no longer fits the org: refused.",
        _DEPLOY_PLANNED,
        ExitCode.DRIFT,
        _colleague_adds("192.0.2.200"),
    ),
    Step(
        "Prove every new address by real redemptions. (step 4)",
        ("verify", "--out", "evidence.json"),
        ExitCode.DONE,
    ),
    Step(
        "The list changes once more: the evidence is stale, and nothing may be removed.",
        _REMOVE_PROVEN,
        ExitCode.GATE,
        _colleague_adds("192.0.2.201"),
    ),
    Step("So prove it again.", ("verify", "--out", "evidence.json"), ExitCode.DONE),
    Step(
        "Now take the old addresses off; the colleague's entries stay. (step 5)",
        _REMOVE_PROVEN,
        ExitCode.DONE,
    ),
    Step("Second thoughts? Adding is always safe.", ("rollback", "--yes"), ExitCode.DONE),
)


class Demo:
    """The steps against one emulated org; deployments counts what the org was sent.

    out: where the commands write what they print.
    """

    def __init__(self, announce: Callable[[str], None], out: IO[str]) -> None:
        self._announce = announce
        self._out = out
        self.deployments = 0

    def run(self) -> Iterator[StepResult]:
        """Run every step, whatever the one before came to."""
        scenario = Scenario(deploy_seconds=DEPLOY_SECONDS)
        with tempfile.TemporaryDirectory() as name, Emulator(scenario, tls=True) as emulator:
            folder = Path(name)
            (folder / "cutover.yaml").write_text(emulator.config_text(), encoding="utf-8")
            write_durably(folder / "canary.token", emulator.environment["SF_REFRESH_TOKEN"])
            for step in STEPS:
                if step.before:
                    step.before(emulator)
                yield StepResult(step, self._run_step(step, folder, emulator))
            self.deployments = len(emulator.deployments)

    def _run_step(self, step: Step, folder: Path, emulator: Emulator) -> int:
        self._announce(step.shows)
        self._announce(f"$ sfcutover {' '.join(step.words)}")
        self._out.flush()
        done = subprocess.run(  # noqa: S603 - this program itself
            [sys.executable, "-m", "sfcutover", *step.words],
            cwd=folder,
            env=_environment(emulator),
            stdin=subprocess.DEVNULL,
            stdout=self._out,
            stderr=subprocess.STDOUT,
            timeout=STEP_TIMEOUT_SECONDS,
            check=False,
        )
        return done.returncode


def _environment(emulator: Emulator) -> dict[str, str]:
    """This process's variables without options of its own, and the emulator's."""
    kept = {name: value for name, value in os.environ.items() if name[:10] != "SFCUTOVER_"}
    return {**kept, **emulator.environment}
