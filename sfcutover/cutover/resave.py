"""Saving a list once more that is stored as it should be, and not honoured."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from sfcutover.allowlist.phases import Phase
from sfcutover.allowlist.plan import PlannedPhase
from sfcutover.allowlist.ranges import Allowlist, IpRange
from sfcutover.allowlist.resave import mark_description, unmark_description
from sfcutover.allowlist.snapshot import Snapshot
from sfcutover.cutover.context import TargetContext
from sfcutover.cutover.deploy import DeployOptions, Plan, Unattended, deploy
from sfcutover.cutover.deployevidence import DeployEvidence
from sfcutover.errors import Advice, Command, DriftError
from sfcutover.salesforce.connection import Connection

KNOWN_ISSUE = (
    "a known issue of Salesforce (Help 005387022): added entries are honored only after one of "
    "them is updated"
)
_Change = Callable[[Allowlist, tuple[IpRange, ...]], Allowlist]


def resave(context: TargetContext, options: DeployOptions | None = None) -> DeployEvidence:
    """Save the list with a changed description on one of the cutover's own new entries, and then
    as it was.

    Started again in between, it continues with the second. Raises what deploy raises, and
    DriftError where no new address is on the list.
    """
    given = options or DeployOptions()
    changed = deploy(context, Phase.ADD_NEW, replace(given, plan=_planning(mark_description)))
    silent = replace(given, plan=_planning(unmark_description), operator=Unattended())
    restored = deploy(context, Phase.ADD_NEW, silent)
    deployments = [*changed.deployments, *restored.deployments]
    return restored.model_copy(update={"deployments": deployments})


def _planning(change: _Change) -> Plan:
    def plan(
        context: TargetContext, _connection: Connection, _phase: Phase, live: Snapshot
    ) -> PlannedPhase:
        new = context.cutover.change.new
        if missing := [each for one in live.carriers for each in one.allowlist.uncovered(new)]:
            raise DriftError(
                f"{', '.join(map(str, dict.fromkeys(missing)))} is not on the live allowlist, so "
                "there is nothing to save again",
                hint=Advice("add it first: ", Command("deploy", "add-new")),
            )
        return context.planner.redescribe(live, change)

    return plan
