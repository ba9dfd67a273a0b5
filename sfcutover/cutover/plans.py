"""A plan with the phases behind it: made of what is live or of files, or read from its file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sfcutover.allowlist.phases import Phase, PhaseName, check_order
from sfcutover.allowlist.plan import PlannedPhase, Planner
from sfcutover.allowlist.planfile import (
    PlanDocument,
    RecordedPlan,
    make_plan,
    make_target_plan,
    read_plan,
)
from sfcutover.allowlist.snapshot import Snapshot
from sfcutover.config.cutover import Cutover
from sfcutover.cutover.announcement import PHASES, Announcement, announced_phase

Phases = Mapping[str, Mapping[Phase, PlannedPhase]]  # by target


@dataclass(frozen=True)
class FoundTarget:
    """A target's components, the org they come from, and their ids in it; files have neither."""

    name: str
    live: Snapshot
    instance_url: str | None = None
    organization_id: str | None = None
    ids: Mapping[str, str] | None = None


@dataclass(frozen=True)
class Plan:
    """What a reviewer sees. planned: every phase that changes something, by target."""

    document: PlanDocument
    planned: Phases


def make(cutover: Cutover, planner: Planner, found: Sequence[FoundTarget]) -> Plan:
    """The plan of these targets, dated now. Raises what planning raises, DriftError for a list that
    is not ready for add-new."""
    for each in found:
        check_order(Phase.ADD_NEW, each.live, cutover.change)
    planned = {each.name: planner.plan_all(each.live) for each in found}
    targets = [
        make_target_plan(
            each.name,
            each.live,
            planner,
            instance_url=each.instance_url,
            organization_id=each.organization_id,
            planned=planned[each.name],
        )
        for each in found
    ]
    digests = _digests(cutover, planner, found, planned)
    return Plan(make_plan(planner, targets, digests), planned)


def read(cutover: Cutover, planner: Planner, path: Path) -> Plan:
    """A saved plan, all of it worked out again; no org is asked.

    Raises ConfigError for a file that is no plan, and DriftError where it says anything else than
    cutover.yaml and the templates make of its baseline.
    """
    document = read_plan(path)
    recorded = RecordedPlan(document, path, planner)
    planned = {each.name: recorded.phases_of(each) for each in document.targets}
    found = [
        FoundTarget(
            each.name,
            recorded.baseline_of(each),
            organization_id=each.organization_id,
            ids=each.component_ids,
        )
        for each in document.targets
    ]
    recorded.require_digests(_digests(cutover, planner, found, planned))
    return Plan(document, planned)


def _digests(
    cutover: Cutover, planner: Planner, found: Sequence[FoundTarget], planned: Phases
) -> dict[PhaseName, str]:
    """What the announcement of each step shows, which an approval covers; none where no org was
    asked, and for policies alone, which no run sets."""
    if not cutover.carriers or any(each.organization_id is None for each in found):
        return {}
    return {
        step: Announcement(
            step=step,
            parts={
                each.name: announced_phase(
                    cutover,
                    planner,
                    each.organization_id,
                    planned[each.name][Phase(step)],
                    each.ids,
                )
                for each in found
            },
        ).digest
        for step in PHASES
    }
