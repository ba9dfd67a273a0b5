"""The gate before remove-old, at the command line."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.integration.cli.harness import Desk, HeldClock, at_terminal, range_xml, with_entry
from tests.integration.cli.traffic import (
    NEW,
    OLD,
    RunningClock,
    application,
    keep_token,
    lists_held,
    verify_with,
)

REMOVE = ("deploy", "remove-old", "--yes")
SKIP = ("--skip-verification", "--reason", "the grant is gone")


@pytest.fixture
def clock() -> HeldClock:
    return RunningClock()


@pytest.fixture
def ready(desk: Desk) -> Desk:
    """The new addresses are on the allowlist, and no wait is configured."""
    keep_token(desk)
    verify_with(desk, settle="0s")
    assert desk.run("deploy", "add-new", "--yes").code == 0
    return desk


def untouched(desk: Desk) -> bool:
    return lists_held(desk, *OLD) and desk.asked("deploy") == 1


def test_remove_old_verifies_first_and_then_removes(ready: Desk) -> None:
    result = ready.run(*REMOVE, "--json")
    assert result.code == 0
    document = result.json("deploy")
    assert document["targets"][0]["clearance"].startswith(
        "2 addresses proven by the org's LoginHistory; requests"
    )
    assert "permitted: 2 addresses proven" in result.err
    assert not any(entry.startswith(OLD) for entry in ready.live())


def test_traffic_on_old_addresses_is_named_and_refused(ready: Desk) -> None:
    verify_with(ready, settle="2s")
    with application(ready, "old"):
        result = ready.run(*REMOVE)
    result.refused(5, f"redemptions still come from {OLD[0]}, {OLD[1]}")
    assert "nothing was removed" in result.impact
    assert untouched(ready)


def test_traffic_on_new_addresses_does_not_prevent_the_removal(ready: Desk) -> None:
    with application(ready, "new"):
        assert ready.run(*REMOVE).code == 0
    assert lists_held(ready, *OLD) is False
    assert all(one.result == "redeemed" for one in ready.emulator.redemptions)


def test_remove_old_without_a_canary_is_refused(ready: Desk) -> None:
    ready.configure(verify=None)
    ready.run(*REMOVE).refused(5, "no redemption has proven each new address")
    assert untouched(ready)


def test_remove_old_waits_for_the_rest_of_settle(ready: Desk) -> None:
    assert ready.run("verify", "--out", "evidence.json").code == 0
    verify_with(ready, settle="2s")
    proven = ready.emulator.redemptions[-1].time
    assert ready.run(*REMOVE, "--evidence", "evidence.json").code == 0
    removed = ready.emulator.allowlist_history[-1]
    assert (removed.time - proven).total_seconds() >= 2


def evidence(desk: Desk, change: Callable[[dict[str, Any]], object] = lambda _: None) -> None:
    """Verify, then change the evidence."""
    path = desk.folder / "evidence.json"
    assert desk.run("verify", "--out", str(path)).code == 0
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document))


def of_canary(**values: object) -> Callable[[dict[str, Any]], object]:
    """A function that changes values of the canary in the evidence."""
    return lambda one: one["targets"][0]["canaries"][0].update(values)


@pytest.mark.parametrize(
    ("change", "code", "part"),
    [
        (
            lambda one: one.update(cutover="other"),
            5,
            "does not cover packaging in emulated-cutover",
        ),
        (
            lambda one: one["targets"][0].update(target="other"),
            5,
            "does not cover packaging in emulated-cutover",
        ),
        (lambda one: one["targets"][0].update(app="Other"), 5, "for app Other"),
        (lambda one: one["targets"][0].update(organization_id="00Dx"), 4, "organization 00Dx"),
        (lambda one: one["targets"][0].update(via="old"), 5, "it proves the old egress"),
        (
            lambda one: one["targets"][0]["canaries"][0].update(addresses=[]),
            5,
            "does not prove 127.0.0.21",
        ),
        (
            lambda one: one["targets"][0]["canaries"][0].update(last_proof="2026-01-01T00:00:00Z"),
            5,
            "older",
        ),
        (
            lambda one: one["targets"][0]["canaries"][0].update(last_proof="2999-01-01T00:00:00Z"),
            5,
            "future",
        ),
        (
            lambda one: one["targets"][0]["canaries"][0].update(last_proof="2026-01-01T00:00:00"),
            2,
            "last_proof",
        ),
        (lambda one: one.clear(), 2, "not an evidence file of this version"),
    ],
)
def test_evidence_of_something_else_is_refused(
    change: Callable[[dict[str, Any]], object], code: int, part: str, ready: Desk
) -> None:
    evidence(ready, change)
    ready.run(*REMOVE, "--evidence", "evidence.json").refused(code, part)
    assert untouched(ready)


def test_evidence_that_is_not_json_is_refused(ready: Desk) -> None:
    ready.write("evidence.json", "<html>")
    ready.run(*REMOVE, "--evidence", "evidence.json").refused(
        2, "not an evidence file of this version"
    )
    ready.run(*REMOVE, "--evidence", "none.json").refused(2, "cannot be read")
    assert untouched(ready)


def test_evidence_older_than_a_change_of_the_list_is_replaced(ready: Desk) -> None:
    evidence(ready)
    ready.put_live(with_entry(range_xml("192.0.2.200", "192.0.2.200")))
    redeemed = len(ready.emulator.redemptions)
    result = ready.run(*REMOVE, "--evidence", "evidence.json")
    assert result.code == 0, result.err
    assert "the live allowlist has changed since; verifying again" in result.err
    assert {one.source for one in ready.emulator.redemptions[redeemed:]} == set(NEW)


def test_an_address_added_later_is_not_proven(ready: Desk) -> None:
    evidence(ready)
    ready.configure(new=[*NEW, "192.0.2.64"])
    result = ready.run(*REMOVE, "--evidence", "evidence.json")
    result.refused(5, "it does not prove 192.0.2.64")
    assert untouched(ready)


# Without proof


def test_skipping_the_gate_requires_a_reason(ready: Desk) -> None:
    for words in (SKIP[:1], SKIP[1:], ("--skip-verification", "--reason", " ")):
        assert ready.run(*REMOVE, *words).code == 2
    assert untouched(ready)


def test_skipping_the_gate_requires_a_terminal(ready: Desk) -> None:
    result = ready.call(*REMOVE, *SKIP)
    result.refused(2, "requires a terminal")
    assert untouched(ready)


@pytest.mark.parametrize(("typed", "code"), [("yes\n", 5), ("acme_connector\n", 5), ("\x04", 9)])
def test_any_answer_but_the_name_deploys_nothing(typed: str, code: int, ready: Desk) -> None:
    result = at_terminal(ready, typed, *REMOVE, *SKIP)
    assert result.code == code, result.err
    assert untouched(ready)


def test_the_typed_name_continues_and_the_reason_is_recorded(ready: Desk) -> None:
    result = at_terminal(ready, "Acme_Connector\n", *REMOVE, *SKIP, "--json")
    assert result.code == 0, result.err
    assert "warning: remove-old without proof" in result.err
    assert "verification skipped: the grant is gone" in result.err
    document = result.json("deploy")
    assert document["targets"][0]["clearance"] == "verification skipped: the grant is gone"
    assert not any(entry.startswith(OLD) for entry in ready.live())
