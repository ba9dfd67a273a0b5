from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler

import pytest

from sfcutover.config.org import OrgConfig
from sfcutover.emulator.emulator import Emulator
from sfcutover.emulator.faults import Fault
from sfcutover.errors import (
    AuthError,
    ExitCode,
    IdentityError,
    NetworkError,
    OperationFailedError,
    SfcutoverError,
)
from sfcutover.salesforce.org import Bound, Org
from sfcutover.salesforce.sessions import provider_for
from tests.support import StartEmulator, StartServer, answer, one_session, operations

SOQL = "SELECT Id, Name FROM Organization"
VERSION = "67.0"
HTML = b"<html><body>hunter2</body></html>"

OpenOrg = Callable[..., Org]
Handle = Callable[[BaseHTTPRequestHandler], None]


@pytest.fixture
def open_org(monkeypatch: pytest.MonkeyPatch) -> Iterator[OpenOrg]:
    """Opens an org by its access token, or renewable by client credentials."""
    with ExitStack() as stack:

        def open_(emulator: Emulator, *, renewable: bool = False) -> Org:
            for name, value in emulator.environment.items():
                monkeypatch.setenv(name, value)
            login = {"client_id": {"env": "SF_CLIENT_ID"}, "login_url": emulator.url}
            ways = {
                False: {"access_token": {"env": "SF_ACCESS_TOKEN"}, "instance_url": emulator.url},
                True: {
                    "client_credentials": {**login, "client_secret": {"env": "SF_CLIENT_SECRET"}}
                },
            }
            org = Org(provider_for(OrgConfig.model_validate(ways[renewable])))
            stack.callback(org.close)
            return org

        yield open_


@pytest.fixture
def org_at(start_server: StartServer) -> Iterator[Callable[[Handle], Org]]:
    """An org that answers every request by a handler."""
    with ExitStack() as stack:

        def org_at_(handle: Handle) -> Org:
            org = Org(one_session(start_server(handle)))
            stack.callback(org.close)
            return org

        yield org_at_


def reply(body: object, status: int = 200, **headers: str) -> Handle:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return lambda request: answer(request, data, status, **headers)


def hang_up(request: BaseHTTPRequestHandler) -> None:
    request.connection.shutdown(socket.SHUT_RDWR)


def test_no_request_is_sent_before_it_is_needed(emulator: Emulator, open_org: OpenOrg) -> None:
    org = open_org(emulator, renewable=True)
    assert not emulator.log
    assert org.instance_url == emulator.url
    assert org.session is org.session
    assert len(operations(emulator, "token")) == 1


def test_a_given_session_is_the_only_one_that_is_not_opened(
    emulator: Emulator, open_org: OpenOrg
) -> None:
    assert open_org(emulator, renewable=True).opens_sessions
    assert not open_org(emulator).opens_sessions


def test_a_query_returns_its_records(emulator: Emulator, open_org: OpenOrg) -> None:
    (record,) = open_org(emulator).query(SOQL, VERSION)
    assert record["Name"] == "Acme Packaging"


def test_the_organization_is_queried_once_a_session(emulator: Emulator, open_org: OpenOrg) -> None:
    org = open_org(emulator, renewable=True)
    for _ in range(2):
        assert org.organization_id(VERSION) == emulator.organization_id
    assert len(operations(emulator, "query")) == 1
    org.renew_session()
    assert org.organization_id(VERSION) == emulator.organization_id
    assert len(operations(emulator, "query")) == 2


def test_an_org_without_an_organization_is_a_network_error(
    org_at: Callable[[Handle], Org],
) -> None:
    with pytest.raises(NetworkError, match="which organization"):
        org_at(reply({"records": [], "totalSize": 0, "done": True})).organization_id(VERSION)


@pytest.fixture
def replaced(start_emulator: StartEmulator, open_org: OpenOrg) -> tuple[Emulator, Org, str]:
    """A bound org at whose URL another org answers now; the first one's id."""
    emulator = start_emulator(second_org={"org_name": "Beta"})
    org = open_org(emulator, renewable=True)
    first = emulator.organization_id
    org.bind(Bound(first, "a test", VERSION))
    emulator.use_org(2)
    open_org(emulator)  # its environment
    return emulator, org, first


def test_a_bound_org_answers(emulator: Emulator, open_org: OpenOrg) -> None:
    org = open_org(emulator, renewable=True)
    org.bind(Bound(emulator.organization_id, "a test", VERSION))
    org.renew_session()
    assert org.query(SOQL, VERSION)


def test_another_org_than_the_bound_one_is_refused_and_both_are_named(
    emulator: Emulator, open_org: OpenOrg
) -> None:
    org = open_org(emulator, renewable=True)
    bound = Bound("00D000000000009AAA", "a test", VERSION)
    with pytest.raises(IdentityError, match="00D000000000009AAA by a test") as caught:
        org.bind(bound)
    assert emulator.organization_id in caught.value.message
    with pytest.raises(IdentityError):
        org.query(SOQL, VERSION)  # a caller that has continued after the error


def test_a_session_renewed_in_another_org_is_refused_before_any_request(
    replaced: tuple[Emulator, Org, str],
) -> None:
    emulator, org, first = replaced
    for _ in range(2):
        with pytest.raises(IdentityError, match=first) as caught:
            org.query("SELECT Id, Name FROM User", VERSION)
        assert emulator.organization_id in caught.value.message
    bound, expired, *organizations = operations(emulator, "query")
    assert (bound["status"], expired["status"]) == (200, 401)
    assert len(organizations) == 2  # each new session is used only to ask for its org


def test_a_tooling_query_uses_the_tooling_api(emulator: Emulator, open_org: OpenOrg) -> None:
    open_org(emulator).query("SELECT Id, Status FROM DeployRequest", VERSION, tooling=True)
    assert len(operations(emulator, "tooling_query")) == 1


def test_an_expired_session_is_renewed_once_and_the_query_repeated(
    emulator: Emulator, open_org: OpenOrg
) -> None:
    org = open_org(emulator, renewable=True)
    first = org.session
    emulator.set_fault(Fault(kind="expired_session", operation="query"))
    (record,) = org.query(SOQL, VERSION)
    assert record["Name"] == "Acme Packaging"
    assert org.session != first
    assert len(operations(emulator, "query")) == 2
    assert len(operations(emulator, "token")) == 2


def test_a_session_that_expires_again_immediately_is_an_error(
    emulator: Emulator, open_org: OpenOrg
) -> None:
    emulator.set_fault(Fault(kind="expired_session", operation="query", count=2))
    with pytest.raises(AuthError, match="INVALID_SESSION_ID") as caught:
        open_org(emulator, renewable=True).query(SOQL, VERSION)
    assert caught.value.exit_code == ExitCode.AUTH
    assert len(operations(emulator, "query")) == 2
    assert len(operations(emulator, "token")) == 2


def test_a_session_that_cannot_be_renewed_is_an_error(
    emulator: Emulator, open_org: OpenOrg
) -> None:
    emulator.set_fault(Fault(kind="expired_session", operation="query"))
    with pytest.raises(AuthError, match="INVALID_SESSION_ID") as caught:
        open_org(emulator).query(SOQL, VERSION)
    assert caught.value.where == emulator.url
    assert "a new access token" in caught.value.hint
    assert len(operations(emulator, "query")) == 1


def test_a_refused_renewal_is_reported_with_its_cause(
    emulator: Emulator, open_org: OpenOrg, monkeypatch: pytest.MonkeyPatch
) -> None:
    org = open_org(emulator, renewable=True)
    assert org.session is not None
    monkeypatch.setenv("SF_CLIENT_SECRET", "hunter2")
    emulator.set_fault(Fault(kind="expired_session", operation="query"))
    with pytest.raises(AuthError, match="invalid client credentials"):
        org.query(SOQL, VERSION)


def test_a_repeated_query_reports_its_own_error(emulator: Emulator, open_org: OpenOrg) -> None:
    emulator.set_fault(Fault(kind="expired_session", operation="query"))
    emulator.set_fault(Fault(kind="http_503", operation="query"))
    with pytest.raises(NetworkError, match="HTTP 503"):
        open_org(emulator, renewable=True).query(SOQL, VERSION)


def test_a_refused_query_is_a_failure(emulator: Emulator, open_org: OpenOrg) -> None:
    with pytest.raises(
        OperationFailedError, match=r"refused a query \(HTTP 400, INVALID_TYPE\)"
    ) as caught:
        open_org(emulator).query("SELECT Nothing FROM Nowhere", VERSION)
    assert (caught.value.where, caught.value.exit_code) == (emulator.url, ExitCode.FAILED)


def test_an_unsupported_version_is_a_failure(emulator: Emulator, open_org: OpenOrg) -> None:
    with pytest.raises(OperationFailedError, match="HTTP 404"):
        open_org(emulator).query(SOQL, "99.0")


@pytest.mark.parametrize("tooling", [False, True])
@pytest.mark.parametrize(
    ("handle", "message"),
    [
        (reply(HTML), "(something other than JSON|has no records)"),
        (reply(b""), "(something other than JSON|has no records)"),
        (reply(b'{"a":' * 200_000), "(something other than JSON|has no records)"),
        (reply(b"[" * 200_000, 400), "refused a query .HTTP 400"),
        (reply({}, Sforce_Limit_Info=f"api-usage={'9' * 5000}/1"), "cannot be read"),
        (reply([]), "has no records"),
        (reply(None), "has no records"),
        (reply({"done": True}), "has no records"),
        (reply({"records": None}), "has no records"),
        (reply({"records": {}}), "has no records"),
        (reply({"records": [1]}), "has no records"),
        (reply(HTML, 503), "could not answer a query .HTTP 503"),
        (reply([{"errorCode": "SERVER_UNAVAILABLE"}], 500), "could not answer a query .HTTP 500"),
        (reply(b"", 302, Location="http://example.com"), "answered with a redirect"),
        (hang_up, "the connection failed or broke"),
    ],
)
def test_an_answer_without_records_is_a_network_error_and_never_an_empty_result(
    org_at: Callable[[Handle], Org], handle: Handle, message: str, tooling: bool
) -> None:
    with pytest.raises(SfcutoverError, match=message) as caught:
        org_at(handle).query(SOQL, VERSION, tooling=tooling)
    assert caught.value.exit_code in (ExitCode.NETWORK, ExitCode.FAILED)
    assert "hunter2" not in str(caught.value)


def test_no_records_are_an_empty_result(org_at: Callable[[Handle], Org]) -> None:
    assert org_at(reply({"totalSize": 0, "done": True, "records": []})).query(SOQL, VERSION) == []


def test_versions_are_listed_oldest_first(start_emulator: StartEmulator, open_org: OpenOrg) -> None:
    emulator = start_emulator(min_api_version=65.0, max_api_version=67.0)
    assert open_org(emulator).api_versions() == [65.0, 66.0, 67.0]


@pytest.mark.parametrize(
    ("handle", "message"),
    [
        (reply(HTML), "answered HTTP 200 without JSON"),
        (reply(HTML, 503), "answered HTTP 503 without JSON"),
        (reply(b'{"a":' * 200_000), "answered HTTP 200 without JSON"),
        (reply([]), "lists no API versions"),
        (reply({}), "lists no API versions"),
        (reply({"versions": []}), "lists no API versions"),
        (reply([{"label": "x"}]), "lists no API versions"),
        (reply([{"version": "x"}]), "lists no API versions"),
        (reply([5]), "lists no API versions"),
        (reply(None), "lists no API versions"),
        (reply(b"", 301, Location="http://example.com"), "answered with a redirect"),
        (hang_up, "the connection failed or broke"),
    ],
)
def test_an_invalid_list_of_versions_is_explained(
    org_at: Callable[[Handle], Org], handle: Handle, message: str
) -> None:
    with pytest.raises(SfcutoverError, match=message) as caught:
        org_at(handle).api_versions()
    assert caught.value.exit_code == ExitCode.NETWORK
    assert "hunter2" not in str(caught.value)


def test_a_closed_port_is_a_network_error() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        org = Org(one_session(f"http://127.0.0.1:{unused.getsockname()[1]}"))
        with pytest.raises(NetworkError, match="the connection failed"):
            org.api_versions()
        org.close()
