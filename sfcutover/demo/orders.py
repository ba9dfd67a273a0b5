"""The right order, which the tool keeps, and the wrong one, which it refuses."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from dataclasses import dataclass

from sfcutover.demo.faults import Case
from sfcutover.demo.performance import Command, Performance, performed
from sfcutover.demo.setuppage import put_on, take_off
from sfcutover.demo.stage import Stage
from sfcutover.demo.tally import Mark
from sfcutover.errors import ExitCode
from sfcutover.runs.journal import Event

_REPORT = "report.html"
_DOING = {"deployment-sent": "the org deploys", "switching": "traffic moves"}
STEP_SECONDS = 2.0  # so long somebody takes for each step of the wrong order


@dataclass(frozen=True)
class Audience:
    """say: shows a line. show: shows an event of a run that is going to be killed."""

    say: Callable[[str], None]
    show: Callable[[Event], None]


def right_order(stage: Stage, audience: Audience, case: Case) -> Performance:
    """The real run, from its first command to its report; killed on the way where the case has
    it, and started again."""
    run = ("run", "--yes")
    commands = [_killed(stage, audience, kind, *run) for kind in case.killed_at]
    commands.append(_command(stage, audience, case.exit_code, *run))
    report = ("report", "--format", "html", "--out", _REPORT)
    commands.append(_command(stage, audience, ExitCode.DONE, *report))
    path = stage.folder / _REPORT
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    return performed(stage, "right", commands, report=text)


def wrong_order(stage: Stage, audience: Audience) -> Performance:
    """The old addresses first. The tool refuses that, so somebody does it in Setup by hand."""
    org, scenario = stage.emulator, stage.emulator.scenario
    refused = _command(stage, audience, ExitCode.DRIFT, "deploy", "remove-old", "--yes")
    audience.say("It refuses, and sends nothing. So somebody does it in Setup, by hand:")
    steps: tuple[tuple[str, str, Callable[[], None]], ...] = (
        ("remove-old", "the old addresses come off", lambda: take_off(org, scenario.old)),
        ("add-new", "the new addresses are put on", lambda: put_on(org, scenario.new)),
        ("switch", "traffic moves to the new addresses", stage.move_traffic),
    )
    marks = []
    for phase, words, act in steps:
        audience.say(f"  {time.strftime('%H:%M:%SZ', time.gmtime())} {words}")
        marks.append(Mark(phase, time.time()))
        act()
        time.sleep(STEP_SECONDS)
    audience.say("")
    return performed(stage, "wrong", [refused], marks)


def _killed(stage: Stage, audience: Audience, kind: str, *words: str) -> Command:
    line = f"sfcutover {' '.join(words)}"
    audience.say(f"$ {line}")
    known = {event.seq for event in stage.journal}

    def show(event: Event) -> None:
        if event.seq not in known:
            audience.show(event)

    code = stage.tool.run_until(kind, show, *words)
    audience.say(f"(killed while {_DOING[kind]})\n")
    return Command(line, code, -signal.SIGKILL)


def _command(stage: Stage, audience: Audience, expected: ExitCode, *words: str) -> Command:
    line = f"sfcutover {' '.join(words)}"
    audience.say(f"$ {line}")
    code = stage.tool.run(*words)
    audience.say(f"(exit code {code})\n")
    return Command(line, code, int(expected))
