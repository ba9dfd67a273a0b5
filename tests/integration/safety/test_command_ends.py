"""However a command ends, its last lines and its exit code are true."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable
from contextlib import suppress
from itertools import cycle
from pathlib import Path

import pytest

from sfcutover.emulator import Emulator
from tests.chaos.world import NEW, OLD, ROOT, World
from tests.integration.cli.harness import eventually
from tests.integration.safety.conftest import OpenWorld
from tests.integration.safety.scene import configure

pytestmark = pytest.mark.slow  # whole runs, in processes of their own

ROUNDS = 6  # a race does not fail every time
UNTRUE = "nothing was changed in the org"


def end_of(process: subprocess.Popen[str]) -> tuple[int, str]:
    out, _ = process.communicate(timeout=60)
    return process.returncode, out


def printed_code(out: str) -> int:
    """The exit code that the last error message names."""
    codes = re.findall(r"^\s+exit:\s+(\d+)$", out, re.MULTILINE)
    assert codes, f"no exit code in:\n{out}"
    return int(codes[-1])


def sent(emulator: Emulator, count: int) -> Callable[[], bool]:
    return lambda: len(emulator.deployments) >= count


@pytest.fixture
def watched(here: World) -> World:
    """A world whose watch is long enough to be interrupted, and whose notifications are
    recorded."""
    configure(
        here,
        watch={"duration": "60s", "interval": "300ms", "failures": 2},
        notify=[
            {"command": ["sh", "-c", 'echo "$SFCUTOVER_EVENT $SFCUTOVER_MESSAGE" >> notified']}
        ],
    )
    return here


def interrupted(here: World, signals: Iterable[signal.Signals]) -> tuple[int, str]:
    """A run, or its resumption, whose watch is interrupted by signals until it ends.

    The signals are close together, as those of GNU timeout or of a CI's cancel.
    """
    redeemed = len(here.emulator.redemptions)
    process = here.start("run", "--yes")
    if here.live != set(NEW):
        here.wait_for("watch-started")
    eventually(lambda: len(here.emulator.redemptions) > redeemed)
    for number in signals:
        process.send_signal(number)
        with suppress(subprocess.TimeoutExpired):
            process.wait(0.005)
            break
    return end_of(process)


def test_after_two_signals_the_last_lines_state_what_is_live(watched: World) -> None:
    for _ in range(ROUNDS):
        code, out = interrupted(watched, cycle((signal.SIGINT, signal.SIGTERM)))
        assert watched.live == set(NEW)
        assert code == 9, out
        assert printed_code(out) == 9
        last = out.rpartition("error:")[2]
        assert UNTRUE not in last
        assert "old addresses" in last
        assert "watch" in last


def test_a_notification_reports_that_no_process_watches(watched: World) -> None:
    interrupted(watched, [signal.SIGTERM])
    assert watched.live == set(NEW)
    notified = watched.folder / "notified"
    assert notified.exists()
    assert "watch" in notified.read_text(encoding="utf-8")


def test_a_closed_terminal_during_add_new_ends_with_a_true_message(open_world: OpenWorld) -> None:
    here = open_world(deploy_seconds=2)
    process = here.start("run", "--yes")
    here.wait_for("deployment-sent")
    process.send_signal(signal.SIGHUP)
    code, out = end_of(process)
    assert code == 9, out
    assert printed_code(out) == 9
    assert here.emulator.deployments[0].id in out.rpartition("error:")[2], out
    assert UNTRUE not in out


def test_a_closed_terminal_during_remove_old_ends_with_a_true_message(
    open_world: OpenWorld,
) -> None:
    here = open_world(deploy_seconds=2)
    process = here.start("run", "--yes")
    here.wait_for("deployment-sent", 2)
    process.send_signal(signal.SIGHUP)
    code, out = end_of(process)
    assert code in (0, 9), out  # what must not be interrupted may finish first
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


def test_a_canceled_deployment_is_not_reported_as_continuing(open_world: OpenWorld) -> None:
    here = open_world(deploy_seconds=4)
    process = here.start("deploy", "add-new", "--yes", "--cancel-on-interrupt")
    eventually(sent(here.emulator, 1))
    process.send_signal(signal.SIGINT)
    code, out = end_of(process)
    assert code == 9, out
    assert here.emulator.deployments[0].status.value == "Canceled"
    assert "continues in the org" not in out
    assert "may still take effect" not in out
    assert "Canceled" in out


class SlowReader:
    """A pipe for a process's output whose reader does not read yet."""

    def __init__(self, path: Path) -> None:
        os.mkfifo(path)
        self._reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        self.writer = os.open(path, os.O_WRONLY)
        self._filler = os.open(path, os.O_WRONLY | os.O_NONBLOCK)

    def fill(self) -> None:
        """Fill the pipe, so that a write blocks until read()."""
        with suppress(BlockingIOError):
            while True:
                os.write(self._filler, b".\n")

    def read(self) -> str:
        """Read everything until the writers have closed it."""
        for end in (self.writer, self._filler):
            os.close(end)
        os.set_blocking(self._reader, True)
        with os.fdopen(self._reader, "rb") as reader:
            return reader.read().decode()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_the_printed_exit_code_equals_the_real_one(watched: World, number: signal.Signals) -> None:
    """The same signal arrives again while the last lines are printed."""
    pipe = SlowReader(watched.folder / "output")
    process = subprocess.Popen(
        [sys.executable, "-m", "sfcutover", "run", "--yes"],
        cwd=watched.folder,
        env=watched.environment | {"PYTHONPATH": str(ROOT)},
        stdin=subprocess.DEVNULL,
        stdout=pipe.writer,
        stderr=subprocess.STDOUT,
    )
    watched.wait_for("watch-started")
    pipe.fill()
    for _ in range(200):
        process.send_signal(number)
        with suppress(subprocess.TimeoutExpired):
            process.wait(0.01)
            break
    out = pipe.read()
    assert process.wait(60) == printed_code(out)


def test_a_run_that_waits_for_an_approval_ends_with_75(here: World) -> None:
    words = ("run", "--yes", "--pause-before", "switch")
    for _ in range(2):
        code, out = here.call(*words)
        assert code == 75, out
        assert printed_code(out) == 75


def test_a_run_that_waits_for_a_manual_switch_ends_with_75(here: World) -> None:
    configure(here, switch={"manual": True})
    for _ in range(2):
        code, out = here.call("run", "--yes")
        assert code == 75, out
    assert here.live == {*OLD, *NEW}
