"""Egress without a proxy: whole runs, and what single commands report about them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from sfcutover.emulator.faults import Fault
from sfcutover.emulator.scenario import Scenario
from tests.chaos.world import NEW, OLD, World, world
from tests.integration.cli.applicationcommands import application_command, probe_command

pytestmark = pytest.mark.slow  # runs, and each command in a process of its own

HERE = "127.0.0.1"  # the source address of requests from this machine
OLD_PROXY = {"proxy": {"env": "SFCUTOVER_OLD_PROXY_URL"}}
NEW_PROXY = {"proxy": {"env": "SFCUTOVER_NEW_PROXY_URL"}}


@pytest.fixture
def here(tmp_path: Path) -> Iterator[World]:
    with world(tmp_path / "world") as one:
        yield one


def change(here: World, key: str, **parts: object) -> None:
    """Change parts of one key of cutover.yaml; None removes one."""
    file = here.folder / "cutover.yaml"
    config = yaml.safe_load(file.read_text(encoding="utf-8"))
    whole = config.get(key, {}) | parts
    config[key] = {name: value for name, value in whole.items() if value is not None}
    file.write_text(yaml.safe_dump(config), encoding="utf-8")


def with_application(here: World, says: str, **settings: object) -> None:
    """The new egress is a command, and the application proves it.

    The watch counts in seconds: starting a command takes a while.
    """
    change(here, "watch", duration="3s", interval="1s")
    change(here, "egress", new={"probe": probe_command(here.emulator, here.folder)})
    command = application_command(here.emulator, here.folder, says)
    change(here, "verify", application=command, confidence=0.9, **settings)


def without_canary(here: World) -> None:
    change(here, "verify", client_id=None, client_secret=None, refresh_token=None)


def evidence_of(here: World, step: str) -> dict[str, object]:
    """The evidence of the last time that a run's step ended."""
    ended = (each for each in here.events() if each.get("kind") == "step-ended")
    data = [each["data"] for each in ended if each["step"] == step][-1]
    assert isinstance(data, dict)
    evidence: dict[str, object] = data["evidence"]
    return evidence


def unproven_of(here: World) -> list[str]:
    _, report = here.call("report", "--format", "json")
    unproven: list[str] = json.loads(report)["unproven"]
    return unproven


def sources(here: World, name: str) -> set[str]:
    """The addresses from which a grant was redeemed."""
    return {one.source for one in here.emulator.redemptions if one.grant == name}


def test_a_run_uses_the_direct_egress_of_this_machine(tmp_path: Path) -> None:
    scenario = Scenario(new=(HERE,))
    with world(tmp_path / "world", scenario) as here:
        change(here, "egress", new={"direct": True})
        here.environment |= {"HTTP_PROXY": "http://127.0.0.1:1", "http_proxy": "http://127.0.0.1:1"}
        here.environment |= {"NO_PROXY": "", "no_proxy": ""}
        env = here.environment
        code, out = here.call("probe")
        assert code == 0, out
        assert "from this machine, over a new connection each time" in out
        assert "new: this machine" in out
        env.update(NO_PROXY="127.0.0.1", no_proxy="127.0.0.1")  # for the org, which takes them
        code, out = here.call("run", "--yes", "--traffic-moved")
        assert code == 0, out
        newest = here.emulator.allowlist_history[-1]
        assert newest.holds(HERE)
        assert not any(newest.holds(each) for each in OLD)
        assert evidence_of(here, "probe")["egress"] == "this machine"
        assert HERE in {one.source for one in here.emulator.redemptions}


@pytest.mark.parametrize(
    ("says", "proof"),
    [("exit", "confidence"), ("json address", "application"), ("json user", "login-history")],
)
def test_a_run_is_proven_by_the_application_alone(says: str, proof: str, here: World) -> None:
    with_application(here, says)
    without_canary(here)
    change(here, "egress", old=None)
    code, out = here.call("run", "--yes", "--traffic-moved")
    assert code == 0, out
    assert here.live == set(NEW)
    verified = evidence_of(here, "verify")["proof"]
    assert isinstance(verified, dict)
    (found,) = verified["canaries"]
    assert (found["canary"], found["proof"]) == ("the application", proof)
    assert {each["address"] for each in found["addresses"]} == set(NEW)
    assert sources(here, "application") == set(NEW)
    rounds = [each["data"] for each in here.events() if each["kind"] == "watch-round"]
    documents = [
        look for each in rounds if isinstance(each, dict) for look in each["round"]["results"]
    ]
    assert {one["name"] for one in documents} == {"redemption of the application"}
    verdicts = {one["verdict"] for one in documents}
    assert "passed" in verdicts
    assert "failed" not in verdicts


def test_canary_and_application_both_prove_each_address(here: World) -> None:
    command = application_command(here.emulator, here.folder, "json address")
    change(here, "verify", application=command)
    code, out = here.call("run", "--yes", "--traffic-moved")
    assert code == 0, out
    verified = evidence_of(here, "verify")["proof"]
    assert isinstance(verified, dict)
    assert [each["canary"] for each in verified["canaries"]] == ["canary", "the application"]
    assert sources(here, "application") == set(NEW)


def test_omitted_canaries_are_reported_once(here: World) -> None:
    with_application(here, "json address")
    code, out = here.call("run", "--yes", "--traffic-moved")
    assert code == 0, out
    assert sources(here, "canary") == set()
    words = "the canaries cannot prove egress.new: they cannot redeem through a command"
    unproven = unproven_of(here)
    assert [each for each in unproven if words in each] == [f"packaging: {words}."]
    assert any("list blocks: no canary redeems through the new egress" in each for each in unproven)


def test_an_application_that_still_uses_an_old_address_proves_nothing(here: World) -> None:
    with_application(here, "json address")
    command = application_command(here.emulator, here.folder, "json address", OLD)
    change(here, "verify", application=command)
    code, out = here.call("deploy", "add-new", "--yes")
    assert code == 0, out
    code, out = here.call("verify")
    assert code == 5, out
    assert f"the application's redemption left from {OLD[1]}, which is not in new:" in out


@pytest.mark.parametrize("says", ["exit", "json address"])
def test_an_application_refused_during_the_watch_restores_the_old_addresses(
    says: str, here: World
) -> None:
    with_application(here, says)
    without_canary(here)
    assert here.call("deploy", "add-new", "--yes")[0] == 0
    code, out = here.call("deploy", "remove-old", "--yes", "--traffic-moved")
    assert code == 0, out
    command = application_command(here.emulator, here.folder, says, OLD)  # removed by now
    change(here, "verify", application=command)
    code, out = here.call("watch")
    assert code == 5, out
    assert here.live == {*OLD, *NEW}
    assert "redemption of the application" in out
    assert "not proven: no canary is configured" in out


def test_an_egress_of_the_application_requires_the_application(here: World) -> None:
    change(here, "egress", new={"probe": probe_command(here.emulator, here.folder)})
    for words in (("verify",), ("watch",), ("run", "--yes")):
        code, out = here.call(*words)
        assert code == 2, (words, out)
        assert "verify.application" in out
    assert here.emulator.redemptions == []


# Without an old egress


def test_a_run_without_an_old_egress_reports_what_is_unproven(
    here: World,
) -> None:
    change(here, "egress", old=None)
    code, out = here.call("run", "--yes", "--traffic-moved")
    assert code == 0, out
    assert here.live == set(NEW)
    words = "no proven rollback path for traffic: egress.old is not configured"
    assert f"warning: {words}" in out
    assert evidence_of(here, "probe")["no_way_back"] == words
    assert f"N{words[1:]}, when the run started." in unproven_of(here)


def test_a_run_without_an_old_egress_rolls_back_by_the_switch_command(here: World) -> None:
    change(here, "egress", old=None)
    script = "echo $SFCUTOVER_DIRECTION >> switches; touch moved"
    change(here, "switch", apply=["sh", "-c", script], revert=["sh", "-c", script])
    process = here.start("run", "--yes", "--traffic-moved", "--pause-before", "verify", "--stay")
    here.wait_for("paused")
    here.emulator.set_fault(Fault(kind="ip_restricted", operation="redeem", count=None))
    assert here.call("approve", "--step", "verify")[0] == 0
    out, _ = process.communicate(timeout=120)
    assert process.returncode == 5, out
    assert here.switches == ["apply", "revert"]
    assert here.live == {*OLD, *NEW}
    said = "moved back to the old addresses, not proven: egress.old is not configured"
    assert said in out
    assert evidence_of(here, "prove-old")["redemptions"] == 0
    assert any("not proven: egress.old is not configured" in each for each in unproven_of(here))


def test_single_commands_without_an_old_egress_cannot_prove_the_rollback(here: World) -> None:
    change(here, "egress", old=None)
    code, out = here.call("switch", "--revert")
    assert code == 0, out
    assert "not proven: egress.old is not configured" in out
    assert here.switches == ["revert"]
    assert here.emulator.redemptions == []
    code, out = here.call("doctor", "--only", "traffic")
    assert code == 0, out
    assert "skipped  old egress: not tried: not configured (traffic rolls back by the switch" in out


def test_new_addresses_are_not_removed_if_nothing_proves_the_old(here: World) -> None:
    change(here, "egress", old=None)
    assert here.call("deploy", "add-new", "--yes")[0] == 0
    code, out = here.call("deploy", "remove-new", "--yes", "--traffic-moved")
    assert code == 5, out
    assert "nothing can prove the old addresses by a redemption: egress.old is not config" in out
    assert here.live == {*OLD, *NEW}


# doctor's lines for each kind


def test_doctor_runs_the_command_of_an_egress_and_not_the_application(here: World) -> None:
    with_application(here, "json address")
    code, out = here.call("doctor", "--only", "traffic")
    assert code == 0, out
    assert "ok       new egress: the command " in out
    assert "leaves from 127.0.0.21, 127.0.0.22" in out
    left_out = "the canaries cannot prove egress.new: they cannot redeem through a command"
    assert f"skipped  token endpoint: not tried: {left_out}" in out
    assert "ok       application: " in out
    assert here.emulator.redemptions == []
