"""simple-salesforce against the emulator: its REST, its mdapi, and its full v63.0 WSDL."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from requests.adapters import HTTPAdapter
from simple_salesforce.api import Salesforce
from simple_salesforce.exceptions import SalesforceAuthenticationFailed, SalesforceExpiredSession
from simple_salesforce.login import SalesforceLogin

from sfcutover.emulator import Emulator
from tests.integration.emulator.client import (
    SECURITY,
    SECURITY_NAME,
    SECURITY_PATH,
    security_package,
    security_xml,
    unzip,
)

Api = Any  # zeep and mdapi make their methods at run time

VALIDATE = {
    "allowMissingFiles": False,
    "autoUpdatePackage": False,
    "checkOnly": True,
    "ignoreWarnings": False,
    "performRetrieve": False,
    "purgeOnDelete": False,
    "rollbackOnError": True,
    "singlePackage": True,
    "testLevel": "RunLocalTests",
}


class ToLoopback(HTTPAdapter):
    """Redirects simple-salesforce's requests from salesforce.com, its only host, to loopback."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self._url = url

    def send(
        self, request: requests.PreparedRequest, *arguments: Any, **more: Any
    ) -> requests.Response:
        request.url = self._url + request.path_url
        return super().send(request, *arguments, **more)


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    with pytest.MonkeyPatch.context() as patch, Emulator() as started:
        # Its zeep client reads the authority from the environment only.
        patch.setenv("REQUESTS_CA_BUNDLE", started.environment["REQUESTS_CA_BUNDLE"])
        yield started


@pytest.fixture(scope="module")
def salesforce(emulator: Emulator) -> Iterator[Salesforce]:
    with requests.Session() as session:
        yield Salesforce(
            instance_url=emulator.url,
            session_id=emulator.environment["SF_ACCESS_TOKEN"],
            session=session,
            version="67.0",
        )


@pytest.fixture(scope="module")
def mdapi(salesforce: Salesforce) -> Iterator[Api]:
    api: Api = salesforce.mdapi
    yield api
    api._client.transport.session.close()


@pytest.fixture
def login_session(emulator: Emulator) -> Iterator[requests.Session]:
    with requests.Session() as session:
        session.mount("https://acme.my.salesforce.com/", ToLoopback(emulator.url))
        session.mount("https://login.salesforce.com/", ToLoopback(emulator.url))
        yield session


def call(api: Api, operation: str, *arguments: object) -> Api:
    """Call an operation of the full WSDL."""
    method = getattr(api._service, operation)
    return method(*arguments, _soapheaders=[api._session_header])


def result_of(answer: Api) -> Api:
    return answer.body.result if hasattr(answer, "body") else answer


def test_queries_work(salesforce: Salesforce) -> None:
    answer = salesforce.query("SELECT Id, Name FROM Organization")
    assert answer["records"][0]["Name"] == "Acme Packaging"
    assert salesforce.limits()["DailyApiRequests"]["Max"] > 0


def test_an_invalid_session_is_reported(emulator: Emulator) -> None:
    with requests.Session() as session:
        dead = Salesforce(instance_url=emulator.url, session_id="00D!dead", session=session)
        with pytest.raises(SalesforceExpiredSession):
            dead.query("SELECT Id FROM User")


def test_client_credentials_log_in(emulator: Emulator, login_session: requests.Session) -> None:
    environment = emulator.environment
    token, instance = SalesforceLogin(
        domain="acme.my",
        consumer_key=environment["SF_CLIENT_ID"],
        consumer_secret=environment["SF_CLIENT_SECRET"],
        session=login_session,
    )
    assert token.startswith("00D")
    assert emulator.url.endswith(instance)


def test_a_jwt_key_logs_in(emulator: Emulator, login_session: requests.Session) -> None:
    token, _ = SalesforceLogin(
        username="release@acme.example",
        consumer_key=emulator.environment["SF_CLIENT_ID"],
        privatekey_file=str(emulator.jwt_private_key_path),
        session=login_session,
    )
    assert token.startswith("00D")


def test_a_failed_login_is_reported(emulator: Emulator, login_session: requests.Session) -> None:
    with pytest.raises(SalesforceAuthenticationFailed, match="invalid client credentials"):
        SalesforceLogin(
            domain="acme.my",
            consumer_key=emulator.environment["SF_CLIENT_ID"],
            consumer_secret="wrong",
            session=login_session,
        )


def test_mdapi_deploys_and_reads_the_status(emulator: Emulator, mdapi: Api) -> None:
    package = io.BytesIO(security_package(security_xml("127.0.0.21")))
    deployment, state = mdapi.deploy(package, sandbox=False)
    assert state == "Queued"
    status, _, detail, _ = mdapi.check_deploy_status(deployment)
    assert (status, detail["deployed_count"]) == ("Succeeded", "1")
    assert b"127.0.0.21" in emulator.component_xml(SECURITY, SECURITY_NAME)


def test_mdapi_reads_a_component_failure(mdapi: Api) -> None:
    package = io.BytesIO(security_package(security_xml("127.0.0.21", app="Nobody")))
    deployment, _ = mdapi.deploy(package, sandbox=False)
    status, _, detail, _ = mdapi.check_deploy_status(deployment)
    assert (status, detail["failed_count"]) == ("Failed", "1")
    assert detail["errors"][0]["file"] == SECURITY_PATH
    assert "INVALID_CROSS_REFERENCE_KEY" in detail["errors"][0]["message"]


def test_mdapi_retrieves(emulator: Emulator, mdapi: Api) -> None:
    retrieval, _ = mdapi.retrieve("", unpackaged={SECURITY: ["*"]})
    state, error, messages, zip_bytes = mdapi.retrieve_zip(retrieval)
    assert (state, error, messages) == ("Succeeded", None, [])
    files = unzip(zip_bytes)
    assert files[SECURITY_PATH] == emulator.component_xml(SECURITY, SECURITY_NAME)


def test_mdapi_lists_and_describes(mdapi: Api) -> None:
    listed = mdapi.list_metadata([{"type": "ConnectedApp"}])
    assert [one.fullName for one in listed] == ["Acme_Legacy"]
    described = mdapi.describe_metadata()
    suffixes = {one.xmlName: one.suffix for one in described.metadataObjects}
    assert suffixes[SECURITY] == "ecaOauthSecurity"


def test_the_full_wsdl_reads_every_answer(mdapi: Api) -> None:
    validation = result_of(call(mdapi, "deploy", security_package(), VALIDATE))
    assert (validation.done, validation.state) == (False, "Queued")
    status = result_of(call(mdapi, "checkDeployStatus", validation.id, True))
    assert (status.status, status.done, status.success) == ("Succeeded", True, True)
    assert [one.fullName for one in status.details.componentSuccesses] == [
        SECURITY_NAME,
        "package.xml",
    ]
    deployment = result_of(call(mdapi, "deployRecentValidation", validation.id))
    assert deployment != validation.id
    assert result_of(call(mdapi, "checkDeployStatus", deployment, False)).success


def test_the_full_wsdl_retrieves(mdapi: Api) -> None:
    request = {
        "apiVersion": 67.0,
        "singlePackage": True,
        "unpackaged": {"types": [{"members": ["*"], "name": SECURITY}], "version": "67.0"},
    }
    job = result_of(call(mdapi, "retrieve", request))
    result = result_of(call(mdapi, "checkRetrieveStatus", job.id, True))
    assert (result.status, result.success) == ("Succeeded", True)
    zip_file = result.zipFile
    data = zip_file if zip_file.startswith(b"PK") else base64.b64decode(zip_file)
    assert SECURITY_PATH in unzip(data)


def test_the_full_wsdl_reads_faults(mdapi: Api) -> None:
    job = result_of(call(mdapi, "deploy", security_package(), VALIDATE))
    with pytest.raises(Exception, match="Deployment already completed") as caught:
        call(mdapi, "cancelDeploy", job.id)
    assert getattr(caught.value, "code", None) == "sf:INVALID_ID_FIELD"
