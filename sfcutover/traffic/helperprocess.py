"""Helper processes: a call in one completes even if this process is killed in the middle of it.

A helper waits for the next call, as a process takes a while to start, and ends when this
process does.
"""

from __future__ import annotations

import io
import pickle
import signal
import subprocess
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from typing import Any, Self, TypeVar

from sfcutover.errors import OperationFailedError, SfcutoverError
from sfcutover.util.childenvironment import child_environment
from sfcutover.util.processes import python_call
from sfcutover.util.secrets import Secret

MAX_IDLE_HELPERS = 8
_READY = b"ready"
_END_SECONDS = 5.0

T = TypeVar("T")


class HelperKilledError(Exception):
    """The helper ended before it answered: what the call has done is unknown."""


class HelperPool:
    """The helpers of this process. Threads may share it; each call has a helper of its own."""

    def __init__(self) -> None:
        self._idle: deque[_Helper] = deque()

    def call(self, function: Callable[..., T], *arguments: object) -> T:
        """Call function(*arguments, is_wanted) in a helper, which finishes it even if this
        process is interrupted or killed.

        is_wanted() is False once no process waits for the result. The function, a module's, and
        its arguments must be picklable. Raises the SfcutoverError that the function raises, and
        HelperKilledError.
        """
        job = _packed((function, arguments))
        helper = self._take()
        try:
            helper.connection.send_bytes(job)
            answer = _unpacked(helper.connection.recv_bytes())
        except BaseException as error:
            helper.abandon()
            if isinstance(error, EOFError | OSError):
                raise HelperKilledError from None
            raise
        self._idle.append(helper)
        self.close_idle(MAX_IDLE_HELPERS)
        if isinstance(answer, SfcutoverError):
            raise answer
        result: T = answer
        return result

    def close_idle(self, keep: int = 0) -> None:
        """End the idle helpers but some."""
        with suppress(IndexError):  # another thread took the last one
            while len(self._idle) > keep:
                self._idle.popleft().close()

    def forget(self) -> None:
        """In a forked child: the helpers are the parent's."""
        while self._idle:
            self._idle.pop().abandon()

    def _take(self) -> _Helper:
        """An idle helper, else a new one."""
        with suppress(IndexError):
            while (helper := self._idle.pop()).has_ended:
                helper.close()
            return helper
        return _Helper.start()


@dataclass(frozen=True)
class _Helper:
    """A helper, and this end of the pipe to it."""

    process: subprocess.Popen[bytes]
    connection: Connection[Any, Any]

    @classmethod
    def start(cls) -> Self:
        """Raises OperationFailedError."""
        ours, theirs = Pipe()
        with theirs:
            process = subprocess.Popen(  # noqa: S603 - this Python, no shell
                python_call(f"{__name__}:serve", str(theirs.fileno())),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env=child_environment(),
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )
        helper = cls(process, ours)
        try:
            ours.recv_bytes()
        except (EOFError, OSError):
            code = process.wait(_END_SECONDS)
            helper.abandon()
            raise OperationFailedError(
                f"the helper process that redeems did not start (exit code {code})",
                hint="check that this Python can import sfcutover",
            ) from None
        except BaseException:
            helper.abandon()
            raise
        return helper

    @property
    def has_ended(self) -> bool:
        """An idle helper sends nothing, so what can be read is its end."""
        return self.connection.poll()

    def close(self) -> None:
        """Close the pipe of an idle helper, which ends it."""
        self.connection.close()
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(_END_SECONDS)
        self.abandon()

    def abandon(self) -> None:
        """Close the pipe; a helper that is busy finishes first, and then ends by itself."""
        self.connection.close()
        self.process.returncode = 0  # Python need not warn that it still runs


def serve(descriptor: str) -> None:
    """The helper itself: answer calls until the parent closes the pipe."""
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: None)  # ignored, but not by the commands it runs
    connection: Connection[Any, Any] = Connection(int(descriptor))
    with suppress(EOFError, OSError):  # the parent has closed the pipe, or is gone
        connection.send_bytes(_READY)
        while True:
            connection.send_bytes(_packed(_answer(connection.recv_bytes(), connection)))


def _answer(job: bytes, connection: Connection[Any, Any]) -> object:
    try:
        function, arguments = _unpacked(job)
        return function(*arguments, lambda: not connection.poll())
    except SfcutoverError as error:
        return error
    except Exception as error:  # noqa: BLE001 - the parent is told; a text might hold a secret
        return OperationFailedError(
            f"the helper process that redeems failed ({type(error).__name__})",
            hint="report this; check that the store's token still redeems",
            impact="the store's token may be void; other customers' tokens are untouched",
        )


class _Pickler(pickle.Pickler):
    """Passes secrets, which are never pickled elsewhere: the pipe is private."""

    dispatch_table = {Secret: lambda secret: (Secret, (secret.reveal(),))}  # noqa: RUF012


def _packed(value: object) -> bytes:
    buffer = io.BytesIO()
    _Pickler(buffer).dump(value)
    return buffer.getvalue()


def _unpacked(data: bytes) -> Any:
    return pickle.loads(data)  # noqa: S301 - from our own parent or child
