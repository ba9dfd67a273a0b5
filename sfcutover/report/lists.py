"""What a run did to the lists: each phase's diff and deployments, and what they hold now. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from sfcutover.allowlist.documents import PhaseDocument
from sfcutover.allowlist.ranges import Allowlist, IpRange
from sfcutover.documents.reports import (
    Holds,
    ReportPhaseDocument,
    ReportTargetDocument,
)
from sfcutover.report.facts import Evidence, Facts
from sfcutover.report.rules import holds
from sfcutover.report.sent import may_be_sent
from sfcutover.runs.documents import moment_text
from sfcutover.runs.journal import Event
from sfcutover.salesforce.documents import AllowlistDocument

READERS = ("snapshot", "add-new", "remove-old", "watch", "restore-old", "remove-new", "state")


def phases(facts: Facts) -> list[ReportPhaseDocument]:
    """Every change that was planned, once, in the order of the run.

    A step that is begun again plans again: what it then finds done is left out.
    """
    found: dict[tuple[str, str, str], ReportPhaseDocument] = {}
    for event in facts.all("planned"):
        phase = PhaseDocument.model_validate(event.data.get("phase"))
        key = (event.target or "", phase.phase, phase.package_sha256)
        earlier = any(each[:2] == key[:2] for each in found)
        if phase.changed or not earlier:
            found.setdefault(key, _phase(facts, event, phase))
    return list(found.values())


def _phase(facts: Facts, event: Event, phase: PhaseDocument) -> ReportPhaseDocument:
    target = event.target or ""
    live = (
        end
        for end, _ in read_backs(facts, phase.phase)
        if end.target == event.target and end.seq > event.seq
    )
    first = next(live, None)
    return ReportPhaseDocument(
        target=target,
        phase=phase.phase,
        step=event.step or "",
        planned=moment_text(event.time),
        live=None if first is None else moment_text(first.time),
        found=first is not None
        and not may_be_sent(facts, target, phase.phase, event.seq, first.seq),
        changed=phase.changed,
        package_sha256=phase.package_sha256,
        components=phase.components,
        notes=phase.notes,
        deployments=_sent_for(facts, event, phase),
    )


def found_so(planned: Iterable[ReportPhaseDocument]) -> set[tuple[str, str]]:
    """Targets and phases that were read back, but are not this run's work: it sent nothing."""
    found: dict[tuple[str, str], bool] = {}
    for each in planned:
        if each.live is not None:
            key = each.target, str(each.phase)
            found[key] = found.get(key, True) and each.found
    return {key for key, so in found.items() if so}


def read_backs(facts: Facts, phase: str) -> Iterator[tuple[Event, Evidence]]:
    """Where the org was read back with this phase on the list."""
    for event, evidence in facts.succeeded(*READERS):
        restored = evidence.get("restored")
        found = restored if isinstance(restored, dict) else evidence
        if found.get("phase") == phase:
            yield event, found


def _sent_for(facts: Facts, planned: Event, phase: PhaseDocument) -> list[str]:
    """The deployments of a phase between this plan and the next one that changes other things."""
    following = (
        each.seq
        for each in facts.all("planned")
        if each.seq > planned.seq
        and each.target == planned.target
        and _is_another(PhaseDocument.model_validate(each.data.get("phase")), phase)
    )
    end = next(following, facts.events[-1].seq + 1)
    sent = facts.all("deployment-sent")
    return [
        each.text("id")
        for each in sent
        if each.target == planned.target
        and each.text("phase") == phase.phase
        and planned.seq < each.seq < end
    ]


def _is_another(later: PhaseDocument, phase: PhaseDocument) -> bool:
    return later.changed and later.package_sha256 != phase.package_sha256


def targets(facts: Facts) -> list[ReportTargetDocument]:
    """Each org with its list as it was read last."""
    return [_target(facts, name) for name in facts.targets]


def _target(facts: Facts, name: str) -> ReportTargetDocument:
    snapshot: Evidence = {}
    lists: list[AllowlistDocument] = []
    read = None
    for event, evidence in facts.succeeded(*READERS):
        if event.target != name:
            continue
        if event.step == "snapshot":
            snapshot = evidence
        if (found := live_lists(evidence)) is not None:
            lists, read = found, moment_text(event.time)
    change = facts.rules.change
    return ReportTargetDocument(
        name=name,
        instance_url=_text(snapshot.get("instance_url")),
        before=_text(snapshot.get("state")),
        lists=lists,
        read=read,
        old=_holds(lists, change.removed or change.old),
        new=_holds(lists, change.new),
    )


def live_lists(evidence: Evidence) -> list[AllowlistDocument] | None:
    """What a step read last; None for one that reads no list."""
    restored = evidence.get("restored")
    found = (restored if isinstance(restored, dict) else evidence).get("live")
    if not isinstance(found, list):
        return None
    return [AllowlistDocument.model_validate(each) for each in found]


def _holds(lists: Iterable[AllowlistDocument], wanted: tuple[IpRange, ...]) -> Holds | None:
    """What all the carriers together say: some, where they differ."""
    said = {
        holds(Allowlist(tuple(IpRange.parse(entry.range) for entry in each.ranges)), wanted)
        for each in lists
    }
    return (said.pop() if len(said) == 1 else "some") if said else None


def _text(value: object) -> str | None:
    return None if value is None else str(value)
