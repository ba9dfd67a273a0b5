"""LoginHistory in an org that shows it, and in one that does not."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from sfcutover.emulator.emulator import Emulator
from sfcutover.emulator.faults import Fault
from sfcutover.emulator.scenario import Scenario
from sfcutover.errors import NetworkError
from sfcutover.salesforce.loginhistory import SUCCESS, LoginHistory
from sfcutover.salesforce.org import Org
from tests.integration.cutover.verifying import API, NEW, OLD, Canaries, ShiftedClock, set_list
from tests.support import StartServer, answer, one_session


@pytest.fixture
def started() -> datetime:
    return datetime.now(UTC)


@pytest.fixture
def canaries(started: datetime) -> Iterator[Canaries]:
    with Emulator(Scenario(), tls=False) as emulator:
        set_list(emulator, *OLD)
        canaries = Canaries(emulator)
        for via in ("old", "new"):
            with canaries.egress(via).session() as session:
                canaries.redeem(session)
        yield canaries
        canaries.org.close()


def test_redemptions_and_blocks_show_their_address(canaries: Canaries, started: datetime) -> None:
    rows = canaries.history.redemptions(started)
    assert rows is not None
    assert [(str(one.source), one.status) for one in rows] == [
        (NEW[0], "Restricted IP"),
        (OLD[0], SUCCESS),
    ]
    assert {one.user_id for one in rows} == {canaries.redeemed[0].user_id}
    assert len({one.id for one in rows}) == 2


def test_only_the_requested_user_is_shown(canaries: Canaries, started: datetime) -> None:
    assert len(canaries.history.redemptions(started, canaries.redeemed[0].user_id) or ()) == 2
    assert canaries.history.redemptions(started, "005000000000zzz") == []


def test_an_org_that_cannot_filter_users_is_queried_for_all(
    canaries: Canaries, started: datetime
) -> None:
    user = canaries.redeemed[0].user_id
    fault = Fault(kind="refuse", operation="query", code="INVALID_FIELD")
    for wanted, count in ((user, 2), ("005000000000zzz", 0)):
        canaries.emulator.set_fault(fault)
        rows = canaries.history.redemptions(started, wanted)
        assert rows is not None
        assert len(rows) == count


def test_an_invalid_id_is_not_put_into_a_query(canaries: Canaries, started: datetime) -> None:
    assert len(canaries.history.redemptions(started, "' OR Id != '") or ()) == 2


def test_earlier_rows_are_not_shown(canaries: Canaries, started: datetime) -> None:
    assert canaries.history.redemptions(started + timedelta(minutes=1)) == []


def test_more_rows_than_a_page_are_all_read() -> None:
    clock = ShiftedClock()
    started = clock()
    with Emulator(Scenario(), tls=False, clock=clock) as emulator:
        canaries = Canaries(emulator)
        with canaries.egress("old").session() as session:
            for _ in range(8):
                clock.shift += timedelta(seconds=1)
                canaries.redeem(session)
        rows = LoginHistory(canaries.org, API, page=3).redemptions(started)
        canaries.org.close()
    assert rows is not None
    assert len({one.id for one in rows}) == len(rows) == 8


def test_a_page_full_of_one_second_gives_no_result(canaries: Canaries, started: datetime) -> None:
    """The rows after it cannot be queried."""
    assert LoginHistory(canaries.org, API, page=1).redemptions(started) is None


def test_an_org_that_refuses_gives_no_result() -> None:
    with Emulator(Scenario(login_history="unavailable"), tls=False) as emulator:
        canaries = Canaries(emulator)
        assert canaries.history.redemptions(datetime.now(UTC)) is None
        canaries.org.close()


def test_an_unreachable_org_is_an_error(canaries: Canaries, started: datetime) -> None:
    canaries.emulator.set_fault(Fault(kind="http_503", operation="query", count=None))
    with pytest.raises(NetworkError):
        canaries.history.redemptions(started)


def test_only_a_redemption_from_an_address_is_read(
    start_server: StartServer, started: datetime
) -> None:
    """Setup shows words in place of some addresses."""
    redeemed: dict[str, object] = {
        **{"Id": "0Ya1", "SourceIp": "203.0.113.10", "Status": SUCCESS, "UserId": "005"},
        **{"LoginTime": "2026-11-23T12:00:00.000+0000", "LoginSubType": "OauthRefreshToken"},
    }
    others: tuple[dict[str, object], ...] = (
        {"LoginSubType": "OauthHybridWebServerFlow"},
        {"SourceIp": "Salesforce.com IP"},
        {"LoginTime": None},
    )
    rows = [redeemed, {**redeemed, "Id": "0Ya2", "LoginSubType": None}]
    rows += [{**redeemed, "Id": f"0Yb{number}", **each} for number, each in enumerate(others)]
    body = json.dumps({"records": rows}).encode()
    org = Org(one_session(start_server(lambda request: answer(request, body))))
    found = LoginHistory(org, API).redemptions(started)
    org.close()
    assert found is not None
    assert [each.id for each in found] == ["0Ya1", "0Ya2"]
