"""One mutant's trial: a fork of the process that has collected the tests runs those that reach it.

The fork costs some milliseconds where a new pytest costs seconds. It is the leader of a process
group with nothing on its standard streams; whatever it leaves running ends with it.
"""

from __future__ import annotations

import ctypes
import math
import os
import resource
import select
import signal
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import NoReturn

import pytest

from tests.mutants.mutants import NotApplicableError

_PARENT_DEATH_SIGNAL, _SUBREAPER = 1, 36  # options of prctl(2)
_WAITING = 4.0  # a mutant that waits is given up after so much longer: the machine may be busy
_SURVIVED, _KILLED, _NOT_APPLICABLE = 0, 1, 2


class Outcome(StrEnum):
    KILLED = "killed"
    SURVIVED = "survived"
    TIMED_OUT = "timed out"
    NOT_APPLICABLE = "not applicable"


@dataclass(frozen=True)
class Trial:
    """How a trial ended. killer: the test that failed, where one did."""

    outcome: Outcome
    killer: str = ""


@dataclass(eq=False)  # pytest keeps plugins in sets
class _FirstFailure:
    """A pytest plugin that ends the process at the first failure and names the test."""

    pipe: int

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            os.write(self.pipe, report.nodeid.encode())
            os._exit(_KILLED)


def adopt_orphans() -> None:
    """What a test leaves running becomes a child of this process, which can end it."""
    _prctl(_SUBREAPER, 1)


def _prctl(option: int, value: int) -> None:
    ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def run_trial(change: Callable[[], None], items: Sequence[pytest.Item], limit: float) -> Trial:
    """Run these tests on the changed code until one fails. limit: seconds of processor time."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        resource.setrlimit(resource.RLIMIT_CPU, (math.ceil(limit), resource.RLIM_INFINITY))
        _be_the_mutant(change, items, writing)
    os.close(writing)
    in_time = _ends_within(child, _WAITING * limit)
    if not in_time:
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    _end_orphans()
    with os.fdopen(reading, "rb") as pipe:
        killer = pipe.read().decode()
    return Trial(_outcome(status) if in_time else Outcome.TIMED_OUT, killer)


def _outcome(status: int) -> Outcome:
    code = os.waitstatus_to_exitcode(status)
    ends = {
        _SURVIVED: Outcome.SURVIVED,
        _NOT_APPLICABLE: Outcome.NOT_APPLICABLE,
        -signal.SIGXCPU: Outcome.TIMED_OUT,
    }
    return ends.get(code, Outcome.KILLED)  # also by a signal, or an exit of its own


def _be_the_mutant(change: Callable[[], None], items: Sequence[pytest.Item], pipe: int) -> NoReturn:
    code = _KILLED
    try:
        os.setsid()
        _prctl(_PARENT_DEATH_SIGNAL, signal.SIGKILL)
        nowhere = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(nowhere, stream)
        change()
        _run(items, pipe)
        code = _SURVIVED
    except NotApplicableError:
        code = _NOT_APPLICABLE
    finally:
        os._exit(code)


def _run(items: Sequence[pytest.Item], pipe: int) -> None:
    plugins = items[0].config.pluginmanager
    plugins.unregister(name="terminalreporter")
    plugins.register(_FirstFailure(pipe))
    for item, following in zip(items, [*items[1:], None], strict=True):
        item.ihook.pytest_runtest_protocol(item=item, nextitem=following)


def _ends_within(child: int, limit: float) -> bool:
    handle = os.pidfd_open(child)
    try:
        return bool(select.select([handle], [], [], limit)[0])
    finally:
        os.close(handle)


def _end_orphans() -> None:
    while children := Path(f"/proc/self/task/{os.getpid()}/children").read_text().split():
        for each in map(int, children):
            with suppress(ProcessLookupError):
                os.kill(each, signal.SIGKILL)
            with suppress(ChildProcessError):
                os.waitpid(each, 0)
