"""Step 4 at the command line: what it proves, writes and refuses."""

from __future__ import annotations

import json

import pytest

from sfcutover.emulator.faults import Fault
from tests.integration.cli.conftest import OpenDesk
from tests.integration.cli.harness import Desk, HeldClock
from tests.integration.cli.traffic import NEW, OLD, RunningClock, keep_token, lists_held
from tests.integration.cutover.verifying import set_list


@pytest.fixture
def clock() -> HeldClock:
    return RunningClock()


@pytest.fixture
def ready(desk: Desk) -> Desk:
    """The new addresses are on the allowlist."""
    keep_token(desk)
    assert desk.run("deploy", "add-new", "--yes").code == 0
    return desk


def test_verify_proves_each_address_and_reports_how(ready: Desk) -> None:
    result = ready.run("verify")
    assert result.code == 0
    assert "packaging: new egress proven" in result.out
    assert f"ok  {NEW[0]}  1 redeemed" in result.out
    assert "= 2 redemptions; proof: the org's LoginHistory" in result.out
    assert {one.source for one in ready.emulator.redemptions} == set(NEW)
    assert lists_held(ready, *OLD)


def test_json_and_the_evidence_file_are_one_document(ready: Desk) -> None:
    result = ready.run("verify", "--json", "--out", "evidence.json")
    document = result.json("evidence")
    assert json.loads((ready.folder / "evidence.json").read_text()) == document
    assert document["targets"][0]["canaries"][0]["proof"] == "login-history"
    assert "next: sfcutover deploy remove-old --evidence evidence.json" in result.err


@pytest.mark.parametrize("missing", NEW)
@pytest.mark.parametrize("history", ["available", "unavailable"])
@pytest.mark.parametrize("single", [False, True], ids=["pair", "single"])
def test_an_address_that_is_not_on_the_allowlist_ends_with_exit_code_5(
    single: bool, history: str, missing: str, open_desk: OpenDesk
) -> None:
    desk = open_desk(login_history=history)
    keep_token(desk)
    if single:
        use_single_proxies(desk)
    assert desk.run("deploy", "add-new", "--yes").code == 0
    set_list(desk.emulator, *OLD, *(each for each in NEW if each != missing))
    desk.run("verify").refused(5, f"{missing} is not on the live allowlist")
    assert desk.run("verify", "--json").json("error")["exit_code"] == 5
    assert desk.emulator.redemptions == []


def test_an_address_lost_by_a_save_is_reported(desk: Desk) -> None:
    keep_token(desk)
    fault = Fault(kind="save_drops_address", operation="deploy", address=NEW[1], count=None)
    desk.emulator.set_fault(fault)
    assert desk.run("deploy", "add-new", "--yes").code == 1
    desk.run("verify").refused(5, f"{NEW[1]} is not on the live allowlist")


def test_an_allowlist_that_is_not_enforced_yet_blocks(open_desk: OpenDesk) -> None:
    desk = open_desk(propagation_seconds=3600)
    keep_token(desk)
    assert desk.run("deploy", "add-new", "--yes").code == 0
    result = desk.run("verify")
    result.refused(5, "a redemption from 127.0.0.2", "was blocked (LoginHistory)")
    assert "switched back" in result.impact


def use_single_proxies(desk: Desk) -> None:
    for number, address in enumerate(NEW):
        desk.monkeypatch.setenv(f"PROXY_{number}", desk.emulator.proxy_url_for(address))
    single = {address: {"env": f"PROXY_{number}"} for number, address in enumerate(NEW)}
    new = {"proxy": {"env": "SFCUTOVER_NEW_PROXY_URL"}, "per_address": single}
    old = {"proxy": {"env": "SFCUTOVER_OLD_PROXY_URL"}}
    url = desk.emulator.environment["SFCUTOVER_ECHO_URL"]
    desk.configure(egress={"old": old, "new": new, "echo_url": url})


def test_a_proxy_for_each_address_proves_it(ready: Desk) -> None:
    use_single_proxies(ready)
    document = ready.run("verify", "--json").json("evidence")
    assert document["targets"][0]["canaries"][0]["proof"] == "proxy-per-address"


def test_proof_by_many_successes_reports_its_remaining_uncertainty(open_desk: OpenDesk) -> None:
    desk = open_desk(login_history="unavailable")
    keep_token(desk)
    desk.run("deploy", "add-new", "--yes")
    result = desk.run("verify")
    assert result.code == 0
    assert "= 21 redemptions; proof: a series of successful redemptions" in result.out
    assert "open: 21 succeeded in a row" in result.out


def test_the_old_egress_can_be_proven(desk: Desk) -> None:
    keep_token(desk)
    result = desk.run("verify", "--via", "old", "--out", "evidence.json")
    assert result.code == 0
    assert "deploy remove-new --evidence" in result.err


def test_the_newest_token_is_kept(ready: Desk) -> None:
    assert ready.run("verify").code == 0
    kept = (ready.folder / "canary.token").read_text().strip()
    assert kept == ready.emulator.environment["SF_REFRESH_TOKEN"]


def test_without_a_verify_section_the_key_to_add_is_named(desk: Desk) -> None:
    desk.configure(verify=None)
    desk.run("verify").refused(2, "verify is not configured")


def test_an_unwritable_evidence_file_is_an_error(ready: Desk) -> None:
    ready.run("verify", "--out", "no/such/folder.json").refused(1, "the evidence was not written")
