"""SOAP envelopes as the Metadata API has them: requests read, answers and faults written."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from lxml import etree

from sfcutover.allowlist.carriers import METADATA_NAMESPACE, ComponentType
from sfcutover.emulator.components import Stored
from sfcutover.emulator.deployments import Deployment, Status
from sfcutover.emulator.formats import User, XmlError, metadata_child, parse_xml
from sfcutover.emulator.org import Org
from sfcutover.emulator.outcome import Message
from sfcutover.emulator.packages import Retrieval

ENVELOPE = "http://schemas.xmlsoap.org/soap/envelope/"
XSI = "http://www.w3.org/2001/XMLSchema-instance"
_SPACES = {"e": ENVELOPE, "m": METADATA_NAMESPACE}

Tree = Sequence[tuple[str, "str | bool | int | float | Tree | None"]]
_SIZES_SINCE = 64.0  # numberFiles, zipSize: not in the v63.0 WSDL, in @salesforce/types 1.7.1
_NO_DATE = "1970-01-01T00:00:00.000Z"
_LONG_SPELLING = {
    Status.FINALIZING: "FinalizingDeploy",
    Status.FINALIZING_FAILED: "FinalizingDeployFailed",
}


class SoapFaultError(Exception):
    """Answered as a ``soapenv:Fault`` with ``sf:<code>``.

    The metadata WSDL declares no fault messages, so there is no ``detail``.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code


@dataclass(frozen=True)
class Call:
    """One request: the operation's name, its element, and the session id in the header."""

    operation: str
    element: etree._Element
    session_id: str

    def text(self, path: str, default: str = "") -> str:
        """The text at a path of element names below the operation, ``a/b``."""
        found = self.elements(path)
        return (found[0].text or default).strip() if found else default

    def flag(self, path: str, default: bool = False) -> bool:
        """A boolean; some clients write it as Python does, ``True``."""
        text = self.text(path).lower()
        return text in ("true", "1") if text else default

    def texts(self, path: str) -> list[str]:
        """The texts of a repeated element."""
        return [(one.text or "").strip() for one in self.elements(path)]

    def elements(self, path: str) -> list[etree._Element]:
        """All elements at a path; ``*`` is any name.

        Namespaces don't count: simple-salesforce sends a manifest without one.
        """
        return self.element.findall("/".join(f"{{*}}{name}" for name in path.split("/")))


def read_call(body: bytes) -> Call:
    """Read an envelope; SoapFaultError if it isn't one."""
    try:
        root = parse_xml(body, huge=True)
    except XmlError as error:
        raise SoapFaultError("XML_PARSER_ERROR", f"{error} at line {error.line}") from error
    operations = root.findall("e:Body/*", _SPACES)
    if root.tag != f"{{{ENVELOPE}}}Envelope" or len(operations) != 1:
        raise SoapFaultError("XML_PARSER_ERROR", "one operation in a SOAP envelope was expected")
    operation = operations[0]
    name = etree.QName(operation)
    if name.namespace != METADATA_NAMESPACE:
        raise SoapFaultError("UNKNOWN_EXCEPTION", f"No operation available for request {name.text}")
    session = root.findtext("e:Header/m:SessionHeader/m:sessionId", "", _SPACES) or ""
    return Call(name.localname, operation, session.strip())


def write_answer(operation: str, results: Sequence[Tree | str]) -> bytes:
    """The answer to an operation, with one ``result`` each."""
    root, body = _envelope({None: METADATA_NAMESPACE, "xsi": XSI})
    answer = metadata_child(body, f"{operation}Response")
    for result in results:
        _append(answer, "result", result)
    return _bytes(root)


def write_fault(code: str, message: str) -> bytes:
    """A fault; message begins with the code, as Salesforce's do."""
    root, body = _envelope({"sf": METADATA_NAMESPACE, "xsi": XSI})
    fault = etree.SubElement(body, f"{{{ENVELOPE}}}Fault")
    etree.SubElement(fault, "faultcode").text = f"sf:{code}"
    etree.SubElement(fault, "faultstring").text = message
    return _bytes(root)


def _envelope(spaces: dict[str | None, str]) -> tuple[etree._Element, etree._Element]:
    spaces["soapenv"] = ENVELOPE
    root = etree.Element(f"{{{ENVELOPE}}}Envelope", nsmap=spaces)  # type: ignore[arg-type]
    return root, etree.SubElement(root, f"{{{ENVELOPE}}}Body")


def _append(
    parent: etree._Element, name: str, value: str | bool | int | float | Tree | None
) -> None:
    if value is None:
        return
    element = metadata_child(parent, name)
    if isinstance(value, bool):
        element.text = "true" if value else "false"
    elif isinstance(value, str | int | float):
        element.text = str(value)
    else:
        for child, inner in value:
            _append(element, child, inner)


def _bytes(root: etree._Element) -> bytes:
    head = b'<?xml version="1.0" encoding="UTF-8"?>'
    return head + etree.tostring(root, encoding="UTF-8", xml_declaration=False)


def async_result(job_id: str, *, is_done: bool = False) -> Tree:
    """An AsyncResult for a job: queued, or completed in whatever way."""
    return [("done", is_done), ("id", job_id), ("state", "Completed" if is_done else "Queued")]


def deploy_result(
    org: Org, deployment: Deployment, version: float, *, include_details: bool
) -> Tree:
    """A DeployResult as an API version has it; component messages only with include_details."""
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
        ("details", _details(org, deployment) if include_details else None),
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
    """A RetrieveResult; the zip only when asked for and ready."""
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
        ("done", ready is not None),
        *properties,
        ("id", retrieval.id),
        *messages,
        ("status", "InProgress" if ready is None else "Succeeded"),
        ("success", ready is not None),
        ("zipFile", base64.b64encode(ready).decode() if ready and include_zip else None),
    ]


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
