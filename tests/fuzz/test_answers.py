"""Answers of the Metadata API, the REST API, the token endpoint, the echo and Prometheus."""

from __future__ import annotations

import base64
import json
import stat
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfcutover.allowlist.carriers import CARRIERS
from sfcutover.config.checks import Condition
from sfcutover.config.org import OrgConfig
from sfcutover.salesforce.loginhistory import LoginHistory
from sfcutover.salesforce.metadata import MetadataClient
from sfcutover.salesforce.org import Org
from sfcutover.salesforce.retriever import read_zip
from sfcutover.salesforce.sessions import provider_for
from sfcutover.traffic.application import read_redemption
from sfcutover.traffic.checks import QueryError, judge, read_result
from sfcutover.traffic.command import Printed
from sfcutover.traffic.egress import ask_echo
from sfcutover.traffic.proxy import EgressSession, ProxyUrl
from sfcutover.traffic.redemption import RedemptionOutcome
from sfcutover.traffic.tokenanswer import TokenEndpoint
from sfcutover.util.http import new_session
from sfcutover.util.processes import Cause, Ended
from sfcutover.util.secrets import Secret
from tests.fuzz.hostile import encoded, json_texts, xml_texts
from tests.fuzz.limits import FUZZ, fuzzed, limits, must_end
from tests.fuzz.material import org_answers
from tests.fuzz.server import AnsweringServer, answering, http_answers
from tests.fuzz.test_files import broken_zips
from tests.support import one_session

pytestmark = FUZZ
VERSION = "67.0"
TYPES = [carrier.component_type.metadata_type for carrier in CARRIERS.values()]


@pytest.fixture(scope="module")
def server() -> Iterator[AnsweringServer]:
    with answering() as one:
        yield one


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, str]:
    with org_answers(tmp_path_factory.mktemp("org")) as found:
        return found


@pytest.fixture(scope="module")
def client(server: AnsweringServer) -> Iterator[MetadataClient]:
    org = Org(one_session(server.url))
    yield MetadataClient(org, VERSION)
    org.close()


OPERATIONS: dict[str, Callable[[MetadataClient], object]] = {
    "deploy": lambda client: client.deploy(b"zip"),
    "cancelDeploy": lambda client: client.cancel_deploy("0Af"),
    "checkDeployStatus": lambda client: _shown(client),
    "checkRetrieveStatus": lambda client: client.check_retrieve_status("09S"),
    "listMetadata": lambda client: client.list_metadata(TYPES),
    "describeMetadata": lambda client: client.describe_metadata(),
    "retrieve": lambda client: client.retrieve({TYPES[0]: ["*"]}),
}


def _shown(client: MetadataClient) -> object:
    result = client.check_deploy_status("0Af")
    return result.state, result.answer, result.model_dump_json(), str(result.details)


@given(data=st.data())
@fuzzed
def test_any_soap_answer_is_read_or_refused(
    server: AnsweringServer, client: MetadataClient, corpus: Mapping[str, str], data: st.DataObject
) -> None:
    operation = data.draw(st.sampled_from(sorted(OPERATIONS)))
    body = corpus[data.draw(st.sampled_from([operation] * 4 + ["Fault", "describeMetadata"]))]
    server.answer = data.draw(http_answers(encoded(xml_texts(body))))
    must_end(lambda: OPERATIONS[operation](client))


@given(data=st.data())
@fuzzed
def test_any_zip_from_an_org_is_read_or_refused(
    server: AnsweringServer, client: MetadataClient, corpus: Mapping[str, str], data: st.DataObject
) -> None:
    head, _, rest = corpus["checkRetrieveStatus"].partition("<zipFile>")
    content = base64.b64encode(data.draw(broken_zips())).decode()
    body = f"{head}<zipFile>{content}</zipFile>{rest.partition('</zipFile>')[2]}".encode()
    server.answer = data.draw(http_answers(st.just(body)))

    def use() -> None:
        result = client.check_retrieve_status("09S")
        if result.zip_file is not None:
            read_zip(result.zip_file, "zip")

    must_end(use)


@given(data=st.data())
@fuzzed
def test_any_rest_answer_is_read_or_refused(
    server: AnsweringServer, corpus: Mapping[str, str], data: st.DataObject
) -> None:
    rows = {
        "Id": "0Ya",
        "LoginTime": "2026-11-23T12:00:00.000+0000",
        "SourceIp": "203.0.113.1",
        "Status": "Success",
        "UserId": "005000000000001",
    }
    right = [
        {"totalSize": 1, "done": True, "records": [rows]},
        [{"message": "m", "errorCode": "INVALID_TYPE"}],
        *(json.loads(text) for path, text in corpus.items() if path.startswith("/services/data")),
    ]
    body = data.draw(st.sampled_from(right))
    server.answer = data.draw(http_answers(encoded(json_texts(body))))
    org = Org(one_session(server.url))
    history = LoginHistory(org, VERSION)
    for call in (
        lambda: org.query("SELECT Id FROM Organization", VERSION),
        lambda: org.query("SELECT Id FROM DeployRequest", VERSION, tooling=True),
        lambda: org.organization_id(VERSION),
        org.api_versions,
        org.now,
        lambda: history.redemptions(datetime(2026, 11, 23, tzinfo=UTC), "005000000000001"),
    ):
        must_end(call)
    org.close()


_TOKEN = {
    "access_token": "00D!session", "refresh_token": "a-new-token", "token_type": "Bearer",
    "instance_url": "https://acme.my.salesforce.com", "issued_at": "1700000000000",
    "id": "https://login.salesforce.com/id/00D000000000001AAA/005000000000001AAA",
}  # fmt: skip
_REFUSED = {"error": "invalid_grant", "error_description": "ip restricted by app developer"}
_TOKEN_ANSWERS = http_answers(encoded(json_texts(_TOKEN) | json_texts(_REFUSED)))


@given(answer=_TOKEN_ANSWERS)
@fuzzed
def test_any_token_answer_is_classified(server: AnsweringServer, answer: bytes) -> None:
    server.answer = answer
    endpoint = TokenEndpoint(f"{server.url}/services/oauth2/token", "id", Secret("a-secret"))
    with new_session() as session, limits():
        made = endpoint.redeem(Secret("a-token"), session)
        _ = made.outcome.advice, made.outcome.answer, repr(made)


@given(answer=_TOKEN_ANSWERS)
@fuzzed
def test_any_login_answer_is_read_or_refused(
    server: AnsweringServer, answer: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.answer = answer
    monkeypatch.setenv("FUZZ_ID", "id-of-the-client")
    way = {
        "client_id": {"env": "FUZZ_ID"},
        "client_secret": {"env": "FUZZ_ID"},
        "login_url": server.url,
    }
    provider = provider_for(OrgConfig.model_validate({"client_credentials": way}))
    must_end(provider.open_session)


_SHOWN = {"status": 0, "result": {"instanceUrl": "https://acme.my.salesforce.com",
          "accessToken": "00D!session", "id": "00D"}, "warnings": []}  # fmt: skip


@pytest.fixture(scope="module")
def cli_answer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """What the Salesforce CLI prints."""
    folder = tmp_path_factory.mktemp("cli")
    program, answer = folder / "sf", folder / "answer"
    program.write_text(f"#!/bin/sh\nexec cat {answer}\n", encoding="utf-8")
    program.chmod(stat.S_IRWXU)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", f"{folder}:/usr/bin:/bin")
        yield answer


@given(data=encoded(json_texts(_SHOWN)))
@fuzzed
def test_any_output_of_the_salesforce_cli_is_read_or_refused(cli_answer: Path, data: bytes) -> None:
    cli_answer.write_bytes(data)
    must_end(provider_for(OrgConfig(alias="packaging")).open_session)


@given(data=st.data())
@fuzzed
def test_any_echo_answer_is_read_or_refused(server: AnsweringServer, data: st.DataObject) -> None:
    bodies = encoded(json_texts({"ip": "203.0.113.1"})) | st.binary(max_size=5000)
    server.answer = data.draw(http_answers(bodies))
    scheme = data.draw(st.sampled_from(["http", "socks5h"]))
    proxy = ProxyUrl.parse(Secret(f"{scheme}://{server.url.removeprefix('http://')}"), "x")
    with EgressSession(proxy) as session:
        must_end(lambda: ask_echo(session, "http://ip.example/"))


_ANSWER = {
    "status": 400,
    "error": "invalid_grant",
    "error_description": "ip restricted",
    "address": "203.0.113.1",
    "organization_id": "00D000000000001",
    "user_id": "005000000000001",
}


@given(status=st.integers(-15, 3), data=encoded(json_texts(_ANSWER)))
@fuzzed
def test_any_output_of_the_application_is_classified(status: int, data: bytes) -> None:
    printed = Printed(Ended(status, 1.0, Cause.ITSELF), data.decode(errors="replace"))
    found = read_redemption(printed, "redeem", datetime.now(UTC))
    assert status == 0 or found.outcome is not RedemptionOutcome.REDEEMED
    repr(found).encode()  # a text that can be shown


_SERIES = {"metric": {"__name__": "up", "job": "x"}, "value": [1.5, "0.5"]}
_METRICS = {
    "status": "success",
    "data": {"resultType": "vector", "result": [_SERIES]},
    "warnings": ["w"],
}


@given(status=st.sampled_from([200, 400, 500]), data=encoded(json_texts(_METRICS)))
@fuzzed
def test_any_prometheus_answer_is_classified(status: int, data: bytes) -> None:
    def use() -> None:
        try:
            judge(read_result(status, data), Condition.parse("< 1"))
        except QueryError:
            return

    must_end(use)
