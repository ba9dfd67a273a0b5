from __future__ import annotations

import base64

import pytest

from sfcutover.emulator import Emulator
from tests.integration.emulator.client import (
    SECURITY,
    SECURITY_NAME,
    SECURITY_PATH,
    XSI,
    Client,
    FaultAnswer,
    Result,
    SteppedClock,
    security_package,
    security_xml,
    types,
    unzip,
)
from tests.integration.emulator.conftest import StartOrg

Org = tuple[Emulator, Client]
ALL_TYPES = {
    "ConnectedApp",
    "ExternalClientApplication",
    "ExtlClntAppConfigurablePolicies",
    "ExtlClntAppGlobalOauthSettings",
    "ExtlClntAppOauthConfigurablePolicies",
    "ExtlClntAppOauthSecuritySettings",
    "ExtlClntAppOauthSettings",
}


def test_a_deployed_list_is_retrieved(org: Org) -> None:
    _, client = org
    result = client.deployed(security_package(security_xml("127.0.0.21", "127.0.0.22")))
    assert (result.text("status"), result.text("success")) == ("Succeeded", "true")
    files = client.retrieved({SECURITY: [SECURITY_NAME]})
    text = files[SECURITY_PATH].decode()
    assert text.count("<tokenIpRanges>") == 2
    assert "127.0.0.22" in text
    assert "127.0.0.11" not in text


def test_deploy_results_have_their_fields_in_wsdl_order(org: Org) -> None:
    _, client = org
    names = client.deployed(security_package()).names()
    assert names == sorted(names)
    assert {"createdByName", "details", "numberFiles", "rollbackOnError", "zipSize"} <= set(names)


def test_older_versions_have_no_sizes(org: Org) -> None:
    _, client = org
    client.version = "63.0"
    names = client.deployed(security_package()).names()
    assert not {"numberFiles", "zipSize"} & set(names)


def test_ids_are_accepted_in_both_lengths(org: Org) -> None:
    _, client = org
    deployment = client.deploy(security_package())
    assert deployment.startswith("0Af")
    assert client.status(deployment[:15]).text("id") == deployment


def test_an_unknown_id_is_refused(org: Org) -> None:
    _, client = org
    with pytest.raises(FaultAnswer) as caught:
        client.status("0Af000000000001AAA")
    assert caught.value.code == "sf:INVALID_CROSS_REFERENCE_KEY"


def test_check_only_changes_nothing(org: Org) -> None:
    emulator, client = org
    before = emulator.component_xml(SECURITY, SECURITY_NAME)
    result = client.deployed(security_package(), checkOnly="true")
    assert (result.text("status"), result.text("checkOnly")) == ("Succeeded", "true")
    assert emulator.component_xml(SECURITY, SECURITY_NAME) == before


def test_a_validation_with_tests_is_deployed_under_a_new_id(org: Org) -> None:
    emulator, client = org
    validation = client.deploy(security_package(), checkOnly="true", testLevel="RunLocalTests")
    client.status(validation)
    answer = client.call("deployRecentValidation", f"<validationId>{validation}</validationId>")
    deployment = answer[0].text() or ""
    assert deployment.startswith("0Af")
    assert deployment != validation
    assert client.status(deployment).text("status") == "Succeeded"
    assert b"127.0.0.21" in emulator.component_xml(SECURITY, SECURITY_NAME)


@pytest.mark.parametrize("days", [0, 11])
def test_an_old_validation_or_one_without_tests_is_not_deployed(
    org: Org, clock: SteppedClock, days: int
) -> None:
    emulator, client = org
    level = "RunLocalTests" if days else "NoTestRun"
    validation = client.deploy(security_package(), checkOnly="true", testLevel=level)
    clock.forward(days * 86_400)
    client.token = _new_token(emulator, client)
    with pytest.raises(FaultAnswer, match="INVALID_ID_FIELD"):
        client.call("deployRecentValidation", f"<validationId>{validation}</validationId>")


def _new_token(emulator: Emulator, client: Client) -> str:
    environment = emulator.environment
    form = {
        "grant_type": "client_credentials",
        "client_id": environment["SF_CLIENT_ID"],
        "client_secret": environment["SF_CLIENT_SECRET"],
    }
    answer = client.http.post(environment["SFCUTOVER_TOKEN_URL"], data=form, timeout=10)
    return str(answer.json()["access_token"])


def test_a_retrieve_without_single_package_is_below_unpackaged(org: Org) -> None:
    _, client = org
    files = client.retrieved({SECURITY: ["*"]}, single=False)
    assert set(files) == {f"unpackaged/{SECURITY_PATH}", "unpackaged/package.xml"}


def test_a_retrieved_package_xml_names_what_was_found(org: Org) -> None:
    _, client = org
    text = client.retrieved({SECURITY: ["*"]})["package.xml"].decode()
    assert f"<members>{SECURITY_NAME}</members>" in text
    assert "<version>67.0</version>" in text


def test_a_retrieve_reports_missing_components(org: Org) -> None:
    _, client = org
    retrieval = client.retrieve({SECURITY: ["Nobody"], "Nonsense": ["*"]})
    result = client.retrieve_status(retrieval)
    assert result.texts("messages/problem") == [
        f"Entity of type '{SECURITY}' named 'Nobody' cannot be found",
        "Entity type 'Nonsense' is unknown",
    ]
    assert result.text("success") == "true"


def test_file_properties_describe_each_file_and_package_xml(org: Org) -> None:
    _, client = org
    result = client.retrieve_status(client.retrieve({SECURITY: ["*"]}))
    assert result.texts("fileProperties/fileName") == [SECURITY_PATH, "package.xml"]
    assert result.texts("fileProperties/type") == [SECURITY, "Package"]
    assert result.all("fileProperties")[0].text("fullName") == SECURITY_NAME


def test_without_include_zip_the_result_has_no_zip(org: Org) -> None:
    _, client = org
    retrieval = client.retrieve({SECURITY: ["*"]})
    assert client.retrieve_status(retrieval, include_zip=False).is_nil("zipFile")
    assert client.retrieve_status(retrieval).text("zipFile")


@pytest.mark.parametrize("details", [True, False])
def test_a_deploy_result_always_has_details(org: Org, details: bool) -> None:
    _, client = org
    flag = "true" if details else "false"
    body = f"<asyncProcessId>{client.deploy(security_package())}</asyncProcessId>"
    (result,) = client.call("checkDeployStatus", f"{body}<includeDetails>{flag}</includeDetails>")
    assert "details" in result.names()
    assert bool(result.all("details/componentSuccesses")) is details


def test_a_pending_retrieve_has_no_zip(start_org: StartOrg) -> None:
    _, client = start_org(retrieve_seconds=5)
    assert client.retrieve_status(client.retrieve({SECURITY: ["*"]})).is_nil("zipFile")


def retrieve(client: Client, request: str) -> Result:
    """A finished retrieve with these elements in its request."""
    body = f"<retrieveRequest><apiVersion>67.0</apiVersion>{request}</retrieveRequest>"
    (job,) = client.call("retrieve", body)
    return client.retrieve_status(job.text("id") or "")


def test_retrieving_an_unknown_package_fails(org: Org) -> None:
    _, client = org
    result = retrieve(client, "<packageNames>Abacus</packageNames>")
    assert (result.text("done"), result.text("status")) == ("true", "Failed")
    message = "INVALID_CROSS_REFERENCE_KEY: No package named 'Abacus' found"
    assert (result.text("errorMessage"), result.text("success")) == (message, "false")
    assert result.is_nil("zipFile")


UNPACKAGED = f"<unpackaged>{types({SECURITY: ['*'], 'ConnectedApp': ['*']})}</unpackaged>"
SINGLE = "<singlePackage>true</singlePackage>"
FILE = f"<specificFiles>{SECURITY_PATH}</specificFiles>"


@pytest.mark.parametrize("request_body", [SINGLE + FILE + UNPACKAGED, SINGLE + FILE])
def test_specific_files_limit_a_retrieve(org: Org, request_body: str) -> None:
    _, client = org
    files = unzip(base64.b64decode(retrieve(client, request_body).text("zipFile") or ""))
    assert set(files) == {SECURITY_PATH, "package.xml"}
    assert b"ConnectedApp" not in files["package.xml"]


@pytest.mark.parametrize("more", ["", f"{SINGLE}<packageNames>Abacus</packageNames>"])
def test_specific_files_require_a_single_package(org: Org, more: str) -> None:
    _, client = org
    with pytest.raises(FaultAnswer, match="singlePackage"):
        retrieve(client, FILE + UNPACKAGED + more)


def test_a_nil_element_counts_as_absent(org: Org) -> None:
    _, client = org
    nil = f'xmlns:xsi="{XSI}" xsi:nil="true"'
    sent = f"<packageNames {nil}/>{SINGLE}<specificFiles {nil}/>{UNPACKAGED}"
    assert retrieve(client, sent).text("status") == "Succeeded"


def test_a_retrieve_takes_its_configured_time(start_org: StartOrg, clock: SteppedClock) -> None:
    _, client = start_org(retrieve_seconds=5)
    retrieval = client.retrieve({SECURITY: ["*"]})
    assert client.retrieve_status(retrieval).text("done") == "false"
    clock.forward(5)
    assert client.retrieve_status(retrieval).text("done") == "true"


def test_the_old_check_status_reports_whether_a_job_is_done(
    start_org: StartOrg, clock: SteppedClock
) -> None:
    _, client = start_org(retrieve_seconds=5, deploy_seconds=9)
    jobs = [client.retrieve({SECURITY: ["*"]}), client.deploy(security_package())]
    body = "".join(f"<asyncProcessId>{job}</asyncProcessId>" for job in jobs)
    seen = []
    for seconds in (0, 5, 4):
        clock.forward(seconds)
        seen.append([one.text("done") for one in client.call("checkStatus", body)])
    assert seen == [["false", "false"], ["true", "false"], ["true", "true"]]


def test_a_retrieve_omits_fields_newer_than_its_version(
    start_org: StartOrg,
) -> None:
    _, client = start_org(unknown_fields={"tlsClientAuthCertParamType": "CN"})
    assert b"tlsClientAuth" not in client.retrieved({SECURITY: ["*"]})[SECURITY_PATH]
    client.version = "68.0"
    files = client.retrieved({SECURITY: ["*"]}, version="68.0")
    assert b"<tlsClientAuthCertParamType>CN<" in files[SECURITY_PATH]


@pytest.mark.parametrize("metadata_type", sorted(ALL_TYPES))
def test_every_type_is_listed_and_can_be_retrieved(org: Org, metadata_type: str) -> None:
    _, client = org
    listed = client.call("listMetadata", f"<queries><type>{metadata_type}</type></queries>")
    names = [one.text("fileName") or "" for one in listed]
    assert len(names) == 1
    assert names[0] in client.retrieved({metadata_type: ["*"]})


def test_list_metadata_accepts_at_most_three_queries(org: Org) -> None:
    _, client = org
    query = "<queries><type>ConnectedApp</type></queries>"
    assert len(client.call("listMetadata", query * 3)) == 3
    with pytest.raises(FaultAnswer, match="LIMIT_EXCEEDED"):
        client.call("listMetadata", query * 4)


def test_describe_metadata_lists_the_types_of_a_version(org: Org) -> None:
    _, client = org
    now = client.call("describeMetadata", "<asOfVersion>67.0</asOfVersion>")[0]
    before = client.call("describeMetadata", "<asOfVersion>66.0</asOfVersion>")[0]
    assert set(now.texts("metadataObjects/xmlName")) == ALL_TYPES
    assert set(before.texts("metadataObjects/xmlName")) == ALL_TYPES - {SECURITY}


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"token": "00D!nobody"}, "sf:INVALID_SESSION_ID"),
        ({"token": ""}, "sf:INVALID_SESSION_ID"),
        ({"version": "69.0"}, "sf:UNSUPPORTED_API_VERSION"),
        ({"version": "21.0"}, "sf:UNSUPPORTED_API_VERSION"),
        ({"version": "67.5"}, "sf:UNSUPPORTED_API_VERSION"),
        ({"version": "latest"}, "sf:UNSUPPORTED_API_VERSION"),
    ],
)
def test_invalid_calls_are_refused(org: Org, change: dict[str, str], code: str) -> None:
    _, client = org
    for name, value in change.items():
        setattr(client, name, value)
    with pytest.raises(FaultAnswer) as caught:
        client.call("describeMetadata")
    assert caught.value.code == code


def test_without_the_permission_there_is_no_access(start_org: StartOrg) -> None:
    _, client = start_org(can_modify_metadata=False)
    with pytest.raises(FaultAnswer) as caught:
        client.call("describeMetadata")
    assert caught.value.code == "sf:INSUFFICIENT_ACCESS"


def test_an_unknown_operation_is_refused(org: Org) -> None:
    _, client = org
    with pytest.raises(FaultAnswer, match="renameEverything"):
        client.call("renameEverything")


def test_a_zip_that_is_not_base64_is_refused(org: Org) -> None:
    _, client = org
    with pytest.raises(FaultAnswer, match="base64"):
        client.call("deploy", "<ZipFile>*</ZipFile><DeployOptions/>")


def test_a_session_expires(start_org: StartOrg, clock: SteppedClock) -> None:
    _, client = start_org(session_seconds=60)
    clock.forward(59)
    client.call("describeMetadata")
    clock.forward(1)
    with pytest.raises(FaultAnswer, match="INVALID_SESSION_ID"):
        client.call("describeMetadata")
