"""Commands that end by a signal, besides run and deploy: each reports only what is true."""

from __future__ import annotations

import os
import pty
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from itertools import cycle
from pathlib import Path

import pytest

from sfcutover.emulator import Edit, Fault, Scenario
from tests.chaos.world import NEW, OLD, ROOT, World, wait_until, world
from tests.integration.cli.harness import eventually
from tests.integration.safety.scene import configure

pytestmark = pytest.mark.slow  # runs that are signalled in the middle of a step

UNTRUE = "nothing was changed in the org"


@pytest.fixture
def here(tmp_path: Path) -> Iterator[World]:
    with world(tmp_path / "world", Scenario(deploy_seconds=1.5)) as one:
        yield one


def ended(process: subprocess.Popen[str]) -> tuple[int, str]:
    out, _ = process.communicate(timeout=60)
    return process.returncode, out


def asked(here: World, operation: str) -> int:
    return sum(event["operation"] == operation for event in here.emulator.log)


def removed(here: World) -> None:
    """The old addresses are not on the allowlist."""
    here.emulator.set_edit(
        Edit.model_validate({"remove": OLD, "add": [{"range": each} for each in NEW]})
    )


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGTERM])
def test_an_interrupted_rollback_is_sent_nevertheless(here: World, number: signal.Signals) -> None:
    removed(here)
    here.emulator.set_fault(Fault(kind="slow", operation="listMetadata", seconds=30, count=1))
    process = here.start("rollback", "--yes")
    eventually(lambda: asked(here, "listMetadata") > 0)
    process.send_signal(number)
    code, out = ended(process)
    assert code == 9, out
    last = out.rpartition("error:")[2]
    assert here.emulator.deployments[0].id in last
    assert "may still take effect" in last
    eventually(lambda: here.live == {*OLD, *NEW})


def test_a_rollback_that_waits_for_confirmation_is_not_sent_after_a_signal(here: World) -> None:
    removed(here)
    here.emulator.set_fault(Fault(kind="slow", operation="listMetadata", seconds=30, count=1))
    process = here.start("rollback")
    eventually(lambda: asked(here, "listMetadata") > 0)
    process.send_signal(signal.SIGTERM)
    code, out = ended(process)
    assert code == 9, out
    assert here.phases == []
    assert "no process watches" in out  # because the old addresses are removed


def test_an_interrupted_run_finishes_restoring_first(here: World) -> None:
    configure(here, watch={"duration": "60s", "interval": "300ms", "failures": 2})
    process = here.start("run", "--yes")
    here.wait_for("watch-started")
    here.emulator.set_edit(Edit(remove=NEW))
    here.wait_for("rolling-back")
    for number in (signal.SIGHUP, signal.SIGTERM):
        process.send_signal(number)
    code, out = ended(process)
    assert code == 9, out
    assert set(OLD) <= here.live
    last = out.rpartition("error:")[2]
    assert UNTRUE not in last
    assert "no process watches" not in last
    code, out = here.call("run", "--yes")
    assert code == 5, out


def test_an_unanswered_request_leaves_the_allowlist_unknown_and_alerts(here: World) -> None:
    configure(
        here,
        watch={"duration": "60s", "interval": "300ms", "failures": 2},
        notify=[{"command": ["sh", "-c", 'echo "$SFCUTOVER_MESSAGE" >> notified']}],
    )
    process = here.start("run", "--yes")
    here.wait_for("watch-started")
    here.emulator.set_fault(Fault(kind="slow", operation="listMetadata", seconds=30, count=9))
    process.send_signal(signal.SIGTERM)
    code, out = ended(process)
    assert code == 9, out
    last = out.rpartition("error:")[2]
    assert "the live state is unknown" in last
    assert (
        "the old addresses may have been removed from the allowlist of packaging; "
        "no process watches"
    ) in last
    assert "may have been removed" in (here.folder / "notified").read_text(encoding="utf-8")


SLOW_SWITCH = (
    "import signal, sys, time\n"
    "def end(*_):\n"
    "    time.sleep(1); open('told', 'a').write('once\\n'); sys.exit(3)\n"
    "signal.signal(signal.SIGINT, end)\n"
    "open('started', 'w').close(); signal.pause()"
)


def switching(here: World) -> None:
    code, out = here.call("deploy", "add-new", "--yes")
    assert code == 0, out
    argv = [sys.executable, "-c", SLOW_SWITCH]
    configure(here, switch={"apply": argv, "revert": argv})


def ignore_interrupts() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)


@pytest.mark.parametrize("ignored", [False, True])
def test_further_signals_do_not_kill_an_interrupted_switch_command(
    here: World, ignored: bool
) -> None:
    """ignored: sfcutover was started in the background of a script, which ignores SIGINT."""
    switching(here)
    process = here.start("switch", before=ignore_interrupts if ignored else None)
    eventually((here.folder / "started").exists)
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        process.send_signal(number)
        time.sleep(0.05)
    code, out = ended(process)
    assert code == 9, out
    assert "received the signal and ended: exit status 3" in out
    assert (here.folder / "told").read_text(encoding="utf-8") == "once\n"


def test_an_interrupted_run_reports_that_its_switch_command_is_still_running(here: World) -> None:
    script = "touch started; sleep 2; echo new > egress; echo apply >> switches"
    configure(here, switch={"apply": ["sh", "-c", script], "revert": ["true"]})
    process = here.start("run", "--yes")
    eventually((here.folder / "started").exists)
    process.send_signal(signal.SIGTERM)
    code, out = ended(process)
    assert code == 9, out
    assert "the switch command (apply) has started, and continues by itself" in out
    code, out = here.call("run", "--yes")
    assert code == 0, out
    assert here.switches == ["apply"]


def test_a_signal_ends_the_wait_for_the_state_database(here: World) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:  # accepts connections, and hangs
        port = server.getsockname()[1]
        here.environment["STATE_URL"] = f"postgresql+psycopg://127.0.0.1:{port}/none"
        process = here.start("run", "--yes")
        connection, _ = server.accept()
        with connection:
            started = time.monotonic()
            process.send_signal(signal.SIGTERM)
            code, out = ended(process)
    assert time.monotonic() - started < 10
    assert code == 9, out
    assert "interrupted by SIGTERM" in out
    assert here.phases == []


def test_a_failing_output_does_not_stop_the_watch(here: World) -> None:
    """The run completes; only its exit code reports afterwards that events were lost."""
    configure(here, watch={"duration": "3s", "interval": "300ms", "failures": 2})
    reader, writer = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "sfcutover", "run", "--yes", "--json"],
        cwd=here.folder,
        env=here.environment | {"PYTHONPATH": str(ROOT)},
        stdin=subprocess.DEVNULL,
        stdout=writer,
        stderr=subprocess.PIPE,
        text=True,
    )
    os.close(writer)
    here.wait_for("watch-started")
    os.close(reader)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 1, err
    assert "the output can't be written" in err
    wait_until(lambda: here.runs()[0]["state"] == "done")


def test_further_signals_do_not_prevent_the_cancellation_of_a_deployment(tmp_path: Path) -> None:
    with world(tmp_path / "slow", Scenario(deploy_seconds=6)) as here:
        process = here.start("deploy", "add-new", "--yes", "--cancel-on-interrupt")
        eventually(lambda: len(here.emulator.deployments) == 1)
        for number in cycle((signal.SIGINT, signal.SIGTERM, signal.SIGHUP)):
            process.send_signal(number)
            with suppress(subprocess.TimeoutExpired):
                process.wait(0.02)
                break
        code, out = ended(process)
        assert code == 9, out
        assert here.phases == ["Canceled"]
        assert f"{here.emulator.deployments[0].id} (add-new, packaging) ended as Canceled" in out


def test_an_emulator_ends_with_its_terminal_but_not_under_nohup(here: World) -> None:
    def ignore_hangups() -> None:
        signal.signal(signal.SIGHUP, signal.SIG_IGN)

    files = ("--env-file", "new.env", "--config-file", "new.yaml")
    under_nohup = here.start("emulator", "--no-tls", *files, before=ignore_hangups)
    eventually((here.folder / "new.yaml").exists)
    under_nohup.send_signal(signal.SIGHUP)
    with pytest.raises(subprocess.TimeoutExpired):
        under_nohup.wait(0.5)
    under_nohup.send_signal(signal.SIGTERM)
    assert ended(under_nohup)[0] == 0
    other = here.start("emulator", "--no-tls", "--env-file", "o.env", "--config-file", "o.yaml")
    eventually((here.folder / "o.yaml").exists)
    other.send_signal(signal.SIGHUP)
    assert ended(other)[0] == 0


def test_a_signal_during_an_import_changes_no_exit_code(tmp_path: Path) -> None:
    """Python executes the generated methods of a dataclass, and an interrupt there must not become
    SIGINT's exit code."""
    (tmp_path / "importing.py").write_text(
        "import os, signal, sys\n"
        "from sfcutover.util import signals\n"
        "signals.install()\n"
        "try:\n"
        "    exec('os.kill(os.getpid(), signal.SIGTERM)')\n"
        "except KeyboardInterrupt:\n"
        "    sys.exit(9)\n",
        encoding="utf-8",
    )
    done = subprocess.run([sys.executable, "-m", "importing"], cwd=tmp_path, timeout=30)
    assert done.returncode == 9
