"""The scenarios of the demo: the right order, which the tool keeps, with or without a fault, and
the wrong order, which it refuses."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Collection, Sequence
from pathlib import Path

from sfcutover.cli.demo.commands import DemoCommandDocument, Display
from sfcutover.cli.demo.counters import Arrival, Mark
from sfcutover.cli.demo.environment import (
    DEPLOY_SECONDS,
    SHORTENED,
    Environment,
    open_environment,
)
from sfcutover.cli.demo.faults import FAULTS, NO_FAULT, Case, caught
from sfcutover.cli.demo.result import DemoFault, DemoResult, Order, ScenarioResult, marks_of
from sfcutover.emulator import Edit, Emulator, Entry, Scenario
from sfcutover.errors import ExitCode

STEP_SECONDS = 2.0  # how long each step of the wrong order takes an operator
_REPORT = "report.html"
_INTRODUCTION = f"""\
A local org stands in for yours; nothing leaves this machine. An application redeems the refresh
tokens of three customers about 20 times a second, through the proxy of the moment.
{SHORTENED}
"""


def show_right_order(display: Display) -> DemoResult:
    """Run the cutover in the right order."""
    display.say(_INTRODUCTION)
    right = _right_order(display, NO_FAULT)
    return DemoResult([right], list(right.problems(NO_FAULT.deployments)), _keep(right.report))


def show_both_orders(display: Display) -> DemoResult:
    """Run the cutover in the right order, then show the wrong order on the same traffic."""
    display.say(f"{_INTRODUCTION}\nFirst the right order.\n")
    right = _right_order(display, NO_FAULT)
    display.say("Now the wrong order, with the same traffic in another org.\n")
    wrong = _wrong_order(display)
    problems = [*right.problems(NO_FAULT.deployments), *wrong.problems({})]
    return DemoResult([right, wrong], problems, _keep(right.report))


def show_fault(display: Display, name: DemoFault) -> DemoResult:
    """Run the cutover in the right order while something goes wrong."""
    case = FAULTS[name]
    display.say(f"{_INTRODUCTION}\nThe fault: {case.shows}\n")
    result = _right_order(display, case)
    problems = list(result.problems(case.deployments))
    how = caught(name, result)
    if how is None:
        problems.append("the run did not show that it caught the fault")
    return DemoResult([result], problems, _keep(result.report), name, how)


def _right_order(display: Display, case: Case) -> ScenarioResult:
    """The real run, from its first command to its report; killed and started again where the
    case says so."""
    faults = (case.fault,) if case.fault else ()
    scenario = Scenario.model_validate(
        {"deploy_seconds": DEPLOY_SECONDS, "faults": faults, **case.scenario}
    )
    with open_environment(scenario, display) as environment:
        run = environment.commands.run
        done = [_run_and_kill(environment, kind) for kind in case.killed_at]
        done.append(run("run", "--yes", expected=case.exit_code))
        done.append(run("report", "--format", "html", "--out", _REPORT))
        path = environment.folder / _REPORT
        report = path.read_text(encoding="utf-8") if path.exists() else ""
        return _result(environment, "right", done, report=report)


def _run_and_kill(environment: Environment, kind: str) -> DemoCommandDocument:
    shown = max((event.seq for event in environment.journal), default=0)
    return environment.commands.run_and_kill("run", "--yes", at=kind, after=shown)


def _wrong_order(display: Display) -> ScenarioResult:
    """The old addresses first. The tool refuses, so the demo edits the list as in Setup."""
    with open_environment(Scenario(deploy_seconds=DEPLOY_SECONDS), display) as environment:
        org, addresses = environment.emulator, environment.emulator.scenario
        run = environment.commands.run
        refused = run("deploy", "remove-old", "--yes", expected=ExitCode.DRIFT)
        display.say("It refuses and sends nothing. Now the same by hand, on the Setup page:")
        marks = [_announce(display, "remove-old", "the old addresses are removed")]
        org.set_edit(Edit(remove=addresses.old))
        time.sleep(STEP_SECONDS)
        marks.append(_announce(display, "add-new", "the new addresses are added"))
        org.set_edit(Edit(add=tuple(Entry(range=each) for each in addresses.new)))
        time.sleep(STEP_SECONDS)
        marks.append(_announce(display, "switch", "traffic moves to the new addresses"))
        environment.move_traffic()
        time.sleep(STEP_SECONDS)
        display.say("")
        return _result(environment, "wrong", [refused], marks)


def _announce(display: Display, phase: str, words: str) -> Mark:
    display.say(f"  {time.strftime('%H:%M:%SZ', time.gmtime())} {words}")
    return Mark(phase, time.time())


def _result(
    environment: Environment,
    order: Order,
    commands: Sequence[DemoCommandDocument],
    marks: Sequence[Mark] = (),
    report: str = "",
) -> ScenarioResult:
    """Stop the application and collect what happened. marks: of steps done by hand."""
    environment.application.stop()
    attempts = environment.application.attempts
    customers = {each.customer for each in attempts}
    org, events = environment.emulator, environment.journal
    return ScenarioResult(
        order=order,
        commands=commands,
        marks=[*marks, *marks_of(events)],
        attempts=attempts,
        arrivals=_arrivals(org, customers),
        deployments_sent=[each.created.timestamp() for each in org.deployments],
        customers=len(customers),
        logged_in=len(org.customer_tokens),
        switches=environment.switches,
        canary_refused=sum(not each.redeemed for each in _arrivals(org, {"canary"})),
        faults_hit=frozenset(str(each["fault"]) for each in org.log if each["fault"]),
        events=events,
        report=report,
    )


def _arrivals(org: Emulator, grants: Collection[str]) -> list[Arrival]:
    return [
        Arrival(each.source, each.time.timestamp(), each.result == "redeemed")
        for each in org.redemptions
        if each.grant in grants
    ]


def _keep(report: str) -> str | None:
    """Write the report to a new folder, as the environment's folder is gone; return its path."""
    if not report:
        return None
    path = Path(tempfile.mkdtemp(prefix="sfcutover-demo-")) / _REPORT
    path.write_text(report, encoding="utf-8")
    return str(path)
