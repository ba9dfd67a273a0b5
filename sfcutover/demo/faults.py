"""What can be made to go wrong, what the run makes of it, and how one sees that it was caught."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from sfcutover.demo.performance import Performance
from sfcutover.documents.commands import DemoFault
from sfcutover.emulator import Fault
from sfcutover.errors import ExitCode

ONCE_EACH = {"add-new": 1, "remove-old": 1}
PROPAGATION_SECONDS = 4.0
_KILLED_AT = ("deployment-sent", "switching")


@dataclass(frozen=True)
class Case:
    """shows: what goes wrong. caught: how the run caught it, empty if it did not.

    scenario: settings of the org. fault: what is switched on in it. deployments: how many
    the org should be sent, by phase.
    """

    shows: str
    caught: Callable[[Performance], str]
    exit_code: ExitCode = ExitCode.DONE
    scenario: Mapping[str, object] = field(default_factory=dict)
    fault: Fault | None = None
    deployments: Mapping[str, int] = field(default_factory=lambda: ONCE_EACH)
    killed_at: tuple[str, ...] = ()


def _unlisted(done: Performance) -> str:
    if "127.0.0.22 was seen" not in done.last_word:
        return ""
    return (
        "the probe saw 127.0.0.22, which cutover.yaml does not list; nothing was deployed and no "
        "traffic moved"
    )


def _dead(done: Performance) -> str:
    if "through the proxy" not in done.last_word:
        return ""
    return (
        "the probe got no answer through the new proxy; nothing was deployed and no traffic moved"
    )


def _lost(done: Performance) -> str:
    if "drop_after" not in done.faults_hit:
        return ""
    return "the answer was lost, the deployment was found again, and nothing was sent twice"


def _slow(done: Performance) -> str:
    if not done.canary_refused:
        return ""
    return (
        f"a new address was still refused {done.canary_refused} times after add-new; the run "
        "waited until it was let in, and moved traffic only then"
    )


def _not_taken(done: Performance) -> str:
    if "save_does_not_take" not in done.faults_hit:
        return ""
    return (
        "the org said Succeeded, but the list read back was the old one; it was deployed once more"
    )


def _killed(done: Performance) -> str:
    resumed = sum(each.kind == "run-resumed" for each in done.events)
    if (resumed, done.moves) != (len(_KILLED_AT), 1):
        return ""
    return (
        "killed twice, the run went on where it was: every phase was deployed once, and the switch "
        "command ran once"
    )


WELL = Case("", lambda _: "nothing went wrong")
FAULTS: dict[DemoFault, Case] = {
    "one-address": Case(
        "The new proxy leaves by two addresses, and cutover.yaml lists only one of them.",
        _unlisted,
        ExitCode.GATE,
        scenario={"new": ("127.0.0.21",), "new_egress": ("127.0.0.21", "127.0.0.22")},
        deployments={},
    ),
    "dead-proxy": Case(
        "The new proxy is down.",
        _dead,
        ExitCode.NETWORK,
        fault=Fault(kind="proxy_down", operation="new_proxy", count=None),
        deployments={},
    ),
    "lost-answer": Case(
        "The org takes the first deployment, and the connection breaks before it has answered.",
        _lost,
        fault=Fault(kind="drop_after", operation="deploy"),
    ),
    "slow-propagation": Case(
        f"A list that is deployed is in force only {PROPAGATION_SECONDS:.0f} s later.",
        _slow,
        scenario={"propagation_seconds": PROPAGATION_SECONDS},
    ),
    "save-does-not-take": Case(
        "The org says of the first deployment that it succeeded, and has saved nothing.",
        _not_taken,
        fault=Fault(kind="save_does_not_take", operation="deploy"),
        deployments={"add-new": 2, "remove-old": 1},
    ),
    "crash": Case(
        "The process is killed twice: while the org deploys, and while traffic moves.",
        _killed,
        killed_at=_KILLED_AT,
    ),
}
