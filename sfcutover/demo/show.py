"""The demo from its first word to its verdict: which performances, and whether all was well."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sfcutover.demo.faults import FAULTS, WELL, Case
from sfcutover.demo.orders import Audience, right_order, wrong_order
from sfcutover.demo.performance import Order, Performance
from sfcutover.demo.stage import DEPLOY_SECONDS, SHORTENED, open_stage
from sfcutover.demo.verdict import problems_of
from sfcutover.documents.commands import DemoFault
from sfcutover.emulator import Scenario

_INTRODUCTION = f"""\
A local org stands in for yours; nothing leaves this machine. An application redeems the refresh
tokens of three customers about 20 times a second, through the proxy of the moment.
{SHORTENED}
"""


@dataclass(frozen=True)
class Shown:
    """caught: how a fault was caught. problems: what was not as it should be.

    report: where the run's report is.
    """

    performances: Sequence[Performance]
    problems: Sequence[str]
    report: Path | None
    caught: str = ""

    @property
    def ok(self) -> bool:
        return not self.problems


@dataclass(frozen=True)
class Demo:
    """options: global options of every command. on_stderr: as Tool has it."""

    audience: Audience
    options: tuple[str, ...] = ()
    on_stderr: bool = False

    def of_order(self, order: Order) -> Shown:
        """The right order; for the wrong one both, one after the other."""
        self.audience.say(_INTRODUCTION)
        if order == "wrong":
            self.audience.say("First the right order.\n")
        right = self._right(WELL)
        problems = list(problems_of(right, WELL.deployments))
        if order == "right":
            return Shown([right], problems, _kept(right.report))
        self.audience.say("Now the wrong order, with the same traffic in another org.\n")
        wrong = self._wrong()
        problems += problems_of(wrong, {})
        return Shown([right, wrong], problems, _kept(right.report))

    def of_fault(self, name: DemoFault) -> Shown:
        """The right order, with a fault on the way."""
        case = FAULTS[name]
        self.audience.say(f"{_INTRODUCTION}\nThe fault: {case.shows}\n")
        done = self._right(case)
        problems = list(problems_of(done, case.deployments))
        if not (caught := case.caught(done)):
            problems.append("the run did not show that it caught the fault")
        return Shown([done], problems, _kept(done.report), caught)

    def _right(self, case: Case) -> Performance:
        faults = (case.fault,) if case.fault else ()
        scenario = Scenario.model_validate(
            {"deploy_seconds": DEPLOY_SECONDS, "faults": faults, **case.scenario}
        )
        with open_stage(scenario, self.options, on_stderr=self.on_stderr) as stage:
            return right_order(stage, self.audience, case)

    def _wrong(self) -> Performance:
        scenario = Scenario(deploy_seconds=DEPLOY_SECONDS)
        with open_stage(scenario, self.options, on_stderr=self.on_stderr) as stage:
            return wrong_order(stage, self.audience)


def _kept(report: str) -> Path | None:
    """A report in a folder of its own, as the one it was made in is gone."""
    if not report:
        return None
    path = Path(tempfile.mkdtemp(prefix="sfcutover-demo-")) / "report.html"
    path.write_text(report, encoding="utf-8")
    return path
