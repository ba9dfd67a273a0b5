"""The scenarios of the demo: the right order, which the tool keeps, with or without a fault, and
the wrong order, which it refuses. What can go wrong, and what the run should do about it."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sfcutover.cli.demo.commands import DemoCommandDocument, Display
from sfcutover.cli.demo.environment import (
    DEPLOY_SECONDS,
    SHORTENED,
    Environment,
    open_environment,
)
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
from sfcutover.emulator import Edit, Emulator, Entry, Fault, Scenario
from sfcutover.errors import ExitCode

_REPORT = "report.html"
_INTRODUCTION = f"""\
A local org stands in for yours; nothing leaves this machine. An application redeems the refresh
tokens of three customers about 20 times a second, through the proxy of the moment.
{SHORTENED}
"""
PROPAGATION_SECONDS = 6.0


@dataclass(frozen=True)
class Case:
    """How a run should go.

    shows: what goes wrong. caught: how the run catches it. is_caught: whether a result shows
    that it did. exit_code: the run's. scenario: settings of the org. fault: what is switched on
    in it. deployments: how many the org should be sent, by phase. killed_at: events at which the
    run is killed.
    """

    shows: str = ""
    caught: str = ""
    is_caught: Callable[[ScenarioResult], bool] = lambda _: False
    exit_code: ExitCode = ExitCode.DONE
    scenario: Mapping[str, object] = field(default_factory=dict)
    fault: Fault | None = None
    deployments: Mapping[str, int] = field(default_factory=lambda: {"add-new": 1, "remove-old": 1})
    killed_at: tuple[str, ...] = ()

    def caught_in(self, result: ScenarioResult) -> str | None:
        """How the run caught the fault; None if the result does not show that it did."""
        if not self.is_caught(result):
            return None
        return self.caught.format(refused=result.canary_refused)


NO_FAULT = Case()
FAULTS: dict[DemoFault, Case] = {
    "one-address": Case(
        "The new proxy leaves by two addresses, and cutover.yaml lists only one of them.",
        "the probe saw 127.0.0.22, which cutover.yaml does not list; nothing was deployed and no "
        "traffic moved",
        lambda result: "127.0.0.22 was seen" in result.message,
        ExitCode.GATE,
        scenario={"new": ("127.0.0.21",), "new_egress": ("127.0.0.21", "127.0.0.22")},
        deployments={},
    ),
    "dead-proxy": Case(
        "The new proxy is down.",
        "the probe got no answer through the new proxy; nothing was deployed and no traffic moved",
        lambda result: "through the proxy" in result.message,
        ExitCode.NETWORK,
        fault=Fault(kind="proxy_down", operation="new_proxy", count=None),
        deployments={},
    ),
    "lost-answer": Case(
        "The org takes the first deployment, and the connection breaks before it has answered.",
        "the answer was lost, the deployment was found again, and nothing was sent twice",
        lambda result: "drop_after" in result.faults_hit,
        fault=Fault(kind="drop_after", operation="deploy"),
    ),
    "slow-propagation": Case(
        f"A list that is deployed is in force only {PROPAGATION_SECONDS:.0f} s later.",
        "a new address was still refused {refused} times after add-new; the run waited until it "
        "was let in, and moved traffic only then",
        lambda result: result.canary_refused > 0,
        scenario={"propagation_seconds": PROPAGATION_SECONDS},
    ),
    "save-does-not-take": Case(
        "The org says of the first deployment that it succeeded, and has saved nothing.",
        "the org said Succeeded, but the list read back was the old one; it was deployed once more",
        lambda result: "save_does_not_take" in result.faults_hit,
        fault=Fault(kind="save_does_not_take", operation="deploy"),
        deployments={"add-new": 2, "remove-old": 1},
    ),
    "crash": Case(
        "The process is killed twice: while the org deploys, and while traffic moves.",
        "killed twice, the run went on where it was: every phase was deployed once, and the switch "
        "command ran once",
        lambda result: (result.resumed, result.switches) == (2, 1),
        killed_at=("deployment-sent", "switching"),
    ),
}


def perform(display: Display, order: Order, fault: DemoFault | None) -> DemoResult:
    """Run the cutover in the right order, with a fault if one is named; for the wrong order, show
    that on the same traffic after it."""
    case = FAULTS[fault] if fault else NO_FAULT
    display.say("\n".join([_INTRODUCTION, *_what_comes(order, case)]))
    right = _right_order(display, case)
    performances, problems = [right], list(right.problems(case.deployments))
    if order == "wrong":
        display.say("Now the wrong order, with the same traffic in another org.\n")
        performances.append(_wrong_order(display))
        problems += performances[-1].problems({})
    caught = case.caught_in(right)
    if fault and caught is None:
        problems.append("the run did not show that it caught the fault")
    return DemoResult(performances, problems, _keep(right.report), fault, caught)


def _what_comes(order: Order, case: Case) -> Iterator[str]:
    if order == "wrong":
        yield "First the right order.\n"
    if case.shows:
        yield f"The fault: {case.shows}\n"


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
