"""watch: after step 5, on real sockets and in real time."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from sfcutover.emulator.faults import Fault
from tests.integration.cli.conftest import OpenDesk, StartOrg
from tests.integration.cli.harness import Desk, HeldClock, eventually
from tests.integration.cli.traffic import (
    NEW,
    OLD,
    RunningClock,
    application,
    blocked_sources,
    keep_token,
    verify_with,
)
from tests.integration.cutover.verifying import set_list

INTERVAL, FAILURES, DEPLOY_SECONDS = 0.2, 2, 1.0


@pytest.fixture
def clock() -> HeldClock:
    return RunningClock()


def watching(desk: Desk, **settings: object) -> Desk:
    keep_token(desk)
    set_list(desk.emulator, *NEW)
    quick = {"duration": "1s", "interval": f"{INTERVAL}s", "failures": FAILURES}
    desk.configure(watch=quick | settings)
    return desk


@pytest.fixture
def removed(desk: Desk) -> Desk:
    """After step 5, with a short watch."""
    return watching(desk)


@contextmanager
def remove_after_first_redemption(desk: Desk, address: str) -> Iterator[None]:
    """After the watch's first redemption, another user deletes an entry in Setup."""

    def act() -> None:
        eventually(lambda: bool(desk.emulator.redemptions))
        set_list(desk.emulator, *(each for each in NEW if each != address))

    thread = threading.Thread(target=act)
    thread.start()
    yield
    thread.join()


def holds_old(desk: Desk) -> bool:
    return all(desk.emulator.allowlist_history[-1].holds(address) for address in OLD)


def test_the_watch_passes_if_redemptions_succeed(removed: Desk) -> None:
    with application(removed, "new"):
        result = removed.run("watch", "--json")
    assert result.code == 0
    document = result.json("watch")
    assert document["outcome"] == "passed"
    assert document["counts"]["failed"] == 0
    assert removed.asked("deploy") == 0
    assert not holds_old(removed)
    assert blocked_sources(removed) == set()


def test_blocked_redemptions_restore_the_old_addresses_in_time(open_desk: OpenDesk) -> None:
    desk = watching(open_desk(deploy_seconds=DEPLOY_SECONDS), duration="20s", failures=1)
    with remove_after_first_redemption(desk, NEW[1]):
        result = desk.run("watch")
    result.refused(5, "the watch rolled back")
    assert "the old addresses are on the allowlist again" in result.impact
    assert "a redemption through the old egress succeeded" in result.err
    first = next(one.time for one in desk.emulator.redemptions if one.result == "blocked")
    live = next(
        one.time
        for one in desk.emulator.allowlist_history
        if one.holds(OLD[0]) and one.time > first
    )
    assert (live - first).total_seconds() <= INTERVAL + 5 + DEPLOY_SECONDS
    last = desk.emulator.redemptions[-1]
    assert (last.source in OLD, last.result) == (True, "redeemed")
    assert holds_old(desk)


def test_a_rollback_is_one_document(removed: Desk) -> None:
    removed.emulator.set_fault(Fault(kind="ip_restricted", operation="redeem", count=2, skip=1))
    result = removed.run("watch", "--json")
    assert result.code == 5
    document = result.json("watch")
    assert document["outcome"] == "rolled-back"
    assert document["counts"]["failed"] == FAILURES
    assert holds_old(removed)


def test_a_second_watch_passes_after_the_rollback(removed: Desk) -> None:
    removed.emulator.set_fault(Fault(kind="ip_restricted", operation="redeem", count=2))
    assert removed.run("watch").code == 5
    assert removed.run("watch").code == 0
    assert removed.asked("deploy") == 1


def test_a_single_block_rolls_nothing_back(removed: Desk) -> None:
    watching(removed, duration="6s", interval="1500ms")  # a busy machine redeems slowly
    removed.emulator.set_fault(Fault(kind="ip_restricted", operation="redeem", skip=1))
    assert removed.run("watch").code == 0
    assert not holds_old(removed)


def test_a_failed_check_rolls_back(desk: Desk) -> None:
    watching(desk)
    desk.configure(checks=[{"command": ["false"], "name": "error rate"}])
    desk.run("watch").refused(5, "error rate failed, 2 times")
    assert holds_old(desk)


def test_an_old_egress_that_cannot_redeem_is_reported(removed: Desk) -> None:
    removed.emulator.set_fault(Fault(kind="ip_restricted", operation="redeem", count=None))
    removed.run("watch").refused(5, "failed (blocked")
    assert holds_old(removed)


def test_a_failing_org_does_not_prevent_the_rollback_of_another(
    removed: Desk, start_org: StartOrg
) -> None:
    second = start_org()
    set_list(second, *NEW)
    removed.add_target("second", second)
    removed.emulator.set_fault(Fault(kind="failed", operation="deploy", count=None))
    removed.emulator.set_fault(Fault(kind="ip_restricted", operation="redeem", count=2))
    assert removed.run("watch").code == 1
    assert all(second.allowlist_history[-1].holds(address) for address in OLD)


@pytest.mark.parametrize(
    ("key", "part"),
    [("verify", "verify is not configured"), ("egress", "egress.new is not configured")],
)
def test_missing_settings_are_reported_before_the_watch(key: str, part: str, removed: Desk) -> None:
    removed.configure(**{key: None})
    removed.run("watch").refused(2, part)
    assert removed.emulator.redemptions == []


def test_a_missing_token_is_reported_before_the_watch(removed: Desk) -> None:
    (removed.folder / "canary.token").unlink()
    removed.run("watch").refused(2, "cannot be read")


OWN = {"name": "own", "refresh_token": {"file": "own.token"}}


def test_the_selected_canary_redeems(removed: Desk) -> None:
    token = removed.folder / "own.token"
    token.touch(mode=0o600)
    token.write_text(removed.emulator.issue_grant("own-canary"), encoding="utf-8")
    verify_with(removed, refresh_token=None, canaries=[OWN])
    (removed.folder / "canary.token").unlink()
    assert removed.run("watch").code == 0
    assert {one.grant for one in removed.emulator.redemptions} == {"own-canary"}


def test_every_canary_of_several_targets_redeems(desk: Desk, start_org: StartOrg) -> None:
    """Each org enforces its own allowlist, so that only its own grant shows what it accepts."""
    removed = watching(desk, interval="2s")  # a round is the time that an answer may take
    second = start_org()
    set_list(second, *NEW)
    removed.add_target("second", second)
    token = removed.folder / "own.token"
    token.touch(mode=0o600)
    token.write_text(removed.emulator.issue_grant("own-canary"), encoding="utf-8")
    first = {**OWN, "targets": ["packaging"]}
    other = {"name": "second", "refresh_token": {"file": "canary.token"}, "targets": ["second"]}
    verify_with(removed, refresh_token=None, canaries=[first, other])
    result = removed.run("watch", "--json")
    assert result.code == 0
    names = {look["name"] for each in result.json("watch")["rounds"] for look in each["results"]}
    assert names == {"canary redemption (own)", "canary redemption (second)"}
    assert {one.grant for one in removed.emulator.redemptions} == {"own-canary", "canary"}


def test_the_watch_restores_after_a_removal_that_is_still_pending(open_desk: OpenDesk) -> None:
    """The old addresses are on the allowlist when the watch fails, and are removed a second
    later."""
    desk = watching(open_desk(deploy_seconds=3.0))
    set_list(desk.emulator, *OLD, *NEW)
    verify_with(desk, settle="0s")
    assert desk.run("deploy", "remove-old", "--async", "--yes").code == 0
    desk.emulator.set_fault(Fault(kind="ip_restricted", operation="redeem", count=2))
    assert desk.run("watch").code == 5
    assert desk.asked("deploy") == 2
    assert holds_old(desk)
    assert not all(version.holds(OLD[0]) for version in desk.emulator.allowlist_history)
