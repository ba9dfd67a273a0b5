from __future__ import annotations

import time

import pytest
import requests

from sfcutover.emulator import Emulator, Fault
from tests.integration.emulator.client import (
    SECURITY,
    SECURITY_NAME,
    Client,
    FaultAnswer,
    security_package,
)

Org = tuple[Emulator, Client]


def fault(kind: str, operation: str = "any", **more: object) -> Fault:
    return Fault.model_validate({"kind": kind, "operation": operation, **more})


def test_a_connection_dropped_before_the_effect_changes_nothing(org: Org) -> None:
    emulator, client = org
    emulator.set_fault(fault("drop_before", "deploy"))
    with pytest.raises(requests.ConnectionError):
        client.deploy(security_package())
    assert emulator.deployments == []
    assert client.deploy(security_package())


def test_a_connection_dropped_after_the_effect_keeps_it(org: Org) -> None:
    emulator, client = org
    emulator.set_fault(fault("drop_after", "deploy"))
    with pytest.raises(requests.ConnectionError):
        client.deploy(security_package())
    assert [one.status for one in emulator.deployments] == ["Succeeded"]
    assert b"127.0.0.21" in emulator.component_xml(SECURITY, SECURITY_NAME)


def test_the_log_counts_a_deploy_whose_answer_was_dropped(org: Org) -> None:
    emulator, client = org
    emulator.set_fault(fault("drop_after", "deploy"))
    with pytest.raises(requests.ConnectionError):
        client.deploy(security_package())
    deploys = [event for event in emulator.log if event["operation"] == "deploy"]
    assert [event["deployment"] for event in deploys] == [emulator.deployments[0].id]
    assert deploys[0]["fault"] == "drop_after"


@pytest.mark.parametrize(("kind", "status"), [("http_502", 502), ("http_503", 503)])
def test_gateway_errors_are_html_and_have_no_effect(org: Org, kind: str, status: int) -> None:
    emulator, client = org
    emulator.set_fault(fault(kind, "deploy"))
    answer = client.post(client.envelope("deploy"))
    assert (answer.status_code, answer.headers["Content-Type"]) == (status, "text/html")
    assert emulator.deployments == []


def test_an_html_body_has_status_200(org: Org) -> None:
    emulator, client = org
    emulator.set_fault(fault("html_body", "describeMetadata"))
    answer = client.post(client.envelope("describeMetadata"))
    assert answer.status_code == 200
    assert answer.text.startswith("<html>")


def test_half_an_answer_is_not_xml(org: Org) -> None:
    emulator, client = org
    whole = client.post(client.envelope("describeMetadata")).content
    emulator.set_fault(fault("bad_xml", "describeMetadata"))
    assert client.post(client.envelope("describeMetadata")).content == whole[: len(whole) // 2]


def test_a_huge_body_has_the_configured_size(org: Org) -> None:
    emulator, client = org
    emulator.set_fault(fault("huge_body", "describeMetadata", size=1_000_001))
    assert len(client.post(client.envelope("describeMetadata")).content) == 1_000_001


def test_a_slow_answer_is_delayed(org: Org) -> None:
    emulator, client = org
    emulator.set_fault(fault("slow", "describeMetadata", seconds=0.2))
    started = time.monotonic()
    client.call("describeMetadata")
    assert time.monotonic() - started >= 0.2


def test_stopping_does_not_wait_for_a_slow_answer() -> None:
    emulator = Emulator(tls=False).start()
    emulator.set_fault(fault("slow", "versions", seconds=600))
    with pytest.raises(requests.Timeout):
        requests.get(f"{emulator.url}/services/data", timeout=0.2)
    started = time.monotonic()
    emulator.stop()
    assert time.monotonic() - started < 5


def test_an_expired_session_is_invalid_until_a_new_login(org: Org) -> None:
    emulator, client = org
    emulator.set_fault(fault("expired_session", "describeMetadata"))
    for _ in range(2):
        with pytest.raises(FaultAnswer, match="INVALID_SESSION_ID"):
            client.call("describeMetadata")
    assert client.get("/services/data/v67.0/").status_code == 401


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        ("org_locked", "sf:ORG_LOCKED"),
        ("cross_reference_500", "sf:INVALID_CROSS_REFERENCE_KEY"),
    ],
)
def test_soap_faults_are_sent_on_request(org: Org, kind: str, code: str) -> None:
    emulator, client = org
    emulator.set_fault(fault(kind, "describeMetadata"))
    with pytest.raises(FaultAnswer) as caught:
        client.call("describeMetadata")
    assert caught.value.code == code
    assert client.call("describeMetadata")
