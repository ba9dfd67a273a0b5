"""What can go wrong in the demo, what the run should do about it, and whether it did."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sfcutover.cli.demo.result import DemoFault, ScenarioResult
from sfcutover.emulator.faults import Fault
from sfcutover.errors import ExitCode

PROPAGATION_SECONDS = 4.0


@dataclass(frozen=True)
class Case:
    """How a run should go.

    shows: what goes wrong. caught: how the run catches it. exit_code: the run's. scenario:
    settings of the org. fault: what is switched on in it. deployments: how many the org should
    be sent, by phase. killed_at: events at which the run is killed.
    """

    shows: str = ""
    caught: str = ""
    exit_code: ExitCode = ExitCode.DONE
    scenario: Mapping[str, object] = field(default_factory=dict)
    fault: Fault | None = None
    deployments: Mapping[str, int] = field(default_factory=lambda: {"add-new": 1, "remove-old": 1})
    killed_at: tuple[str, ...] = ()


NO_FAULT = Case()
FAULTS: dict[DemoFault, Case] = {
    "one-address": Case(
        "The new proxy leaves by two addresses, and cutover.yaml lists only one of them.",
        "the probe saw 127.0.0.22, which cutover.yaml does not list; nothing was deployed and no "
        "traffic moved",
        ExitCode.GATE,
        scenario={"new": ("127.0.0.21",), "new_egress": ("127.0.0.21", "127.0.0.22")},
        deployments={},
    ),
    "dead-proxy": Case(
        "The new proxy is down.",
        "the probe got no answer through the new proxy; nothing was deployed and no traffic moved",
        ExitCode.NETWORK,
        fault=Fault(kind="proxy_down", operation="new_proxy", count=None),
        deployments={},
    ),
    "lost-answer": Case(
        "The org takes the first deployment, and the connection breaks before it has answered.",
        "the answer was lost, the deployment was found again, and nothing was sent twice",
        fault=Fault(kind="drop_after", operation="deploy"),
    ),
    "slow-propagation": Case(
        f"A list that is deployed is in force only {PROPAGATION_SECONDS:.0f} s later.",
        "a new address was still refused {refused} times after add-new; the run waited until it "
        "was let in, and moved traffic only then",
        scenario={"propagation_seconds": PROPAGATION_SECONDS},
    ),
    "save-does-not-take": Case(
        "The org says of the first deployment that it succeeded, and has saved nothing.",
        "the org said Succeeded, but the list read back was the old one; it was deployed once more",
        fault=Fault(kind="save_does_not_take", operation="deploy"),
        deployments={"add-new": 2, "remove-old": 1},
    ),
    "crash": Case(
        "The process is killed twice: while the org deploys, and while traffic moves.",
        "killed twice, the run went on where it was: every phase was deployed once, and the switch "
        "command ran once",
        killed_at=("deployment-sent", "switching"),
    ),
}


def caught(name: DemoFault, result: ScenarioResult) -> str | None:
    """How the run caught a fault; None if the result does not show that it did."""
    if not _shows_fault(name, result):
        return None
    return FAULTS[name].caught.format(refused=result.canary_refused)


def _shows_fault(name: DemoFault, result: ScenarioResult) -> bool:
    match name:
        case "one-address":
            return "127.0.0.22 was seen" in result.message
        case "dead-proxy":
            return "through the proxy" in result.message
        case "lost-answer":
            return "drop_after" in result.faults_hit
        case "slow-propagation":
            return result.canary_refused > 0
        case "save-does-not-take":
            return "save_does_not_take" in result.faults_hit
        case "crash":
            resumed = [each for each in result.events if each.kind == "run-resumed"]
            return len(resumed) == len(FAULTS[name].killed_at) and result.switches == 1
