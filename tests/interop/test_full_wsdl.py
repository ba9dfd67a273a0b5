"""zeep in strict mode, over Salesforce's full WSDL v63.0, which simple-salesforce ships.

It refuses every answer that lacks a required element or has one in the wrong place. It needs
nothing that is not installed anyhow, so `make test` runs it, too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import simple_salesforce
import zeep
import zeep.exceptions
from zeep.transports import Transport

from sfcutover.emulator import Emulator, Scenario
from tests.integration.emulator.client import NAMESPACE, make_zip, manifest, unzip

APP = "ConnectedApp"  # a type of this WSDL, unlike the security settings
NAME = "Acme_Legacy"
PATH = f"connectedApps/{NAME}.connectedApp"
VERSION = "63.0"
WSDL = Path(simple_salesforce.__file__).with_name("metadata.wsdl")
UNPACKAGED = {"types": [{"members": ["*"], "name": APP}], "version": VERSION}
OPTIONS = {
    **dict.fromkeys(("allowMissingFiles", "autoUpdatePackage", "checkOnly"), False),
    **dict.fromkeys(("ignoreWarnings", "performRetrieve", "purgeOnDelete"), False),
    **{"rollbackOnError": True, "singlePackage": True, "testLevel": "NoTestRun"},
}

Call = Callable[..., Any]  # zeep makes operations and their results at run time


@pytest.fixture(scope="module")
def client() -> Iterator[zeep.Client]:
    with requests.Session() as session:
        settings = zeep.Settings(strict=True, xsd_ignore_sequence_order=False)
        yield zeep.Client(str(WSDL), transport=Transport(session=session), settings=settings)


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    with Emulator(tls=False) as started:
        yield started


@pytest.fixture
def call(client: zeep.Client, emulator: Emulator) -> Call:
    return calls_to(client, emulator)


def calls_to(client: zeep.Client, emulator: Emulator) -> Call:
    """Call an operation by its name with its arguments; return its result, or a list of several."""
    address = f"{emulator.url}/services/Soap/m/{VERSION}"
    service = client.create_service(f"{{{NAMESPACE}}}MetadataBinding", address)
    header = client.get_element(f"{{{NAMESPACE}}}SessionHeader")
    session = header(sessionId=emulator.environment["SF_ACCESS_TOKEN"])

    def call(operation: str, *arguments: object) -> Any:
        answer = getattr(service, operation)(*arguments, _soapheaders=[session])
        return answer.body.result if hasattr(answer, "body") else answer

    return call


def package(emulator: Emulator) -> bytes:
    xml = emulator.component_xml(APP, NAME)
    return make_zip({"package.xml": manifest({APP: [NAME]}, VERSION), PATH: xml})


def request(**more: object) -> dict[str, object]:
    return {"apiVersion": 63.0, "singlePackage": True, **more}


def test_a_deployment_and_its_status_are_read(emulator: Emulator, call: Call) -> None:
    job = call("deploy", package(emulator), OPTIONS)
    status = call("checkDeployStatus", job.id, True)
    assert (status.id, status.status, status.success) == (job.id, "Succeeded", True)
    assert [one.fullName for one in status.details.componentSuccesses] == [NAME, "package.xml"]
    assert call("checkDeployStatus", job.id, False).details is None  # empty


@pytest.mark.parametrize(
    ("files", "problem"),
    [
        ({"package.xml": manifest({APP: [NAME]}, VERSION)}, "was not found in zipped directory"),
        ({PATH: "<a/>"}, "No package.xml found"),
    ],
)
def test_a_failed_deployment_is_read(call: Call, files: dict[str, str], problem: str) -> None:
    job = call("deploy", make_zip(files), OPTIONS)
    status = call("checkDeployStatus", job.id, True)
    (failure,) = status.details.componentFailures
    assert (status.status, failure.lineNumber, failure.problemType) == ("Failed", None, "Error")
    assert problem in failure.problem


def test_a_validation_is_deployed(emulator: Emulator, call: Call) -> None:
    options = OPTIONS | {"checkOnly": True, "testLevel": "RunLocalTests"}
    validation = call("deploy", package(emulator), options)
    deployment = call("deployRecentValidation", validation.id)
    assert call("checkDeployStatus", deployment, True).success


def test_a_deployment_is_canceled(client: zeep.Client) -> None:
    with Emulator(Scenario(deploy_seconds=600), tls=False) as slow:
        call = calls_to(client, slow)
        job = call("deploy", package(slow), OPTIONS)
        assert call("checkDeployStatus", job.id, True).done is False
        assert call("cancelDeploy", job.id).done
        status = call("checkDeployStatus", job.id, True)
        assert (status.status, status.canceledByName) == ("Canceled", "Release Engineer")


@pytest.mark.parametrize("zipped", [True, False])
def test_a_retrieve_is_read(call: Call, zipped: bool) -> None:
    job = call("retrieve", request(unpackaged=UNPACKAGED))
    result = call("checkRetrieveStatus", job.id, zipped)
    assert (result.status, result.success) == ("Succeeded", True)
    if zipped:
        assert PATH in unzip(result.zipFile)
    else:
        assert result.zipFile is None


def test_a_pending_retrieve_is_read(client: zeep.Client) -> None:
    with Emulator(Scenario(retrieve_seconds=600), tls=False) as slow:
        call = calls_to(client, slow)
        job = call("retrieve", request(unpackaged=UNPACKAGED))
        result = call("checkRetrieveStatus", job.id, True)
        assert (result.done, result.zipFile) == (False, None)


def test_a_retrieve_of_an_unknown_package_is_read(call: Call) -> None:
    job = call("retrieve", request(packageNames=["Abacus"]))
    result = call("checkRetrieveStatus", job.id, True)
    assert (result.done, result.status) == (True, "Failed")
    assert result.errorMessage == "INVALID_CROSS_REFERENCE_KEY: No package named 'Abacus' found"


def test_lists_and_descriptions_are_read(call: Call) -> None:
    (listed,) = call("listMetadata", [{"type": APP}], 63.0)
    assert (listed.fullName, listed.fileName) == (NAME, PATH)
    described = call("describeMetadata", 63.0)
    assert APP in [one.xmlName for one in described.metadataObjects]


def test_a_component_is_read_and_updated(call: Call) -> None:
    (record, absent) = call("readMetadata", APP, [NAME, "Nobody"])
    assert (record.fullName, absent.fullName) == (NAME, None)
    assert record.ipRanges[0].start == "127.0.0.11"
    record.ipRanges[0].description = "changed"
    (saved,) = call("updateMetadata", [record])
    assert (saved.fullName, saved.success, saved.errors) == (NAME, True, [])
    (again,) = call("readMetadata", APP, [NAME])
    assert again.ipRanges[0].description == "changed"


def test_components_are_created_upserted_and_deleted(call: Call) -> None:
    (record,) = call("readMetadata", APP, [NAME])
    record.fullName = "Other"
    assert [one.success for one in call("createMetadata", [record])] == [True]
    (failed,) = call("createMetadata", [record])
    assert failed.errors[0].statusCode == "DUPLICATE_DEVELOPER_NAME"
    assert [one.created for one in call("upsertMetadata", [record])] == [False]
    assert [one.success for one in call("deleteMetadata", APP, ["Other"])] == [True]


def test_a_fault_is_read(call: Call) -> None:
    with pytest.raises(zeep.exceptions.Fault, match="invalid cross reference id") as caught:
        call("checkDeployStatus", "0Af000000000000AAA", True)
    assert caught.value.code == "sf:INVALID_CROSS_REFERENCE_KEY"
