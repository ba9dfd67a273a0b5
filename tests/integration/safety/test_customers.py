"""Customers redeem in their own orgs: the application's metrics decide whether they have moved."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.chaos.world import NEW, OLD, Customers, World, wait_until
from tests.integration.safety.conftest import OpenWorld
from tests.integration.safety.scene import configure, configure_part

pytestmark = pytest.mark.slow  # whole runs, in processes of their own

Json = dict[str, object]
QUIET = "requests through the old proxy"


def flag_check(folder: Path, name: str, **keys: object) -> Json:
    """A check that passes while a file of this name exists."""
    (folder / name).touch()
    return {"name": name, "command": ["test", "-e", name], **keys}


@contextmanager
def at_work(here: World) -> Iterator[Customers]:
    customers = Customers(here.emulator, here.folder, pause=0.3)
    with customers.at_work():
        yield customers


# Quiet checks


def test_traffic_on_the_old_addresses_prevents_their_removal(
    open_world: OpenWorld,
) -> None:
    here = open_world(login_history="unavailable")
    configure_part(here, "switch", apply=["true"], revert=["true"])
    with at_work(here) as customers:
        code, out = here.call("run", "--yes")
    assert code == 69, out
    assert f"customers still use the old addresses: the quiet check {QUIET} failed" in out
    assert set(OLD) <= here.live
    assert customers.failures == []


def test_a_quiet_check_must_pass_for_a_while_and_answers_the_question(here: World) -> None:
    held = flag_check(here.folder, "quiet", **{"for": "1s"})
    configure(here, quiet=[held])
    code, out = here.call("run", "--yes")
    assert code == 0, out
    assert "quiet passed for 1 s" in out


def test_without_quiet_checks_the_operator_answers_despite_login_history(
    here: World,
) -> None:
    configure(here, quiet=None)
    code, out = here.call("run", "--yes")
    assert code == 75, out
    assert "LoginHistory shows only this org's own users" in out
    assert here.call("approve")[0] == 0
    assert not set(OLD) & here.live


def test_an_inconclusive_quiet_check_waits_for_the_operator(here: World) -> None:
    configure(here, quiet=[{"name": "metric", "command": ["sh", "-c", "exit 2"], "for": "0s"}])
    code, out = here.call("deploy", "add-new", "--yes")
    assert code == 0, out
    code, out = here.call("deploy", "remove-old", "--yes")
    assert code == 5, out
    assert "the quiet check metric does not show that customers have left" in out
    assert set(OLD) <= here.live


# Checks between the switch and the removal


def test_a_failed_check_after_the_switch_moves_the_traffic_back(here: World) -> None:
    configure(here, checks=[flag_check(here.folder, "healthy", during=["switch"])])
    script = 'test "$SFCUTOVER_DIRECTION" = revert || rm healthy; '
    move = 'echo "$SFCUTOVER_DIRECTION" >> switches; echo {} > egress'
    configure_part(
        here,
        "switch",
        apply=["sh", "-c", script + move.format("new")],
        revert=["sh", "-c", script + move.format("old")],
    )
    configure_part(here, "verify", settle="20s")
    code, out = here.call("run", "--yes")
    assert code == 5, out
    assert 'after traffic moved, the check "healthy" failed, 2 times in a row' in out
    assert here.switches == ["apply", "revert"]
    assert set(OLD) | set(NEW) <= here.live


def test_a_failed_check_during_a_pause_moves_the_traffic_back(here: World) -> None:
    healthy = {**flag_check(here.folder, "healthy"), "name": "metrics"}
    other = {
        **flag_check(here.folder, "other"),
        "name": "metrics",
    }  # keeps passing
    configure(here, checks=[healthy, other], quiet=None)
    process = here.start("run", "--yes", "--stay")
    here.wait_for("paused")
    (here.folder / "healthy").unlink()
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 5, out
    assert here.switches == ["apply", "revert"]
    assert set(OLD) <= here.live


def test_a_failed_check_while_waiting_for_quiet_moves_the_traffic_back(here: World) -> None:
    configure(
        here,
        checks=[flag_check(here.folder, "healthy")],
        quiet=[flag_check(here.folder, "quiet", **{"for": "60s"})],
    )
    process = here.start("run", "--yes")
    here.wait_for("wave")
    (here.folder / "healthy").unlink()
    out, _ = process.communicate(timeout=40)
    assert process.returncode == 5, out
    assert 'after traffic moved, the check "healthy" failed' in out
    assert here.switches == ["apply", "revert"]
    assert set(OLD) | set(NEW) <= here.live
    assert len(here.emulator.deployments) == 1


def test_a_check_can_compare_with_the_time_before_the_switch(here: World) -> None:
    """Customers lose half of their traffic with the switch, according to the metric."""
    prometheus = {
        "url": f"{here.emulator.url}/prometheus",
        "query": "customer_redemptions_per_second",
        "condition": ">= 0.8 * before",
    }
    configure(
        here, checks=[{"name": "rate", "prometheus": prometheus, "baseline": "4s"}], quiet=None
    )
    configure_part(here, "verify", settle="20s")
    with at_work(here) as customers:
        wait_until(lambda: customers.redeemed >= 30)
        script = "touch halved; echo {} >> switches; echo {} > egress"
        configure_part(
            here,
            "switch",
            apply=["sh", "-c", script.format("apply", "new")],
            revert=["sh", "-c", script.format("revert", "old")],
        )
        process = here.start("run", "--yes")
        here.wait_for("switching")
        with customers.held():
            out, _ = process.communicate(timeout=90)
    assert process.returncode == 5, out
    assert 'the check "rate" failed' in out
    assert "(before: " in out
    assert here.switches == ["apply", "revert"]


def test_the_watch_command_knows_when_the_switch_command_moved_traffic(here: World) -> None:
    prometheus = {
        "url": f"{here.emulator.url}/prometheus",
        "query": "customer_redemptions_per_second",
        "condition": ">= 0 * before",
    }
    configure(here, checks=[{"name": "rate", "prometheus": prometheus, "baseline": "4s"}])
    with at_work(here) as customers:
        wait_until(lambda: customers.redeemed >= 10)
        assert here.call("deploy", "add-new", "--yes")[0] == 0
        _, before = here.call("watch", "--json")
        assert here.call("switch")[0] == 0
        code, after = here.call("watch", "--json")
    assert code == 0, after
    assert "its value before the switch is unknown" in before
    assert "(before: " in after


# Several canaries


def canaries(here: World, *, with_org: bool) -> list[Json]:
    """The owner org's canary, and one of a customer's org."""
    (customer,) = here.emulator.customer_orgs
    token = here.folder / "customer.token"
    token.touch(0o600)
    token.write_text(customer.refresh_token, encoding="utf-8")
    org = {
        "access_token": {"env": "SF_CUSTOMER1_ACCESS_TOKEN"},
        "instance_url": customer.url,
    }
    second: Json = {
        "name": "customer",
        "token_url": customer.token_url,
        "refresh_token": {"file": str(token)},
        **({"org": org} if with_org else {}),
    }
    first: Json = {"name": "own", "refresh_token": {"file": str(here.folder / "canary.token")}}
    return [first, second]


def proofs_of(here: World) -> list[Json]:
    """What each canary has proven, as verify writes it."""
    code, out = here.call("verify", "--json", "-q")
    assert code == 0, out
    (target,) = json.loads(out)["targets"]
    found: list[Json] = target["canaries"]
    return found


def test_every_address_is_proven_by_every_canary(open_world: OpenWorld) -> None:
    here = open_world(customer_orgs=1)
    configure_part(here, "verify", refresh_token=None, canaries=canaries(here, with_org=True))
    assert here.call("deploy", "add-new", "--yes")[0] == 0
    own, customer = proofs_of(here)
    assert (own["canary"], own["proof"]) == ("own", "login-history")
    assert (customer["canary"], customer["proof"]) == ("customer", "login-history")
    assert own["organization_id"] != customer["organization_id"]
    code, out = here.call("run", "--yes")
    assert code == 0, out


def test_a_canary_without_login_history_is_proven_by_many_successes(
    open_world: OpenWorld,
) -> None:
    here = open_world(customer_orgs=1)
    configure_part(here, "verify", refresh_token=None, canaries=canaries(here, with_org=False))
    assert here.call("deploy", "add-new", "--yes")[0] == 0
    _, customer = proofs_of(here)
    assert (customer["proof"], customer["login_history"]) == ("confidence", "other-org")
    assert "whose LoginHistory is not read" in str(customer["uncertain"])


def test_a_canary_refused_by_its_own_org_proves_nothing(open_world: OpenWorld) -> None:
    here = open_world(customer_orgs=1)
    configure_part(here, "verify", refresh_token=None, canaries=canaries(here, with_org=False))
    (customer,) = here.emulator.customer_orgs
    customer.set_login_ranges(OLD)
    code, out = here.call("run", "--yes")
    assert code == 69, out
    assert "a rule of the user's own org" in out
    assert here.side == "old"


def test_evidence_of_one_canary_does_not_count_if_two_must_prove(open_world: OpenWorld) -> None:
    here = open_world(customer_orgs=1)
    assert here.call("deploy", "add-new", "--yes")[0] == 0
    code, out = here.call("verify", "--out", "evidence.json")
    assert code == 0, out
    configure_part(here, "verify", refresh_token=None, canaries=canaries(here, with_org=False))
    code, out = here.call("deploy", "remove-old", "--yes", "--evidence", "evidence.json")
    assert code == 5, out
    assert "the canary customer has proven nothing" in out
