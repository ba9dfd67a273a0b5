"""Our WSDL of eight operations against Salesforce's own, as simple-salesforce bundles it.

Each operation is called through MetadataClient with either WSDL, over a socket: both must
send the same, but for namespace prefixes, and read the same from what the emulator answers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import requests
import simple_salesforce
from lxml import etree

from sfcutover.allowlist.package import build_package
from sfcutover.allowlist.templates import Templates
from sfcutover.errors import SfcutoverError
from sfcutover.salesforce.connection import Connection
from sfcutover.salesforce.metadata import WSDL, MetadataClient
from sfcutover.salesforce.org import Org
from sfcutover.salesforce.results import DeployResult, RetrieveResult
from tests.support import (
    SECURITY,
    SECURITY_NAME,
    FakeTime,
    OpenConnection,
    Request,
    StartEmulator,
    answer,
    envelope,
    one_session,
    serving,
)

FULL_WSDL = Path(simple_salesforce.__file__).with_name("metadata.wsdl")
WSDL_NAMESPACE = "{http://schemas.xmlsoap.org/wsdl/}"
SOAP_NAMESPACE = "{http://schemas.xmlsoap.org/soap/envelope/}"
VERSION = "67.0"
Call = Callable[[MetadataClient], object]

ID = "0Af5g00000AbCdEFGH"
MEMBERS = {SECURITY: [SECURITY_NAME, "Ünder & <Others>"], "ConnectedApp": ["*"]}
CALLS: dict[str, Call] = {
    "deploy": lambda client: client.deploy(b"PK\x05\x06" + bytes(18)),
    "deploy of a check": lambda client: client.deploy(b"zip", check_only=True),
    "checkDeployStatus": lambda client: client.check_deploy_status(ID),
    "cancelDeploy": lambda client: client.cancel_deploy(ID),
    "retrieve": lambda client: client.retrieve(MEMBERS),
    "checkRetrieveStatus": lambda client: client.check_retrieve_status(ID),
    "listMetadata": lambda client: client.list_metadata(["A", "B", "C"]),
    "listMetadata of one": lambda client: client.list_metadata(["ConnectedApp"]),
    "describeMetadata": lambda client: client.describe_metadata(),
}


@dataclass
class Wire:
    """A server that records requests and returns configured answers; both clients use it."""

    url: str = ""
    response: bytes = envelope("")
    sent: list[bytes] = field(default_factory=list)

    def handle(self, request: Request) -> None:
        self.sent.append(request.body)
        answer(request, self.response)


class FullClient(MetadataClient):
    """With Salesforce's WSDL, where some answers may have a header: zeep wraps those."""

    def _call(self, operation: str, **arguments: object) -> object:
        answer = super()._call(operation, **arguments)
        body = getattr(answer, "body", None)
        return answer if body is None else getattr(body, "result", None)


@pytest.fixture(scope="module")
def wire() -> Iterator[Wire]:
    wire = Wire()
    with serving(wire.handle) as url:
        wire.url = url
        yield wire


@pytest.fixture(scope="module")
def clients(wire: Wire) -> Iterator[tuple[MetadataClient, MetadataClient]]:
    """Ours, and one with the full WSDL, which takes a third of a second to load."""
    org = Org(one_session(wire.url))
    yield MetadataClient(org, VERSION), FullClient(org, VERSION, FULL_WSDL)
    org.close()


def request_of(wire: Wire, client: MetadataClient, call: Call) -> bytes:
    """The envelope that a call sends, canonical and with one prefix per namespace."""
    wire.sent.clear()
    wire.response = envelope("")
    with pytest.raises(SfcutoverError, match="answered with"):
        call(client)
    assert len(wire.sent) == 1
    return canonical(wire.sent[0])


def canonical(document: bytes) -> bytes:
    """C14N after giving every namespace the same prefix in every document."""
    return etree.tostring(rebuilt(etree.fromstring(document)), method="c14n")


def rebuilt(element: etree._Element) -> etree._Element:
    copy = etree.Element(element.tag)
    copy.attrib.update(element.attrib)
    copy.text, copy.tail = element.text, element.tail
    copy.extend([rebuilt(child) for child in element])
    etree.cleanup_namespaces(copy, top_nsmap={"s": SOAP_NAMESPACE[1:-1]})
    return copy


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_both_wsdls_make_the_same_request(
    call: Call, wire: Wire, clients: tuple[MetadataClient, MetadataClient]
) -> None:
    ours, full = (request_of(wire, client, call) for client in clients)
    assert ours == full


def test_the_calls_cover_all_operations() -> None:
    operations = etree.parse(WSDL).findall(f"{WSDL_NAMESPACE}portType/{WSDL_NAMESPACE}operation")
    assert {each.get("name") for each in operations} == {name.split()[0] for name in CALLS}


@pytest.mark.parametrize("name", ["SessionHeader", "CallOptions"])
def test_headers_are_part_of_the_comparison(
    name: str, wire: Wire, clients: tuple[MetadataClient, MetadataClient]
) -> None:
    assert name.encode() in request_of(wire, clients[1], CALLS["describeMetadata"])


def test_the_comparison_detects_a_difference(
    wire: Wire, clients: tuple[MetadataClient, MetadataClient]
) -> None:
    one, other = (request_of(wire, clients[0], CALLS[n]) for n in ("deploy", "deploy of a check"))
    assert one != other
    assert canonical(b'<a:x xmlns:a="urn:a"/>') == canonical(b'<b:x xmlns:b="urn:a"/>')
    assert canonical(b'<x xmlns="urn:a"/>') != canonical(b"<x/>")
    assert canonical(b"<x><y/><z/></x>") != canonical(b"<x><z/><y/></x>")


def test_no_test_level_is_sent(wire: Wire, clients: tuple[MetadataClient, MetadataClient]) -> None:
    """Salesforce's WSDL requires it; its API, as the official CLI uses it, does not."""
    assert b"testLevel" not in request_of(wire, clients[0], CALLS["deploy"])


# Answers, as the emulator gives them


@dataclass
class Listener:
    """Keeps every answer that a client gets, with the operation that it answers."""

    org: Org
    heard: list[tuple[str, bytes]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.org.http.hooks["response"].append(self.hear)

    def hear(self, response: requests.Response, **_: object) -> None:
        body = etree.fromstring(response.request.body or b"").find(f"{SOAP_NAMESPACE}Body/*")
        assert body is not None
        self.heard.append((etree.QName(body).localname, response.content))


def call_every_operation(connection: Connection, time: FakeTime) -> None:
    """Call every operation, and poll deployments in every state that they pass."""
    client, live = connection.client, connection.read()
    good = build_package(live.components, VERSION, Templates()).to_zip()
    validation = client.deploy(good, check_only=True)
    bad = client.deploy(b"no zip")
    for _ in range(21):
        client.check_deploy_status(validation)
        client.check_deploy_status(bad)
        time.pause(1)
    deployment = client.deploy(good)
    client.cancel_deploy(deployment)
    time.pause(1)
    client.check_deploy_status(deployment)
    retrieval = client.retrieve({SECURITY: [SECURITY_NAME, "Nobody"]})
    time.pause(1)
    client.check_retrieve_status(retrieval)
    client.describe_metadata()


def test_both_wsdls_read_the_same_from_every_answer(
    wire: Wire,
    clients: tuple[MetadataClient, MetadataClient],
    start_emulator: StartEmulator,
    open_connection: OpenConnection,
    time_: FakeTime,
) -> None:
    connection = open_connection(start_emulator(deploy_seconds=10, retrieve_seconds=1))
    listener = Listener(connection.org)
    call_every_operation(connection, time_)
    read = []
    for operation, body in listener.heard:
        wire.response = body
        ours, full = (CALLS[operation](client) for client in clients)
        assert ours == full, body.decode()
        read.append(ours)
    assert {operation for operation, _ in listener.heard} == {name.split()[0] for name in CALLS}
    results = [each for each in read if isinstance(each, DeployResult)]
    assert {each.status for each in results} >= {"Pending", "InProgress", "Failed", "Canceled"}
    assert any(isinstance(each, RetrieveResult) and each.zip_file for each in read)


def test_both_wsdls_read_what_the_org_could_not_retrieve(
    wire: Wire, clients: tuple[MetadataClient, MetadataClient]
) -> None:
    wire.response = envelope(
        "<checkRetrieveStatusResponse><result><done>true</done><id>09S</id><messages><fileName>"
        "package.xml</fileName><problem>no such thing</problem></messages><status>Succeeded"
        "</status><success>true</success><zipFile>UEs=</zipFile></result>"
        "</checkRetrieveStatusResponse>"
    )
    ours, full = (client.check_retrieve_status("09S") for client in clients)
    assert ours == full
    assert ours.messages == ("no such thing",)
    assert ours.zip_file == b"PK"
