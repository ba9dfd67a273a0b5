"""An org whose clock is fast or slow."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

import pytest

from sfcutover.emulator import Emulator, Fault
from tests.integration.emulator.client import (
    SECURITY,
    Client,
    Result,
    SteppedClock,
    security_package,
)
from tests.integration.emulator.conftest import StartOrg
from tests.integration.emulator.traffic import redeem

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


def query(client: Client, text: str, tooling: str = "") -> list[dict[str, str]]:
    answer = client.get(f"/services/data/v67.0{tooling}/query?q={text}")
    assert answer.ok, answer.text
    records: list[dict[str, str]] = answer.json()["records"]
    return records


def date(emulator: Emulator, client: Client) -> datetime:
    return parsedate_to_datetime(client.get("/services/data").headers["Date"])


def security(client: Client) -> Result:
    (found,) = client.call("listMetadata", f"<queries><type>{SECURITY}</type></queries>")
    return found


def test_every_date_of_the_org_follows_its_clock(start_org: StartOrg) -> None:
    emulator, client = start_org(clock_offset_seconds=-120)
    shown = "2026-11-23T11:58:00.000"
    result = client.deployed(security_package())
    for name in ("createdDate", "startDate", "completedDate", "lastModifiedDate"):
        assert result.text(name) == f"{shown}Z"
    assert result.text("details/componentSuccesses/createdDate") == f"{shown}Z"
    assert security(client).text("lastModifiedDate") == f"{shown}Z"
    assert redeem(emulator, proxy=emulator.proxy_url_for("127.0.0.21")).json()["issued_at"] == str(
        int((NOON - timedelta(seconds=120)).timestamp() * 1000)
    )
    (login,) = query(client, "SELECT LoginTime FROM LoginHistory")
    assert login["LoginTime"] == f"{shown}+0000"
    (row,) = query(client, "SELECT CompletedDate FROM DeployRequest", "/tooling")
    assert row["CompletedDate"] == f"{shown}+0000"


@pytest.mark.parametrize("offset", [0, 300, -300])
def test_the_date_header_follows_the_clock(start_org: StartOrg, offset: float) -> None:
    emulator, client = start_org(clock_offset_seconds=offset)
    assert date(emulator, client) == NOON + timedelta(seconds=offset)
    token = redeem(emulator)
    assert parsedate_to_datetime(token.headers["Date"]) == NOON + timedelta(seconds=offset)
    emulator.set_fault(Fault(kind="http_503", operation="versions"))
    assert date(emulator, client) == NOON + timedelta(seconds=offset)


def test_the_log_and_the_allowlist_history_keep_true_time(start_org: StartOrg) -> None:
    emulator, client = start_org(clock_offset_seconds=300)
    client.deployed(security_package())
    redeem(emulator)
    assert emulator.log[0]["time"] == "2026-11-23T12:00:00.000Z"
    assert emulator.redemptions[0].time == emulator.allowlist_history[-1].time == NOON


def test_the_clock_can_be_set_while_the_org_runs(
    org: tuple[Emulator, Client], clock: SteppedClock
) -> None:
    emulator, client = org
    redeem(emulator)
    clock.forward(10)
    emulator.set_clock_offset(-120)
    assert emulator.clock_offset == -120
    redeem(emulator)
    times = [one["LoginTime"] for one in query(client, "SELECT LoginTime FROM LoginHistory")]
    assert times == ["2026-11-23T11:58:10.000+0000", "2026-11-23T12:00:00.000+0000"]
    assert date(emulator, client) == NOON - timedelta(seconds=110)


def test_a_clock_change_neither_ends_nor_delays_a_deployment(
    start_org: StartOrg, clock: SteppedClock
) -> None:
    emulator, client = start_org(deploy_seconds=10)
    deployment = client.deploy(security_package())
    emulator.set_clock_offset(3600)
    assert client.status(deployment).text("done") == "false"
    emulator.set_clock_offset(-3600)
    clock.forward(10)
    assert client.status(deployment).text("done") == "true"


def test_a_component_keeps_its_id_and_the_date_of_its_last_change(
    org: tuple[Emulator, Client], clock: SteppedClock
) -> None:
    _, client = org
    before = security(client)
    clock.forward(60)
    client.deployed(security_package())
    changed = security(client)
    assert changed.text("id") == before.text("id")
    assert changed.text("createdDate") == before.text("createdDate")
    assert changed.text("lastModifiedDate") == "2026-11-23T12:01:00.000Z"
    clock.forward(60)
    client.deployed(security_package())  # the same again
    assert security(client).text("lastModifiedDate") == "2026-11-23T12:01:00.000Z"
