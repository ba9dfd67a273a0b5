"""The scenarios of the demo: the right order, with or without a fault, and the wrong order, which
the tool refuses."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from sfcutover.cli.demo.commands import DemoCommandDocument, Display
from sfcutover.cli.demo.environment import (
    SHORTENED,
    Environment,
    open_environment,
)
from sfcutover.cli.demo.faults import FAULTS, NO_FAULT, Case
from sfcutover.cli.demo.prose import folded
from sfcutover.cli.demo.result import (
    STEP_SECONDS,
    Arrival,
    DemoFault,
    DemoResult,
    Mark,
    Order,
    ScenarioResult,
    marks_of,
)
from sfcutover.emulator import Edit, Emulator, Entry
from sfcutover.errors import ExitCode

_REPORT = "report.html"
_ORGS = folded(
    "The orgs run locally: one of yours, and one for each of three customers. No request leaves "
    "this machine. An application redeems (exchanges for an access token) the customers' refresh "
    "tokens about 20 times a second: through the old proxy first, and through the new one after "
    "the switch."
)
_INTRODUCTION = f"{_ORGS}\n{SHORTENED}\n"


def perform(display: Display, order: Order, fault: DemoFault | None) -> DemoResult:
    """Run the cutover in the right order, with the fault if one is named; then, if asked for, the
    wrong order under the same traffic."""
    case = FAULTS[fault] if fault else NO_FAULT
    display.say("\n".join([_INTRODUCTION, *_what_comes(order, case)]))
    right = _right_order(display, case)
    performances, problems = [right], list(right.problems(case.deployments, case.refused))
    if order == "wrong":
        display.say("The wrong order, under the same traffic in another org.\n")
        performances.append(_wrong_order(display))
        problems += performances[-1].problems({})
    caught = case.caught_in(right)
    if fault and caught is None:
        problems.append("the run did not show that it detected the fault")
    return DemoResult(performances, problems, _keep(right.report), fault, caught)


def _what_comes(order: Order, case: Case) -> Iterator[str]:
    if order == "wrong":
        yield "The right order.\n"
    if case.shows:
        yield f"The fault: {case.shows}\n"


def _right_order(display: Display, case: Case) -> ScenarioResult:
    """The real run, from its first command to its report; killed and restarted if the case
    requires it."""
    with open_environment(case.setting, display) as environment:
        case.prepare(environment.emulator)
        run = environment.commands.run
        done = [_run_and_kill(environment, kind) for kind in case.killed_at]
        done.append(run("run", "--yes", expected=case.exit_code))
        done.append(run("report", "--format", "html", "--out", _REPORT))
        path = environment.folder / _REPORT
        report = path.read_text(encoding="utf-8") if path.exists() else ""
        return _result(environment, "right", done, report=report)


def _run_and_kill(environment: Environment, kind: str) -> DemoCommandDocument:
    shown = max((event.seq for event in environment.journal), default=0)
    return environment.commands.run_and_kill(
        "run",
        "--yes",
        at=kind,
        once=lambda: kind != "switching" or environment.switch_started,
        after=shown,
    )


def _wrong_order(display: Display) -> ScenarioResult:
    """Removes the old addresses first. sfcutover refuses to, so the demo edits the allowlist as an
    administrator in Setup would."""
    with open_environment(NO_FAULT.setting, display) as environment:
        org, addresses = environment.emulator, environment.emulator.scenario
        run = environment.commands.run
        refused = run("deploy", "remove-old", "--yes", expected=ExitCode.DRIFT)
        display.say("sfcutover refuses, and sends nothing. The same by hand, as on the Setup page:")
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
    """Stop the application and collect the result. marks: of the steps that were done by hand."""
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
        logged_in=environment.logged_in,
        switches=environment.switches,
        canary_arrivals=_arrivals(org, {"canary"}),
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
    """Write the report to a folder that outlives the demo's own; return its path."""
    if not report:
        return None
    path = Path(tempfile.mkdtemp(prefix="sfcutover-demo-")) / _REPORT
    path.write_text(report, encoding="utf-8")
    return str(path)
