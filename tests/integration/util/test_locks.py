"""Locks between threads and processes: a lock ends with its process, and no child inherits it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from filelock import Timeout

from sfcutover.util.files import is_held, process_lock
from tests.integration.cli.harness import eventually

HOLDER = """
import os, subprocess, sys
from pathlib import Path
from sfcutover.util.files import process_lock
held = process_lock(Path(sys.argv[1])).acquire()
wait = [sys.executable, "-c", "import sys; sys.stdin.read()"]
child = subprocess.Popen(wait, close_fds=False)
if (forked := os.fork()) == 0:
    os.execv(wait[0], wait)
print(child.pid, forked, flush=True)
sys.stdin.read()
"""


def test_a_lock_ends_with_a_killed_process_although_its_children_live(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    command = [sys.executable, "-c", HOLDER, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        children = [int(each) for each in holder.stdout.readline().split()]
        assert is_held(path)
        holder.kill()
        holder.wait(10)
        for each in children:
            os.kill(each, 0)  # raises if it is gone
        eventually(lambda: not is_held(path))  # a child may be between fork and exec
    for each in children:
        os.kill(each, signal.SIGKILL)


def test_a_forked_child_does_not_hold_the_lock_of_its_parent(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    read, write = os.pipe()
    with process_lock(path):
        child = os.fork()
        if child == 0:  # a child without exec, which has every descriptor of its parent
            os.close(write)
            os.read(read, 1)
            os._exit(0)
        assert is_held(path)
    held = is_held(path)
    os.close(write)
    os.waitpid(child, 0)
    os.close(read)
    assert not held


def test_one_thread_waits_for_another(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    inside = []

    def count(number: int) -> int:
        with process_lock(path).acquire(timeout=20, poll_interval=0.001):
            inside.append(number)
            seen = len(inside)
            inside.pop()
        return seen

    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(count, range(40))) == {1}
    with process_lock(path), pytest.raises(Timeout):
        process_lock(path).acquire(blocking=False)


def test_the_lock_file_is_readable_by_its_owner_only_and_stays(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    for _ in range(2):
        with process_lock(path):
            assert path.stat().st_mode & 0o777 == 0o600
        assert path.exists()
        assert not is_held(path)
