"""How the client reads answers: unusual ones are read, broken ones prove nothing."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator

import pytest
import requests
from lxml import etree

from sfcutover.emulator.faults import Fault
from sfcutover.errors import (
    AuthError,
    BusyError,
    ConfigError,
    ExitCode,
    NetworkError,
    OperationFailedError,
    SfcutoverError,
)
from sfcutover.salesforce.answers import AccessRefusedError, NotTakenError, UnknownIdError
from sfcutover.salesforce.deployer import Deployer
from sfcutover.salesforce.metadata import MetadataClient
from sfcutover.salesforce.org import Org
from sfcutover.salesforce.results import DeployState
from sfcutover.util import http
from tests.support import (
    OpenConnection,
    Request,
    StartEmulator,
    StartServer,
    answer,
    envelope,
    one_session,
)

ClientOf = Callable[..., MetadataClient]

FAILED = (
    "<checkDeployStatusResponse><result>"
    "<checkOnly>false</checkOnly><completedDate>2026-11-23T12:00:09.000Z</completedDate>"
    "<createdDate>2026-11-23T14:00:00.000+0200</createdDate><details>"
    "<componentFailures><changed>false</changed><columnNumber>7</columnNumber>"
    "<componentType>T</componentType><fileName>t/a.t</fileName><fullName>a</fullName>"
    "<lineNumber>3</lineNumber><problem>it is wrong</problem><problemType>Error</problemType>"
    "<success>false</success></componentFailures>"
    "<componentSuccesses><fileName>package.xml</fileName><fullName>package.xml</fullName>"
    "<success>true</success></componentSuccesses></details>"
    "<done>true</done><id>0Af5g00000AbCdE</id><numberComponentErrors>1</numberComponentErrors>"
    "<numberComponentsDeployed>0</numberComponentsDeployed>"
    "<numberComponentsTotal>1</numberComponentsTotal><status>Failed</status>"
    "<success>false</success></result></checkDeployStatusResponse>"
)


def result(content: str) -> str:
    return f"<checkDeployStatusResponse><result>{content}</result></checkDeployStatusResponse>"


def soap_fault(code: str, message: str = "sorry", prefix: str = "sf") -> bytes:
    return envelope(
        "<soapenv:Fault><faultcode xmlns:"
        f'{prefix}="http://soap.sforce.com/2006/04/metadata">{prefix}:{code}</faultcode>'
        f"<faultstring>{code}: {message}</faultstring></soapenv:Fault>"
    )


@pytest.fixture
def client_of(start_server: StartServer) -> Iterator[ClientOf]:
    """A client whose org gives the same answer to every request."""
    orgs: list[Org] = []

    def client(body: bytes, status: int = 200, **headers: str) -> MetadataClient:
        orgs.append(Org(one_session(start_server(lambda r: answer(r, body, status, **headers)))))
        return MetadataClient(orgs[-1], "67.0")

    yield client
    for org in orgs:
        org.close()


# Unusual answers


def test_a_deploy_result_is_read(client_of: ClientOf) -> None:
    found = client_of(envelope(FAILED)).check_deploy_status("0Af")
    assert found.id == "0Af5g00000AbCdE"  # 15 characters are equivalent to 18
    assert found.state is DeployState.FAILED
    assert [str(each) for each in found.failures] == ["t/a.t:3: it is wrong"]
    assert (found.components_total, found.component_errors) == (1, 1)
    assert found.created_date == "2026-11-23T12:00:00Z"


def test_unknown_elements_change_nothing(client_of: ClientOf) -> None:
    extra = "<newer><deep>1</deep></newer><flat/>"
    more = FAILED
    for name in ("createdDate", "details", "columnNumber", "problem", "done", "status", "success"):
        more = more.replace(f"<{name}>", f"{extra}<{name}>")
    assert more.count("<newer>") >= 8
    plain = client_of(envelope(FAILED)).check_deploy_status("0Af")
    assert client_of(envelope(more)).check_deploy_status("0Af") == plain


def test_the_order_of_elements_changes_nothing(client_of: ClientOf) -> None:
    mixed = result(
        "<success>true</success><status>Succeeded</status><numberComponentsTotal>2"
        "</numberComponentsTotal><id>0Af5g00000AbCdEFGH</id><done>true</done>"
        "<details><componentSuccesses><success>true</success><problem>careful</problem>"
        "<fullName>a</fullName><fileName>t/a.t</fileName></componentSuccesses></details>"
        "<checkOnly>true</checkOnly>"
    )
    found = client_of(envelope(mixed)).check_deploy_status("0Af")
    assert found.state is DeployState.SUCCEEDED
    assert (found.id, found.components_total, found.check_only) == ("0Af5g00000AbCdEFGH", 2, True)
    assert [each.problem for each in found.warnings] == ["careful"]


@pytest.mark.parametrize("content", ["", "<done>false</done>", "<status>Pending</status>"])
def test_absent_elements_are_unknown(content: str, client_of: ClientOf) -> None:
    found = client_of(envelope(result(content))).check_deploy_status("0Af")
    assert found.state is DeployState.RUNNING
    assert found.failures == ()
    assert found.components_total == 0


def test_nil_elements_are_absent(client_of: ClientOf) -> None:
    content = '<done>true</done><errorMessage xsi:nil="true"/><success>true</success>'
    found = client_of(envelope(result(content))).check_deploy_status("0Af")
    assert found.error_message is None
    assert found.state is DeployState.SUCCEEDED


@pytest.mark.parametrize(
    ("status", "done", "success", "state"),
    [
        ("Pending", False, False, DeployState.RUNNING),
        ("InProgress", False, False, DeployState.RUNNING),
        ("Finalizing", False, False, DeployState.RUNNING),
        ("FinalizingDeploy", False, False, DeployState.RUNNING),
        ("Canceling", False, False, DeployState.RUNNING),
        ("SomethingNew", False, False, DeployState.RUNNING),
        ("", False, False, DeployState.RUNNING),
        ("Succeeded", False, False, DeployState.RUNNING),
        ("Succeeded", False, True, DeployState.RUNNING),
        ("Succeeded", True, True, DeployState.SUCCEEDED),
        ("SomethingNew", True, True, DeployState.SUCCEEDED),
        ("SomethingNew", True, False, DeployState.FAILED),
        ("Succeeded", True, False, DeployState.FAILED),
        ("SucceededPartial", True, True, DeployState.PARTIAL),
        ("SucceededPartial", True, False, DeployState.PARTIAL),
        ("Failed", True, False, DeployState.FAILED),
        ("FinalizingFailed", True, False, DeployState.FAILED),
        ("FinalizingDeployFailed", True, False, DeployState.FAILED),
        ("Canceled", True, False, DeployState.CANCELED),
    ],
)
def test_done_ends_a_wait_and_success_decides(
    status: str, done: bool, success: bool, state: DeployState, client_of: ClientOf
) -> None:
    content = (
        f"<done>{str(done).lower()}</done><status>{status}</status>"
        f"<success>{str(success).lower()}</success>"
    )
    found = client_of(envelope(result(content))).check_deploy_status("0Af")
    assert found.state is state


def test_unreadable_values_are_absent_and_print_nothing(
    client_of: ClientOf, capfd: pytest.CaptureFixture[str]
) -> None:
    odd = FAILED.replace("<lineNumber>3", "<lineNumber>three").replace("2026-11-23T14", "soon")
    found = client_of(envelope(odd)).check_deploy_status("0Af")
    assert found.failures[0].line is None
    assert found.created_date is None
    assert capfd.readouterr() == ("", "")


def test_test_failures_are_read(client_of: ClientOf) -> None:
    content = (
        "<details><runTestResult><failures><message>no</message><methodName>m</methodName>"
        "<name>T</name><stackTrace>x</stackTrace></failures><numFailures>1</numFailures>"
        "</runTestResult></details><done>true</done><success>false</success>"
    )
    found = client_of(envelope(result(content))).check_deploy_status("0Af")
    assert [(each.name, each.method, each.message) for each in found.test_failures] == [
        ("T", "m", "no")
    ]


def test_no_components_are_an_empty_list(client_of: ClientOf) -> None:
    assert client_of(envelope("<listMetadataResponse/>")).list_metadata(["A"]) == []


# Broken answers


WHOLE = envelope(FAILED.replace("<status>Failed", "<status>Succeeded").replace("false", "true"))
PAGE = b"<html><head><title>Down</title></head><body><h1>Down for maintenance</h1></body></html>"
BROKEN = {
    "nothing": b"",
    "a page": PAGE,
    "a page that is no XML": b"<!DOCTYPE html><html><br><p>Down for maintenance",
    "JSON": b'{"error": "maintenance"}',
    "a list": b"[]",
    "bytes": bytes(range(256)),
    "half an answer": WHOLE[: len(WHOLE) // 2],
    "an answer without its end": WHOLE[:-1],
    "an answer cut after done": WHOLE[: WHOLE.index(b"<numberComponentErrors>")],
    "an envelope without a body": envelope("").replace(b"soapenv:Body", b"soapenv:Header"),
    "an empty body": envelope(""),
    "the answer to another operation": envelope("<retrieveResponse><result/></retrieveResponse>"),
    "an answer outside an envelope": FAILED.encode(),
    "an answer with a DTD": WHOLE.replace(
        b"<soapenv:Envelope", b'<!DOCTYPE x [<!ENTITY y "z">]><soapenv:Envelope', 1
    ),
}


@pytest.mark.parametrize("body", BROKEN.values(), ids=BROKEN)
@pytest.mark.parametrize("status", [200, 500, 502, 503])
def test_a_broken_answer_proves_nothing_about_the_deployment(
    body: bytes, status: int, client_of: ClientOf
) -> None:
    with pytest.raises(NetworkError) as caught:
        client_of(body, status).check_deploy_status("0Af")
    assert "answered with" in str(caught.value)
    assert caught.value.exit_code is ExitCode.NETWORK


@pytest.mark.parametrize("status", [201, 404, 420, 500, 502, 503])
def test_an_answer_with_an_error_status_is_invalid(status: int, client_of: ClientOf) -> None:
    with pytest.raises(NetworkError, match=f"HTTP {status}"):
        client_of(WHOLE, status).check_deploy_status("0Af")


@pytest.mark.parametrize(
    "content", ["<deployResponse/>", "<deployResponse><result><id></id></result></deployResponse>"]
)
def test_a_deploy_without_an_id_is_a_lost_answer(content: str, client_of: ClientOf) -> None:
    with pytest.raises(NetworkError, match="without an id"):
        client_of(envelope(content)).deploy(b"")


@pytest.mark.parametrize("check_only", [False, True])
def test_a_deploy_is_all_or_nothing(check_only: bool, start_server: StartServer) -> None:
    """With rollbackOnError false, an org keeps what has no errors (Metadata API, deploy())."""
    bodies: list[bytes] = []

    def handle(request: Request) -> None:
        bodies.append(request.body)
        answer(request, envelope("<deployResponse><result><id>0Af</id></result></deployResponse>"))

    org = Org(one_session(start_server(handle)))
    MetadataClient(org, "67.0").deploy(b"", check_only=check_only)
    org.close()
    options = etree.fromstring(bodies[0]).find(".//{*}DeployOptions")
    assert options is not None
    assert {etree.QName(each).localname for each in options if each.text == "true"} == {
        *("ignoreWarnings", "rollbackOnError", "singlePackage"),
        *(["checkOnly"] if check_only else []),
    }


def test_an_endless_answer_is_cut_off(
    start_emulator: StartEmulator, open_connection: OpenConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "MAX_RESPONSE_BYTES", 1_000_000)
    fault = {"kind": "huge_body", "operation": "describeMetadata", "size": 4_000_000}
    client = open_connection(start_emulator(faults=[fault])).client
    with pytest.raises(NetworkError, match="larger than 1,000,000 bytes"):
        client.describe_metadata()
    assert client.describe_metadata().names  # and the next request is answered


def test_a_slow_answer_is_abandoned(
    start_emulator: StartEmulator, open_connection: OpenConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "READ_SECONDS", 0.1)
    fault = {"kind": "slow", "operation": "describeMetadata", "seconds": 5}
    client = open_connection(start_emulator(faults=[fault])).client
    with pytest.raises(NetworkError, match="in time"):
        client.describe_metadata()


def test_redirects_are_not_followed(client_of: ClientOf, start_server: StartServer) -> None:
    stolen: list[str] = []
    elsewhere = start_server(lambda request: stolen.append(request.path))
    with pytest.raises(NetworkError, match="redirect"):
        client_of(b"", 302, Location=f"{elsewhere}/x").describe_metadata()
    assert stolen == []


def test_a_deploy_that_is_redirected_was_not_taken(client_of: ClientOf) -> None:
    """So it is not looked up as one whose answer was lost."""
    with pytest.raises(NotTakenError):
        Deployer(client_of(b"", 302, Location="http://127.0.0.1:1/x")).start(b"")


# Faults


@pytest.mark.parametrize("prefix", ["sf", "fns", "ns7"])
@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("INSUFFICIENT_ACCESS", AccessRefusedError),
        ("API_CURRENTLY_DISABLED", BusyError),
        ("INVALID_SESSION_ID", AuthError),
        ("UNSUPPORTED_API_VERSION", ConfigError),
        ("LIMIT_EXCEEDED", BusyError),
        ("REQUEST_LIMIT_EXCEEDED", BusyError),
        ("ORG_LOCKED", BusyError),
        ("XML_PARSER_ERROR", OperationFailedError),
        ("SOMETHING_NEW", OperationFailedError),
        ("SERVER_UNAVAILABLE", NetworkError),
        ("REQUEST_RUNNING_TOO_LONG", NetworkError),
        ("UNABLE_TO_LOCK_ROW", BusyError),
        ("UNKNOWN_EXCEPTION", NetworkError),
        ("INVALID_CROSS_REFERENCE_KEY", UnknownIdError),
    ],
)
def test_a_fault_is_identified_by_the_local_name_of_its_code(
    prefix: str, code: str, kind: type[SfcutoverError], client_of: ClientOf
) -> None:
    with pytest.raises(SfcutoverError) as caught:
        client_of(soap_fault(code, prefix=prefix), 500).describe_metadata()
    assert type(caught.value) is kind
    assert code in caught.value.message
    assert caught.value.hint


def test_a_fault_counts_with_any_http_status(client_of: ClientOf) -> None:
    with pytest.raises(BusyError, match="ORG_LOCKED: sorry"):
        client_of(soap_fault("ORG_LOCKED"), 200).describe_metadata()


def test_the_code_is_not_repeated(client_of: ClientOf) -> None:
    with pytest.raises(BusyError) as caught:
        client_of(soap_fault("ORG_LOCKED"), 500).describe_metadata()
    assert caught.value.message == "ORG_LOCKED: sorry"


# Sessions


def test_an_expired_session_is_renewed_and_the_request_sent_again(
    start_emulator: StartEmulator, open_connection: OpenConnection
) -> None:
    emulator = start_emulator()
    client = open_connection(emulator, renewable=True).client
    client.describe_metadata()
    emulator.set_fault(Fault.model_validate({"kind": "expired_session"}))
    assert client.describe_metadata().names
    asked = [(event["operation"], event["code"]) for event in emulator.log]
    assert asked == [
        ("token", None),
        ("describeMetadata", None),
        ("describeMetadata", "INVALID_SESSION_ID"),
        ("token", None),
        ("describeMetadata", None),
    ]


def test_a_session_is_renewed_only_once(
    start_emulator: StartEmulator, open_connection: OpenConnection
) -> None:
    expire = {"kind": "expired_session", "operation": "describeMetadata", "count": None}
    emulator = start_emulator(faults=[expire])
    with pytest.raises(AuthError, match="INVALID_SESSION_ID"):
        open_connection(emulator, renewable=True).client.describe_metadata()
    assert [event["operation"] for event in emulator.log].count("describeMetadata") == 2


def test_a_query_renews_an_expired_session(
    start_emulator: StartEmulator, open_connection: OpenConnection
) -> None:
    emulator = start_emulator(faults=[{"kind": "expired_session", "operation": "query"}])
    org = open_connection(emulator, renewable=True).org
    assert org.query("SELECT Name FROM Organization", "67.0") == [
        {"attributes": org.query("SELECT Name FROM Organization", "67.0")[0]["attributes"]}
        | {"Name": "Acme Packaging"}
    ]


def test_a_query_after_a_renewal_fails_as_any_other(
    start_emulator: StartEmulator, open_connection: OpenConnection
) -> None:
    faults = [
        {"kind": "expired_session", "operation": "query"},
        {"kind": "http_503", "operation": "query"},
    ]
    org = open_connection(start_emulator(faults=faults), renewable=True).org
    with pytest.raises(NetworkError, match="503"):
        org.query("SELECT Name FROM Organization", "67.0")


def test_a_query_without_a_renewable_session_is_an_authentication_error(
    start_emulator: StartEmulator, open_connection: OpenConnection
) -> None:
    emulator = start_emulator(faults=[{"kind": "expired_session", "operation": "query"}])
    with pytest.raises(AuthError, match="expired"):
        open_connection(emulator).org.query("SELECT Name FROM Organization", "67.0")


def test_a_dropped_query_is_a_network_error(
    start_emulator: StartEmulator, open_connection: OpenConnection
) -> None:
    emulator = start_emulator(faults=[{"kind": "drop_before", "operation": "query"}])
    with pytest.raises(NetworkError):
        open_connection(emulator).org.query("SELECT Name FROM Organization", "67.0")


# Secrets


def test_no_log_contains_the_session(
    start_emulator: StartEmulator,
    open_connection: OpenConnection,
    caplog: pytest.LogCaptureFixture,
) -> None:
    org = start_emulator()
    with caplog.at_level(logging.DEBUG):
        open_connection(org).client.describe_metadata()
    assert caplog.records  # urllib3 logs something
    assert org.environment["SF_ACCESS_TOKEN"] not in caplog.text
    assert "SessionHeader" not in caplog.text


def test_no_error_contains_the_session(
    start_emulator: StartEmulator, open_connection: OpenConnection
) -> None:
    emulator = start_emulator(can_modify_metadata=False)
    with pytest.raises(AuthError) as caught:
        open_connection(emulator).client.describe_metadata()
    shown = f"{caught.value} {caught.value.hint} {caught.value!r}"
    assert emulator.environment["SF_ACCESS_TOKEN"] not in shown
    assert "Modify Metadata" in caught.value.hint


def test_requests_are_sent_by_the_session_of_the_org(
    start_emulator: StartEmulator, open_connection: OpenConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """TLS and limits apply to SOAP only if zeep uses the session that has them."""
    emulator = start_emulator(tls=True)
    client = open_connection(emulator).client  # sets REQUESTS_CA_BUNDLE
    assert client.describe_metadata().names
    monkeypatch.delenv("REQUESTS_CA_BUNDLE")
    second = open_connection(start_emulator(tls=True))
    monkeypatch.delenv("REQUESTS_CA_BUNDLE", raising=False)
    with pytest.raises(NetworkError, match="certificate") as caught:
        second.client.describe_metadata()
    assert "REQUESTS_CA_BUNDLE" in caught.value.hint
    assert isinstance(caught.value.__cause__, requests.exceptions.SSLError)


@pytest.mark.parametrize(
    ("operation", "words"),
    [
        ("list", "nothing was changed in the org"),
        ("deploy", "no answer tells"),
        ("cancel", "no answer tells"),
    ],
)
def test_only_changing_requests_to_an_unreachable_org_leave_the_result_unknown(
    operation: str, words: str
) -> None:
    org = Org(one_session("http://127.0.0.1:1"))
    client = MetadataClient(org, "67.0")
    calls: dict[str, Callable[[], object]] = {
        "list": lambda: client.list_metadata(["ConnectedApp"]),
        "deploy": lambda: client.deploy(b""),
        "cancel": lambda: client.cancel_deploy("0Af"),
    }
    with pytest.raises(NetworkError) as caught:
        calls[operation]()
    assert words in caught.value.impact
    org.close()
