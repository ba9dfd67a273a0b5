"""The Metadata API's operations: a SOAP call in, the fields of its result out."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from dataclasses import dataclass

from sfcutover.emulator.crud import CrudCalls
from sfcutover.emulator.deployments import Options
from sfcutover.emulator.deployrequests import (
    DeployRequests,
    RefusedError,
    check_permission,
    no_such_id,
)
from sfcutover.emulator.faults import Fault
from sfcutover.emulator.formats import version_of
from sfcutover.emulator.log import Event
from sfcutover.emulator.org import Org
from sfcutover.emulator.packages import Retrieval, RetrieveRequest, manifest_of
from sfcutover.emulator.results import (
    Tree,
    async_result,
    deploy_result,
    describe_object,
    file_properties,
    retrieve_result,
)
from sfcutover.emulator.schema import SCHEMAS
from sfcutover.emulator.soap import Call

MAX_LIST_QUERIES = 3
Results = list[Tree | str]


@dataclass(frozen=True)
class Asked:
    """A call made at an API version.

    fault: one that afflicts the deployment which the call starts. event: the call's line
    in the log, which gets the deployment's id.
    """

    call: Call
    version: float
    fault: Fault | None
    event: Event

    def deploy_requests(self, org: Org) -> DeployRequests:
        """The deployments of an org, for this call."""
        return DeployRequests(org, self.fault, self.event)


class MetadataApi:
    """Answers calls for one org. The caller holds the org's lock."""

    def __init__(self, org: Org) -> None:
        self._org = org
        self._operations: dict[str, Callable[[Asked], Results]] = {
            "cancelDeploy": self._cancel_deploy,
            "checkDeployStatus": self._check_deploy_status,
            "checkRetrieveStatus": self._check_retrieve_status,
            "checkStatus": self._check_status,
            "createMetadata": lambda asked: self._crud(asked).create(),
            "deleteMetadata": lambda asked: self._crud(asked).delete(),
            "deploy": self._deploy,
            "deployRecentValidation": self._deploy_recent_validation,
            "describeMetadata": self._describe_metadata,
            "listMetadata": self._list_metadata,
            "readMetadata": lambda asked: self._crud(asked).read(),
            "retrieve": self._retrieve,
            "updateMetadata": lambda asked: self._crud(asked).update(),
            "upsertMetadata": lambda asked: self._crud(asked).upsert(),
        }

    def answer(self, asked: Asked) -> Results:
        """The results of a call; RefusedError if the org refuses it."""
        if asked.fault and asked.fault.refusal and asked.fault.kind != "failed":
            raise RefusedError(*asked.fault.refusal)
        self._check_access(asked)
        operation = self._operations.get(asked.call.operation)
        if operation is None:
            text = f"No operation available for request {asked.call.operation}"
            raise RefusedError("UNKNOWN_EXCEPTION", text)
        self._org.queue.advance()
        return operation(asked)

    def _check_access(self, asked: Asked) -> None:
        if not self._org.supports(asked.version):
            raise RefusedError(
                "UNSUPPORTED_API_VERSION", f"Invalid Api version: {asked.version:.1f}"
            )
        if not self._org.sessions.is_alive(asked.call.session_id):
            raise RefusedError(
                "INVALID_SESSION_ID",
                "Invalid Session ID found in SessionHeader: Illegal Session. Session not found",
            )
        check_permission(self._org)

    def _crud(self, asked: Asked) -> CrudCalls:
        return CrudCalls(self._org, asked.call, asked.version)

    def _deploy(self, asked: Asked) -> Results:
        options = Options(
            check_only=asked.call.flag("DeployOptions/checkOnly"),
            ignore_warnings=asked.call.flag("DeployOptions/ignoreWarnings"),
            rollback_on_error=asked.call.flag("DeployOptions/rollbackOnError"),
            single_package=asked.call.flag("DeployOptions/singlePackage"),
            test_level=asked.call.text("DeployOptions/testLevel"),
        )
        zip_bytes = _decode(asked.call.text("ZipFile"))
        return [async_result(asked.deploy_requests(self._org).add(zip_bytes, options).id)]

    def _check_deploy_status(self, asked: Asked) -> Results:
        deployment = asked.deploy_requests(self._org).find(asked.call.text("asyncProcessId"))
        details = asked.call.flag("includeDetails")
        return [deploy_result(self._org, deployment, asked.version, include_details=details)]

    def _cancel_deploy(self, asked: Asked) -> Results:
        # The WSDL's element is really named String; jsforce sends id, and the org takes it.
        requests = asked.deploy_requests(self._org)
        deployment = requests.cancel(asked.call.text("*"), asked.version)
        return [[("done", deployment.done), ("id", deployment.id)]]

    def _deploy_recent_validation(self, asked: Asked) -> Results:
        requests = asked.deploy_requests(self._org)
        return [requests.add_validated(asked.call.text("validationId")).id]

    def _retrieve(self, asked: Asked) -> Results:
        request = self._retrieve_request(asked)
        if not self._org.supports(request.version):
            text = f"Invalid Api version: {request.version:.1f}"
            raise RefusedError("UNSUPPORTED_API_VERSION", text)
        if request.specific_files and (request.package_names or not request.single_package):
            text = "specificFiles needs singlePackage and no packageNames"  # by the guide
            raise RefusedError("INVALID_OPERATION", text)
        return [async_result(self._org.retriever.add(request).id)]

    def _retrieve_request(self, asked: Asked) -> RetrieveRequest:
        # The request's element is retrieveRequest, but jsforce calls it request.
        call = asked.call
        unpackaged = call.elements("*/unpackaged")
        packages = tuple(call.texts("*/packageNames"))
        files = tuple(call.texts("*/specificFiles"))
        if not unpackaged and not packages and not files:
            raise RefusedError("INVALID_OPERATION", "retrieve names neither files nor packages")
        manifest = manifest_of(unpackaged[0] if unpackaged else call.element)
        shape = manifest.version or version_of(call.text("*/apiVersion")) or asked.version
        single = call.flag("*/singlePackage")
        return RetrieveRequest(manifest, shape, single, packages, files)

    def _check_retrieve_status(self, asked: Asked) -> Results:
        retrieval = self._find_retrieval(asked.call.text("asyncProcessId"))
        with_zip = asked.call.flag("includeZip", default=True)
        return [retrieve_result(self._org, retrieval, include_zip=with_zip)]

    def _check_status(self, asked: Asked) -> Results:
        """Documented up to API 30.0 only; CumulusCI still calls it while it retrieves."""
        return [self._job_status(job_id) for job_id in asked.call.texts("asyncProcessId")]

    def _job_status(self, job_id: str) -> Tree:
        deployment = self._org.queue.find(job_id)
        if deployment is not None:
            return async_result(deployment.id, is_done=deployment.done)
        retrieval = self._find_retrieval(job_id)
        return async_result(retrieval.id, is_done=retrieval.done)

    def _list_metadata(self, asked: Asked) -> Results:
        types = asked.call.texts("queries/type")
        if len(types) > MAX_LIST_QUERIES:
            raise RefusedError("LIMIT_EXCEEDED", f"at most {MAX_LIST_QUERIES} queries a call")
        shape = version_of(asked.call.text("asOfVersion")) or asked.version
        results: Results = []
        for name in types:
            schema = SCHEMAS.get(name)
            if schema is None or not schema.exists_in(shape):
                raise RefusedError("INVALID_TYPE", f"Unknown type:{name}")
            for stored in self._org.store.of_type(name):
                path = schema.component_type.path(stored.full_name)
                results.append(file_properties(self._org, path, stored))
        return results

    def _describe_metadata(self, asked: Asked) -> Results:
        shape = version_of(asked.call.text("asOfVersion")) or asked.version
        known = [schema for schema in SCHEMAS.values() if schema.exists_in(shape)]
        return [
            [
                *(("metadataObjects", describe_object(schema.component_type)) for schema in known),
                ("organizationNamespace", self._org.scenario.namespace or ""),
                ("partialSaveAllowed", True),
                ("testRequired", False),
            ]
        ]

    def _find_retrieval(self, retrieval_id: str) -> Retrieval:
        found = self._org.retriever.find(retrieval_id)
        if found is None:
            raise no_such_id(retrieval_id)
        return found


def _decode(text: str) -> bytes:
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise RefusedError("UNKNOWN_EXCEPTION", "ZipFile is not base64") from error
