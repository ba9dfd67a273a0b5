"""The JSON this tool writes, as models: what they say is what ``schemas/`` says.

Every document names its schema and version first, so that a script can refuse one it
doesn't know. Ranges are texts (``203.0.113.10``, ``203.0.113.10-203.0.113.12``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, Field

from sfcutover.diff import ComponentDiff
from sfcutover.errors import SfcutoverError
from sfcutover.ipranges import IpRange
from sfcutover.metadata.results import DeployMessage, DeployResult
from sfcutover.phases import Phase
from sfcutover.plan import PlannedPhase
from sfcutover.snapshot import Snapshot

if TYPE_CHECKING:
    from sfcutover.discovery import Discovery
    from sfcutover.gates.probe import ProbeResult

PhaseName = Literal["add-new", "remove-old", "restore-old", "remove-new"]


class Document(BaseModel):
    """Base of everything that is written as JSON."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        populate_by_name=True,
        json_schema_serialization_defaults_required=True,  # all is written, defaults too
    )


class RangeDocument(Document):
    range: str
    description: str | None = None

    @classmethod
    def of(cls, entry: IpRange) -> RangeDocument:
        return cls(range=str(entry), description=entry.description)


class FieldDocument(Document):
    """A field's content as XML text; null where it is absent."""

    name: str
    before: str | None
    after: str | None


class CapacityDocument(Document):
    ranges: int
    addresses: int
    max_ranges: int
    max_addresses: int


class ComponentDiffDocument(Document):
    """carrier is null for the OAuth policies. unchanged counts entries."""

    path: str
    type: str
    full_name: str
    carrier: str | None
    added: list[RangeDocument]
    removed: list[RangeDocument]
    unchanged: int
    fields: list[FieldDocument]
    capacity: CapacityDocument

    @classmethod
    def of(cls, diff: ComponentDiff) -> ComponentDiffDocument:
        after, capacity = diff.after, diff.capacity
        return cls(
            path=after.path,
            type=after.component_type.metadata_type,
            full_name=after.full_name,
            carrier=after.carrier.name if after.carrier else None,
            added=[RangeDocument.of(entry) for entry in diff.added],
            removed=[RangeDocument.of(entry) for entry in diff.removed],
            unchanged=sum(line.sign == " " for line in diff.lines),
            fields=[
                FieldDocument(name=each.name, before=each.before, after=each.after)
                for each in diff.fields
            ],
            capacity=CapacityDocument(
                ranges=capacity.ranges,
                addresses=capacity.addresses,
                max_ranges=capacity.max_ranges,
                max_addresses=capacity.max_addresses,
            ),
        )


class PhaseDocument(Document):
    """One phase on one target. package_sha256 covers every path and content."""

    phase: PhaseName
    changed: bool
    package_sha256: str
    components: list[ComponentDiffDocument]
    notes: list[str]

    @classmethod
    def of(cls, planned: PlannedPhase) -> PhaseDocument:
        return cls(
            phase=phase_name(planned.phase),
            changed=planned.changed,
            package_sha256=planned.package.sha256,
            components=[ComponentDiffDocument.of(diff) for diff in planned.diffs],
            notes=list(planned.notes),
        )


class TargetDiffDocument(Document):
    target: str
    instance_url: str | None
    phase: PhaseDocument


class DiffDocument(Document):
    schema_: Literal["sfcutover/diff/1"] = Field("sfcutover/diff/1", alias="schema")
    cutover: str
    changed: bool
    targets: list[TargetDiffDocument]


class WrittenDocument(Document):
    """One package on disk; files are paths inside it."""

    target: str
    phase: PhaseName
    path: str
    package_sha256: str
    files: list[str]


class RenderDocument(Document):
    schema_: Literal["sfcutover/render/1"] = Field("sfcutover/render/1", alias="schema")
    cutover: str
    format: Literal["mdapi", "source"]
    packages: list[WrittenDocument]


class BaselineDocument(Document):
    """A component before anything changed: the file as rendered, and its fingerprint."""

    path: str
    type: str
    full_name: str
    carrier: str | None
    fingerprint: str
    xml: str


class PlanTargetDocument(Document):
    name: str
    instance_url: str
    live: str
    baseline: list[BaselineDocument]
    phases: list[PhaseDocument]


class PlanDocument(Document):
    """A plan binds a baseline and the packages made from it. created is UTC, ISO 8601."""

    schema_: Literal["sfcutover/plan/1"] = Field(alias="schema")  # read again, so no default
    cutover: str
    app: str
    api_version: str
    created: str
    old: list[RangeDocument]
    new: list[RangeDocument]
    targets: list[PlanTargetDocument]


class MessageDocument(Document):
    component_type: str
    full_name: str
    file_name: str
    line: int | None
    column: int | None
    problem: str | None
    problem_type: str | None

    @classmethod
    def of(cls, message: DeployMessage) -> MessageDocument:
        return cls(
            component_type=message.component_type,
            full_name=message.full_name,
            file_name=message.file_name,
            line=message.line,
            column=message.column,
            problem=message.problem,
            problem_type=message.problem_type,
        )


class ResultDocument(Document):
    """A deployment as the org reports it; times are UTC, ISO 8601."""

    id: str
    status: str
    state: Literal["running", "succeeded", "partial", "failed", "canceled"]
    done: bool
    success: bool
    check_only: bool
    components_deployed: int
    components_total: int
    component_errors: int
    created_by: str | None
    created_date: str | None
    completed_date: str | None
    error_message: str | None
    failures: list[MessageDocument]
    warnings: list[MessageDocument]

    @classmethod
    def of(cls, result: DeployResult) -> ResultDocument:
        return cls(
            id=result.id,
            status=result.status,
            state=result.state.value,
            done=result.done,
            success=result.success,
            check_only=result.check_only,
            components_deployed=result.components_deployed,
            components_total=result.components_total,
            component_errors=result.component_errors,
            created_by=result.created_by,
            created_date=result.created_date,
            completed_date=result.completed_date,
            error_message=result.error_message,
            failures=[MessageDocument.of(each) for each in result.failures],
            warnings=[MessageDocument.of(each) for each in result.warnings],
        )


class AllowlistDocument(Document):
    """A carrier's list as it was read back."""

    path: str
    carrier: str
    ranges: list[RangeDocument]

    @classmethod
    def all_of(cls, live: Snapshot) -> list[AllowlistDocument]:
        return [
            cls(
                path=each.path,
                carrier=each.carrier.name,
                ranges=[RangeDocument.of(entry) for entry in each.allowlist],
            )
            for each in live.carriers
            if each.carrier is not None
        ]


class DeployTargetDocument(Document):
    """outcome: deployed (read back and live), no-change, validated (--dry-run), started
    (--async). live is what the org said afterwards, empty where it was not asked. clearance:
    what let a phase remove addresses: the proof, or the reason that a person gave."""

    target: str
    instance_url: str
    outcome: Literal["deployed", "no-change", "validated", "started"]
    deployment_ids: list[str]
    deployments: list[ResultDocument]
    phase: PhaseDocument
    live: list[AllowlistDocument]
    differences: list[str]
    clearance: str | None = None
    follow_up: str | None = None


class DeployDocument(Document):
    schema_: Literal["sfcutover/deploy/1"] = Field("sfcutover/deploy/1", alias="schema")
    cutover: str
    targets: list[DeployTargetDocument]


class DeploymentDocument(Document):
    schema_: Literal["sfcutover/deployment/1"] = Field("sfcutover/deployment/1", alias="schema")
    target: str
    instance_url: str
    deployment: ResultDocument
    live: str
    allowlists: list[AllowlistDocument]


class CheckDocument(Document):
    """One line of the doctor. fix is what to do where the check did not pass."""

    target: str | None
    check: str
    status: Literal["ok", "warning", "failed", "skipped"]
    detail: str
    fix: str | None = None


class DoctorDocument(Document):
    schema_: Literal["sfcutover/doctor/1"] = Field("sfcutover/doctor/1", alias="schema")
    ok: bool
    checks: list[CheckDocument]


class SeenDocument(Document):
    """An address the echo saw, and in how many answers."""

    address: str
    answers: int
    expected: bool


class DiscoveredDocument(Document):
    """What --discover made of cutover.yaml's ``new:``; change is a unified diff or empty."""

    path: str
    changed: bool
    new: list[str]
    change: str


class ProbeDocument(Document):
    """Step 1. Without credentials: proxy is ``scheme://host:port``.

    tries counts requests, errors says why some failed. hidden_probability: the chance, at
    most, that one of addresses + 1 evenly balanced ones gave none of the answers. problem and
    next are null where the probe passed. discovered is null without --discover.
    """

    schema_: Literal["sfcutover/probe/1"] = Field("sfcutover/probe/1", alias="schema")
    cutover: str
    via: Literal["old", "new"]
    proxy: str
    echo_url: str
    passed: bool
    tries: int
    errors: list[str]
    seen: list[SeenDocument]
    missing: list[str]
    unexpected: list[str]
    warnings: list[str]
    certainty: str
    hidden_probability: float
    problem: str | None
    next: str | None
    discovered: DiscoveredDocument | None

    @classmethod
    def of(cls, cutover: str, result: ProbeResult, found: Discovery | None) -> ProbeDocument:
        observation, failure = result.observation, result.failure
        return cls(
            cutover=cutover,
            via="new" if result.egress.name == "new" else "old",
            proxy=str(result.egress.proxy),
            echo_url=result.echo_url,
            passed=result.passed,
            tries=observation.tries,
            errors=list(observation.errors),
            seen=[
                SeenDocument(
                    address=str(address),
                    answers=observation.counts[address],
                    expected=address not in result.unexpected,
                )
                for address in result.seen
            ],
            missing=[str(entry) for entry in result.missing],
            unexpected=[str(address) for address in result.unexpected],
            warnings=list(result.warnings),
            certainty=result.certainty,
            hidden_probability=result.hidden_probability,
            problem=failure.message if failure else None,
            next=failure.hint if failure else None,
            discovered=DiscoveredDocument(
                path=str(found.path),
                changed=bool(found.change),
                new=[str(address) for address in found.addresses],
                change=found.change,
            )
            if found
            else None,
        )


class InitDocument(Document):
    schema_: Literal["sfcutover/init/1"] = Field("sfcutover/init/1", alias="schema")
    path: str
    app: str
    instance_url: str
    live: list[RangeDocument]


class EmulatorDocument(Document):
    """Printed once the emulator is ready."""

    schema_: Literal["sfcutover/emulator/1"] = Field("sfcutover/emulator/1", alias="schema")
    instance_url: str
    env_file: str | None
    config_file: str | None


class DemoStepDocument(Document):
    """One command of the demo, and whether it ended as it should."""

    command: str
    exit_code: int
    expected_exit_code: int
    shows: str


class DemoDocument(Document):
    schema_: Literal["sfcutover/demo/1"] = Field("sfcutover/demo/1", alias="schema")
    ok: bool
    steps: list[DemoStepDocument]
    deployments: int


class SwitchDocument(Document):
    """A switch that was made. seconds: how long the command, or the person, took."""

    schema_: Literal["sfcutover/switch/1"] = Field("sfcutover/switch/1", alias="schema")
    cutover: str
    direction: Literal["apply", "revert"]
    manual: bool
    seconds: float
    proof: str


class LookDocument(Document):
    """One look of a round: the canary's redemption, or a check."""

    name: str
    verdict: Literal["passed", "failed", "inconclusive", "error"]
    detail: str


class RoundDocument(Document):
    """time is UTC, ISO 8601; elapsed is in seconds since the watch began."""

    number: int
    time: str
    elapsed: float
    looks: list[LookDocument]


class WatchDocument(Document):
    schema_: Literal["sfcutover/watch/1"] = Field("sfcutover/watch/1", alias="schema")
    cutover: str
    outcome: Literal["passed", "rolled-back", "inconclusive"]
    reasons: list[str]
    counts: dict[str, int]
    rounds: list[RoundDocument]


class CaseTargetDocument(Document):
    """One target's support case, or its confirmation; what is of the other is null or empty.

    ranges: those to add or remove. afterwards: the list as far as it is known.
    """

    target: str
    instance_url: str
    organization_id: str | None
    ranges: list[str]
    afterwards: list[str]
    proof: str | None
    text: str | None
    confirmed: str | None
    confirmed_by: str | None
    next: str


class CaseDocument(Document):
    schema_: Literal["sfcutover/case/1"] = Field("sfcutover/case/1", alias="schema")
    cutover: str
    phase: Literal["add-new", "remove-old"]
    targets: list[CaseTargetDocument]


class ErrorDocument(Document):
    """What every command prints with --json when it fails."""

    schema_: Literal["sfcutover/error/1"] = Field("sfcutover/error/1", alias="schema")
    error: str
    where: str | None
    tokens: str
    next: str
    exit_code: int

    @classmethod
    def of(cls, error: SfcutoverError) -> ErrorDocument:
        return cls(
            error=error.message,
            where=error.where,
            tokens=error.tokens,
            next=error.hint,
            exit_code=int(error.exit_code),
        )


def phase_name(phase: Phase) -> PhaseName:
    """The phase as a document spells it."""
    match phase:
        case Phase.ADD_NEW:
            return "add-new"
        case Phase.REMOVE_OLD:
            return "remove-old"
        case Phase.RESTORE_OLD:
            return "restore-old"
        case Phase.REMOVE_NEW:
            return "remove-new"
