"""Times are compared within one clock, and missing rows are not taken for quiet traffic."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest

from tests.chaos.world import NEW, OLD, ROOT, Customers, World
from tests.integration.safety.conftest import OpenWorld
from tests.integration.safety.scene import (
    blocked_customers,
    configure,
    configure_part,
    removed_at,
)

pytestmark = pytest.mark.slow  # whole runs, in processes of their own

SILENCE = "nothing shows that customers have left"
TRAFFIC_MOVED = "--traffic-moved"
REMOVE = ("deploy", "remove-old", "--yes")
HOUR = 3600.0


@contextmanager
def customers_on_old(here: World) -> Iterator[Customers]:
    """An application that the switch command does not affect: it stays on the old addresses."""
    configure_part(here, "switch", apply=["true"], revert=["true"])
    customers = Customers(here.emulator, here.folder, pause=0.4)
    with customers.at_work():
        yield customers


def call_at(here: World, offset: str, *words: str) -> tuple[int, str]:
    """Run the command on a machine whose clock is off by that much, in faketime's notation."""
    fake = ["faketime", "--exclude-monotonic", "-f", offset]
    for _ in range(3):
        done = subprocess.run(
            [*fake, sys.executable, "-m", "sfcutover", *words],
            cwd=here.folder,
            env=here.environment | {"PYTHONPATH": str(ROOT)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=60,
            check=False,
        )
        if "Invalid argument" not in done.stdout:  # faketime's answer to a sleep of no time
            break
    return done.returncode, done.stdout


@pytest.mark.parametrize(
    ("offset", "settle"), [(-120.0, "300ms"), (-9.0, "8s")], ids=["120 s behind", "9 s behind"]
)
def test_customers_on_old_addresses_are_detected_with_any_clocks(
    open_world: OpenWorld, offset: float, settle: str
) -> None:
    here = open_world(clock_offset_seconds=offset)
    configure_part(here, "verify", settle=settle)
    with customers_on_old(here):
        code, out = here.call("run", "--yes")
    assert blocked_customers(here.emulator) == [], out
    assert code != 0
    assert set(OLD) <= here.live


def test_customers_who_have_moved_do_not_prevent_a_removal_by_a_fast_clock(
    open_world: OpenWorld,
) -> None:
    """Redemptions from before the proof stay before it, whichever clock dates them."""
    here = open_world(clock_offset_seconds=300)
    customers = Customers(here.emulator, here.folder, pause=0.4)
    with customers.at_work():
        code, out = here.call("run", "--yes")
    assert code == 0, out
    assert customers.failures == []


@pytest.mark.skipif(shutil.which("faketime") is None, reason="faketime is not installed")
def test_a_slow_clock_does_not_shorten_settle(here: World) -> None:
    """The evidence comes from a slow machine: it looks 55 seconds older than it is."""
    configure_part(here, "verify", settle="15s")
    code, out = here.call("deploy", "add-new", "--yes")
    assert code == 0, out
    code, out = call_at(here, "-55s", "verify", "--out", "evidence.json")
    assert code == 0, out
    proven = here.emulator.redemptions[-1].time
    code, out = here.call(*REMOVE, "--evidence", "evidence.json")
    assert code == 0, out
    assert removed_at(here) - proven >= timedelta(seconds=15)


def test_the_age_of_evidence_is_measured_by_the_clock_of_the_org(here: World) -> None:
    """The org's clock shows 25 hours more; the machine's clock is slow by as much."""
    for words in (("deploy", "add-new", "--yes"), ("verify", "--out", "evidence.json")):
        code, out = here.call(*words)
        assert code == 0, out
    here.emulator.set_clock_offset(25 * HOUR)
    code, out = here.call(*REMOVE, "--evidence", "evidence.json")
    assert code in (0, 5), out
    redeemed_since = {one.source for one in here.emulator.redemptions[2:]}
    assert code == 5 or redeemed_since >= set(NEW), "old evidence was taken"


def no_history(open_world: OpenWorld) -> World:
    """An org that shows its LoginHistory to no user, and no metric that shows traffic."""
    return without_quiet_checks(open_world(login_history="unavailable"))


def late_history(open_world: OpenWorld) -> World:
    """An org whose LoginHistory is too late, also with the canary's redemptions."""
    here = open_world(login_history="delayed", login_history_delay_seconds=HOUR)
    return without_quiet_checks(here)


def without_quiet_checks(here: World) -> World:
    configure(here, quiet=None)
    return here


SILENT = pytest.mark.parametrize("silent", [no_history, late_history])
OpenSilent = Callable[[OpenWorld], World]


@SILENT
def test_a_run_asks_if_nothing_shows_that_customers_have_moved(
    open_world: OpenWorld, silent: OpenSilent
) -> None:
    here = silent(open_world)
    with customers_on_old(here):
        code, out = here.call("run", "--yes")
    assert blocked_customers(here.emulator) == []
    assert code == 75, out
    assert SILENCE in out


def test_one_approval_that_showed_the_question_answers_it(open_world: OpenWorld) -> None:
    """--pause-before remove-old asks anyway: one pause, which shows the sentence."""
    here = no_history(open_world)
    code, out = here.call("run", "--yes", "--pause-before", "remove-old")
    assert code == 75, out
    assert SILENCE in out
    code, out = here.call("approve")
    assert code == 0, out
    assert here.live == set(NEW)


def test_traffic_moved_option_answers_the_run_and_is_recorded(open_world: OpenWorld) -> None:
    here = no_history(open_world)
    code, out = here.call("run", "--yes", TRAFFIC_MOVED)
    assert code == 0, out
    _, report = here.call("report", "--format", "md")
    assert TRAFFIC_MOVED in report


@SILENT
def test_remove_old_is_refused_if_nothing_shows_that_customers_have_moved(
    open_world: OpenWorld, silent: OpenSilent
) -> None:
    here = silent(open_world)
    code, out = here.call("deploy", "add-new", "--yes")
    assert code == 0, out
    code, out = here.call(*REMOVE)
    assert code == 5, out
    assert SILENCE in out
    assert here.live == {*OLD, *NEW}


def test_traffic_moved_option_permits_remove_old(open_world: OpenWorld) -> None:
    here = no_history(open_world)
    code, out = here.call("deploy", "add-new", "--yes")
    assert code == 0, out
    code, out = here.call(*REMOVE, TRAFFIC_MOVED)
    assert code == 0, out
    assert here.live == set(NEW)
