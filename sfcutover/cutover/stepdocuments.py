"""What ``deploy`` and ``watch`` print: each step's evidence, complete enough for a report."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field

from sfcutover.allowlist.diff import AllowlistDocument
from sfcutover.allowlist.plan import PhaseDocument
from sfcutover.cutover.deployevidence import DeployEvidence
from sfcutover.cutover.watchtrigger import RoundDocument
from sfcutover.runs.event import moment_text
from sfcutover.salesforce.results import ExternalChangeDocument, ResultDocument
from sfcutover.util.document import DeploymentId, Document, InstanceUrl, UtcTime


class DeployTargetDocument(Document):
    """One phase on one target."""

    target: str
    """Name of the target."""
    instance_url: InstanceUrl
    """The org's URL, as its session has it."""
    organization_id: str | None
    """The id of the organization; null where nothing has asked for it."""
    component_ids: dict[str, str]
    """The org's id of each component, by its path, where the org lists them."""
    started: UtcTime
    """When the step started, by the clock of the machine that executed it: UTC, ISO 8601."""
    ended: UtcTime
    """When it ended, by the same clock: the list was read back before."""
    outcome: Literal["deployed", "no-change", "validated", "started"]
    """deployed (read back and live), no-change, validated (--dry-run) or started (--async)."""
    deployment_ids: list[DeploymentId]
    """Of the deployments that were waited for; of --async, of the one that was sent."""
    deployments: list[ResultDocument]
    """Those that were waited for, as the org reports them."""
    phase: PhaseDocument
    """What the phase changes."""
    start: dict[str, str]
    """What the phase was computed from: SHA-256 of each component's meaning, by its path."""
    before: list[AllowlistDocument]
    """The lists that it was computed from."""
    live: list[AllowlistDocument]
    """The lists as the org said them afterwards; empty where it was not asked."""
    differences: list[str]
    """What reads back different and does no harm."""
    clearance: str | None = None
    """What let the phase remove addresses: the proof, or the operator's reason."""
    quiet: str | None = None
    """What the quiet checks have shown, in words; null where there are none."""
    follow_up: str | None = None
    """Of --async: the command that waits for the deployment."""
    external_changes: list[ExternalChangeDocument] = Field(default_factory=list)
    """What others saved meanwhile."""

    @classmethod
    def of(cls, target: str, evidence: DeployEvidence, started: float, ended: float) -> Self:
        """The document of a deploy. Times are in seconds since 1970."""
        is_started = evidence.outcome == "started"
        return cls(
            target=target,
            instance_url=evidence.instance_url,
            organization_id=evidence.organization_id,
            component_ids=evidence.component_ids,
            started=moment_text(started),
            ended=moment_text(ended),
            outcome=evidence.outcome,
            deployment_ids=(
                evidence.sent[-1:] if is_started else [each.id for each in evidence.deployments]
            ),
            deployments=evidence.deployments,
            phase=evidence.diff,
            start=evidence.start,
            before=evidence.before,
            live=evidence.live if evidence.outcome == "deployed" else [],
            differences=evidence.differences,
            clearance=evidence.clearance,
            quiet=evidence.quiet,
            external_changes=evidence.external_changes,
        )


class WatchedTargetDocument(Document):
    """A target whose list was watched."""

    target: str
    """Name of the target."""
    organization_id: str | None
    """The id of the organization; null where nothing has asked for it."""


class WatchDocument(Document):
    """What ``watch`` prints."""

    schema_: Literal["sfcutover/watch/1"] = Field("sfcutover/watch/1", alias="schema")
    """Name and version of this document's format."""
    cutover: str
    """Name of the cutover."""
    targets: list[WatchedTargetDocument]
    """Those whose lists were watched."""
    started: UtcTime
    """When the watch started, by the clock of the machine that executed it: UTC, ISO 8601."""
    until: UtcTime
    """When it was to end, by the same clock."""
    ended: UtcTime
    """When it ended, by the same clock; old addresses are restored after that."""
    interval: float
    """Seconds between two rounds."""
    outcome: Literal["passed", "rolled-back", "inconclusive"]
    """passed, rolled-back (the old addresses were to be restored) or inconclusive."""
    reasons: list[str]
    """Of a rollback, or why it is inconclusive."""
    counts: dict[str, int]
    """Results of all canaries and checks, by verdict."""
    rounds: list[RoundDocument]
    """What each round has seen."""
    restored: list[DeployTargetDocument]
    """What restored the old addresses, and the policies after them; empty where nothing had to."""
    old_proof: str | None
    """Whether a redemption through the old addresses succeeded after they were restored, in words;
    null where none was tried."""


class DeployDocument(Document):
    """What ``deploy`` and ``rollback`` print."""

    schema_: Literal["sfcutover/deploy/1"] = Field("sfcutover/deploy/1", alias="schema")
    """Name and version of this document's format."""
    cutover: str
    """Name of the cutover."""
    targets: list[DeployTargetDocument]
    """What was done on each target, in order."""
    watch: WatchDocument | None = None
    """Of ``deploy remove-old --watch``: the watch that followed; null where none has ended."""
