"""Where refresh tokens are kept, and redeeming one from there without losing it.

A rotating token is redeemed by a process that outlives ours (keeper): one for each
store that is in use, kept for the next redemption, of this store or another one.
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
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import requests

from sfcutover.errors import (
    AuthError,
    ConfigError,
    InterruptedRunError,
    OperationFailedError,
    SfcutoverError,
)
from sfcutover.traffic.oauth import Outcome, Redemption, TokenEndpoint
from sfcutover.traffic.tokenstores import CommandStore, EnvironmentStore, FileStore
from sfcutover.util.files import fingerprint, state_folder, write_durably
from sfcutover.util.secrets import Secret

if TYPE_CHECKING:
    from sfcutover.config import traffic


class TokenStore(Protocol):
    """Where one refresh token is kept."""

    @property
    def writable(self) -> bool:
        """True if a new token can be kept."""

    @property
    def may_rotate(self) -> bool:
        """True unless cutover.yaml says that a redemption brings no new token."""

    @property
    def where(self) -> str:
        """``file:line`` of cutover.yaml."""

    def read(self) -> Secret:
        """The token that is good now. Raises ConfigError."""

    def write(self, token: Secret) -> None:
        """Durable when it returns. Raises OperationFailedError saying where the token is."""

    def locked(self) -> AbstractContextManager[None]:
        """Whoever is in it is alone, among all processes, with this token."""


def redeem_and_keep(
    store: TokenStore,
    endpoint: TokenEndpoint,
    session: requests.Session,
    is_wanted: Callable[[], bool] = lambda: True,
) -> Redemption:
    """Lock, read, redeem, and write a new token before anybody hears of the redemption.

    is_wanted: asked once there is the lock. Raises what the store raises.
    """
    with store.locked():
        token = store.read()
        mark = _mark_of_lost_answer(token)
        if store.may_rotate:
            _refuse_lost(mark, store.where)
        if not is_wanted():
            raise InterruptedRunError("nobody waits for it", hint="redeem again")
        redemption = endpoint.redeem(token, session)
        if redemption.new_token is not None:
            store.write(redemption.new_token)
        elif redemption.answer_lost and store.may_rotate:
            _note(mark, redemption.time)
    return redemption


def _mark_of_lost_answer(token: Secret) -> Path:
    """The file that is there if this token must not be redeemed again."""
    return state_folder() / f"answer-lost-{fingerprint(token.reveal())}"


def _refuse_lost(mark: Path, where: str) -> None:
    if mark.exists():
        raise AuthError(
            "this refresh token was redeemed and the answer was lost, so it may be used up; "
            "it is never redeemed again",
            where=where,
            hint="authorize the app again and put the new token into the store; or, if "
            f"LoginHistory has no redemption of that time, delete {mark}",
            tokens="this grant may be lost; other customers' tokens are untouched",
        )


def _note(mark: Path, time: datetime) -> None:
    try:
        write_durably(mark, f"{time.isoformat()}\n")
    except OSError as error:
        raise ConfigError(
            f"the answer to a redemption was lost, and {mark} can't be written: {error.strerror}",
            hint="take this token for used up: authorize the app again",
            tokens="this grant may be lost; other customers' tokens are untouched",
        ) from None


_READY = b"ready"
_CHILD = (
    "import sys; sys.path[:] = sys.argv[2:]; "
    "from sfcutover.traffic.redeemer import serve; serve(int(sys.argv[1]))"
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


__all__ = ["TokenStore", "redeem_from", "token_store"]

MAX_IDLE_KEEPERS = 8  # a process each


def token_store(config: traffic.TokenStore) -> TokenStore:
    """The store that cutover.yaml names; nothing is read yet."""
    may_rotate = config.rotation is not False
    if config.file is not None:
        return FileStore(Path(os.path.realpath(config.file)), config.where, may_rotate)
    if config.env is not None:
        return EnvironmentStore(config.env, config.where, may_rotate)
    return CommandStore(config.get, config.put, config.where, may_rotate)


def redeem_from(
    store: TokenStore, endpoint: TokenEndpoint, session: requests.Session
) -> Redemption:
    """Redeem the store's token; a new one is in the store, durably, when this returns.

    Raises ConfigError, before anything is redeemed, if the store can't be read, or if the
    token may be rotated and the store can't keep a new one; AuthError for a token whose
    answer was lost before; OperationFailedError if the store did not take the new token.
    """
    if not store.may_rotate:
        return redeem_and_keep(store, endpoint, session)
    if not store.writable:
        raise ConfigError(
            "the refresh token is not redeemed: the org may replace it, and a new one could not "
            "be kept here",
            where=store.where,
            hint="keep it in {file: PATH} or {get: [argv], put: [argv]}; or write rotation: false "
            "beside it if the app does not rotate refresh tokens",
        )
    with _keeper_of(store) as keeper:
        return keeper.redeem(store, endpoint, session)


@dataclass
class _Kept:
    keeper: Keeper
    users: int = 0


_keepers: OrderedDict[TokenStore, _Kept] = OrderedDict()  # least recently used first
_guard = threading.Lock()


@contextmanager
def _keeper_of(store: TokenStore) -> Iterator[Keeper]:
    with _guard:
        if store not in _keepers:
            _keepers[store] = _spare() or _Kept(Keeper())
        kept = _keepers[store]
        _keepers.move_to_end(store)
        kept.users += 1
    try:
        yield kept.keeper
    finally:
        with _guard:
            kept.users -= 1
            _close_idle(MAX_IDLE_KEEPERS)


def _spare() -> _Kept | None:
    """The keeper of another store, if it is idle: a process takes a while to start."""
    idle = next((store for store, kept in _keepers.items() if not kept.users), None)
    return None if idle is None else _keepers.pop(idle)


def _close_idle(keep: int) -> None:
    idle = [store for store, kept in _keepers.items() if not kept.users]
    for store in idle[: max(0, len(idle) - keep)]:
        _keepers.pop(store).keeper.close()


def _close_all() -> None:
    with _guard:
        _close_idle(0)


def _forget() -> None:
    """In a fork: the keepers are the parent's."""
    global _guard
    _guard = threading.Lock()
    while _keepers:
        _keepers.popitem()[1].keeper.abandon()


atexit.register(_close_all)
os.register_at_fork(after_in_child=_forget)
