"""The faults of the demo, and how the run should detect each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from sfcutover.cli.demo.environment import DEPLOY_SECONDS, Setting
from sfcutover.cli.demo.result import DemoFault, ScenarioResult
from sfcutover.emulator import Emulator, Fault, Scenario
from sfcutover.errors import ExitCode

PROPAGATION_SECONDS = 6.0
SHORT_PATIENCE_SECONDS = 3.0
RULED = "customer-3"
LEFT_BEHIND = "customer-2"


def setting_of(**differences: object) -> Setting:
    """Of an environment with three customers, each in an org of its own.

    differences: settings of the org.
    """
    usual = {"deploy_seconds": DEPLOY_SECONDS, "customer_orgs": 3, "customers": ()}
    return Setting(Scenario.model_validate(usual | differences))


@dataclass(frozen=True)
class Case:
    """The expected course of a run.

    shows: the fault. caught: how the run detects it. is_caught: whether a result shows that it did.
    exit_code: of the run. setting: of its environment. prepare: changes the orgs before the run.
    deployments: the expected number, by phase. killed_at: events at which the run is killed.
    refused: the name of a customer who cannot be served for a while.
    """

    shows: str = ""
    caught: str = ""
    is_caught: Callable[[ScenarioResult], bool] = lambda _: False
    exit_code: ExitCode = ExitCode.DONE
    setting: Setting = field(default_factory=setting_of)
    prepare: Callable[[Emulator], None] = lambda _: None
    deployments: Mapping[str, int] = field(default_factory=lambda: {"add-new": 1, "remove-old": 1})
    killed_at: tuple[str, ...] = ()
    refused: str | None = None

    def caught_in(self, result: ScenarioResult) -> str | None:
        """How the run detected the fault; None if the result does not show that it did."""
        if not self.is_caught(result):
            return None
        return self.caught.format(refused=result.canary_refused, failed=result.failed)


NO_FAULT = Case()
FAULTS: dict[DemoFault, Case] = {
    "one-address": Case(
        "The new proxy uses two addresses, and cutover.yaml lists only one of them.",
        "the probe observed 127.0.0.22, which cutover.yaml does not list; nothing was deployed and "
        "no traffic moved",
        lambda result: "127.0.0.22" in result.message,
        ExitCode.GATE,
        setting=setting_of(new=("127.0.0.21",), new_egress=("127.0.0.21", "127.0.0.22")),
        deployments={},
    ),
    "dead-proxy": Case(
        "The new proxy is down.",
        "the probe received no answer through the new proxy; nothing was deployed and no traffic "
        "moved",
        lambda result: "the proxy" in result.message,
        ExitCode.NETWORK,
        setting=setting_of(faults=(Fault(kind="proxy_down", operation="new_proxy", count=None),)),
        deployments={},
    ),
    "lost-answer": Case(
        "The org accepts the first deployment, and the connection breaks before its response.",
        "the response was lost; the run found the deployment in the org and sent nothing twice",
        lambda result: "drop_after" in result.faults_hit,
        setting=setting_of(faults=(Fault(kind="drop_after", operation="deploy"),)),
    ),
    "slow-propagation": Case(
        f"A deployed allowlist takes effect only after {PROPAGATION_SECONDS:.0f} s.",
        "after add-new, the org still refused new addresses {refused} times; the run waited until "
        "it accepted them, and only then moved the traffic",
        lambda result: result.canary_refused > 0,
        setting=setting_of(propagation_seconds=PROPAGATION_SECONDS),
    ),
    "save-does-not-take": Case(
        "The org reports that the first deployment succeeded, but saves nothing.",
        "the org reported Succeeded, but the allowlist that was read back was unchanged; the run "
        "deployed it again",
        lambda result: "save_does_not_take" in result.faults_hit,
        setting=setting_of(faults=(Fault(kind="save_does_not_take", operation="deploy"),)),
        deployments={"add-new": 2, "remove-old": 1},
    ),
    "crash": Case(
        "The process is killed twice: while the org deploys, and while traffic moves.",
        "the run was killed twice and resumed each time: each phase was deployed once, and the "
        "switch command ran once",
        lambda result: (result.resumed, result.switches) == (2, 1),
        killed_at=("deployment-sent", "switching"),
    ),
    "enforcement-off": Case(
        "The app does not enforce its allowlist: the org accepts every address.",
        "the control redeemed from a new address that is not on the allowlist, so a redemption "
        "would prove nothing; the run is paused before add-new, nothing was deployed and no "
        "traffic moved",
        lambda result: bool(result.paused("control")) and not result.switches,
        ExitCode.WAITING,
        setting=setting_of(enforcement=False),
        deployments={},
    ),
    "not-honoured": Case(
        "The org honors an added address only once an entry is updated: a known issue.",
        "after add-new, the org still refused new addresses {refused} times; the run saved the "
        "allowlist with another description and then with the original one, and only then moved "
        "the traffic",
        lambda result: result.canary_refused > 0 and result.has("save-again"),
        setting=replace(setting_of(honours="after-update"), patience=SHORT_PATIENCE_SECONDS),
        deployments={"add-new": 3, "remove-old": 1},
    ),
    "customers-own-rule": Case(
        f"The org of {RULED} has login IP ranges of its own, with the old addresses only.",
        "the org of customer-3 refused {failed} redemptions by a rule of its own, which no change "
        "of the allowlist fixes; the checks detected it, the run moved the traffic back before it "
        "removed an old address, and all customers are served again",
        lambda result: "the check" in result.message and result.all_served,
        ExitCode.GATE,
        prepare=lambda orgs: orgs.customer_orgs[-1].set_login_ranges(orgs.scenario.old),
        deployments={"add-new": 1},
        refused=RULED,
    ),
    "customers-left-behind": Case(
        f"A part of the application is not switched: {LEFT_BEHIND} stays on the old proxy.",
        "requests still passed through the old proxy, which the LoginHistory of the app's own org "
        "does not show; the run is paused before remove-old, the old addresses are still on the "
        "allowlist, and no redemption failed",
        lambda result: "requests through the old proxy" in result.paused("remove-old"),
        ExitCode.STILL_RUNNING,
        setting=replace(setting_of(), left_behind=LEFT_BEHIND),
        deployments={"add-new": 1},
    ),
}
