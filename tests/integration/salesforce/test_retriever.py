"""Finding an app's components in an org, and reading zips that may be hostile."""

from __future__ import annotations

import base64
import io
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

import pytest
from lxml import etree

from sfcutover.allowlist.carriers import CARRIERS
from sfcutover.allowlist.snapshot import Snapshot
from sfcutover.emulator import Edit
from sfcutover.errors import (
    BusyError,
    ConfigError,
    DriftError,
    ExitCode,
    LimitError,
    NetworkError,
    OperationFailedError,
    SfcutoverError,
    StillRunningError,
)
from sfcutover.salesforce import retriever as archive
from sfcutover.salesforce.metadata import MetadataClient
from sfcutover.salesforce.org import Org
from sfcutover.salesforce.retriever import Retriever
from tests.support import (
    NAMESPACE,
    SECURITY,
    SECURITY_NAME,
    SECURITY_PATH,
    FakeTime,
    OpenConnection,
    Request,
    StartEmulator,
    StartServer,
    answer,
    envelope,
    one_session,
    operations,
)

TOKEN_RANGES = CARRIERS["token-ip-ranges"]
APP = "Acme_Connector"


def component(app: str = APP, address: str = "203.0.113.10") -> str:
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<{SECURITY} xmlns="{NAMESPACE}">\n'
        f"    <externalClientApplication>{app}</externalClientApplication>\n"
        f"    <tokenIpRanges><endIpAddress>{address}</endIpAddress>"
        f"<startIpAddress>{address}</startIpAddress></tokenIpRanges>\n</{SECURITY}>\n"
    )


def zipped(files: Mapping[str, str]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        for path, content in files.items():
            file.writestr(path, content)
    return buffer.getvalue()


class CannedOrg:
    """An org with a fixed answer to each operation."""

    def __init__(self, data: bytes, listed: Mapping[str, str]) -> None:
        found = "".join(
            f"<result><fileName>x</fileName><fullName>{name}</fullName><type>{type_}</type></result>"
            for name, type_ in listed.items()
        )
        zip_file = base64.b64encode(data).decode()
        self.asked: list[etree._Element] = []
        self.answers = {
            "listMetadata": f"<listMetadataResponse>{found}</listMetadataResponse>",
            "retrieve": "<retrieveResponse><result><done>false</done><id>09S000000000001AAA</id>"
            "</result></retrieveResponse>",
            "checkRetrieveStatus": "<checkRetrieveStatusResponse><result><done>true</done>"
            "<id>09S000000000001AAA</id><success>true</success>"
            f"<zipFile>{zip_file}</zipFile></result></checkRetrieveStatusResponse>",
        }

    def handle(self, request: Request) -> None:
        operation = etree.fromstring(request.body).find("{*}Body/*")
        assert operation is not None
        self.asked.append(operation)
        answer(request, envelope(self.answers[etree.QName(operation).localname]))

    def members(self) -> list[str]:
        """The names that the last retrieve requested."""
        last = [each for each in self.asked if each.tag.endswith("}retrieve")][-1]
        return [each.text or "" for each in last.iter("{*}members")]


OrgWith = Callable[..., tuple[Retriever, CannedOrg]]


@pytest.fixture
def org_with(start_server: StartServer, time_: FakeTime) -> Iterator[OrgWith]:
    """A retriever of an org that returns this zip for every request."""
    orgs: list[Org] = []

    def open_(
        data: bytes | Mapping[str, str], listed: Mapping[str, str] | None = None
    ) -> tuple[Retriever, CannedOrg]:
        zip_file = data if isinstance(data, bytes) else zipped(data)
        canned = CannedOrg(zip_file, listed or {})
        orgs.append(Org(one_session(start_server(canned.handle))))
        return Retriever(MetadataClient(orgs[-1], "67.0"), time_.clock), canned

    yield open_
    for org in orgs:
        org.close()


def extra(name: str, app: str = APP) -> dict[str, str]:
    return {"type": SECURITY, "full_name": name, "xml": component(app)}


# Which component


def test_the_component_that_names_the_app_is_retrieved(
    start_emulator: StartEmulator, open_connection: OpenConnection
) -> None:
    emulator = start_emulator(
        security_settings_name="Named_As_Nobody_Would_Guess",
        extra_components=[extra(APP, "Other_App"), extra("Acme", "Another_App")],
    )
    snapshot = open_connection(emulator).read()
    assert [each.full_name for each in snapshot.components] == ["Named_As_Nobody_Would_Guess"]


def test_all_carriers_and_policies_come_in_one_retrieve(
    start_emulator: StartEmulator, open_connection: OpenConnection
) -> None:
    emulator = start_emulator()
    connection = open_connection(
        emulator,
        carriers=["trusted-ip-ranges", "token-ip-ranges"],
        policies={"ipRelaxationPolicyType": "Enforce"},
    )
    snapshot = connection.read()
    assert [each.full_name for each in snapshot.components] == [
        "Acme_Connector_oauth",
        "Acme_Connector_oauthSecurity",
        "Acme_Connector_oauthPlcy",
    ]
    assert len(operations(emulator, "retrieve")) == 1


def test_a_component_has_its_id_and_its_last_user(
    start_emulator: StartEmulator, open_connection: OpenConnection, time_: FakeTime
) -> None:
    emulator = start_emulator(extra_components=[extra("A_First", "Other_App")])
    connection = open_connection(emulator, carriers=["trusted-ip-ranges", "token-ip-ranges"])
    other, before = connection.read().carriers
    time_.pause(5)
    emulator.set_edit(Edit.model_validate({"add": [{"range": "192.0.2.9"}]}))
    same, after = connection.read().carriers
    assert same.properties == other.properties
    assert before.properties
    assert after.properties
    assert after.properties.id == before.properties.id
    assert after.properties.last_modified > before.properties.last_modified
    assert after.properties.modified_by == "Casey Colleague"


@pytest.mark.parametrize("unlisted", ["trusted-ip-ranges", "token-ip-ranges"])
def test_a_save_is_seen_where_the_org_lists_who_made_it(
    unlisted: str, start_emulator: StartEmulator, open_connection: OpenConnection, time_: FakeTime
) -> None:
    """The edit changes the token ranges. unlisted: the list of which no save was listed before."""
    emulator = start_emulator()
    connection = open_connection(emulator, carriers=["trusted-ip-ranges", "token-ip-ranges"])
    before = connection.read()
    part = Snapshot(
        tuple(
            replace(each, properties=None) if each.carrier == CARRIERS[unlisted] else each
            for each in before.carriers
        )
    )
    assert connection.retriever.modified_since(before) is None
    time_.pause(5)
    emulator.set_edit(Edit.model_validate({"add": [{"range": "192.0.2.9"}]}))
    after = connection.read().carriers[1].properties
    assert connection.retriever.modified_since(before) == after
    expected = after if unlisted == "trusted-ip-ranges" else None
    assert connection.retriever.modified_since(part) == expected


def test_a_connected_app_is_found_by_its_own_name(
    start_emulator: StartEmulator, open_connection: OpenConnection
) -> None:
    connection = open_connection(start_emulator(), app="Acme_Legacy", carriers=["connected-app"])
    (found,) = connection.read().carriers
    assert found.full_name == "Acme_Legacy"
    assert [str(each) for each in found.allowlist][-1] == "192.0.2.64-192.0.2.71"


def test_two_components_of_one_app_are_an_error_that_names_both(
    start_emulator: StartEmulator, open_connection: OpenConnection
) -> None:
    emulator = start_emulator(extra_components=[extra("Second")])
    with pytest.raises(DriftError, match="2 components") as caught:
        open_connection(emulator).read()
    assert f"{SECURITY_NAME}, Second" in caught.value.message
    assert caught.value.exit_code is ExitCode.DRIFT


def test_an_app_without_the_component_gets_instructions(
    start_emulator: StartEmulator, open_connection: OpenConnection
) -> None:
    emulator = start_emulator(leave_out=[SECURITY])
    with pytest.raises(DriftError, match=f"{APP} has no {SECURITY}") as caught:
        open_connection(emulator).read()
    assert "Setup" in caught.value.hint


@pytest.mark.parametrize(
    "typed", ["Acme_Conector", "acme_connector", "Acme_Connector2", "AcmeConn"]
)
def test_an_unknown_app_suggests_similar_names(
    typed: str, start_emulator: StartEmulator, open_connection: OpenConnection
) -> None:
    connection = open_connection(start_emulator(), app=typed)
    with pytest.raises(ConfigError, match=f"no app '{typed}'") as caught:
        connection.read()
    assert "did you mean Acme_Connector?" in caught.value.hint
    assert caught.value.exit_code is ExitCode.USAGE


def test_an_app_in_a_namespace_without_the_component_is_no_unknown_app(org_with: OrgWith) -> None:
    retriever, _ = org_with({}, {f"ns__{APP}": "ExternalClientApplication"})
    with pytest.raises(DriftError, match=f"has no {SECURITY}"):
        retriever.snapshot(APP, [TOKEN_RANGES])


def test_a_name_similar_to_none_gets_no_suggestion(
    start_emulator: StartEmulator, open_connection: OpenConnection
) -> None:
    connection = open_connection(start_emulator(), app="Zzzyx")
    with pytest.raises(ConfigError) as caught:
        connection.read()
    assert "did you mean" not in caught.value.hint
    assert "app: in cutover.yaml" in caught.value.hint


def test_an_unknown_connected_app_suggests_similar_names(
    start_emulator: StartEmulator, open_connection: OpenConnection
) -> None:
    connection = open_connection(start_emulator(), app="Acme_Legazy", carriers=["connected-app"])
    with pytest.raises(ConfigError) as caught:
        connection.read()
    assert "did you mean Acme_Legacy?" in caught.value.hint


@pytest.mark.parametrize("name", ["Acme_Connector", "acme__Acme_Connector"])
def test_a_namespace_may_be_omitted(
    name: str, start_emulator: StartEmulator, open_connection: OpenConnection
) -> None:
    emulator = start_emulator(namespace="acme")
    (found,) = open_connection(emulator, app=name).read().components
    assert found.full_name == "acme__Acme_Connector_oauthSecurity"
    assert found.text("externalClientApplication") == "acme__Acme_Connector"


def test_an_exact_name_takes_precedence_over_a_namespaced_one(
    start_emulator: StartEmulator, open_connection: OpenConnection
) -> None:
    emulator = start_emulator(extra_components=[extra("ns__Theirs", f"ns__{APP}")])
    (found,) = open_connection(emulator).read().components
    assert found.full_name == SECURITY_NAME


def test_two_namespaces_with_the_app_are_an_error(org_with: OrgWith) -> None:
    folder = SECURITY_PATH.partition("/")[0]
    files = {f"{folder}/{ns}.ecaOauthSecurity": component(f"{ns}__{APP}") for ns in ("a", "b")}
    with pytest.raises(DriftError, match="2 components"):
        org_with(files)[0].snapshot(APP, [TOKEN_RANGES])


def test_a_name_with_the_same_ending_is_another_app(org_with: OrgWith) -> None:
    retriever, _ = org_with({SECURITY_PATH: component("Not_Acme_Connector")})
    with pytest.raises(ConfigError, match="no app"):
        retriever.snapshot(APP, [TOKEN_RANGES])


# Requests


def test_the_listed_names_are_retrieved(org_with: OrgWith) -> None:
    retriever, org = org_with(
        {SECURITY_PATH: component()}, {SECURITY_NAME: SECURITY, "B": SECURITY}
    )
    retriever.snapshot(APP, [TOKEN_RANGES])
    assert org.members() == ["Acme_Connector_oauthSecurity", "B"]


def test_without_a_listed_name_everything_of_the_type_is_retrieved(org_with: OrgWith) -> None:
    retriever, org = org_with({SECURITY_PATH: component()})
    (found,) = retriever.snapshot(APP, [TOKEN_RANGES]).components
    assert found.full_name == SECURITY_NAME
    assert org.members() == ["*"]


def test_names_of_other_types_do_not_count(org_with: OrgWith) -> None:
    retriever, org = org_with({SECURITY_PATH: component()}, {"Elsewhere": "ConnectedApp"})
    retriever.snapshot(APP, [TOKEN_RANGES])
    assert org.members() == ["*"]


# Waiting


def test_a_retrieve_is_awaited(
    start_emulator: StartEmulator, open_connection: OpenConnection, time_: FakeTime
) -> None:
    emulator = start_emulator(retrieve_seconds=20)
    open_connection(emulator).read()
    assert 20 <= time_.seconds < 22
    assert max(time_.pauses) < 2


@pytest.mark.parametrize("kind", ["http_502", "html_body", "bad_xml", "drop_before", "drop_after"])
def test_a_failed_poll_of_a_retrieve_is_repeated(
    kind: str, start_emulator: StartEmulator, open_connection: OpenConnection
) -> None:
    fault = {"kind": kind, "operation": "checkRetrieveStatus", "count": 5}
    assert open_connection(start_emulator(faults=[fault])).read().components


def test_a_retrieve_that_never_ends_is_abandoned(
    start_emulator: StartEmulator, open_connection: OpenConnection, time_: FakeTime
) -> None:
    connection = open_connection(start_emulator(retrieve_seconds=3600))
    with pytest.raises(StillRunningError, match="not done"):
        connection.read()
    assert 300 <= time_.seconds < 310


def test_an_outage_that_never_ends_is_an_error(
    start_emulator: StartEmulator, open_connection: OpenConnection, time_: FakeTime
) -> None:
    fault = {"kind": "http_503", "operation": "checkRetrieveStatus", "count": None}
    with pytest.raises(NetworkError, match="HTTP 503"):
        open_connection(start_emulator(faults=[fault])).read()
    assert 300 <= time_.seconds < 310


def test_a_failed_retrieve_reports_the_reason(org_with: OrgWith) -> None:
    retriever, org = org_with({})
    org.answers["checkRetrieveStatus"] = (
        "<checkRetrieveStatusResponse><result><done>true</done><errorMessage>no room"
        "</errorMessage><id>09S</id><success>false</success></result></checkRetrieveStatusResponse>"
    )
    with pytest.raises(OperationFailedError, match="no room"):
        retriever.snapshot(APP, [TOKEN_RANGES])


def test_a_retrieve_that_failed_for_what_passes_is_not_refused(org_with: OrgWith) -> None:
    retriever, org = org_with({})
    org.answers["checkRetrieveStatus"] = (
        "<checkRetrieveStatusResponse><result><done>true</done><errorStatusCode>ORG_LOCKED"
        "</errorStatusCode><id>09S</id><success>false</success></result>"
        "</checkRetrieveStatusResponse>"
    )
    with pytest.raises(BusyError):
        retriever.snapshot(APP, [TOKEN_RANGES])


def test_a_retrieve_without_a_zip_reports_what_the_org_could_not_return(org_with: OrgWith) -> None:
    retriever, org = org_with({})
    org.answers["checkRetrieveStatus"] = (
        "<checkRetrieveStatusResponse><result><done>true</done><id>09S</id><messages>"
        "<problem>Entity is unknown</problem></messages><success>true</success></result>"
        "</checkRetrieveStatusResponse>"
    )
    with pytest.raises(OperationFailedError, match="Entity is unknown"):
        retriever.snapshot(APP, [TOKEN_RANGES])


# Hostile zips


def bomb() -> bytes:
    return zipped({f"{n}/bomb": "0" * 300_000 for n in range(5)})


HOSTILE: dict[str, tuple[bytes, type[SfcutoverError]]] = {
    "path out of the zip": (zipped({"../../evil": ""}), OperationFailedError),
    "absolute path": (zipped({"/evil": ""}), OperationFailedError),
    "drive letter": (zipped({"c:/evil": ""}), OperationFailedError),
    "bomb": (bomb(), LimitError),
    "no zip": (b"<html>maintenance</html>", OperationFailedError),
    "half a zip": (zipped({SECURITY_PATH: component()})[:-30], OperationFailedError),
}


@pytest.mark.parametrize(("data", "kind"), HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_zip_is_refused_completely(
    data: bytes,
    kind: type[SfcutoverError],
    org_with: OrgWith,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(archive, "MAX_UNZIPPED_BYTES", 1_000_000)
    with pytest.raises(kind) as caught:
        org_with(data)[0].snapshot(APP, [TOKEN_RANGES])
    assert type(caught.value) is kind
    assert "retrieve 09S000000000001AAA" in (caught.value.where or "")


ENTITIES = '<!DOCTYPE x [<!ENTITY e "203.0.113.66">]>'
EXTERNAL = '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/hostname">]>'
LAUGHS = '<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY e "&a;&a;&a;&a;&a;&a;">]>'


@pytest.mark.parametrize("doctype", [ENTITIES, EXTERNAL, LAUGHS, "<!DOCTYPE x>"])
def test_a_component_with_a_dtd_is_refused(doctype: str, org_with: OrgWith) -> None:
    text = component(address="&e;" if "ENTITY" in doctype else "203.0.113.10")
    evil = text.replace(f"<{SECURITY} ", f"{doctype}\n<{SECURITY} ", 1)
    with pytest.raises(ConfigError, match=r"DTD|not well-formed") as caught:
        org_with({SECURITY_PATH: evil})[0].snapshot(APP, [TOKEN_RANGES])
    assert (caught.value.where or "").startswith(f"{SECURITY_PATH}:")


def test_a_component_that_is_not_xml_is_refused_by_name(org_with: OrgWith) -> None:
    with pytest.raises(ConfigError, match="not well-formed") as caught:
        org_with({SECURITY_PATH: "<half"})[0].snapshot(APP, [TOKEN_RANGES])
    assert (caught.value.where or "").startswith(SECURITY_PATH)


def test_a_component_of_another_type_is_refused(org_with: OrgWith) -> None:
    wrong = component().replace(SECURITY, "ConnectedApp")
    with pytest.raises(ConfigError, match="root element"):
        org_with({SECURITY_PATH: wrong})[0].snapshot(APP, [TOKEN_RANGES])


def test_a_component_in_another_folder_is_ignored(org_with: OrgWith) -> None:
    files = {f"evil/{SECURITY_PATH}": component(), "package.xml": "<half"}
    with pytest.raises(ConfigError, match="no app"):
        org_with(files)[0].snapshot(APP, [TOKEN_RANGES])
