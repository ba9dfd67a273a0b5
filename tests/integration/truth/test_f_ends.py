"""F: however a command ends, its last lines and its exit code are true."""

from __future__ import annotations

import re
import signal
import subprocess
from collections.abc import Callable
from contextlib import suppress
from itertools import cycle

import pytest

from sfcutover.emulator import Emulator
from tests.chaos.world import NEW, OLD, World
from tests.integration.cli.harness import eventually
from tests.integration.truth.conftest import OpenWorld
from tests.integration.truth.scene import configure

UNTRUE = "nothing was changed in the org"


def end_of(process: subprocess.Popen[str]) -> tuple[int, str]:
    out, _ = process.communicate(timeout=60)
    return process.returncode, out


def printed_code(out: str) -> int:
    """The exit code that the last error names."""
    codes = re.findall(r"^\s+exit:\s+(\d+)$", out, re.MULTILINE)
    assert codes, f"no exit code in:\n{out}"
    return int(codes[-1])


def sent(emulator: Emulator, count: int) -> Callable[[], bool]:
    return lambda: len(emulator.deployments) >= count


@pytest.fixture
def watched(here: World) -> World:
    """Its watch is long enough to be interrupted, and notify writes down what it hears."""
    configure(
        here,
        watch={"duration": "60s", "interval": "300ms", "failures": 2},
        notify=["sh", "-c", 'echo "$SFCUTOVER_EVENT $SFCUTOVER_MESSAGE" >> notified'],
    )
    return here


def interrupt_watch(here: World) -> tuple[int, str]:
    """Interrupt the watch of a run with two signals in turn, until the process ends.

    One pair hits the gap between two handlers only now and then.
    """
    process = here.start("run", "--yes")
    here.wait_for("watch-begun")
    for number in cycle((signal.SIGINT, signal.SIGTERM)):
        process.send_signal(number)
        with suppress(subprocess.TimeoutExpired):
            process.wait(0.005)
            break
    return end_of(process)


@pytest.mark.xfail(
    strict=True,
    raises=AssertionError,
    reason="F: after two signals the last lines do not say that the old addresses are off",
)
def test_after_two_signals_the_last_lines_say_what_is_live(watched: World) -> None:
    code, out = interrupt_watch(watched)
    assert watched.live == set(NEW)
    assert code == 9, out
    assert printed_code(out) == 9
    last = out.rpartition("error:")[2]
    assert UNTRUE not in last
    assert "old addresses" in last
    assert "watch" in last


@pytest.mark.xfail(
    strict=True,
    raises=AssertionError,
    reason="F: notify does not hear that addresses are off and no process watches",
)
def test_notify_hears_that_no_process_watches(watched: World) -> None:
    interrupt_watch(watched)
    assert watched.live == set(NEW)
    notified = watched.folder / "notified"
    assert notified.exists()
    assert "watch" in notified.read_text(encoding="utf-8")


@pytest.mark.xfail(
    strict=True,
    raises=AssertionError,
    reason="F: SIGHUP ends a run during add-new without a word",
)
def test_a_closed_terminal_during_add_new_ends_with_true_words(open_world: OpenWorld) -> None:
    here = open_world(deploy_seconds=2)
    process = here.start("run", "--yes")
    here.wait_for("deployment-sent")
    process.send_signal(signal.SIGHUP)
    code, out = end_of(process)
    assert code == 9, out
    assert printed_code(out) == 9
    assert here.emulator.deployments[0].id in out.rpartition("error:")[2], out
    assert UNTRUE not in out


@pytest.mark.xfail(
    strict=True,
    raises=AssertionError,
    reason="F: SIGHUP ends a run at remove-old without a word, and no process watches",
)
def test_a_closed_terminal_at_remove_old_ends_with_true_words(open_world: OpenWorld) -> None:
    here = open_world(deploy_seconds=2)
    process = here.start("run", "--yes")
    here.wait_for("deployment-sent", 2)
    process.send_signal(signal.SIGHUP)
    code, out = end_of(process)
    assert code in (0, 9), out  # what must not be cut off may be finished first
    assert code == 0 or printed_code(out) == 9
    assert UNTRUE not in out


def test_a_run_under_nohup_outlives_its_terminal(here: World) -> None:
    process = here.start(
        "run", "--yes", before=lambda: (signal.signal(signal.SIGHUP, signal.SIG_IGN), None)[1]
    )
    here.wait_for("deployment-sent")
    process.send_signal(signal.SIGHUP)
    code, out = end_of(process)
    assert code == 0, out


@pytest.mark.xfail(
    strict=True,
    raises=AssertionError,
    reason="F: a canceled deployment is said to go on in the org",
)
def test_a_canceled_deployment_does_not_go_on(open_world: OpenWorld) -> None:
    here = open_world(deploy_seconds=4)
    process = here.start("deploy", "add-new", "--yes", "--cancel-on-interrupt")
    eventually(sent(here.emulator, 1))
    process.send_signal(signal.SIGINT)
    code, out = end_of(process)
    assert code == 9, out
    assert here.emulator.deployments[0].status.value == "Canceled"
    assert "goes on in the org" not in out
    assert "may still land" not in out
    assert "Canceled" in out


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
@pytest.mark.xfail(
    strict=True,
    raises=AssertionError,
    reason="F: the exit code that is printed is not the one of the process",
)
def test_the_printed_exit_code_is_the_real_one(
    open_world: OpenWorld, number: signal.Signals
) -> None:
    """The same signal comes again when the first one's lines are being printed."""
    here = open_world(deploy_seconds=2)
    process = here.start("run", "--yes")
    here.wait_for("deployment-sent")
    process.send_signal(number)
    assert process.stdout is not None
    out = ""
    for line in process.stdout:
        out += line
        process.send_signal(number)
    assert process.wait(60) == printed_code(out)


@pytest.mark.xfail(
    strict=True,
    raises=AssertionError,
    reason="F: a run that waits for an approval ends with 69",
)
def test_a_run_that_waits_for_an_approval_ends_with_75(here: World) -> None:
    words = ("run", "--yes", "--pause-before", "switch")
    for _ in range(2):
        code, out = here.call(*words)
        assert code == 75, out
        assert printed_code(out) == 75


@pytest.mark.xfail(
    strict=True,
    raises=AssertionError,
    reason="F: a run that waits for a manual switch ends with 69",
)
def test_a_run_that_waits_for_a_manual_switch_ends_with_75(here: World) -> None:
    configure(here, switch={"manual": True})
    for _ in range(2):
        code, out = here.call("run", "--yes")
        assert code == 75, out
    assert here.live == {*OLD, *NEW}
