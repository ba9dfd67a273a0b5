"""The evidence of a run: its deployments, its proofs, its watches and its canary. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import pairwise

from sfcutover.allowlist.phases import Phase
from sfcutover.cutover.deployevidence import DeployEvidence
from sfcutover.cutover.evidence import Evidence
from sfcutover.cutover.progress import Deployment, RunProgress, StepState, round_of
from sfcutover.cutover.verify import LetInDocument, VerifyEvidence
from sfcutover.cutover.watch import WatchEvidence
from sfcutover.output.report.rundata import RunData
from sfcutover.output.report.timescale import clock, timestamp
from sfcutover.runs.event import Event, moment_text
from sfcutover.salesforce.results import ResultDocument
from sfcutover.util.document import DeploymentId, Document, UtcTime

_VERIFIERS = ("verify-new", "verify")
_THROUGH_NEW = ("control", "verify-new", "verify", "check-new", "remove-old", "watch")


class ReportDeploymentDocument(Document):
    """A deployment of the run."""

    id: DeploymentId
    """Id of the deployment."""
    target: str
    """Name of the target."""
    phase: str
    """Phase that was deployed."""
    sent: UtcTime
    """When it was sent, UTC, ISO 8601."""
    status: str
    """Status as the run saw it last."""
    done: bool
    """True if it has ended."""
    ended: UtcTime | None
    """When the run saw it end, UTC, ISO 8601; null where it did not."""
    components_deployed: int
    """Components that were deployed."""
    components_total: int
    """Components of the deployment."""
    created_by: str | None
    """User who sent it, as the org says; null where it was not asked."""
    error: str | None
    """Error as the org says; null where there is none or it was not asked."""


class ReportProofDocument(Document):
    """What a gate proved."""

    step: str
    """Step of the gate."""
    target: str
    """Name of the target."""
    recorded: UtcTime
    """When the proof was recorded, UTC, ISO 8601."""
    evidence: Evidence
    """What was proved."""
    let_in: list[LetInDocument]
    """How long each new address was waited for after it was added."""


class ReportWatchDocument(Document):
    """A watch of the run."""

    target: str
    """Name of the target."""
    started: UtcTime
    """When it started, UTC, ISO 8601."""
    until: UtcTime
    """When it is to end, UTC, ISO 8601."""
    ended: UtcTime | None
    """When it ended, UTC, ISO 8601; null while it lasts."""
    outcome: str | None
    """passed, rolled-back, or a problem in words; null while it lasts."""
    rounds: int
    """Number of rounds."""
    results: dict[str, int]
    """Number of measurements, by verdict."""
    interval: float
    """Configured seconds between two rounds."""
    longest_gap: float
    """Longest time between two rounds, in seconds."""
    incidents: list[str]
    """Measurements that did not pass, in words."""


class CanaryDocument(Document):
    """The run's own redemptions, as its journal has them."""

    redeemed: int
    """Redemptions that succeeded."""
    refused: int
    """Redemptions that were refused before traffic moved, from addresses that were not let in
    yet."""
    in_login_history: bool
    """True if they are known to be among those of traffic; false where that is not known."""


def deployments(data: RunData) -> list[ReportDeploymentDocument]:
    """Every deployment that was sent, with what the org said of it."""
    results = _results(data)
    ends = {
        (each.target, each.text("id")): each.time
        for each in reversed(data.all("deployment-progress"))
        if each.data.get("done") is True
    }
    return [
        _deployment(each, results.get(key), ends.get(key))
        for key, each in data.progress.deployments.items()
    ]


def _results(data: RunData) -> dict[tuple[str, str], ResultDocument]:
    """By target and id: copies of an org may give the same ids."""
    return {
        (finding.target, result.id): result
        for finding in data.found(DeployEvidence, *Phase)
        for result in finding.content.deployments
    }


def _deployment(
    deployment: Deployment, result: ResultDocument | None, ended: float | None
) -> ReportDeploymentDocument:
    return ReportDeploymentDocument(
        id=deployment.id,
        target=deployment.target,
        phase=deployment.phase,
        sent=moment_text(deployment.sent),
        status=deployment.status,
        done=deployment.done,
        ended=None if ended is None else moment_text(ended),
        components_deployed=deployment.deployed,
        components_total=deployment.total,
        created_by=result.created_by if result else None,
        error=result.error_message if result else None,
    )


def proofs(data: RunData) -> list[ReportProofDocument]:
    """Every proof in the order in which it was made; of a repeated step, the last one."""
    every = (*data.found(VerifyEvidence, *_VERIFIERS), *data.proven)
    last = {(each.step, each.target): each for each in every}
    return [
        ReportProofDocument(
            step=each.step,
            target=each.target,
            recorded=moment_text(each.time),
            evidence=each.content.proof,
            let_in=each.content.let_in,
        )
        for each in sorted(last.values(), key=lambda one: one.seq)
    ]


def watches(data: RunData) -> list[ReportWatchDocument]:
    """The watch of each target that has one, from its first start."""
    started = {each.target or "": each for each in reversed(data.all("watch-started"))}
    first = sorted(started.items(), key=lambda one: one[1].seq)
    return [_watch(data, target, event) for target, event in first]


def _watch(data: RunData, target: str, started: Event) -> ReportWatchDocument:
    rounds = [round_of(each) for each in data.all("watch-round") if each.target == target]
    state = data.progress.steps["watch", target]
    times = [started.time, *(timestamp(each.time) for each in rounds)]
    return ReportWatchDocument(
        target=target,
        started=moment_text(started.time),
        until=moment_text(started.number("until")),
        ended=None if state.ended is None else moment_text(state.ended),
        outcome=None if state.ended is None else _outcome(data, state),
        rounds=len(rounds),
        results=dict(Counter(result.verdict for each in rounds for result in each.results)),
        interval=started.number("interval"),
        longest_gap=round(max((b - a for a, b in pairwise(times)), default=0.0), 3),
        incidents=[
            f"{clock(each.time)} {result.name} {result.verdict}: {result.detail}"
            for each in rounds
            for result in each.results
            if result.verdict != "passed"
        ],
    )


def _outcome(data: RunData, watch: StepState) -> str:
    """What the last end of a watch says; a watch that the run ended was canceled."""
    found = (
        each.content.outcome
        for each in data.found(WatchEvidence, "watch")
        if (each.target, each.time) == (watch.target, watch.ended)
    )
    return next(found, None) or watch.problem or "canceled"


def canary(data: RunData, made: Sequence[ReportProofDocument]) -> CanaryDocument:
    """All redemptions of the canary, without those that a process did not record before it died.

    made: the proofs of the run.
    """
    return CanaryDocument(
        redeemed=data.progress.redeemed,
        refused=data.progress.own_blocked,
        in_login_history=named_by_history(made),
    )


def named_by_history(made: Sequence[ReportProofDocument]) -> bool:
    """True if LoginHistory of these targets' orgs is known to name the canaries' redemptions."""
    evidence = [each.evidence for each in made]
    return bool(made) and all(
        one.own_canaries == one.canaries and all(c.proof == "login-history" for c in one.canaries)
        for one in evidence
    )


def canary_share(data: RunData, targets: Iterable[str]) -> int:
    """How many redemptions through the new egress the canary made for these targets."""
    return sum(
        RunProgress.of(
            each for each in data.events if each.target == name and each.step in _THROUGH_NEW
        ).redeemed
        for name in targets
    )
