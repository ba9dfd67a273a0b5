from __future__ import annotations

import pytest

from sfcutover.emulator import Emulator, Fault
from tests.integration.emulator.client import (
    SECURITY,
    SECURITY_NAME,
    SECURITY_PATH,
    Client,
    FaultAnswer,
    Result,
    SteppedClock,
    make_zip,
    manifest,
    problems,
    security_package,
    security_xml,
)
from tests.integration.emulator.conftest import StartOrg

Org = tuple[Emulator, Client]


def shown(result: Result) -> tuple[str | None, str | None]:
    return result.text("status"), result.text("numberComponentsDeployed")


def test_a_deployment_progresses_with_the_clock(start_org: StartOrg, clock: SteppedClock) -> None:
    _, client = start_org(deploy_seconds=10)
    deployment = client.deploy(security_package())
    walk = []
    for seconds in (0, 2, 5.5, 1, 1.5):
        clock.forward(seconds)
        walk.append(shown(client.status(deployment)))
    assert walk == [
        ("Pending", "0"),
        ("InProgress", "0"),
        ("InProgress", "0"),
        ("Finalizing", "1"),
        ("Succeeded", "1"),
    ]


def test_polling_does_not_change_the_progress(start_org: StartOrg) -> None:
    _, client = start_org(deploy_seconds=10)
    deployment = client.deploy(security_package())
    assert {client.status(deployment).text("status") for _ in range(5)} == {"Pending"}


def test_a_deployment_takes_effect_at_its_end_without_a_poll(
    start_org: StartOrg, clock: SteppedClock
) -> None:
    emulator, client = start_org(deploy_seconds=10)
    client.deploy(security_package())
    clock.forward(9.9)
    assert b"127.0.0.21" not in emulator.component_xml(SECURITY, SECURITY_NAME)
    clock.forward(0.1)
    assert b"127.0.0.21" in emulator.component_xml(SECURITY, SECURITY_NAME)


def test_deployments_run_one_at_a_time(start_org: StartOrg, clock: SteppedClock) -> None:
    emulator, client = start_org(deploy_seconds=10)
    first = client.deploy(security_package(security_xml("127.0.0.21")))
    second = client.deploy(security_package(security_xml("127.0.0.22")))
    clock.forward(10)
    assert client.status(first).text("status") == "Succeeded"
    assert client.status(second).text("status") == "Pending"
    clock.forward(10)
    assert client.status(second).text("status") == "Succeeded"
    assert b"127.0.0.22" in emulator.component_xml(SECURITY, SECURITY_NAME)


def test_a_running_deployment_is_canceled_after_a_while(
    start_org: StartOrg, clock: SteppedClock
) -> None:
    emulator, client = start_org(deploy_seconds=10, cancel_seconds=3)
    deployment = client.deploy(security_package())
    clock.forward(5)
    assert client.cancel(deployment).text("done") == "false"
    assert client.status(deployment).text("status") == "Canceling"
    clock.forward(3)
    result = client.status(deployment)
    assert (result.text("status"), result.text("success")) == ("Canceled", "false")
    assert result.text("canceledByName") == "Release Engineer"
    clock.forward(10)
    assert b"127.0.0.21" not in emulator.component_xml(SECURITY, SECURITY_NAME)


def test_a_waiting_deployment_is_canceled_immediately(
    start_org: StartOrg, clock: SteppedClock
) -> None:
    _, client = start_org(deploy_seconds=10, cancel_seconds=3)
    first = client.deploy(security_package())
    second = client.deploy(security_package())
    clock.forward(2)
    client.cancel(second)
    assert client.status(second).text("status") == "Canceled"
    clock.forward(8)
    assert client.status(first).text("status") == "Succeeded"


def test_from_65_a_finalizing_deployment_cannot_be_canceled(
    start_org: StartOrg, clock: SteppedClock
) -> None:
    _, client = start_org(deploy_seconds=10)
    deployment = client.deploy(security_package())
    clock.forward(9)
    with pytest.raises(FaultAnswer, match="INVALID_ID_FIELD"):
        client.cancel(deployment)
    clock.forward(1)
    assert client.status(deployment).text("status") == "Succeeded"


def test_below_65_a_canceled_deployment_may_have_committed(
    start_org: StartOrg, clock: SteppedClock
) -> None:
    emulator, client = start_org(deploy_seconds=10)
    deployment = client.deploy(security_package())
    clock.forward(9)
    client.version = "64.0"
    client.cancel(deployment)
    assert client.status(deployment).text("status") == "Canceled"
    assert b"127.0.0.21" in emulator.component_xml(SECURITY, SECURITY_NAME)


def test_a_finished_deployment_cannot_be_canceled(org: Org) -> None:
    _, client = org
    deployment = client.deploy(security_package())
    with pytest.raises(FaultAnswer, match="Deployment already completed"):
        client.cancel(deployment)


def test_a_failed_component_rolls_the_package_back(start_org: StartOrg) -> None:
    emulator, client = start_org()
    result = client.deployed(security_package(security_xml("127.0.0.21", app="Nobody")))
    assert (result.text("status"), result.text("done")) == ("Failed", "true")
    assert result.text("numberComponentErrors") == "1"
    assert b"127.0.0.21" not in emulator.component_xml(SECURITY, SECURITY_NAME)


def test_a_deployment_fails_without_finalizing(start_org: StartOrg, clock: SteppedClock) -> None:
    _, client = start_org(deploy_seconds=10)
    deployment = client.deploy(security_package(security_xml("127.0.0.21", app="Nobody")))
    clock.forward(8)
    assert client.status(deployment).text("status") == "Failed"


@pytest.mark.parametrize(
    ("kind", "status", "success", "takes"),
    [
        ("save_does_not_take", "Succeeded", "true", False),
        ("canceling", "Canceled", "false", False),
        ("failed", "Failed", "false", False),
        ("finalizing_failed", "FinalizingFailed", "false", False),
        ("succeeded_partial", "SucceededPartial", "true", False),
    ],
)
def test_deployment_faults_end_the_deployment(
    org: Org, kind: str, status: str, success: str, takes: bool
) -> None:
    emulator, client = org
    emulator.set_fault(Fault.model_validate({"kind": kind, "operation": "deploy"}))
    result = client.deployed(security_package())
    assert (result.text("status"), result.text("success")) == (status, success)
    assert result.text("done") == "true"
    assert (b"127.0.0.21" in emulator.component_xml(SECURITY, SECURITY_NAME)) is takes
    assert client.deployed(security_package()).text("status") == "Succeeded"


def test_a_fault_cancels_a_running_deployment(start_org: StartOrg, clock: SteppedClock) -> None:
    faults = [{"kind": "canceling"}]
    _, client = start_org(deploy_seconds=10, cancel_seconds=2, faults=faults)
    deployment = client.deploy(security_package())
    walk = []
    for seconds in (5, 3, 2):
        clock.forward(seconds)
        walk.append(client.status(deployment).text("status"))
    assert walk == ["InProgress", "Canceling", "Canceled"]
    assert client.status(deployment).text("canceledByName") == "Casey Colleague"


def test_an_unknown_status_is_shown_for_a_while(start_org: StartOrg, clock: SteppedClock) -> None:
    _, client = start_org(faults=[{"kind": "unknown_status", "seconds": 3}])
    result = client.deployed(security_package())
    assert result.text("status") not in ("Pending", "InProgress", "Finalizing", "Succeeded")
    assert result.text("done") == "false"
    deployment = result.text("id") or ""
    clock.forward(3)
    assert client.status(deployment).text("status") == "Succeeded"


def test_the_finalizing_status_can_have_its_long_spelling(
    start_org: StartOrg, clock: SteppedClock
) -> None:
    _, client = start_org(deploy_seconds=10, long_finalizing_status=True)
    deployment = client.deploy(security_package())
    clock.forward(9)
    assert client.status(deployment).text("status") == "FinalizingDeploy"


def test_a_partial_success_saves_the_other_components(start_org: StartOrg) -> None:
    other = "Acme_Other"
    package = make_zip(
        {
            "package.xml": manifest({SECURITY: [other, SECURITY_NAME]}),
            SECURITY_PATH.replace(SECURITY_NAME, other): security_xml("127.0.0.21", app="Nobody"),
            SECURITY_PATH: security_xml("127.0.0.21"),
        }
    )
    emulator, client = start_org()
    result = client.deployed(package, rollbackOnError="false")
    assert (result.text("status"), result.text("success")) == ("SucceededPartial", "true")
    assert len(problems(result)) == 1
    assert b"127.0.0.21" in emulator.component_xml(SECURITY, SECURITY_NAME)


def test_deployment_records_hold_each_result(org: Org) -> None:
    emulator, client = org
    first = client.deploy(security_package(), checkOnly="true")
    second = client.deploy(security_package())
    assert [(one.id, one.check_only, one.done) for one in emulator.deployments] == [
        (first, True, True),
        (second, False, True),
    ]
