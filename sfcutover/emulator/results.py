"""What the Metadata API answers with, as trees of names and values that SOAP and REST write out."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from datetime import datetime
from enum import Enum

from lxml import etree

from sfcutover.allowlist.carriers import ComponentType
from sfcutover.emulator.components import Stored
from sfcutover.emulator.deployments import Deployment, Status
from sfcutover.emulator.formats import User
from sfcutover.emulator.org import Org
from sfcutover.emulator.outcome import Message
from sfcutover.emulator.packages import Retrieval


class Nil(Enum):
    """An element that is present and marked as having no value."""

    NIL = "nil"


Tree = Sequence[tuple[str, "str | bool | int | float | Nil | etree._Element | Tree | None"]]
"""Names and values in the WSDL's order. A name with None is left out."""

_SIZES_SINCE = 64.0  # numberFiles, zipSize: not in the v63.0 WSDL, in @salesforce/types 1.7.1
_NO_DATE = "1970-01-01T00:00:00.000Z"
_LONG_SPELLING = {
    Status.FINALIZING: "FinalizingDeploy",
    Status.FINALIZING_FAILED: "FinalizingDeployFailed",
}


def async_result(job_id: str, *, is_done: bool = False) -> Tree:
    """An AsyncResult for a job: queued, or completed in whatever way."""
    return [("done", is_done), ("id", job_id), ("state", "Completed" if is_done else "Queued")]


def deploy_result(
    org: Org, deployment: Deployment, version: float, *, include_details: bool
) -> Tree:
    """A DeployResult as an API version has it.

    Its ``details`` are there in any case, as the WSDL has them, but empty without include_details.
    """
    sizes = version >= _SIZES_SINCE
    canceler = _canceler(org, deployment)
    return [
        ("canceledBy", canceler.id if canceler else None),
        ("canceledByName", canceler.name if canceler else None),
        ("checkOnly", deployment.check_only),
        ("completedDate", _time(org, deployment.ended)),
        ("createdBy", deployment.by.id),
        ("createdByName", deployment.by.name),
        ("createdDate", org.clock.soap(deployment.created)),
        ("details", _details(org, deployment) if include_details else []),
        ("done", deployment.done),
        ("errorMessage", deployment.error_message),
        ("errorStatusCode", deployment.error_code),
        ("id", deployment.id),
        ("ignoreWarnings", deployment.options.ignore_warnings),
        ("lastModifiedDate", _time(org, deployment.modified or deployment.created)),
        ("numberComponentErrors", len(deployment.failures)),
        ("numberComponentsDeployed", deployment.components_deployed),
        ("numberComponentsTotal", deployment.components_total),
        ("numberFiles", deployment.file_count if sizes else None),
        ("numberTestErrors", 0),
        ("numberTestsCompleted", 0),
        ("numberTestsTotal", 0),
        ("rollbackOnError", deployment.options.rollback_on_error),
        ("runTestsEnabled", deployment.options.test_level not in ("", "NoTestRun")),
        ("startDate", _time(org, deployment.started)),
        ("stateDetail", _state_detail(deployment)),
        ("status", _spelling(org, deployment.status)),
        ("success", deployment.success),
        ("zipSize", deployment.zip_size if sizes else None),
    ]


def retrieve_result(org: Org, retrieval: Retrieval, *, include_zip: bool) -> Tree:
    """A RetrieveResult; the zip is nil unless it is asked for and ready."""
    ready = retrieval.zip_bytes
    properties = [
        ("fileProperties", file_properties(org, path, stored))
        for path, stored in retrieval.components
    ]
    if ready is not None:
        properties.append(("fileProperties", _manifest_properties(org, retrieval)))
    messages = [
        ("messages", [("fileName", f"{retrieval.root}package.xml"), ("problem", problem)])
        for problem in retrieval.messages
    ]
    return [
        ("done", retrieval.done),
        ("errorMessage", retrieval.error),
        ("errorStatusCode", "UNKNOWN_EXCEPTION" if retrieval.error else None),
        *properties,
        ("id", retrieval.id),
        *messages,
        ("status", _retrieve_status(retrieval)),
        ("success", ready is not None),
        ("zipFile", base64.b64encode(ready).decode() if ready and include_zip else Nil.NIL),
    ]


def _retrieve_status(retrieval: Retrieval) -> str:
    if not retrieval.done:
        return "InProgress"
    return "Failed" if retrieval.error else "Succeeded"


def file_properties(org: Org, path: str, stored: Stored) -> Tree:
    """FileProperties of a component."""
    return [
        ("createdById", stored.created_by.id),
        ("createdByName", stored.created_by.name),
        ("createdDate", org.clock.soap(stored.created)),
        ("fileName", path),
        ("fullName", stored.full_name),
        ("id", stored.id),
        ("lastModifiedById", stored.modified_by.id),
        ("lastModifiedByName", stored.modified_by.name),
        ("lastModifiedDate", org.clock.soap(stored.modified)),
        ("manageableState", "unmanaged"),
        ("namespacePrefix", org.scenario.namespace),
        ("type", stored.metadata_type),
    ]


def _manifest_properties(org: Org, retrieval: Retrieval) -> Tree:
    """A retrieve also tells of its package.xml, of no id and of no date."""
    path = f"{retrieval.root}package.xml"
    manifest = Stored("Package", path, b"", "", org.started, org.user, org.started, org.user)
    return [
        (name, _NO_DATE if name.endswith("Date") else value)
        for name, value in file_properties(org, path, manifest)
        if name != "namespacePrefix"
    ]


def describe_object(component_type: ComponentType) -> Tree:
    """A DescribeMetadataObject."""
    return [
        ("directoryName", component_type.folder),
        ("inFolder", False),
        ("metaFile", False),
        ("suffix", component_type.suffix),
        ("xmlName", component_type.metadata_type),
    ]


def _details(org: Org, deployment: Deployment) -> Tree:
    moment = org.clock.soap(deployment.ended or deployment.created)
    return [
        *(("componentFailures", _message(one, moment)) for one in deployment.failures),
        *(("componentSuccesses", _message(one, moment)) for one in deployment.successes),
        ("runTestResult", [("numFailures", 0), ("numTestsRun", 0), ("totalTime", 0.0)]),
    ]


def _message(message: Message, moment: str) -> Tree:
    problem = message.problem
    return [
        ("changed", message.is_changed),
        ("columnNumber", problem.column if problem else None),
        ("componentType", message.component_type),
        ("created", message.is_new),
        ("createdDate", moment),
        ("deleted", message.is_deleted),
        ("fileName", message.file_name),
        ("fullName", message.full_name),
        ("id", message.id),
        ("lineNumber", problem.line if problem else None),
        ("problem", problem.text if problem else None),
        ("problemType", "Error" if problem else None),
        ("success", problem is None),
    ]


def _canceler(org: Org, deployment: Deployment) -> User | None:
    """The user who canceled it, a colleague where a fault did."""
    if deployment.status not in (Status.CANCELED, Status.CANCELING):
        return None
    return org.colleague if deployment.affliction == "canceling" else org.user


def _state_detail(deployment: Deployment) -> str | None:
    if deployment.status != Status.IN_PROGRESS or not deployment.outcome.changes:
        return None
    index = min(deployment.components_deployed, len(deployment.outcome.changes) - 1)
    change = deployment.outcome.changes[index]
    return f"Processing Type: {change.metadata_type}"


def _spelling(org: Org, status: Status) -> str:
    if org.scenario.long_finalizing_status:
        return _LONG_SPELLING.get(status, status.value)
    return status.value


def _time(org: Org, moment: datetime | None) -> str | None:
    return None if moment is None else org.clock.soap(moment)
