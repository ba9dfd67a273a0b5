"""Clocks and missing rows in other commands that remove, and on several machines."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import make_url

from tests.chaos.world import NEW, OLD, World
from tests.integration.safety.conftest import OpenWorld
from tests.integration.safety.scene import configure, configure_part, removed_at
from tests.integration.safety.test_clocks import (
    SILENCE,
    TRAFFIC_MOVED,
    no_history,
    without_quiet_checks,
)

pytestmark = pytest.mark.slow  # whole runs, in processes of their own

NEW_SILENCE = "nothing shows that customers have left the new addresses"
AWAY = (("deploy", "remove-new", "--yes"), ("rollback", "--to", "baseline", "--yes"))


@pytest.fixture
def silent(open_world: OpenWorld) -> World:
    """An org that shows no LoginHistory; old and new addresses are on its allowlist."""
    here = no_history(open_world)
    code, out = here.call("deploy", "add-new", "--yes")
    assert code == 0, out
    return here


@pytest.mark.parametrize("words", AWAY, ids=["remove-new", "rollback"])
def test_new_addresses_are_removed_only_if_customers_have_left_them(
    words: tuple[str, ...], silent: World
) -> None:
    code, out = silent.call(*words)
    assert code == 5, out
    assert NEW_SILENCE in out
    assert silent.live == {*OLD, *NEW}
    code, out = silent.call(*words, TRAFFIC_MOVED)
    assert code == 0, out
    assert silent.live == set(OLD)


def test_login_history_that_shows_only_proxies_proves_nothing(
    open_world: OpenWorld,
) -> None:
    here = without_quiet_checks(open_world(login_history="first_proxy_ip"))
    code, out = here.call("run", "--yes")
    assert code == 75, out
    assert SILENCE in out
    assert "shows the canary's redemptions with other addresses" in out
    assert set(OLD) <= here.live


def test_the_suggested_command_with_the_answer_continues(open_world: OpenWorld) -> None:
    here = no_history(open_world)
    for _ in range(2):
        code, out = here.call("run", "--yes")
        assert code == 75, out
    code, out = here.call("run", "--yes", TRAFFIC_MOVED)
    assert code == 0, out
    assert here.live == set(NEW)
    assert here.switches == ["apply"]
    _, report = here.call("report", "--format", "md")
    assert TRAFFIC_MOVED in report
    assert SILENCE in report


def test_a_run_that_moved_no_traffic_removes_what_it_added(open_world: OpenWorld) -> None:
    """A rollback before the switch needs no answer: no customer uses the new addresses."""
    here = open_world(login_history="unavailable", propagation_seconds=3600)
    configure_part(here, "verify", patience="0s")
    code, out = here.call("run", "--yes")
    assert code == 5, out
    assert here.live == set(OLD), out
    assert here.switches == []


def shift_watch(here: World, seconds: float) -> None:
    """Have the watch started by a machine whose clock is ahead by this many seconds."""
    shift = (
        "UPDATE sfcutover_journal SET time = time + :s, "
        "data = json_set(data, '$.until', json_extract(data, '$.until') + :s) "
        "WHERE kind = 'watch-started'"
    )
    with closing(sqlite3.connect(make_url(here.state).database or "")) as connection:
        assert connection.execute(shift, {"s": seconds}).rowcount == 1
        connection.commit()


@pytest.mark.parametrize("ahead", [300.0, -300.0])
def test_a_resumed_watch_lasts_as_long_on_a_machine_with_another_clock(
    ahead: float, here: World
) -> None:
    configure(here, watch={"duration": "8s", "interval": "500ms", "failures": 2})
    process = here.start("run", "--yes")
    here.wait_for("watch-round")
    process.kill()
    process.communicate()
    shift_watch(here, ahead)
    code, out = here.call("run", "--yes")
    assert code == 0, out
    lasted = datetime.now(UTC) - removed_at(here)
    assert timedelta(seconds=8) <= lasted < timedelta(seconds=60)


@pytest.mark.parametrize("offset", [-120.0, 300.0])
def test_the_chart_of_traffic_has_the_times_of_the_journal(
    open_world: OpenWorld, offset: float
) -> None:
    here = open_world(clock_offset_seconds=offset)
    started = datetime.now(UTC).timestamp()
    code, out = here.call("run", "--yes")
    assert code == 0, out
    ended = datetime.now(UTC).timestamp()
    buckets = [
        bucket
        for event in here.events()
        if event["kind"] == "traffic"
        for bucket in event["data"]["buckets"]  # type: ignore[index]
    ]
    assert buckets
    assert all(started - 2 <= second <= ended + 2 for second, *_ in buckets)
