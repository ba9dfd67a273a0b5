"""INT, TERM and HUP have one handling: the first one interrupts, those that follow change nothing.

A signal that was ignored when the process started, as HUP is under nohup, stays ignored.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

END_SECONDS = 60.0  # an orderly end takes less; a signal that comes later interrupts again
DEFERRED_SECONDS = 5.0  # how long a request that is on its way delays an interruption
_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interruption(KeyboardInterrupt):
    """Of its own class: where KeyboardInterrupt itself leaves exec(), as of a dataclass that is
    being imported, ``python -m`` ends by SIGINT, even if it is caught later (CPython 3.11,
    run_eval_code_obj)."""


@dataclass
class _State:
    """Of this process: there is one handler for each signal. at: by the monotonic clock."""

    first: signal.Signals | None = None
    at: float = 0.0
    depth: int = 0  # of the blocks that defer
    is_pending: bool = False


_state = _State()


def install() -> None:
    """Raise Interruption in the main thread at the first of these signals."""
    for number in _ENDING:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _interrupt)
    signal.signal(signal.SIGALRM, lambda *_: _raise_pending())


def ignore() -> None:
    """From now on: the last lines and the exit code are settled."""
    for number in (*_ENDING, signal.SIGALRM):
        signal.signal(number, signal.SIG_IGN)


def received() -> str:
    """The name of the signal that interrupted this process; empty without one."""
    return _state.first.name if _state.first else ""


def since_received() -> float:
    """Seconds since that signal came; 0 without one."""
    return time.monotonic() - _state.at if _state.first else 0.0


@contextmanager
def deferred() -> Iterator[None]:
    """A signal interrupts at the end of the block, or after DEFERRED_SECONDS.

    For a request whose answer would be lost. Another thread is not interrupted anyway.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    _state.depth += 1
    try:
        yield
    finally:
        _state.depth -= 1
        if _state.depth == 0:
            _raise_pending()


def _interrupt(number: int, _frame: FrameType | None) -> None:
    now = time.monotonic()
    if _state.first is not None and now < _state.at + END_SECONDS:
        return
    _state.first, _state.at = signal.Signals(number), now
    if not _state.depth:
        raise Interruption
    _state.is_pending = True
    signal.setitimer(signal.ITIMER_REAL, DEFERRED_SECONDS)


def _raise_pending() -> None:
    if _state.is_pending:
        _state.is_pending = False
        signal.setitimer(signal.ITIMER_REAL, 0)
        raise Interruption
