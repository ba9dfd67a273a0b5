"""What the Metadata API answers, as plain data.

Field names follow Salesforce's WSDL (DeployResult, DeployMessage, RetrieveResult),
in this language's spelling.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from datetime import UTC, datetime


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


def read_deploy_result(answer: object) -> DeployResult:
    details = getattr(answer, "details", None)
    messages = _read_messages(details)
    return DeployResult(
        id=_text(answer, "id"),
        status=_text(answer, "status"),
        done=_flag(answer, "done"),
        success=_flag(answer, "success"),
        check_only=_flag(answer, "checkOnly"),
        components_deployed=_count(answer, "numberComponentsDeployed"),
        components_total=_count(answer, "numberComponentsTotal"),
        component_errors=_count(answer, "numberComponentErrors"),
        tests_completed=_count(answer, "numberTestsCompleted"),
        tests_total=_count(answer, "numberTestsTotal"),
        test_errors=_count(answer, "numberTestErrors"),
        state_detail=_optional(answer, "stateDetail"),
        error_message=_optional(answer, "errorMessage"),
        canceled_by=_optional(answer, "canceledByName"),
        created_by=_optional(answer, "createdByName"),
        created_date=_time(answer, "createdDate"),
        completed_date=_time(answer, "completedDate"),
        failures=tuple(each for each in messages if not each.success),
        warnings=tuple(each for each in messages if each.success and each.problem),
        test_failures=_read_test_failures(details),
    )


def read_retrieve_result(answer: object) -> RetrieveResult:
    zip_file = getattr(answer, "zipFile", None)
    return RetrieveResult(
        id=_text(answer, "id"),
        done=_flag(answer, "done"),
        success=_flag(answer, "success"),
        status=_text(answer, "status"),
        zip_file=zip_file if isinstance(zip_file, bytes) else None,
        error_message=_optional(answer, "errorMessage"),
        messages=tuple(_text(each, "problem") for each in _items(answer, "messages")),
    )


def read_file_properties(answer: object) -> list[FileProperties]:
    items = answer if isinstance(answer, list) else [answer] if answer is not None else []
    return [
        FileProperties(_text(each, "type"), _text(each, "fullName"), _text(each, "fileName"))
        for each in items
    ]


def read_metadata_types(answer: object) -> MetadataTypes:
    names = frozenset(_text(each, "xmlName") for each in _items(answer, "metadataObjects"))
    return MetadataTypes(names, _flag(answer, "testRequired"))


def _read_messages(details: object) -> list[DeployMessage]:
    return [
        DeployMessage(
            component_type=_text(each, "componentType"),
            full_name=_text(each, "fullName"),
            file_name=_text(each, "fileName"),
            problem=_optional(each, "problem"),
            problem_type=_optional(each, "problemType"),
            line=_optional_count(each, "lineNumber"),
            column=_optional_count(each, "columnNumber"),
            success=_flag(each, "success"),
        )
        for name in ("componentFailures", "componentSuccesses")
        for each in _items(details, name)
    ]


def _read_test_failures(details: object) -> tuple[TestFailure, ...]:
    results = getattr(details, "runTestResult", None)
    return tuple(
        TestFailure(_text(each, "name"), _text(each, "methodName"), _text(each, "message"))
        for each in _items(results, "failures")
    )


def _items(answer: object, name: str) -> list[object]:
    value = getattr(answer, name, None)
    return value if isinstance(value, list) else []


def _optional(answer: object, name: str) -> str | None:
    value = getattr(answer, name, None)
    return str(value) if value is not None else None


def _text(answer: object, name: str) -> str:
    return _optional(answer, name) or ""


def _flag(answer: object, name: str) -> bool:
    return getattr(answer, name, None) is True


def _optional_count(answer: object, name: str) -> int | None:
    value = getattr(answer, name, None)
    return value if isinstance(value, int) else None


def _count(answer: object, name: str) -> int:
    return _optional_count(answer, name) or 0


def _time(answer: object, name: str) -> str | None:
    value = getattr(answer, name, None)
    if not isinstance(value, datetime):
        return None
    return value.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
