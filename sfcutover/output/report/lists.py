"""The lists of a run: what each phase changed, what they hold now, what others changed. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from sfcutover.allowlist.diff import AllowlistDocument
from sfcutover.allowlist.plan import PhaseDocument
from sfcutover.allowlist.ranges import Allowlist, IpRange, subtract
from sfcutover.cutover.baseline import SnapshotEvidence
from sfcutover.cutover.deployevidence import DeployEvidence
from sfcutover.cutover.evidence import list_hash
from sfcutover.cutover.recordedlists import LIST_READERS, lists_in
from sfcutover.cutover.sentdeployments import NEVER_RECEIVED, SENDING, SENT
from sfcutover.cutover.stepresult import StepEvidence
from sfcutover.cutover.verify import VerifyEvidence
from sfcutover.output.report.beforeafter import ReportListDocument, before_and_after
from sfcutover.output.report.rundata import Entry, RunData
from sfcutover.runs.event import moment_text
from sfcutover.util.document import DeploymentId, Document, InstanceUrl, UtcTime

Holds = Literal["all", "some", "none"]
Lists = Mapping[str, Allowlist]  # by the path of each carrier's component
_VERIFIERS = ("verify-new", "verify", "check-new")
_REMOVAL = "remove-old"


class ReportPhaseDocument(PhaseDocument):
    """What one phase changes on one target."""

    target: str
    """Name of the target."""
    step: str
    """Step of the run that deploys the phase."""
    planned: UtcTime
    """When the change was worked out, UTC, ISO 8601."""
    live: UtcTime | None
    """When the org was read back with it, UTC, ISO 8601; null where it never was."""
    found: bool
    """True if the list was in this phase although the run had sent nothing."""
    deployments: list[DeploymentId]
    """Ids of the deployments of the phase."""


class ReportTargetDocument(Document):
    """An org of the run."""

    name: str
    """Name of the target."""
    instance_url: InstanceUrl | None
    """Instance URL of the org; null where it is not known."""
    before: str | None
    """State of the lists before the run, in words; null where it is unknown."""
    lists: list[ReportListDocument]
    """The lists before the run and as read last; empty where the run read none."""
    read: UtcTime | None
    """When they were read last, UTC, ISO 8601; null where they never were."""
    old: Holds | None
    """How many of the old addresses the lists hold then; null where that is not known."""
    new: Holds | None
    """How many of the new addresses the lists hold then; null where that is not known."""


def phases(data: RunData) -> list[ReportPhaseDocument]:
    """Every change that was planned, once, in the order of the run.

    A step that is tried again plans again; where it then finds nothing to change, that plan is
    left out.
    """
    found: dict[tuple[str, str, str], ReportPhaseDocument] = {}
    for plan in data.planned:
        key = (plan.target, plan.content.phase, plan.content.package_sha256)
        earlier = any(each[:2] == key[:2] for each in found)
        if plan.content.changed or not earlier:
            found.setdefault(key, _phase(data, plan))
    return list(found.values())


def _phase(data: RunData, plan: Entry[PhaseDocument]) -> ReportPhaseDocument:
    read_backs = data.found(DeployEvidence, plan.content.phase)
    later = (each for each in read_backs if each.target == plan.target and each.seq > plan.seq)
    first = next(later, None)
    return ReportPhaseDocument(
        **dict(plan.content),
        target=plan.target,
        step=plan.step,
        planned=moment_text(plan.time),
        live=None if first is None else moment_text(first.time),
        found=first is not None
        and not may_be_sent(data, plan.target, plan.content.phase, plan.seq, first.seq),
        deployments=_deployments_of(data, plan),
    )


def may_be_sent(data: RunData, target: str, phase: str, after: int, before: int) -> bool:
    """True if the run sent a phase between two events, by their numbers, whatever became of it.

    That includes a package of which it is not known whether the org received it.
    """
    kinds = Counter(
        each.kind
        for each in data.all(SENDING, SENT, NEVER_RECEIVED)
        if (each.target, each.text("phase")) == (target, phase) and after < each.seq < before
    )
    return kinds[SENT] > 0 or kinds[SENDING] > kinds[NEVER_RECEIVED]


def _deployments_of(data: RunData, plan: Entry[PhaseDocument]) -> list[str]:
    """The deployments sent between a plan and the next one that changes something else."""
    following = (
        each.seq
        for each in data.planned
        if each.seq > plan.seq
        and each.target == plan.target
        and each.content.changed
        and each.content.package_sha256 != plan.content.package_sha256
    )
    end = next(following, data.events[-1].seq + 1)
    return [
        each.text("id")
        for each in data.all(SENT)
        if (each.target, each.text("phase")) == (plan.target, plan.content.phase)
        and plan.seq < each.seq < end
    ]


def found_phases(planned: Iterable[ReportPhaseDocument]) -> set[tuple[str, str]]:
    """Targets and phases that were read back although this run sent nothing."""
    found: dict[tuple[str, str], bool] = {}
    for each in planned:
        if each.live is not None:
            key = each.target, str(each.phase)
            found[key] = found.get(key, True) and each.found
    return {key for key, alone in found.items() if alone}


def targets(data: RunData) -> list[ReportTargetDocument]:
    """Each org with its lists as they were read last."""
    return [_target(data, name) for name in data.targets]


def _target(data: RunData, name: str) -> ReportTargetDocument:
    every = [each for each in data.found(StepEvidence, *LIST_READERS) if each.target == name]
    snapshots = [each.content for each in every if isinstance(each.content, SnapshotEvidence)]
    lists = before_and_after([each.content for each in every])
    change = data.cutover.change
    return ReportTargetDocument(
        name=name,
        instance_url=snapshots[-1].instance_url if snapshots else None,
        before=snapshots[0].state if snapshots else None,
        lists=lists,
        read=moment_text(every[-1].time) if every else None,
        old=_all_hold(lists, change.removed or change.old),
        new=_all_hold(lists, change.new),
    )


def _all_hold(lists: Iterable[AllowlistDocument], wanted: tuple[IpRange, ...]) -> Holds | None:
    """How much of the ranges the lists hold: some, where they differ."""
    held = {holds(each.allowlist, wanted) for each in lists}
    return (held.pop() if len(held) == 1 else "some") if held else None


def holds(live: Allowlist, wanted: tuple[IpRange, ...]) -> Holds:
    """How much of the ranges a list holds."""
    missing = live.uncovered(wanted)
    if not missing:
        return "all"
    sizes = [sum(each.size for each in ranges) for ranges in (missing, wanted)]
    return "none" if sizes[0] == sizes[1] else "some"


@dataclass(frozen=True)
class Reading:
    """A target's lists at a time, in seconds since 1970. seq: of the event that tells it."""

    seq: int
    time: float
    lists: Lists


@dataclass(frozen=True)
class ExternalChange:
    """Old addresses that left a list, but not through this run.

    seen: when the run last read them there, None if never. found: when it read the list without
    them. Seconds since 1970.
    """

    target: str
    ranges: tuple[IpRange, ...]
    seen: float | None
    found: float


def external_changes(data: RunData) -> dict[tuple[IpRange, ...], list[ExternalChange]]:
    """By the old addresses that left, in the order of the targets."""
    found: dict[tuple[IpRange, ...], list[ExternalChange]] = {}
    for name in data.targets:
        for each in _external_changes(data, name):
            found.setdefault(each.ranges, []).append(each)
    return found


def _external_changes(data: RunData, target: str) -> Iterator[ExternalChange]:
    seen, removed = readings(data, target), data.cutover.change.removed
    ended = any(each.target == target for each in data.found(DeployEvidence, _REMOVAL))
    if seen and ended and (never := _on_no_list(seen[0], removed)):
        yield ExternalChange(target, never, None, seen[0].time)
    for before, after in pairwise(seen):
        gone = _gone(before, after, removed)
        if others := subtract(gone, _removed_by_this_run(data, target, before, after)):
            yield ExternalChange(target, others, before.time, after.time)


def readings(data: RunData, target: str) -> list[Reading]:
    """Every reading of a target's lists; also that of a proof, which says only whether they are
    as they were at the reading before."""
    found: list[Reading] = []
    every: tuple[Entry[StepEvidence] | Entry[VerifyEvidence], ...] = (
        *data.found(StepEvidence, *LIST_READERS, *_VERIFIERS),
        *data.proven,
    )
    for each in sorted(every, key=lambda one: one.seq):
        if each.target != target:
            continue
        if lists := lists_in(each.content):
            found.append(Reading(each.seq, each.time, {one.path: one.allowlist for one in lists}))
        elif isinstance(each.content, VerifyEvidence) and found:
            proof = each.content.proof
            proven = {path: one.sha256 for path, one in proof.lists.items()}
            if proven == {path: list_hash(ranges) for path, ranges in found[-1].lists.items()}:
                ago = proof.end.most_since(proof.begin)  # the proof has the org's times
                found.append(Reading(each.seq, each.time - ago, found[-1].lists))
    return found


def _on_no_list(reading: Reading, ranges: tuple[IpRange, ...]) -> tuple[IpRange, ...]:
    for entries in reading.lists.values():
        ranges = entries.uncovered(ranges)
    return ranges


def _gone(before: Reading, after: Reading, ranges: tuple[IpRange, ...]) -> tuple[IpRange, ...]:
    """What a carrier's list held before, and does not hold after."""
    gone = (
        each
        for path in before.lists.keys() & after.lists.keys()
        for held in [subtract(ranges, before.lists[path].uncovered(ranges))]
        for each in after.lists[path].uncovered(held)
    )
    return tuple(dict.fromkeys(gone))


def _removed_by_this_run(
    data: RunData, target: str, before: Reading, after: Reading
) -> list[IpRange]:
    """What this run may have removed between two readings."""
    if not may_be_sent(data, target, _REMOVAL, before.seq, after.seq):
        return []
    return [
        IpRange.parse(entry.range)
        for plan in data.planned
        if plan.target == target and before.seq < plan.seq < after.seq
        for component in plan.content.components
        for entry in component.removed
    ]
