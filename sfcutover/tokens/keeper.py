"""A process of its own that redeems and keeps a rotating token.

Between the endpoint's rotating a token and the new one's being on disk, the process that
redeems must not die. So the one that redeems is not the one that people and systems kill:
it is a child in a session of its own, deaf to signals, that finishes what it has begun
when its parent is gone, and then ends. What kills everything at once (the machine's power,
the kernel for want of memory, a container's end) still comes through.
"""

from __future__ import annotations

import atexit
import io
import os
import pickle
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from datetime import UTC, datetime
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from typing import Any

import requests

from sfcutover.errors import OperationFailedError, SfcutoverError
from sfcutover.oauth import Outcome, Redemption, TokenEndpoint
from sfcutover.tokens.keeping import TokenStore, redeem_and_keep
from sfcutover.util.secrets import Secret

_READY = b"ready"
_CHILD = (
    "import sys; sys.path[:] = sys.argv[2:]; "
    "from sfcutover.tokens.keeper import serve; serve(int(sys.argv[1]))"
)
_END_SECONDS = 5.0


class Keeper:
    """Redeems stored tokens, one redemption at a time. Threads may share it.

    What a job is made of (store, endpoint, session with its adapters) must be picklable.
    """

    def __init__(self) -> None:
        self._turn = threading.Lock()
        self._child: tuple[subprocess.Popen[bytes], Connection[Any, Any]] | None = None

    def redeem(
        self, store: TokenStore, endpoint: TokenEndpoint, session: requests.Session
    ) -> Redemption:
        """As redeem_and_keep. Interrupted, it leaves the child to finish."""
        job = _packed((store, endpoint, session))
        with self._turn:
            answer = self._exchange(job)
        if isinstance(answer, Redemption):
            return answer
        raise answer

    def close(self) -> None:
        """Hang up on an idle child, which ends it."""
        child = self._child
        self.abandon()
        if child is not None:
            with suppress(subprocess.TimeoutExpired):
                child[0].wait(_END_SECONDS)
                _abandoned.remove(child[0])

    def abandon(self) -> None:
        """Hang up; a child that is busy finishes first, and its process is nobody's."""
        child, self._child = self._child, None
        if child is not None:
            child[1].close()
            _abandoned.append(child[0])

    def _exchange(self, job: bytes) -> Redemption | SfcutoverError:
        connection = self._connection()
        try:
            connection.send_bytes(job)
            answer: Redemption | SfcutoverError = _unpacked(connection.recv_bytes())
        except (EOFError, OSError):  # somebody has killed the child
            self.abandon()
            words = "the process that keeps the token was killed"
            time = datetime.now(UTC)
            return Redemption(Outcome.UNKNOWN, time, description=words, answer_lost=True)
        except BaseException:
            self.abandon()
            raise
        return answer

    def _connection(self) -> Connection[Any, Any]:
        """To a child that lives: an idle one says nothing, so what can be read is its end."""
        if self._child is not None and self._child[1].poll():
            self.close()
        if self._child is None:
            self._child = _start()
        return self._child[1]


_abandoned: list[subprocess.Popen[bytes]] = []  # referred to, so that Python doesn't warn


@atexit.register
def _disown() -> None:
    """They end by themselves, so Python need not warn at its own end that they still run."""
    for process in _abandoned:
        process.returncode = process.poll() or 0


def serve(descriptor: int) -> None:
    """The child: answer jobs until the parent hangs up."""
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: None)  # ignored, but not by the commands it runs
    connection: Connection[Any, Any] = Connection(descriptor)
    try:
        connection.send_bytes(_READY)
        while True:
            connection.send_bytes(_packed(_answer(connection.recv_bytes(), connection)))
    except (EOFError, OSError):
        os._exit(0)


def _answer(job: bytes, connection: Connection[Any, Any]) -> Redemption | SfcutoverError:
    try:
        store, endpoint, session = _unpacked(job)
        with session:
            return redeem_and_keep(store, endpoint, session, lambda: not connection.poll())
    except SfcutoverError as error:
        return error
    except Exception as error:  # noqa: BLE001 - the parent is told; a text might hold a secret
        return OperationFailedError(
            f"the process that keeps the token failed ({type(error).__name__})",
            hint="report this; see that the store's token still redeems",
            tokens="the store's token may be used up; other customers' tokens are untouched",
        )


def _start() -> tuple[subprocess.Popen[bytes], Connection[Any, Any]]:
    """Raises OperationFailedError."""
    ours, theirs = Pipe()
    with theirs:
        process = subprocess.Popen(  # noqa: S603 - this Python, no shell
            [sys.executable, "-P", "-c", _CHILD, str(theirs.fileno()), *sys.path],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=[theirs.fileno()],
            start_new_session=True,
        )
    try:
        ours.recv_bytes()
    except (EOFError, OSError):
        ours.close()
        code = process.wait(_END_SECONDS)
        raise OperationFailedError(
            f"the process that keeps the token did not start (exit code {code})",
            hint="check that this Python can import sfcutover",
        ) from None
    except BaseException:
        ours.close()
        _abandoned.append(process)
        raise
    return process, ours


class _Pickler(pickle.Pickler):
    """Lets secrets through, which are never pickled elsewhere: the pipe is private."""

    dispatch_table = {Secret: lambda secret: (Secret, (secret.reveal(),))}  # noqa: RUF012


def _packed(value: object) -> bytes:
    buffer = io.BytesIO()
    _Pickler(buffer).dump(value)
    return buffer.getvalue()


def _unpacked(data: bytes) -> Any:
    return pickle.loads(data)  # noqa: S301 - from our own parent or child
