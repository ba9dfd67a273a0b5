"""The limits of one case, and its permitted results."""

from __future__ import annotations

import os
import re
import resource
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings

from sfcutover.errors import SfcutoverError
from sfcutover.util import secrets

CASES = int(os.environ.get("FUZZ_CASES", "2000"))
CPU_SECONDS = 5.0
WAITING_SECONDS = 20.0  # a busy machine is not a hang
MEGABYTES = 200
_SPARE = 2 * 1024**3  # bytes, after which the kernel refuses memory, so that no machine is filled
_STATUS, _CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")

FUZZ = [pytest.mark.fuzz, pytest.mark.filterwarnings("ignore:Generating overly large repr")]
fuzzed = settings(
    max_examples=CASES,
    deadline=None,
    print_blob=True,
    phases=(Phase.explicit, Phase.generate, Phase.shrink),
    suppress_health_check=list(HealthCheck),
)


class HangError(BaseException):
    """The case took too long. Not an Exception, so that no handler takes it for an answer."""


class TooMuchMemoryError(AssertionError):
    """The case made the process grow too far."""


@contextmanager
def limits() -> Iterator[None]:
    """The limits of one case: raises HangError and TooMuchMemoryError; one of our errors is a
    correct end."""
    secrets._known.clear()
    before = _reset_peak()
    with _time_limit(), _memory_limit(), suppress(SfcutoverError):
        yield
    grown = (_kilobytes("VmHWM") - before) / 1024
    if grown > MEGABYTES:
        raise TooMuchMemoryError(f"the process grew by {grown:.0f} MB")


def must_end(call: Callable[[], object]) -> None:
    """Run one case that is a single call."""
    with limits():
        call()


@contextmanager
def _time_limit() -> Iterator[None]:
    def ring(number: int, _frame: object) -> None:
        raise HangError(signal.Signals(number).name)

    timers = {
        signal.SIGPROF: (signal.ITIMER_PROF, CPU_SECONDS),
        signal.SIGALRM: (signal.ITIMER_REAL, WAITING_SECONDS),
    }
    before = {number: signal.signal(number, ring) for number in timers}
    try:
        for timer, seconds in timers.values():
            signal.setitimer(timer, seconds)
        yield
    finally:
        for timer, _ in timers.values():
            signal.setitimer(timer, 0)
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _memory_limit() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (_kilobytes("VmSize") * 1024 + _SPARE, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def _reset_peak() -> int:
    """Reset the peak memory; return the kilobytes that the process uses now."""
    _CLEAR.write_text("5", encoding="ascii")
    return _kilobytes("VmRSS")


def _kilobytes(name: str) -> int:
    found = re.search(rf"{name}:\s+(\d+) kB", _STATUS.read_text(encoding="ascii"))
    return int(found[1]) if found else 0
