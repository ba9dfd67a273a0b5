"""A file that is written durably: on a full disk, and if its writer is killed."""

from __future__ import annotations

import os
import random
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

WRITER = """
import sys
from pathlib import Path
from sfcutover.util.files import write_durably
number = 0
while True:
    number += 1
    write_durably(Path(sys.argv[1]), f"{number} " * 20_000)
    if number == 2:
        print("ready", flush=True)
"""


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_full_disk_leaves_only_the_old_file(tmp_path: Path) -> None:
    """A limit on file sizes fails a write as a full disk does."""
    path = tmp_path / "token"
    path.write_text("old")
    code = (
        "import resource, signal, sys; from pathlib import Path;"
        "from sfcutover.util.files import write_durably;"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000));"
        "write_durably(Path(sys.argv[1]), 'x' * 5000)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, check=False)
    assert b"File too large" in done.stderr
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["token"]  # noqa: PTH208


def test_a_kill_at_any_moment_leaves_one_complete_file(tmp_path: Path) -> None:
    path = tmp_path / "token"
    instants = random.Random(7)
    for _ in range(12):
        command = [sys.executable, "-c", WRITER, str(path)]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as writer:
            assert writer.stdout is not None
            writer.stdout.readline()
            assert_writer_still_runs(writer, instants.uniform(0, 0.02))
            writer.send_signal(signal.SIGKILL)
        words = path.read_text().split()
        assert len(words) == 20_000
        assert len(set(words)) == 1
        assert mode(path) == 0o600


def assert_writer_still_runs(writer: subprocess.Popen[bytes], seconds: float) -> None:
    with pytest.raises(subprocess.TimeoutExpired):
        writer.wait(seconds)
