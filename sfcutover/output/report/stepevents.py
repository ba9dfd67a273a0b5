"""The data of a report from the documents of single steps: as a run's journal would tell them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from pydantic import BaseModel

from sfcutover.allowlist.baseline import snapshot_of
from sfcutover.allowlist.diff import AllowlistDocument
from sfcutover.allowlist.phases import Phase
from sfcutover.allowlist.planfile import PlanDocument
from sfcutover.allowlist.templates import Templates
from sfcutover.config.cutover import Cutover
from sfcutover.cutover.baseline import SnapshotEvidence
from sfcutover.cutover.deployevidence import DeployEvidence
from sfcutover.cutover.evidence import EvidenceFile
from sfcutover.cutover.sentdeployments import PROGRESS, SENT
from sfcutover.cutover.stepdocuments import DeployDocument, DeployTargetDocument, WatchDocument
from sfcutover.cutover.stepresult import StepEvidence, StepResult
from sfcutover.cutover.switch import SwitchDocument, SwitchEvidence
from sfcutover.cutover.verify import VerifyEvidence
from sfcutover.cutover.watch import STARTED, WatchEvidence
from sfcutover.cutover.watchtrigger import WatchOutcome, watch_failure
from sfcutover.errors import ExitCode
from sfcutover.output.report.rundata import RunData
from sfcutover.output.report.stepcoverage import covered, missing_parts, switch_started, watches
from sfcutover.output.report.stepfiles import StepFile
from sfcutover.output.report.timescale import timestamp
from sfcutover.runs.event import Event
from sfcutover.runs.store import DONE, ROLLED_BACK, Run, config_text

_KEPT = "keep this report with the change record"
_HINT = "make a new plan"


@dataclass
class _Told:
    """What documents tell, in the order in which it happened once all are told."""

    events: list[Event] = field(default_factory=list)

    def tell(
        self, time: float, kind: str, step: str | None, target: str | None, **data: object
    ) -> None:
        self.events.append(Event(0, "", time, kind, step, target, data))

    def step(
        self, name: str, target: str | None, started: float, ended: float, found: StepEvidence
    ) -> None:
        self.tell(started, "step-started", name, target)
        result = StepResult(evidence=found).model_dump(mode="json")
        self.tell(ended, "step-ended", name, target, seconds=ended - started, **result)

    def in_order(self, run: str) -> tuple[Event, ...]:
        by_time = sorted(self.events, key=lambda each: each.time)
        return tuple(replace(each, seq=seq, run=run) for seq, each in enumerate(by_time, 1))


def data_of(files: Sequence[StepFile], cutover: Cutover, now: float) -> RunData:
    """What a report is made from, whatever the order of the files. now: seconds since 1970."""
    told, switched = _Told(), switch_started(files)
    for each in files:
        _tell(told, each, switched)
    start = min((each.time for each in told.events), default=now)
    texts = {"old": cutover.change.old, "new": cutover.change.new}
    facts: dict[str, object] = {key: list(map(str, each)) for key, each in texts.items()}
    names = [each.name for each in cutover.targets]
    opening = Event(
        0, "", start, "run-started", data={"app": cutover.app, "targets": names, **facts}
    )
    told.events.insert(0, opening)
    _tell_removal(told, names)
    ended = _ended(told, files, names)
    run = Run(
        cutover.name,
        cutover.name,
        1,
        config_text(cutover, Templates()),
        start,
        ended=None if ended is None else ended.time,
        outcome=None if ended is None else ended.text("outcome"),
        exit_code=None if ended is None else int(ended.number("exit_code")),
    )
    sources = tuple(sorted(str(each.path) for each in files))
    missing = tuple(missing_parts(files, names))
    return RunData(run, told.in_order(run.id), now, sources=sources, missing=missing)


def _tell(told: _Told, file: StepFile, switched: float | None) -> None:
    match file.document:
        case PlanDocument() as plan:
            _tell_plan(told, plan, str(file.path))
        case SwitchDocument() as made:
            evidence = SwitchEvidence(direction=made.direction, seconds=made.seconds)
            name = "switch" if made.direction == "apply" else "switch-back"
            told.step(name, None, timestamp(made.started), timestamp(made.ended), evidence)
        case EvidenceFile() as proofs:
            _tell_proofs(told, proofs, switched)
        case DeployDocument() as deployed:
            for each in deployed.targets:
                _tell_deployment(told, each)
            if deployed.watch is not None:
                _tell_watch(told, deployed.watch)
        case WatchDocument() as watch:
            _tell_watch(told, watch)


def _tell_plan(told: _Told, plan: PlanDocument, where: str) -> None:
    time = timestamp(plan.created)
    for each in plan.targets:
        baseline = snapshot_of(each.baseline, where, hint=_HINT)
        evidence = SnapshotEvidence(
            instance_url=each.instance_url or "",
            organization_id=each.organization_id or "",
            live=AllowlistDocument.all_of(baseline),
            state=each.live,
            phases={},
            notes=[],
        )
        told.step("snapshot", each.name, time, time, evidence)


def _tell_removal(told: _Told, names: Sequence[str]) -> None:
    """Its lists are one wave."""
    steps = [each for each in told.events if each.step == Phase.REMOVE_OLD.value]
    if steps:
        targets = [name for name in names if any(each.target == name for each in steps)]
        told.tell(min(each.time for each in steps), "wave", None, None, number=1, targets=targets)


def _tell_proofs(told: _Told, proofs: EvidenceFile, switched: float | None) -> None:
    for each in proofs.targets:
        if each.via != "new":
            continue
        started = min(one.started.timestamp() for one in each.canaries)
        ended = max(one.last_proof.timestamp() for one in each.canaries)
        before = switched is not None and ended <= switched
        name = "verify-new" if before else "verify"
        told.step(name, each.target, started, ended, VerifyEvidence(proof=each))


def _tell_deployment(told: _Told, done: DeployTargetDocument) -> None:
    """What was only validated has changed nothing, and is told by no event."""
    if done.outcome == "validated":
        return
    phase, target = done.phase.phase, done.target
    started, ended = timestamp(done.started), timestamp(done.ended)
    told.tell(started, "step-started", phase, target)
    told.tell(started, "planned", phase, target, phase=_data(done.phase))
    known = {each.id: each for each in done.deployments}
    for identifier in done.deployment_ids:
        result = known.get(identifier)
        told.tell(started, SENT, phase, target, id=identifier, phase=phase)
        if result is not None:
            facts = {"status": result.status, "done": result.done}
            counts = {"deployed": result.components_deployed, "total": result.components_total}
            told.tell(ended, PROGRESS, phase, target, id=identifier, **facts, **counts)
    if done.outcome == "started":
        return
    result_ = StepResult(evidence=_evidence(done)).model_dump(mode="json")
    told.tell(ended, "step-ended", phase, target, seconds=ended - started, **result_)


def _evidence(done: DeployTargetDocument) -> DeployEvidence:
    return DeployEvidence(
        phase=done.phase.phase,
        instance_url=done.instance_url,
        organization_id=done.organization_id,
        component_ids=done.component_ids,
        start=done.start,
        before=done.before,
        outcome=done.outcome,
        changed=done.phase.changed,
        deployments=done.deployments,
        sent=list(done.deployment_ids),
        live=done.live or (done.before if done.outcome == "no-change" else []),
        diff=done.phase,
        differences=done.differences,
        clearance=done.clearance,
        quiet=done.quiet,
        external_changes=done.external_changes,
    )


def _tell_watch(told: _Told, watch: WatchDocument) -> None:
    started, ended = timestamp(watch.started), timestamp(watch.ended)
    evidence = WatchEvidence(
        outcome=WatchOutcome(watch.outcome),
        reasons=watch.reasons,
        rounds=len(watch.rounds),
        counts=watch.counts,
    )
    for each in watch.targets:
        until = timestamp(watch.until)
        told.tell(started, STARTED, "watch", each.target, until=until, interval=watch.interval)
        told.step("watch", each.target, started, ended, evidence)
        for one in watch.rounds:
            told.tell(timestamp(one.time), "watch-round", "watch", each.target, round=_data(one))
        if evidence.is_failed:
            reason = "; ".join(watch.reasons)
            told.tell(ended, "rolling-back", "watch", each.target, reason=reason)
    for restored in watch.restored:
        _tell_deployment(told, restored)
    if watch.old_proof is not None:
        told.tell(ended, "note", "watch", None, text=watch.old_proof)


def _ended(told: _Told, files: Sequence[StepFile], names: Sequence[str]) -> Event | None:
    """The end, where the documents show one: every list is watched, or the watch restored them."""
    every = list(watches(files))
    failed = [each for each in every if each.outcome == "rolled-back"]
    passed = {one.target for each in every if each.outcome == "passed" for one in each.targets}
    last = max((each.time for each in told.events), default=0.0)
    if failed and (failure := watch_failure(WatchOutcome.ROLLED_BACK, failed[-1].reasons)):
        ending = (ROLLED_BACK, failure.exit_code, failure.message, failure.impact, failure.hint)
    elif passed.issuperset(names) and covered(files, Phase.REMOVE_OLD).issuperset(names):
        message = "the old addresses are off every list, and the watch passed"
        ending = (DONE, ExitCode.DONE, message, "redemptions succeeded to the end", _KEPT)
    else:
        return None
    keys = ("outcome", "exit_code", "message", "impact", "next")
    told.tell(last, "run-ended", None, None, **dict(zip(keys, ending, strict=True)))
    return told.events[-1]


def _data(document: BaseModel) -> dict[str, object]:
    return document.model_dump(mode="json")
