"""What the Metadata API answers, as plain data and as JSON.

Field names follow Salesforce's WSDL (DeployResult, DeployMessage, RetrieveResult), in Python's
spelling. An element that is absent, nil or of an unexpected type reads as its default.
"""

from __future__ import annotations

import enum
from datetime import UTC, datetime
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel

from sfcutover.allowlist.component import FileProperties
from sfcutover.allowlist.diff import AllowlistDocument
from sfcutover.errors import Answer
from sfcutover.salesforce.answers import ended_answer
from sfcutover.util.document import DeploymentId, Document, InstanceUrl, UtcTime


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _count(value: object) -> int | None:
    return value if isinstance(value, int) else None


def _time(value: object) -> str | None:
    if not isinstance(value, datetime):
        return None
    return value.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _problems(messages: object) -> list[object]:
    found = messages if isinstance(messages, list) else []
    return [getattr(each, "problem", None) for each in found]


_OptionalText = Annotated[str | None, BeforeValidator(_text)]
_Text = Annotated[str, BeforeValidator(lambda value: _text(value) or "")]
_Flag = Annotated[bool, BeforeValidator(lambda value: value is True)]
_OptionalCount = Annotated[int | None, BeforeValidator(_count)]
_Count = Annotated[int, BeforeValidator(lambda value: _count(value) or 0)]
_Time = Annotated[str | None, BeforeValidator(_time)]
_Moment = Annotated[
    datetime | None, BeforeValidator(lambda value: value if isinstance(value, datetime) else None)
]
_Bytes = Annotated[
    bytes | None, BeforeValidator(lambda value: value if isinstance(value, bytes) else None)
]
_LIST = BeforeValidator(lambda value: value if isinstance(value, list) else [])


class SoapAnswer(BaseModel):
    """Read from zeep's object by the names of the WSDL."""

    model_config = ConfigDict(
        frozen=True, from_attributes=True, alias_generator=to_camel, defer_build=True
    )

    @model_validator(mode="before")
    @classmethod
    def _accept_absent(cls, data: object) -> object:
        return {} if data is None or isinstance(data, str) else data


class DeployState(enum.StrEnum):
    """What a deployment's status means for a process that waits."""

    RUNNING = "running"
    SUCCEEDED = "succeeded"
    PARTIAL = "partial"
    FAILED = "failed"
    CANCELED = "canceled"


class DeployMessage(SoapAnswer):
    """One component's result. line and column are None where the org gives none."""

    component_type: _Text = ""
    full_name: _Text = ""
    file_name: _Text = ""
    problem: _OptionalText = None
    problem_type: _OptionalText = None
    line: _OptionalCount = Field(None, alias="lineNumber")
    column: _OptionalCount = Field(None, alias="columnNumber")
    success: _Flag = False
    changed: bool | None = None

    def __str__(self) -> str:
        """``file:line: problem``, as an editor understands it."""
        place = self.file_name or self.full_name
        place += f":{self.line}" if self.line else ""
        return f"{place}: {self.problem}" if self.problem else place


class ApexTestFailure(SoapAnswer):
    """An Apex test that failed during a deployment."""

    name: _Text = ""
    method: _Text = Field("", alias="methodName")
    message: _Text = ""


class ApexTestResult(SoapAnswer):
    failures: Annotated[tuple[ApexTestFailure, ...], _LIST] = ()


class DeployDetails(SoapAnswer):
    component_failures: Annotated[tuple[DeployMessage, ...], _LIST] = ()
    component_successes: Annotated[tuple[DeployMessage, ...], _LIST] = ()
    run_test_result: ApexTestResult = ApexTestResult()


class DeployResult(SoapAnswer):
    """How a deployment stands. Times are ISO 8601 texts in UTC, None until they exist."""

    id: _Text = ""
    status: _Text = ""
    done: _Flag = False
    success: _Flag = False
    check_only: _Flag = False
    components_deployed: _Count = Field(0, alias="numberComponentsDeployed")
    components_total: _Count = Field(0, alias="numberComponentsTotal")
    component_errors: _Count = Field(0, alias="numberComponentErrors")
    tests_total: _Count = Field(0, alias="numberTestsTotal")
    error_message: _OptionalText = None
    error_status_code: _OptionalText = None
    canceled_by: _OptionalText = Field(None, alias="canceledByName")
    created_by: _OptionalText = Field(None, alias="createdByName")
    created_date: _Time = None
    completed_date: _Time = None
    completed: _Moment = Field(None, alias="completedDate")
    details: DeployDetails = DeployDetails()

    @property
    def state(self) -> DeployState:
        """A loop ends on done, success decides. An unknown status is still running."""
        if not self.done:
            return DeployState.RUNNING
        if self.status == "Canceled":
            return DeployState.CANCELED
        if self.status == "SucceededPartial":
            return DeployState.PARTIAL
        return DeployState.SUCCEEDED if self.success else DeployState.FAILED

    @property
    def answer(self) -> Answer:
        """What it is worth that the deployment stands so: unknown until it has ended, and passing
        where it has failed for what clears by itself."""
        if self.state is DeployState.RUNNING:
            return Answer.UNKNOWN
        if self.state is not DeployState.FAILED or self.test_failures:
            return Answer.FINAL
        problems = [each.problem or "" for each in self.failures]
        return ended_answer(self.error_status_code, self.error_message, problems)

    @property
    def failures(self) -> tuple[DeployMessage, ...]:
        return tuple(each for each in self._messages if not each.success)

    @property
    def warnings(self) -> tuple[DeployMessage, ...]:
        return tuple(each for each in self._messages if each.success and each.problem)

    @property
    def test_failures(self) -> tuple[ApexTestFailure, ...]:
        return self.details.run_test_result.failures

    @property
    def _messages(self) -> tuple[DeployMessage, ...]:
        return self.details.component_failures + self.details.component_successes


class RetrieveResult(SoapAnswer):
    """How a retrieval stands; zip_file once it is done and succeeded.

    messages: what the org could not give, one sentence each.
    """

    id: _Text = ""
    done: _Flag = False
    success: _Flag = False
    status: _Text = ""
    zip_file: _Bytes = None
    error_message: _OptionalText = None
    error_status_code: _OptionalText = None
    messages: Annotated[tuple[_Text, ...], BeforeValidator(_problems)] = ()

    @property
    def answer(self) -> Answer:
        """Of a retrieval that has failed."""
        return ended_answer(self.error_status_code, self.error_message, self.messages)


class ListedComponent(SoapAnswer):
    """One component as listMetadata names it (FileProperties)."""

    metadata_type: _Text = Field("", alias="type")
    full_name: _Text = ""
    file_name: _Text = ""
    id: _Text = ""
    last_modified_date: datetime | None = None
    last_modified_by_name: _Text = ""

    @property
    def properties(self) -> FileProperties | None:
        """None where the org gives no id or no date."""
        if not self.id or self.last_modified_date is None:
            return None
        return FileProperties(self.id, self.last_modified_date, self.last_modified_by_name)


class MetadataType(SoapAnswer):
    xml_name: _Text = ""


class MetadataTypes(SoapAnswer):
    """The types of metadata that the org has, by describeMetadata."""

    metadata_objects: Annotated[tuple[MetadataType, ...], _LIST] = ()

    @property
    def names(self) -> frozenset[str]:
        return frozenset(each.xml_name for each in self.metadata_objects)


class MessageDocument(Document):
    """An error or a warning of the org about one component."""

    component_type: str
    """Metadata type."""
    full_name: str
    """Full name of the component."""
    file_name: str
    """Path of the file in the package."""
    line: int | None
    """Line in the file; null where the org gives none."""
    column: int | None
    """Column in the file; null where the org gives none."""
    problem: str | None
    """The problem in the org's words; null where it gives none."""
    problem_type: str | None
    """Warning, Error or Info, as the org says; null where it gives none."""


class ResultDocument(Document):
    """A deployment as the org reports it."""

    id: DeploymentId
    """Id of the deployment."""
    status: str
    """DeployStatus as the org says."""
    state: Literal["running", "succeeded", "partial", "failed", "canceled"]
    """The status in one word."""
    done: bool
    """True if the deployment has ended."""
    success: bool
    """True if it succeeded."""
    check_only: bool
    """True for a validation, which changes nothing."""
    components_deployed: int
    """Components that were deployed."""
    components_total: int
    """Components of the deployment."""
    component_errors: int
    """Components with errors."""
    created_by: str | None
    """User who sent it; null where the org does not report it."""
    created_date: UtcTime | None
    """When it was sent, UTC, ISO 8601; null where the org does not report it."""
    completed_date: UtcTime | None
    """When it ended, UTC, ISO 8601; null while it runs."""
    error_status_code: str | None = None
    """Status code of the error; null where there is none."""
    error_message: str | None
    """Message of the error; null where there is none."""
    failures: list[MessageDocument]
    """Errors, by component."""
    warnings: list[MessageDocument]
    """Warnings, by component."""


class ExternalChangeDocument(Document):
    """A change of the list that another user saved after it was read, and before our deployment
    replaced it."""

    source: Literal["list", "deployment", "setup"]
    """How it was seen: in a read of the list while the deployment was pending, as a deployment, or
    in SetupAuditTrail (setup)."""
    by: str
    """User who saved it."""
    time: UtcTime
    """When it was saved, by the org's clock, UTC, ISO 8601."""
    text: str
    """What was changed, in words."""
    restored: bool
    """True if it is on the list again."""


class DeploymentDocument(Document):
    """What ``deployment report``, ``wait`` and ``cancel`` print."""

    schema_: Literal["sfcutover/deployment/1"] = Field("sfcutover/deployment/1", alias="schema")
    """Name and version of this document's format."""
    target: str
    """Name of the target."""
    instance_url: InstanceUrl
    """Instance URL of the org."""
    deployment: ResultDocument
    """The deployment as the org reports it."""
    live: str
    """How the lists stand now, in words."""
    allowlists: list[AllowlistDocument]
    """The lists as read now."""
