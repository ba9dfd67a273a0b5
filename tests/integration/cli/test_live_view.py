"""A run at a terminal, in child processes: what the screen shows, and what remains."""

from __future__ import annotations

import codecs
import fcntl
import json
import os
import pty
import re
import signal
import struct
import termios
import threading
from contextlib import suppress

import pytest

from sfcutover.emulator.faults import Fault
from tests.integration.cli.conftest import OpenDesk
from tests.integration.cli.harness import (
    PROCESS_SECONDS,
    Desk,
    HeldClock,
    Process,
    at_terminal,
    environment,
)
from tests.integration.cli.traffic import RunningClock, keep_token, verify_with
from tests.unit.output.terminal import Terminal

pytestmark = pytest.mark.slow  # whole runs, on terminals

RUN = "emulated-cutover.1"
TIMESTAMPED = re.compile(r"(warning: )?\d\d:\d\d:\d\dZ .*")


@pytest.fixture
def clock() -> HeldClock:
    return RunningClock()


@pytest.fixture(autouse=True)
def _no_locale(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LANG", "LC_CTYPE", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def ready(open_desk: OpenDesk) -> Desk:
    """An org whose run takes a few seconds."""
    return _quick(open_desk())


def _quick(desk: Desk) -> Desk:
    keep_token(desk)
    verify_with(desk, settle="0s")
    desk.configure(watch={"duration": "400ms", "interval": "200ms", "failures": 2})
    return desk


def approvals(desk: Desk) -> int:
    """How many approvals of the run the report lists."""
    report = json.loads(desk.call("report", "--format", "json").out)
    return sum(each["decision"] == "approved" for each in report["decisions"])


class TerminalProcess:
    """A process at a terminal of its own, whose screen follows its output."""

    def __init__(self, desk: Desk, *words: str, size: tuple[int, int] = (80, 24), **more: str):
        self.terminal = Terminal(*size, wraps=True)
        self._changed = threading.Condition()
        self._ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", size[1], size[0], 0, 0))
        self.modes = termios.tcgetattr(theirs)
        variables = {"TERM": "xterm-256color", "LC_ALL": "C.UTF-8", "NO_COLOR": "1", **more}
        streams = {"stdin": theirs, "stdout": theirs, "stderr": theirs}
        self.process: Process = desk.start(*words, env=environment(**variables), **streams)
        self._theirs = theirs
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        decoder = codecs.getincrementaldecoder("utf-8")()
        with suppress(OSError):  # Linux: the other end is closed
            while part := os.read(self._ours, 65536):
                with self._changed:
                    self.terminal.write(decoder.decode(part))
                    self._changed.notify_all()

    def type(self, keys: str) -> None:
        os.write(self._ours, keys.encode())

    def wait_for(self, *words: str) -> str:
        """The screen, once it shows all the words."""

        def seen() -> bool:
            return all(word in "\n".join(self.terminal.screen) for word in words)

        with self._changed:
            assert self._changed.wait_for(seen, PROCESS_SECONDS), self.terminal.text
            return "\n".join(self.terminal.screen)

    def result(self) -> tuple[int, str]:
        """The exit code and everything that remains. The terminal's state is restored."""
        code = self.process.result().code
        assert termios.tcgetattr(self._theirs) == self.modes
        os.close(self._theirs)
        self._reader.join(PROCESS_SECONDS)
        os.close(self._ours)
        assert self.terminal.cursor_shown
        return code, self.terminal.text


def test_a_run_is_shown_to_its_end(ready: Desk) -> None:
    code, text = TerminalProcess(ready, "run", "--yes").result()
    assert code == 0, text
    lines = text.splitlines()
    assert lines[0].startswith(f"{RUN}  done  ")
    assert "Acme_Connector on packaging" in lines[0]
    assert sum(line.startswith(" ✓") for line in lines) == 10
    for deployment in ready.emulator.deployments:
        assert deployment.id in text
    assert re.search(r"127\.0\.0\.22  new +\d+ +[01]$", text, re.MULTILINE)
    assert "done: run emulated-cutover.1" in text
    assert text.count("2 deploy add-new") == 1  # nothing of an earlier frame is left


def test_a_run_whose_progress_is_in_a_file_does_not_wait_at_a_pause(ready: Desk) -> None:
    """No operator would see that it waits for keys."""
    ours, theirs = pty.openpty()
    with (ready.folder / "log.txt").open("w", encoding="utf-8") as log:
        words = ("run", "--yes", "--pause-before", "switch")
        process = ready.start(*words, stdin=theirs, stdout=log, stderr=log)
        assert process.result().code == 75
    os.close(ours)
    os.close(theirs)
    text = (ready.folder / "log.txt").read_text(encoding="utf-8")
    assert f"run {RUN}: AWAITING APPROVAL: switch runs the command `" in text


def test_an_interrupt_in_a_deployment_prints_the_error_below_the_screen(
    open_desk: OpenDesk,
) -> None:
    desk = _quick(open_desk(deploy_seconds=60))
    seat = TerminalProcess(desk, "run", "--yes")
    seat.wait_for("InProgress")
    seat.process.send(signal.SIGINT)
    code, text = seat.result()
    assert code == 9, text
    assert f"{RUN}  interrupted" in text.splitlines()[0]
    assert desk.emulator.deployments[0].id in text
    error = text[text.index("\nerror: ") :]
    assert [
        line.split()[0] for line in error.splitlines() if re.match(r"error:|  \w+: ", line)
    ] == [
        "error:",
        "impact:",
        "next:",
        "exit:",
    ]
    assert " ✓ " not in error


def test_a_paused_run_is_approved_from_a_second_terminal(ready: Desk) -> None:
    seat = TerminalProcess(ready, "run", "--yes", "--pause-before", "switch")
    seat.wait_for("AWAITING APPROVAL: switch", f"sfcutover approve {RUN}")
    other = TerminalProcess(ready, "runs", "--follow", size=(100, 40))
    other.wait_for("AWAITING APPROVAL: switch", f"sfcutover cancel {RUN}")
    assert ready.call("approve", "--note", "it is quiet", "--record-only").code == 0
    for each in (seat, other):
        code, text = each.result()
        assert code == 0, text
        assert "approved by" in text
        assert "it is quiet" in text
        assert "━━ AWAITING" not in text


@pytest.mark.parametrize("screen", ["xterm-256color", "dumb"])
def test_a_approves_a_manual_switch(ready: Desk, screen: str) -> None:
    ready.configure(switch={"manual": True})
    seat = TerminalProcess(ready, "run", "--yes", size=(200, 60), TERM=screen)
    seat.wait_for("probe")
    seat.type("a\n")  # before the run is paused, it approves nothing
    seat.wait_for("move the traffic of Acme_Connector to", "type a and Enter to approve")
    assert not approvals(ready)
    seat.type("sfcutover runs\n")  # typed by mistake
    seat.type("a\n")
    code, text = seat.result()
    assert code == 0, text
    assert approvals(ready) == 1


def test_c_cancels_a_manual_switch(ready: Desk) -> None:
    ready.configure(switch={"manual": True})
    seat = TerminalProcess(ready, "run", "--yes", size=(200, 60))
    seat.wait_for("type a and Enter to approve, or c and Enter to cancel the run")
    seat.type("c\n")
    code, text = seat.result()
    assert f"{RUN}  canceled" in text
    assert code == 9, text
    assert not approvals(ready)


def test_a_run_without_a_terminal_for_messages_accepts_no_keys(ready: Desk) -> None:
    ready.configure(switch={"manual": True})
    result = at_terminal(ready, "a\n", "run", "--yes", "--no-stay")
    assert result.code == 75, result.err
    assert "type a" not in result.err


def test_a_failure_remains_on_the_screen(ready: Desk) -> None:
    fault = Fault(kind="save_drops_address", operation="deploy", count=2, address="127.0.0.22")
    ready.emulator.set_fault(fault)
    code, text = TerminalProcess(ready, "run", "--yes").result()
    assert code == 1, text
    assert f"{RUN}  ROLLED BACK" in text
    assert "✗ packaging: FAILED: deployment" in text
    assert "– not reached: verify-new, switch" in text
    assert "rollback: deploy remove-new" in text


def test_a_dumb_terminal_gets_plain_lines(ready: Desk) -> None:
    code, text = TerminalProcess(ready, "run", "--yes", size=(400, 200), TERM="dumb").result()
    assert code == 0, text
    assert "Z packaging add-new: done in" in text
    assert "\n ✓ " not in text


def test_every_line_in_a_pipe_has_its_time(ready: Desk) -> None:
    result = ready.call("run", "--yes")
    assert result.code == 0, result.err
    lines = result.err.splitlines()
    assert all(TIMESTAMPED.fullmatch(line) for line in lines[:-1])
    assert lines[-1].startswith("next: ")


def test_the_c_locale_gets_ascii_only(ready: Desk) -> None:
    code, text = TerminalProcess(ready, "run", "--yes", LC_ALL="C").result()
    assert code == 0, text
    assert text.isascii()
    assert "[ok] 2 deploy add-new" in text


def test_colors_can_be_disabled(ready: Desk) -> None:
    seat = TerminalProcess(ready, "run", "--yes", "--no-color", NO_COLOR="")
    code, text = seat.result()
    assert code == 0, text
    assert not seat.terminal.styles
