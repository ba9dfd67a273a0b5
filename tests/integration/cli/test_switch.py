"""Step 3 at the command line: the switch, its revert, and what each has to prove."""

from __future__ import annotations

import sys

import pytest

from sfcutover.emulator.faults import Fault
from tests.integration.cli.harness import Desk, at_terminal
from tests.integration.cli.traffic import NEW, OLD, blocked_sources, keep_token
from tests.integration.cutover.verifying import set_list

SAY = "import os; print(os.environ['SFCUTOVER_DIRECTION'], 'to', os.environ['SFCUTOVER_NEW'])"


@pytest.fixture
def ready(desk: Desk) -> Desk:
    """Old and new addresses are on the allowlist, and a command switches."""
    keep_token(desk)
    set_list(desk.emulator, *OLD, *NEW)
    desk.configure(switch=command(SAY))
    return desk


def command(code: str) -> dict[str, object]:
    argv = [sys.executable, "-c", code]
    return {"apply": argv, "revert": argv}


def test_switch_runs_the_command_and_proves_the_new_egress(ready: Desk) -> None:
    result = ready.run("switch", "--json")
    assert result.code == 0
    document = result.json("switch")
    assert (document["direction"], document["manual"]) == ("apply", False)
    assert (
        document["proof"] == "traffic through the new egress leaves from exactly the new addresses"
    )
    assert f"apply to {NEW[0]},{NEW[1]}" in result.err
    assert "next: sfcutover verify" in result.err
    assert ready.asked("deploy") == 0


def test_a_revert_reports_that_its_command_ran(ready: Desk) -> None:
    assert "done: the revert command ran (" in ready.run("switch", "--revert").out


def test_revert_is_proven_by_a_redemption(ready: Desk) -> None:
    result = ready.run("switch", "--revert", "--json")
    assert result.code == 0
    assert result.json("switch")["direction"] == "revert"
    assert [one.source in OLD for one in ready.emulator.redemptions] == [True]


def test_a_blocked_redemption_after_revert_ends_with_exit_code_5(ready: Desk) -> None:
    ready.emulator.set_fault(Fault(kind="ip_restricted", operation="redeem"))
    ready.run("switch", "--revert").refused(5, "failed (blocked")


def test_traffic_from_an_unexpected_address_ends_with_exit_code_5(ready: Desk) -> None:
    ready.configure(new=[NEW[0]])
    ready.run("switch").refused(5, f"unexpected egress address {NEW[1]}")


@pytest.mark.parametrize(
    ("words", "on_the_list", "part", "fix"),
    [
        (
            ("switch",),
            (*OLD, NEW[0]),
            f"the new address {NEW[1]} would be refused: it is not on the allowlist",
            "deploy add-new first: sfcutover deploy add-new",
        ),
        (
            ("switch", "--revert"),
            NEW,
            f"the old addresses {', '.join(OLD)} would be refused: they are not on the allowlist",
            "restore them first: sfcutover rollback --yes",
        ),
    ],
)
def test_no_traffic_moves_to_an_address_that_is_not_on_the_allowlist(
    words: tuple[str, ...], on_the_list: tuple[str, ...], part: str, fix: str, ready: Desk
) -> None:
    set_list(ready.emulator, *on_the_list)
    ready.configure(switch=command("open('moved', 'w')"))
    result = ready.run(*words)
    result.refused(4, f"traffic from {part}")
    assert (result.impact, result.hint) == ("no traffic was moved", fix)
    assert not (ready.folder / "moved").exists()


def test_traffic_does_not_move_without_a_way_to_prove_it(ready: Desk) -> None:
    ready.configure(switch=command("open('moved', 'w')"), egress=None)
    ready.run("switch").refused(2, "egress.new is not configured")
    assert not (ready.folder / "moved").exists()


def test_a_failed_command_ends_with_exit_code_1(ready: Desk) -> None:
    ready.configure(switch=command("raise SystemExit(3)"))
    result = ready.run("switch")
    result.refused(1, "failed", "3")
    assert "--revert" in result.hint


def test_without_a_switch_section_the_key_to_add_is_named(ready: Desk) -> None:
    ready.configure(switch=None)
    ready.run("switch").refused(2, "switch is not configured")


@pytest.mark.parametrize(("typed", "code"), [("y\n", 0), ("n\n", 9)])
def test_the_operator_confirms_a_manual_switch(typed: str, code: int, ready: Desk) -> None:
    ready.configure(switch={"manual": True})
    result = at_terminal(ready, typed, "switch", "--json")
    assert result.code == code, result.err
    assert "Move the traffic of Acme_Connector to 127.0.0.21" in result.err
    if code == 0:
        assert result.json("switch")["manual"] is True


def test_a_manual_switch_without_a_terminal_is_not_confirmed(ready: Desk) -> None:
    ready.configure(switch={"manual": True})
    ready.call("switch").refused(9, "has not confirmed")
    assert blocked_sources(ready) == set()
