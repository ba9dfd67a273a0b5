"""The Metadata API's operations over SOAP, one method each.

zeep does the envelope, from a WSDL of just these operations; the transport is our
own, so every request has time limits and every answer a largest size.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import requests
import zeep
import zeep.exceptions
import zeep.xsd
from lxml import etree
from zeep.transports import Transport

from sfcutover.allowlist.component import parse_xml
from sfcutover.errors import UNCHANGED, ConfigError, NetworkError, SfcutoverError
from sfcutover.salesforce.answers import (
    INVALID_SESSION,
    NotTakenError,
    fault_error,
    http_error,
    json_error,
    local_code,
)
from sfcutover.salesforce.org import Org
from sfcutover.salesforce.results import (
    DeployResult,
    ListedComponent,
    MetadataTypes,
    RetrieveResult,
)
from sfcutover.util.http import network_error, never_taken

WSDL = Path(__file__).with_name("metadata.wsdl")
CLIENT_NAME = "sfcutover"
MAX_LIST_QUERIES = 3  # listMetadata's limit (Metadata API Developer Guide)
_BINDING = "{http://soap.sforce.com/2006/04/metadata}MetadataBinding"
_ENVELOPE = "http://schemas.xmlsoap.org/soap/envelope/"
_FAULT = f"{{{_ENVELOPE}}}Fault"
_OK = 200
_UNAUTHORIZED = 401
_CHANGING = frozenset({"deploy", "cancelDeploy"})
_UNKNOWN = "no answer tells what the org did; it is read back before anything is decided"

# zeep at DEBUG logs whole envelopes, the session id included, and at ERROR a traceback
# for each value it can't read.
logging.getLogger("zeep").setLevel(logging.CRITICAL)


class UnusableAnswerError(Exception):
    """Something else than the Metadata API answered, with this HTTP status."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status

    def __str__(self) -> str:
        """Completes "answered with"."""
        ok = self.status == _OK
        return "something other than a Metadata API answer" if ok else f"HTTP {self.status}"


class StrictTransport(Transport):
    """Lets only well-formed answers through: a fault, or the response to the operation sent."""

    def __init__(self, session: requests.Session) -> None:
        Transport.__init__(self, session=session)

    def post_xml(
        self, address: str, envelope: etree._Element, headers: Mapping[str, str]
    ) -> requests.Response:
        """Send the envelope. Raises UnusableAnswerError for any other answer, and the fault that
        a refusal of the REST API, which may come in its place, stands for."""
        response: requests.Response = Transport.post_xml(self, address, envelope, headers)
        expected = f"{_content(envelope)}Response"
        try:
            found = _content(parse_xml(response.content, address))
        except (ConfigError, ValueError) as error:
            raise _rest_fault(response) or UnusableAnswerError(response.status_code) from error
        if found != _FAULT and (found != expected or response.status_code != _OK):
            raise UnusableAnswerError(response.status_code)
        return response


def _content(envelope: etree._Element) -> str:
    """The tag of the body's content. Raises ValueError without one."""
    body = envelope.find(f"{{{_ENVELOPE}}}Body")
    if envelope.tag != f"{{{_ENVELOPE}}}Envelope" or body is None or not len(body):
        raise ValueError("no SOAP envelope")
    return str(body[0].tag)


def _rest_fault(response: requests.Response) -> zeep.exceptions.Fault | None:
    """A JSON error, as a fault; JSON with HTTP 401 is of a session that is unknown."""
    error = json_error(response.content) if response.status_code != _OK else None
    if error is None:
        return None
    code, message = error
    if response.status_code == _UNAUTHORIZED:
        code = INVALID_SESSION
    return zeep.exceptions.Fault(message, code=code) if code else None


class MetadataClient:
    """One org's Metadata API at one version.

    Every method raises NetworkError when no usable answer came (what the org did is
    then unknown), AuthError, or the error of the fault. An expired session is renewed
    once, and the request, which the org has refused, is sent again.
    """

    def __init__(self, org: Org, api_version: str, wsdl: Path = WSDL) -> None:
        self.org = org
        self.api_version = api_version
        self._zeep = zeep.Client(
            str(wsdl),
            transport=StrictTransport(org.http),
            # Not strict: elements that are unknown yet are skipped.
            settings=zeep.Settings(strict=False, xsd_ignore_sequence_order=True),
        )

    def deploy(self, zip_file: bytes, *, check_only: bool = False) -> str:
        """Start a deployment, all or nothing; its 18-character id.

        check_only: validate and change nothing.
        """
        options = {
            "allowMissingFiles": False,
            "autoUpdatePackage": False,
            "checkOnly": check_only,
            "ignoreWarnings": True,
            "performRetrieve": False,
            "purgeOnDelete": False,
            "rollbackOnError": True,
            "singlePackage": True,
            # Required by Salesforce's WSDL, not by its API: the official CLI leaves it out, and
            # metadata without code needs no tests.
            "testLevel": zeep.xsd.SkipValue,
        }
        return _identifier(self._call("deploy", ZipFile=zip_file, DeployOptions=options), "deploy")

    def check_deploy_status(self, deployment_id: str) -> DeployResult:
        answer = self._call("checkDeployStatus", asyncProcessId=deployment_id, includeDetails=True)
        return DeployResult.model_validate(answer)

    def cancel_deploy(self, deployment_id: str) -> None:
        """Ask for a cancellation, which is asynchronous: check_deploy_status tells its end."""
        self._call("cancelDeploy", String=deployment_id)

    def retrieve(self, members: Mapping[str, Sequence[str]]) -> str:
        """Start retrieving components by type; the retrieval's id."""
        types = [{"name": name, "members": list(members[name])} for name in sorted(members)]
        request = {
            "apiVersion": float(self.api_version),
            "singlePackage": True,
            "unpackaged": {"types": types, "version": self.api_version},
        }
        return _identifier(self._call("retrieve", retrieveRequest=request), "retrieve")

    def check_retrieve_status(self, retrieval_id: str) -> RetrieveResult:
        answer = self._call("checkRetrieveStatus", asyncProcessId=retrieval_id, includeZip=True)
        return RetrieveResult.model_validate(answer)

    def list_metadata(self, types: Iterable[str]) -> list[ListedComponent]:
        """All components of these types, asked for three types at a time."""
        queries = [{"type": name} for name in types]
        found: list[ListedComponent] = []
        for start in range(0, len(queries), MAX_LIST_QUERIES):
            answer = self._call(
                "listMetadata",
                queries=queries[start : start + MAX_LIST_QUERIES],
                asOfVersion=float(self.api_version),
            )
            items = answer if isinstance(answer, list) else []
            found += [ListedComponent.model_validate(each) for each in items]
        return found

    def describe_metadata(self) -> MetadataTypes:
        answer = self._call("describeMetadata", asOfVersion=float(self.api_version))
        return MetadataTypes.model_validate(answer)

    def _call(self, operation: str, **arguments: object) -> object:
        try:
            return self._send(operation, arguments)
        except zeep.exceptions.Fault as fault:
            if local_code(fault.code) != INVALID_SESSION:
                raise self._fault(operation, fault) from fault
        if not self.org.renew_session():
            raise self.org.expired_session()
        try:
            return self._send(operation, arguments)
        except zeep.exceptions.Fault as fault:
            raise self._fault(operation, fault) from fault

    def _send(self, operation: str, arguments: Mapping[str, object]) -> object:
        session = self.org.session
        address = f"{session.instance_url}/services/Soap/m/{self.api_version}"
        service = self._zeep.create_service(_BINDING, address)
        headers = {
            "SessionHeader": {"sessionId": session.access_token.reveal()},
            "CallOptions": {"client": CLIENT_NAME},
        }
        try:
            answer: object = service[operation](_soapheaders=headers, **arguments)
        except requests.RequestException as error:
            if never_taken(error):
                found = network_error(error, address, UNCHANGED)
                raise NotTakenError(found.message, hint=found.advice) from error
            raise network_error(error, address, _tokens(operation)) from error
        except zeep.exceptions.Fault:
            raise
        except UnusableAnswerError as error:
            refused = http_error(error.status, operation, self.org.instance_url)
            raise refused or self._unusable_answer(operation, str(error)) from error
        except (zeep.exceptions.Error, etree.LxmlError, ValueError) as error:
            raise self._unusable_answer(operation, "values that cannot be read") from error
        return answer

    def _unusable_answer(self, operation: str, what: str) -> NetworkError:
        return NetworkError(
            f"{operation} was answered with {what}",
            where=self.org.instance_url,
            hint="a proxy or a maintenance page may have answered; run this again in a moment",
            impact=_tokens(operation),
        )

    def _fault(self, operation: str, fault: zeep.exceptions.Fault) -> SfcutoverError:
        code = local_code(fault.code)
        if code == INVALID_SESSION:
            return self.org.expired_session()
        where = f"{self.org.instance_url} {operation}"
        return fault_error(code or "UNKNOWN", str(fault.message or ""), where)


def _identifier(answer: object, operation: str) -> str:
    identifier = getattr(answer, "id", None)
    if not isinstance(identifier, str) or not identifier:
        raise NetworkError(
            f"{operation} was answered without an id",
            hint="read the org back before sending anything again",
            impact=_tokens(operation),
        )
    return identifier


def _tokens(operation: str) -> str:
    """What it means for the customers' tokens that this operation was not answered."""
    return _UNKNOWN if operation in _CHANGING else UNCHANGED
