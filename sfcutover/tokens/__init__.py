"""Where refresh tokens are kept, and redeeming one from there without losing it.

A rotating token is redeemed by a process that outlives ours (keeper): one for each
store that is in use, kept for the next redemption, of this store or another one.
"""

from __future__ import annotations

import atexit
import os
import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import requests

from sfcutover.errors import ConfigError
from sfcutover.oauth import Redemption, TokenEndpoint
from sfcutover.tokens.command import CommandStore
from sfcutover.tokens.file import FileStore
from sfcutover.tokens.keeper import Keeper
from sfcutover.tokens.keeping import TokenStore, redeem_and_keep
from sfcutover.tokens.variable import EnvironmentStore

if TYPE_CHECKING:
    from sfcutover.config import traffic

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
