from __future__ import annotations

import os
import random
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from sfcutover.util.files import write_durably

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


def test_a_new_file_is_readable_by_its_owner_only(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        write_durably(tmp_path / "token", "Grüße\n")
    finally:
        os.umask(before)
    assert (tmp_path / "token").read_text(encoding="utf-8") == "Grüße\n"
    assert mode(tmp_path / "token") == 0o600


def test_an_old_file_is_replaced_and_closed_to_others(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text("old and longer")
    path.chmod(0o644)
    write_durably(path, "new")
    assert path.read_text() == "new"
    assert mode(path) == 0o600
    assert os.listdir(tmp_path) == ["token"]  # noqa: PTH208


def test_who_reads_the_old_file_reads_on_undisturbed(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text("old")
    with path.open() as reader:
        write_durably(path, "new")
        assert reader.read() == "old"


def test_a_link_stays_and_the_file_behind_it_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "secrets").mkdir()
    behind, link = tmp_path / "secrets" / "token", tmp_path / "token"
    behind.write_text("old")
    link.symlink_to(Path("secrets/token"))
    write_durably(link, "new")
    assert link.is_symlink()
    assert behind.read_text() == "new"


def test_a_relative_path_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_durably(Path("token"), "new")
    assert (tmp_path / "token").read_text() == "new"


def test_the_longest_name_is_no_problem(tmp_path: Path) -> None:
    write_durably(tmp_path / ("x" * 255), "new")
    assert (tmp_path / ("x" * 255)).read_text() == "new"


@pytest.mark.parametrize("target", ["folder", "missing/token", "file/token", "x" * 256])
def test_what_can_t_be_replaced_raises_and_leaves_nothing(tmp_path: Path, target: str) -> None:
    (tmp_path / "folder" / "inside").mkdir(parents=True)
    (tmp_path / "file").touch()
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(OSError, match=r"\w"):
        write_durably(tmp_path / target, "hunter2")
    assert sorted(tmp_path.rglob("*")) == before


def test_what_can_t_be_encoded_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text("old")
    with pytest.raises(UnicodeEncodeError):
        write_durably(path, "\ud800")
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["token"]  # noqa: PTH208


def test_a_full_disk_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
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


def test_a_kill_at_any_instant_leaves_one_whole_file(tmp_path: Path) -> None:
    path = tmp_path / "token"
    instants = random.Random(7)
    for _ in range(12):
        command = [sys.executable, "-c", WRITER, str(path)]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as writer:
            assert writer.stdout is not None
            writer.stdout.readline()
            writer_is_left_alone(writer, instants.uniform(0, 0.02))
            writer.send_signal(signal.SIGKILL)
        words = path.read_text().split()
        assert len(words) == 20_000
        assert len(set(words)) == 1
        assert mode(path) == 0o600


def writer_is_left_alone(writer: subprocess.Popen[bytes], seconds: float) -> None:
    with pytest.raises(subprocess.TimeoutExpired):
        writer.wait(seconds)
