"""The Metadata API's operations: a SOAP call in, the fields of its result out."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from sfcutover.emulator.deployments import CancelRefusedError, Deployment, Options
from sfcutover.emulator.faults import Fault
from sfcutover.emulator.formats import version_of
from sfcutover.emulator.log import Event
from sfcutover.emulator.org import Org
from sfcutover.emulator.packages import Retrieval, RetrieveRequest, manifest_of
from sfcutover.emulator.schema import SCHEMAS
from sfcutover.emulator.soap import (
    Call,
    SoapFaultError,
    Tree,
    async_result,
    deploy_result,
    describe_object,
    file_properties,
    retrieve_result,
)

MAX_LIST_QUERIES = 3
VALIDATION_LIFETIME = timedelta(days=10)
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


class MetadataApi:
    """Answers calls for one org. The caller holds the org's lock."""

    def __init__(self, org: Org) -> None:
        self._org = org
        self._operations: dict[str, Callable[[Asked], Results]] = {
            "cancelDeploy": self._cancel_deploy,
            "checkDeployStatus": self._check_deploy_status,
            "checkRetrieveStatus": self._check_retrieve_status,
            "checkStatus": self._check_status,
            "deploy": self._deploy,
            "deployRecentValidation": self._deploy_recent_validation,
            "describeMetadata": self._describe_metadata,
            "listMetadata": self._list_metadata,
            "retrieve": self._retrieve,
        }

    def answer(self, asked: Asked) -> Results:
        """The results of a call; SoapFaultError if it is refused."""
        if asked.fault and asked.fault.refusal and asked.fault.kind != "failed":
            raise SoapFaultError(*asked.fault.refusal)
        self._check_access(asked)
        operation = self._operations.get(asked.call.operation)
        if operation is None:
            text = f"No operation available for request {asked.call.operation}"
            raise SoapFaultError("UNKNOWN_EXCEPTION", text)
        self._org.queue.advance()
        return operation(asked)

    def _check_access(self, asked: Asked) -> None:
        if not self._org.supports(asked.version):
            raise SoapFaultError(
                "UNSUPPORTED_API_VERSION", f"Invalid Api version: {asked.version:.1f}"
            )
        if not self._org.sessions.is_alive(asked.call.session_id):
            raise SoapFaultError(
                "INVALID_SESSION_ID",
                "Invalid Session ID found in SessionHeader: Illegal Session. Session not found",
            )
        if not self._org.scenario.can_modify_metadata:
            text = (
                "use of the Metadata API requires a user with the ModifyAllData or "
                "ModifyMetadata permissions"
            )
            raise SoapFaultError("INSUFFICIENT_ACCESS", text)

    def _deploy(self, asked: Asked) -> Results:
        options = Options(
            check_only=asked.call.flag("DeployOptions/checkOnly"),
            ignore_warnings=asked.call.flag("DeployOptions/ignoreWarnings"),
            rollback_on_error=asked.call.flag("DeployOptions/rollbackOnError"),
            single_package=asked.call.flag("DeployOptions/singlePackage"),
            test_level=asked.call.text("DeployOptions/testLevel"),
        )
        return [async_result(self._add(_decode(asked.call.text("ZipFile")), options, asked).id)]

    def _add(self, zip_bytes: bytes, options: Options, asked: Asked) -> Deployment:
        deployment = self._org.queue.add(zip_bytes, options, asked.fault)
        asked.event["deployment"] = deployment.id
        asked.event["check_only"] = options.check_only
        return deployment

    def _check_deploy_status(self, asked: Asked) -> Results:
        deployment = self._find_deployment("asyncProcessId", asked)
        details = asked.call.flag("includeDetails")
        return [deploy_result(self._org, deployment, asked.version, include_details=details)]

    def _cancel_deploy(self, asked: Asked) -> Results:
        # The WSDL's element is really named String; jsforce sends id, and the org takes it.
        deployment = self._find_deployment("*", asked)
        try:
            self._org.queue.cancel(deployment, asked.version)
        except CancelRefusedError as error:
            raise SoapFaultError("INVALID_ID_FIELD", str(error)) from error
        return [[("done", deployment.done), ("id", deployment.id)]]

    def _deploy_recent_validation(self, asked: Asked) -> Results:
        validation = self._find_deployment("validationId", asked)
        if not self._is_recent_validation(validation):
            text = "The validation is not a recent one that has passed its tests"
            raise SoapFaultError("INVALID_ID_FIELD", text)
        options = Options(
            rollback_on_error=True,
            single_package=validation.options.single_package,
            test_level=validation.options.test_level,
        )
        return [self._add(validation.zip_bytes, options, asked).id]

    def _is_recent_validation(self, deployment: Deployment) -> bool:
        """Only a validation of the last ten days that ran tests can be deployed."""
        ran_tests = deployment.options.test_level not in ("", "NoTestRun")
        is_recent = self._org.clock() - deployment.created < VALIDATION_LIFETIME
        return deployment.check_only and deployment.success and ran_tests and is_recent

    def _retrieve(self, asked: Asked) -> Results:
        # The request's element is retrieveRequest, but jsforce calls it request.
        unpackaged = asked.call.elements("*/unpackaged")
        names = tuple(asked.call.texts("*/packageNames"))
        if not unpackaged and not names:
            raise SoapFaultError("INVALID_OPERATION", "retrieve names neither files nor packages")
        manifest = manifest_of(unpackaged[0] if unpackaged else asked.call.element)
        shape = manifest.version or version_of(asked.call.text("*/apiVersion")) or asked.version
        if not self._org.supports(shape):
            raise SoapFaultError("UNSUPPORTED_API_VERSION", f"Invalid Api version: {shape:.1f}")
        single = asked.call.flag("*/singlePackage")
        retrieval = self._org.retriever.add(RetrieveRequest(manifest, shape, single, names))
        return [async_result(retrieval.id)]

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
        return async_result(retrieval.id, is_done=retrieval.zip_bytes is not None)

    def _list_metadata(self, asked: Asked) -> Results:
        types = asked.call.texts("queries/type")
        if len(types) > MAX_LIST_QUERIES:
            raise SoapFaultError("LIMIT_EXCEEDED", f"at most {MAX_LIST_QUERIES} queries a call")
        shape = version_of(asked.call.text("asOfVersion")) or asked.version
        results: Results = []
        for name in types:
            schema = SCHEMAS.get(name)
            if schema is None or not schema.exists_in(shape):
                raise SoapFaultError("INVALID_TYPE", f"Unknown type:{name}")
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

    def _find_deployment(self, element: str, asked: Asked) -> Deployment:
        deployment_id = asked.call.text(element)
        found = self._org.queue.find(deployment_id)
        if found is None:
            raise _no_such_id(deployment_id)
        asked.event["deployment"] = found.id
        return found

    def _find_retrieval(self, retrieval_id: str) -> Retrieval:
        found = self._org.retriever.find(retrieval_id)
        if found is None:
            raise _no_such_id(retrieval_id)
        return found


def _no_such_id(text: str) -> SoapFaultError:
    return SoapFaultError("INVALID_CROSS_REFERENCE_KEY", f"invalid cross reference id: {text}")


def _decode(text: str) -> bytes:
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise SoapFaultError("UNKNOWN_EXCEPTION", "ZipFile is not base64") from error
