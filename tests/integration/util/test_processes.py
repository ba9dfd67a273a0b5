from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from sfcutover.util import processes
from sfcutover.util.childenvironment import child_environment, withhold
from sfcutover.util.knownsecrets import SECRET_PLACES
from sfcutover.util.processes import MAX_LINE_BYTES, Cause, Ended, run_in_group

FOREVER = "import threading; threading.Event().wait()"
Run = Callable[..., Ended]


@pytest.fixture
def lines() -> list[str]:
    return []


@pytest.fixture
def run(lines: list[str]) -> Run:
    """Runs Python code and keeps what it prints."""

    def run_(code: str) -> Ended:
        argv = (sys.executable, "-uc", code)
        return run_in_group(argv, os.environ, timeout=60, output=lines.append)

    return run_


@pytest.fixture
def shell(lines: list[str]) -> Run:
    """Runs a line of sh and keeps what it prints."""

    def run_(code: str, *, timeout: float = 60.0) -> Ended:
        return run_in_group(("sh", "-c", code), os.environ, timeout=timeout, output=lines.append)

    return run_


def alive(pid: int) -> bool:
    """False for a process that has ended, also if its parent has not waited for it."""
    try:
        return ") Z" not in Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False


def dies(pid: int) -> bool:
    deadline = time.monotonic() + 10
    while alive(pid) and time.monotonic() < deadline:
        os.sched_yield()
    return not alive(pid)


def test_lines_of_both_streams_arrive_as_they_are_printed(run: Run, lines: list[str]) -> None:
    ended = run(
        "import sys; print('one'); print('two', file=sys.stderr)\n"
        "print('50%\\r100%\\r\\nend', end='')"
    )
    assert (ended.status, ended.cause, ended.cut_short) == (0, Cause.ITSELF, False)
    assert lines == ["one", "two", "50%", "100%", "end"]
    assert str(ended) == "exit status 0"


def test_the_exit_status_or_the_signal_is_reported(run: Run) -> None:
    assert str(run("raise SystemExit(7)")) == "exit status 7"
    ended = run("import os, signal; os.kill(os.getpid(), signal.SIGKILL)")
    assert (ended.status, str(ended)) == (-9, "ended by SIGKILL")
    assert str(Ended(-63, 0.0, Cause.ITSELF)) == "ended by signal 63"


def test_any_bytes_are_accepted(run: Run, lines: list[str]) -> None:
    run("import sys; sys.stdout.buffer.write(b'\\xff\\xfe\\n')")
    assert lines == ["\ufffd\ufffd"]


def test_a_line_over_the_limit_is_omitted(run: Run, lines: list[str]) -> None:
    run(f"print('x' * {MAX_LINE_BYTES * 3}); print('after'); print('y' * {MAX_LINE_BYTES + 1})")
    note = f"(a line of more than {MAX_LINE_BYTES:,} bytes was omitted)"
    assert lines == [note, "after", note]


def test_stdin_is_empty(run: Run, lines: list[str]) -> None:
    run("import sys; print(repr(sys.stdin.read()))")
    assert lines == ["''"]


def test_a_command_ends_although_its_child_lives(run: Run, lines: list[str]) -> None:
    code = (
        f"import subprocess, sys; print(subprocess.Popen([sys.executable, '-c', {FOREVER!r}]).pid)"
    )
    ended = run(code)
    child = int(lines[0])
    try:
        assert ended.status == 0
        assert ended.seconds < 30
        assert alive(child)
    finally:
        os.kill(child, signal.SIGKILL)


def test_a_command_that_closes_its_output_is_awaited(shell: Run) -> None:
    assert shell("exec >&- 2>&-; exit 3").status == 3
    assert shell("exec >&- 2>&-; sleep 1000", timeout=0.3).cause is Cause.TIMEOUT


def test_the_time_limit_ends_the_whole_group(shell: Run, lines: list[str]) -> None:
    ended = shell("sleep 1000 & echo $!; wait", timeout=0.5)
    assert ended.cause is Cause.TIMEOUT
    assert str(ended).startswith("ended after its time limit (0.")
    assert dies(int(lines[0]))


def test_a_process_that_ignores_sigint_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Interrupted by Ctrl-C, as a time limit could come before the process ignores signals."""

    def interrupt(_: str) -> None:
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(processes, "GRACE_SECONDS", 0.2)
    argv = ("sh", "-c", "trap '' INT; echo ready; while :; do sleep 1000; done")
    ended = run_in_group(argv, os.environ, timeout=60, output=interrupt)
    assert (ended.status, ended.cause) == (-signal.SIGKILL, Cause.INTERRUPTED)


def test_children_that_the_leader_left_are_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A shell's child in the background ignores Ctrl-C."""
    pids: list[int] = []

    def interrupt(line: str) -> None:
        pids.append(int(line))
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(processes, "GRACE_SECONDS", 0.2)
    argv = ("sh", "-c", "sleep 1000 & echo $!; wait")
    ended = run_in_group(argv, os.environ, timeout=60, output=interrupt)
    assert ended.cause is Cause.INTERRUPTED
    assert dies(pids[0])


def test_ctrl_c_is_forwarded_and_later_output_is_shown() -> None:
    code = (
        "import signal, sys\n"
        "signal.signal(signal.SIGINT, lambda *_: sys.exit(print('told') or 4))\n"
        f"print('ready')\n{FOREVER}"
    )
    lines = []

    def take(line: str) -> None:
        lines.append(line)
        if line == "ready":
            signal.raise_signal(signal.SIGINT)

    argv = (sys.executable, "-uc", code)
    ended = run_in_group(argv, os.environ, timeout=60, output=take)
    assert (ended.status, ended.cause) == (4, Cause.INTERRUPTED)
    assert lines == ["ready", "told"]


def test_a_failing_output_leaves_no_command_running() -> None:
    pids: list[int] = []

    def fail(line: str) -> None:
        pids.append(int(line))
        raise OSError("no room")

    argv = (sys.executable, "-uc", f"import os; print(os.getpid()); {FOREVER}")
    with pytest.raises(OSError, match="no room"):
        run_in_group(argv, os.environ, timeout=60, output=fail)
    assert dies(pids[0])


def test_the_environment_contains_the_facts_and_no_secrets(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PROXY_URL", "http://me:hunter2-pw@proxy.example.com")
    monkeypatch.setenv("SFDX_AUTH_URL", "force://PlatformCLI::hunter2@example.com")
    monkeypatch.setenv("PASSED", "a secret that a command needs")
    monkeypatch.setenv("FACT", "old")
    names = frozenset({"PROXY_URL", "PASSED", "NEVER_SET"})
    withhold(names, passed=frozenset({"PASSED"}))
    environment = child_environment({"FACT": "new"})
    assert "PASSED" in environment
    monkeypatch.delenv("PROXY_URL")
    monkeypatch.delenv("SFDX_AUTH_URL")
    assert environment == {**os.environ, "FACT": "new"}


def test_a_secret_that_the_command_knows_from_elsewhere_is_masked(
    run: Run, lines: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for number, value in enumerate(
        (
            "http://me:sword-fish@[::1",
            "http://me:p%C3%A4ss%40word@proxy.example.com",
            "force://an-id:a-secret:5Aep861-a-token@acme.example.com",
        )
    ):
        monkeypatch.setenv(f"URL_{number}", value)
    (tmp_path / "file").write_text("of-a-file\n")
    SECRET_PLACES.add(
        ("URL_0", "URL_1", "URL_2"),
        [tmp_path / "file", tmp_path / "missing", tmp_path],
        [("echo", "of-a-command"), ("false",)],
    )
    run("print('a sword-fish b http://me:sword-fish@[::1 c')")
    run("print('user me, password päss@word, p%C3%A4ss%40word'.encode().decode())")
    run("import base64; print(base64.b64encode('me:päss@word'.encode()).decode())")
    run("print('an-id a-secret 5Aep861-a-token')")
    run("print('of-a-file of-a-command')")
    assert lines == [
        "a sword-fish b *** c",
        "user me, password ***, ***",
        "***",
        "an-id *** ***",
        "*** ***",
    ]


def test_a_file_is_read_every_time_and_a_command_is_run_once(
    run: Run, lines: list[str], tmp_path: Path
) -> None:
    file, log = tmp_path / "file", tmp_path / "log"
    file.write_text("first-token")
    SECRET_PLACES.add((), [file], [("sh", "-c", f"echo run >> {log}; echo of-a-command")])
    run("print('first-token')")
    file.write_text("second-token")
    run("print('first-token second-token')")
    assert lines == ["***", "*** ***"]
    assert log.read_text() == "run\n"
