"""The report of a run as JSON: what changed, when, who approved, and what remains unproven."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from sfcutover.allowlist.documents import ComponentDiffDocument, PhaseName, RangeDocument
from sfcutover.cutover.evidence import Evidence
from sfcutover.runs.documents import RunDocument, RunState
from sfcutover.salesforce.documents import AllowlistDocument
from sfcutover.util.document import Document

Side = Literal["old", "new", "kept", "other"]
Holds = Literal["all", "some", "none"]
BoundaryKind = Literal["phase", "rollback"]


class PageDocument(Document):
    """A person was called, and what they should run."""

    time: str
    message: str
    commands: list[str]


class VerdictDocument(Document):
    """How the run stands. tokens: what that means for the customers' tokens. page: the newest
    call for a person, null if none is open."""

    state: RunState
    title: str
    message: str
    tokens: str
    next: str
    page: PageDocument | None


class RulesDocument(Document):
    """What the gates were told. Times are in seconds."""

    settle: float
    confidence: float
    max_age: float
    watch_duration: float
    watch_interval: float
    watch_failures: int
    watch_checks: list[str]
    waves: list[int]
    pause_before: list[str]


class ReportTargetDocument(Document):
    """An org. lists: as they were read last, empty where they never were; old and new: how much
    of each they then held, null where nobody knows."""

    name: str
    instance_url: str | None
    before: str | None
    lists: list[AllowlistDocument]
    read: str | None
    old: Holds | None
    new: Holds | None


class ReportStepDocument(Document):
    """A step on all its targets; targets is 0 for one of the whole run. seconds: from the first
    begin to the last end, null while it goes on. tries: the most that a target took."""

    step: str
    title: str
    targets: int
    done: int
    failed: int
    running: int
    started: str
    ended: str | None
    seconds: float | None
    tries: int
    problems: list[str]


class DecisionDocument(Document):
    """What a person was asked, and said. decision: open while nobody has; asked is null for a
    cancellation, which nobody asks for. who: a name that proves nothing by itself."""

    decision: Literal["approved", "canceled", "open"]
    step: str | None
    reason: str | None
    message: str
    asked: str | None
    decided: str | None
    who: str | None
    note: str | None


class ReportPhaseDocument(Document):
    """What one phase changed on one target. live: when the list was read back with it, null
    where it never was. found: it was so, and this run had sent nothing."""

    target: str
    phase: PhaseName
    step: str
    planned: str
    live: str | None
    found: bool
    changed: bool
    package_sha256: str
    components: list[ComponentDiffDocument]
    notes: list[str]
    deployments: list[str]


class ReportDeploymentDocument(Document):
    """ended: when it was seen to have ended, null where it was not. created_by, error: as the
    org says, null where it was not asked."""

    id: str
    target: str
    phase: str
    sent: str
    status: str
    done: bool
    ended: str | None
    components_deployed: int
    components_total: int
    created_by: str | None
    error: str | None


class ReportProofDocument(Document):
    """What a gate proved, in which step, and when that was recorded."""

    step: str
    target: str
    recorded: str
    evidence: Evidence


class ReportWatchDocument(Document):
    """until: when it was to end. outcome: passed, rolled-back, or a problem in words; null while
    it goes on. longest_gap: seconds between two rounds. incidents: looks that did not pass."""

    target: str
    begun: str
    until: str
    ended: str | None
    outcome: str | None
    rounds: int
    looks: dict[str, int]
    interval: float
    longest_gap: float
    incidents: list[str]


class CanaryDocument(Document):
    """The run's own redemptions, as far as it told. in_login_history: they are known to be
    among those of traffic; false where nobody can say."""

    redeemed: int
    in_login_history: bool


class BoundaryDocument(Document):
    """A moment at which what addresses are for has changed."""

    time: str
    name: str
    kind: BoundaryKind


class BinDocument(Document):
    """Redemptions in so many seconds from start on."""

    start: str
    seconds: int
    redeemed: int
    blocked: int
    other: int


class TotalsDocument(Document):
    """Redemptions. other: refused for another reason. Times are null where there was none."""

    redeemed: int
    blocked: int
    other: int
    first: str | None
    last: str | None
    last_redeemed: str | None
    first_blocked: str | None
    last_blocked: str | None


class AddressTargetDocument(TotalsDocument):
    """Those from an address on one target."""

    target: str


class AddressDocument(TotalsDocument):
    """Those from an address on all targets, as their orgs' LoginHistory has them. bins: but the
    empty ones. targets: where there were any; an org with several stands under its first."""

    address: str
    side: Side
    bins: list[BinDocument]
    targets: list[AddressTargetDocument]


class ReportEventDocument(Document):
    """What was worth a line."""

    time: str
    target: str | None
    step: str | None
    text: str


class ReportDocument(Document):
    """What ``report --format json`` prints. Times are UTC, ISO 8601.

    unproven: what this run leaves open. limits: what no run of this tool proves.
    """

    schema_: Literal["sfcutover/report/1"] = Field("sfcutover/report/1", alias="schema")
    made: str
    version: str
    verdict: VerdictDocument
    run: RunDocument
    seconds: float
    app: str
    api_version: str
    carriers: list[str]
    old: list[RangeDocument]
    new: list[RangeDocument]
    rules: RulesDocument
    targets: list[ReportTargetDocument]
    steps: list[ReportStepDocument]
    decisions: list[DecisionDocument]
    phases: list[ReportPhaseDocument]
    deployments: list[ReportDeploymentDocument]
    proofs: list[ReportProofDocument]
    watches: list[ReportWatchDocument]
    boundaries: list[BoundaryDocument]
    traffic: list[AddressDocument]
    canary: CanaryDocument
    events: list[ReportEventDocument]
    unproven: list[str]
    limits: list[str]
