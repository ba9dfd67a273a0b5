"""What the documents of single steps cover of a cutover, and what they do not. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from sfcutover.allowlist.phases import Phase
from sfcutover.allowlist.planfile import PlanDocument
from sfcutover.cutover.evidence import EvidenceFile
from sfcutover.cutover.stepdocuments import DeployDocument, DeployTargetDocument, WatchDocument
from sfcutover.cutover.switch import SwitchDocument
from sfcutover.output.report.stepfiles import StepFile
from sfcutover.output.report.timescale import timestamp


def switch_started(files: Sequence[StepFile]) -> float | None:
    """When traffic began to move to the new addresses, by the documents."""
    documents = [each.document for each in files]
    made = [one for one in documents if isinstance(one, SwitchDocument)]
    forwards = [timestamp(each.started) for each in made if each.direction == "apply"]
    return min(forwards, default=None)


def watches(files: Sequence[StepFile]) -> Iterator[WatchDocument]:
    """In the order in which they ended."""
    found = []
    for each in files:
        match each.document:
            case DeployDocument(watch=WatchDocument() as watch) | (WatchDocument() as watch):
                found.append(watch)
    yield from sorted(found, key=lambda one: timestamp(one.ended))


def covered(files: Sequence[StepFile], phase: Phase) -> set[str]:
    """The targets that hold a phase, by the documents."""
    return {
        each.target
        for each in _deployed(files)
        if each.phase.phase == phase.value and each.outcome in ("deployed", "no-change")
    }


def missing_parts(files: Sequence[StepFile], names: Sequence[str]) -> Iterator[str]:
    """What the documents do not cover, a sentence each. names: of the cutover's targets."""
    if not any(isinstance(each.document, PlanDocument) for each in files):
        yield "No plan was given: no document of its own shows what the lists were before."
    for phase in (Phase.ADD_NEW, Phase.REMOVE_OLD):
        if left := _without(names, covered(files, phase)):
            yield f"No document of deploy {phase} on {left} was given."
    if switch_started(files) is None:
        yield "No document of the switch was given: that traffic moved, and when, is not shown."
    if left := _without(names, _proven(files)):
        yield f"No evidence of verify about {left} was given."
    watched = {each.target for watch in watches(files) for each in watch.targets}
    if left := _without(names, watched):
        yield f"No document of a watch of {left} was given."
    yield from _other_start(files)
    yield "The documents of steps hold no approvals and no redemptions of customers."


def _without(names: Sequence[str], found: set[str]) -> str:
    return ", ".join(each for each in names if each not in found)


def _proven(files: Sequence[StepFile]) -> set[str]:
    return {
        each.target
        for file in files
        if isinstance(file.document, EvidenceFile)
        for each in file.document.targets
        if each.via == "new"
    }


def _other_start(files: Sequence[StepFile]) -> Iterator[str]:
    """Where add-new was computed from another list than the plan's."""
    planned = {
        target.name: {each.path: each.fingerprint for each in target.baseline}
        for file in files
        if isinstance(file.document, PlanDocument)
        for target in file.document.targets
    }
    for each in _deployed(files):
        is_first = each.phase.phase == Phase.ADD_NEW.value and each.phase.changed
        if is_first and _differs(planned.get(each.target, {}), each.start):
            yield f"On {each.target}, add-new started from another list than the plan's."


def _deployed(files: Sequence[StepFile]) -> Iterator[DeployTargetDocument]:
    for file in files:
        if isinstance(file.document, DeployDocument):
            yield from file.document.targets


def _differs(planned: Mapping[str, str], start: Mapping[str, str]) -> bool:
    return any(start[path] != planned[path] for path in planned.keys() & start.keys())
