"""What the Metadata API answers, as plain data.

Field names follow Salesforce's WSDL (DeployResult, DeployMessage, RetrieveResult),
in this language's spelling.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field


class DeployState(enum.Enum):
    """What a deployment's status means for somebody who waits."""

    RUNNING = "running"
    SUCCEEDED = "succeeded"
    PARTIAL = "partial"
    FAILED = "failed"
    CANCELED = "canceled"


@dataclass(frozen=True)
class DeployMessage:
    """One component's result. line and column are None where the org gives none."""

    component_type: str
    full_name: str
    file_name: str
    problem: str | None = None
    problem_type: str | None = None
    line: int | None = None
    column: int | None = None
    success: bool = True

    def __str__(self) -> str:
        """``file:line: problem``, as an editor understands it."""
        place = self.file_name or self.full_name
        place += f":{self.line}" if self.line else ""
        return f"{place}: {self.problem}" if self.problem else place


@dataclass(frozen=True)
class TestFailure:
    """An Apex test that failed during a deployment."""

    name: str
    method: str
    message: str


@dataclass(frozen=True)
class DeployResult:
    """How a deployment stands. Times are ISO 8601 texts in UTC, None until they exist."""

    id: str
    status: str
    done: bool
    success: bool
    check_only: bool = False
    components_deployed: int = 0
    components_total: int = 0
    component_errors: int = 0
    tests_completed: int = 0
    tests_total: int = 0
    test_errors: int = 0
    state_detail: str | None = None
    error_message: str | None = None
    canceled_by: str | None = None
    created_by: str | None = None
    created_date: str | None = None
    completed_date: str | None = None
    failures: tuple[DeployMessage, ...] = field(default=())
    warnings: tuple[DeployMessage, ...] = field(default=())
    test_failures: tuple[TestFailure, ...] = field(default=())

    @property
    def state(self) -> DeployState:
        """Loops go on until done; success decides. A status nobody knows is still running."""
        if not self.done:
            return DeployState.RUNNING
        if self.status == "Canceled":
            return DeployState.CANCELED
        if self.status == "SucceededPartial":
            return DeployState.PARTIAL
        return DeployState.SUCCEEDED if self.success else DeployState.FAILED


@dataclass(frozen=True)
class RetrieveResult:
    """How a retrieval stands; zip_file once it is done and succeeded.

    messages: what the org could not give, one sentence each.
    """

    id: str
    done: bool
    success: bool
    status: str = ""
    zip_file: bytes | None = None
    error_message: str | None = None
    messages: tuple[str, ...] = ()


@dataclass(frozen=True)
class FileProperties:
    """One component as listMetadata names it."""

    metadata_type: str
    full_name: str
    file_name: str


@dataclass(frozen=True)
class MetadataTypes:
    """What describeMetadata says the org has: type names, and whether tests are required."""

    names: frozenset[str]
    test_required: bool
