"""Deployments and what they did as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from sfcutover.allowlist.snapshot import Snapshot
from sfcutover.salesforce.results import DeployMessage, DeployResult

if TYPE_CHECKING:
    pass
from sfcutover.allowlist.documents import PhaseDocument, RangeDocument
from sfcutover.util.document import Document


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
