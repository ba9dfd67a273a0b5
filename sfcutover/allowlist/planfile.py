"""The plan file: what a reviewer saw, bound to the baseline and the packages made from it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError

from sfcutover.allowlist.baseline import BaselineDocument, baseline_documents, snapshot_of
from sfcutover.allowlist.diff import RangeDocument
from sfcutover.allowlist.drift import component_drift
from sfcutover.allowlist.phases import Phase, PhaseName
from sfcutover.allowlist.plan import PhaseDocument, PlannedPhase, Planner, live_phase
from sfcutover.allowlist.ranges import IpRange
from sfcutover.allowlist.snapshot import Snapshot
from sfcutover.errors import (
    Advice,
    Command,
    ConfigError,
    DriftError,
    OperationFailedError,
)
from sfcutover.util.boundedfile import read_bounded
from sfcutover.util.document import (
    Document,
    InstanceUrl,
    OrganizationId,
    Sha256,
    UtcTime,
    first_problem,
)
from sfcutover.util.files import write_durably

MAX_PLAN_BYTES = 16 * 1024 * 1024


def _new_plan(path: Path) -> Advice:
    command = Command("plan", "--out", str(path))
    return Advice("make a new plan and have it reviewed: ", command)


class PlanTargetDocument(Document):
    """One target of a plan."""

    name: str
    """Name of the target."""
    instance_url: InstanceUrl | None
    """Instance URL of the org, for information; null for a plan made from files."""
    organization_id: OrganizationId | None
    """Id of the org that the plan is bound to; null for a plan made from files."""
    live: str
    """How the lists stand when the plan is made, in words."""
    baseline: list[BaselineDocument]
    """The components before anything changed."""
    phases: list[PhaseDocument]
    """Every phase with its package and changes."""

    @property
    def component_ids(self) -> dict[str, str]:
        """Of the org's components, by path, where known."""
        return {each.path: each.id for each in self.baseline if each.id is not None}


class PlanDocument(Document):
    """A plan binds a baseline and the packages made from it."""

    schema_: Literal["sfcutover/plan/1"] = Field(alias="schema")  # read again, so no default
    """Name and version of this document's format."""
    cutover: str
    """Name of the cutover."""
    app: str
    """Full name of the app."""
    api_version: str
    """Metadata API version of the packages."""
    created: UtcTime
    """When the plan was made, UTC, ISO 8601."""
    old: list[RangeDocument]
    """Ranges to remove."""
    new: list[RangeDocument]
    """Ranges to add."""
    targets: list[PlanTargetDocument]
    """The plan, by target."""
    digests: dict[PhaseName, Sha256]
    """By phase: digest of what a run announces before it on all of these targets, SHA-256, 64
    hexadecimal digits."""

    @property
    def phases(self) -> list[PhaseDocument]:
        """Every phase of every target."""
        return [phase for target in self.targets for phase in target.phases]


def make_target_plan(
    name: str,
    baseline: Snapshot,
    planner: Planner,
    *,
    instance_url: str | None = None,
    organization_id: str | None = None,
    planned: Mapping[Phase, PlannedPhase] | None = None,
) -> PlanTargetDocument:
    """One target's part of a plan; without an org for a baseline from files.

    planned: its phases, where they are worked out already. Raises what Planner.plan_all raises.
    """
    phases = planner.plan_all(baseline) if planned is None else planned
    return PlanTargetDocument(
        name=name,
        instance_url=instance_url,
        organization_id=organization_id,
        live=live_phase(baseline, planner.change, may_be_swapped=True),
        baseline=baseline_documents(baseline, planner.api_version),
        phases=[PhaseDocument.of(planned) for planned in phases.values()],
    )


def make_plan(
    planner: Planner,
    targets: Sequence[PlanTargetDocument],
    digests: Mapping[PhaseName, str],
) -> PlanDocument:
    """The whole plan, dated now."""
    return PlanDocument(
        schema_="sfcutover/plan/1",
        cutover=planner.cutover,
        app=planner.app,
        api_version=planner.api_version,
        created=datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        old=planner.change.old,
        new=planner.change.new,
        targets=targets,
        digests=digests,
    )


def write_plan(plan: PlanDocument, path: Path) -> None:
    """Write the plan, whole or not at all. Raises OperationFailedError."""
    try:
        write_durably(path, plan.model_dump_json(by_alias=True, indent=2) + "\n")
    except OSError as error:
        raise OperationFailedError(
            f"the plan was not written: {error.strerror}",
            where=str(path),
            hint="free space or choose another --out file, then run this again",
        ) from error


def read_plan(path: Path) -> PlanDocument:
    """Read a plan file. Raises ConfigError if it is none, LimitError over 16 MiB."""
    data = read_bounded(path, MAX_PLAN_BYTES, hint="check --plan")
    try:
        return PlanDocument.model_validate_json(data)
    except ValidationError as error:
        raise ConfigError(
            f"not a plan file of this version: {first_problem(error)}",
            where=str(path),
            hint=_new_plan(path),
        ) from error


class TargetPlan:
    """One target's part of a plan file, worked out again and compared with what was recorded.

    Raises DriftError if the file doesn't hold the target, belongs to another cutover,
    or if cutover.yaml, the templates or this tool now make other packages.
    """

    def __init__(self, plan: PlanDocument, path: Path, name: str, planner: Planner) -> None:
        self._path = path
        if (plan.cutover, plan.app) != (planner.cutover, planner.app):
            raise self._drift(f"the plan is for {plan.cutover} of {plan.app}")
        recorded = next((each for each in plan.targets if each.name == name), None)
        if recorded is None:
            raise self._drift(f"the plan has no target {name!r}")
        self._recorded = recorded
        self.baseline = snapshot_of(recorded.baseline, str(path), hint=_new_plan(path))
        self._planner = planner

    def planned(self, phase: Phase) -> PlannedPhase:
        """The phase as it was planned. Raises DriftError if it would be another package now."""
        planned = self._planner.plan_all(self.baseline, [phase])[phase]
        recorded = next((each for each in self._recorded.phases if each.phase == phase.value), None)
        if recorded is None or recorded.package_sha256 != planned.package.sha256:
            raise self._drift(
                f"the package of {phase} is no longer the one that was planned; cutover.yaml, "
                "a template or sfcutover itself has changed since"
            )
        if recorded != PhaseDocument.of(planned):
            raise self._drift(f"the plan's description of {phase} does not match its package")
        return planned

    @property
    def organization_id(self) -> str | None:
        """Of the org that it was made for; None for a plan from files."""
        return self._recorded.organization_id

    @property
    def component_ids(self) -> dict[str, str]:
        """Of the org's components, by path, where known."""
        return self._recorded.component_ids

    def check_live(self, planned: PlannedPhase, live: Snapshot) -> None:
        """Raise DriftError unless the org is where the phase starts, or already where it ends."""
        if planned.phase is Phase.RESTORE_OLD:
            return  # restoring addresses is never held up
        now = live.like(planned.start)
        if now.fingerprints in (planned.start.fingerprints, planned.after.fingerprints):
            return
        # A list that the phase has reached, and others have changed since, is nearer to its end.
        found = [_changes(each, now) for each in (planned.start, planned.after)]
        changed = min(found, key=lambda each: sum(map(len, each.values())))
        parts = [f"{path}: {', '.join(words)}" for path, words in sorted(changed.items())]
        raise self._drift(f"the org has changed since the plan was made: {'; '.join(parts)}")

    def _drift(self, message: str) -> DriftError:
        return DriftError(message, where=str(self._path), hint=_new_plan(self._path))


@dataclass(frozen=True)
class RecordedPlan:
    """A whole plan file, worked out again and compared with what was recorded.

    Every method raises DriftError where it says anything else than cutover.yaml, the templates and
    this tool make of its baseline, and ConfigError for a baseline that was edited.
    """

    document: PlanDocument
    path: Path
    planner: Planner

    def baseline_of(self, target: PlanTargetDocument) -> Snapshot:
        """The components before anything changed."""
        return self._opened(target).baseline

    def phases_of(self, target: PlanTargetDocument) -> dict[Phase, PlannedPhase]:
        """Every phase of a target."""
        opened = self._opened(target)
        planned = self.planner.plan_all(opened.baseline)
        for phase in planned:
            opened.planned(phase)
        if target != self._made_again(target, opened.baseline, planned):
            raise self._drift(
                f"the plan's description of {target.name} does not match its baseline"
            )
        return planned

    def require_digests(self, digests: Mapping[PhaseName, str]) -> None:
        """Raise DriftError unless the plan shows these, and the ranges of cutover.yaml."""
        change = self.planner.change
        again = make_plan(self.planner, self.document.targets, digests)
        shown = self.document.model_copy(update={"created": again.created})
        if shown.digests != again.digests:
            raise self._drift("the plan's digests do not match its phases")
        if shown != again:
            ranges = f"old: {_listed(change.old)}; new: {_listed(change.new)}"
            raise self._drift(f"the plan's ranges differ from those in cutover.yaml ({ranges})")

    def _opened(self, target: PlanTargetDocument) -> TargetPlan:
        return TargetPlan(self.document, self.path, target.name, self.planner)

    def _made_again(
        self, target: PlanTargetDocument, baseline: Snapshot, planned: Mapping[Phase, PlannedPhase]
    ) -> PlanTargetDocument:
        """ids, and where the org is, stand in the plan alone."""
        made = make_target_plan(
            target.name,
            baseline,
            self.planner,
            instance_url=target.instance_url,
            organization_id=target.organization_id,
            planned=planned,
        )
        ids = target.component_ids
        documents = [each.model_copy(update={"id": ids.get(each.path)}) for each in made.baseline]
        return made.model_copy(update={"baseline": documents})

    def _drift(self, message: str) -> DriftError:
        return DriftError(message, where=str(self.path), hint=_new_plan(self.path))


def _listed(ranges: Iterable[IpRange]) -> str:
    return ", ".join(map(str, ranges)) or "none"


def _changes(planned: Snapshot, now: Snapshot) -> dict[str, list[str]]:
    """What differs of each component, in words, by its path."""
    found: dict[str, list[str]] = {}
    for before in planned.components:
        after = now.same_as(before)
        if after is None:
            found[before.path] = ["it is missing from the org"]
        elif after.fingerprint != before.fingerprint:
            found[before.path] = component_drift(before, after) or ["its attributes differ"]
    return found
