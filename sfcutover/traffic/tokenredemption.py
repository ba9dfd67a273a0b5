"""Redeem a stored token, and store the one that replaces it.

A token that may be rotated is redeemed in a helper process, which stores the new token even if
this process is killed. A token whose answer was lost is never redeemed again. A helper imports
this module and no settings: a redemption waits for it to start.
"""

from __future__ import annotations

import atexit
import os
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import requests

from sfcutover.errors import AuthError, ConfigError, InterruptedRunError
from sfcutover.traffic.helperprocess import HelperKilledError, HelperPool
from sfcutover.traffic.redemption import Redemption, RedemptionOutcome
from sfcutover.traffic.tokenanswer import TokenEndpoint
from sfcutover.traffic.tokenstores import TokenStore
from sfcutover.util.files import fingerprint, state_folder, write_durably
from sfcutover.util.secrets import Secret

_GRANT_IN_DOUBT = "this grant may be lost; other customers' tokens are untouched"
_BUSY_PAUSES = (0.5, 1.0, 2.0)  # seconds, before the token of a busy endpoint is redeemed again
_helpers = HelperPool()
atexit.register(_helpers.close_idle)
os.register_at_fork(after_in_child=_helpers.forget)


def redeem_from(
    store: TokenStore, endpoint: TokenEndpoint, session: requests.Session
) -> Redemption:
    """Redeem the store's token; a new one is in the store, durably, when this returns.

    Store, endpoint and session must be picklable. Raises ConfigError, before anything is
    redeemed, if the store can't be read, or if the token may be rotated and the store can't
    take a new one; AuthError for a token whose answer was lost before; OperationFailedError if
    the store did not take the new token.
    """
    if not store.may_rotate:
        return redeem_and_store(store, endpoint, session)
    require_place(store)
    try:
        return _helpers.call(_redeem_and_close, store, endpoint, session)
    except HelperKilledError:
        words = "the helper process that redeems was killed"
        now = datetime.now(UTC)
        return Redemption(RedemptionOutcome.UNKNOWN, now, description=words, answer_lost=True)


def require_place(store: TokenStore) -> None:
    """Raises ConfigError for a token that may be rotated, and a new one has no place."""
    if store.may_rotate and not store.writable:
        raise ConfigError(
            "the refresh token was not redeemed: the org may replace it, and this store cannot "
            "take a new one",
            where=store.where,
            hint="keep it in {file: PATH} or {get: [argv], put: [argv]}; or set rotation: false "
            "beside it if the app does not rotate refresh tokens",
        )


def read_usable(store: TokenStore) -> Secret:
    """The token, unless its last answer was lost. Raises AuthError for that, and ConfigError."""
    token = store.read()
    if store.may_rotate:
        _refuse_lost(_mark_of_lost_answer(token), store.where)
    return token


def redeem_and_store(
    store: TokenStore,
    endpoint: TokenEndpoint,
    session: requests.Session,
    is_wanted: Callable[[], bool] = lambda: True,
) -> Redemption:
    """Lock, read, redeem, and store a new token before the redemption is reported.

    is_wanted: asked once the lock is held. Raises what the store raises.
    """
    with store.locked():
        token = read_usable(store)
        if not is_wanted():
            raise InterruptedRunError("no process waits for the redemption", hint="redeem again")
        redemption = _redeem_patiently(endpoint, token, session, is_wanted)
        if redemption.new_token is not None:
            store.write(redemption.new_token, replaced=token)
        elif redemption.answer_lost and store.may_rotate:
            _note(_mark_of_lost_answer(token), redemption.time)
    return redemption


def _redeem_patiently(
    endpoint: TokenEndpoint,
    token: Secret,
    session: requests.Session,
    is_wanted: Callable[[], bool],
) -> Redemption:
    """Once, and again a few times while the endpoint asks for that: it has answered with an
    error, so it has rotated nothing, and the token is as good as before."""
    redemption = endpoint.redeem(token, session)
    for seconds in _BUSY_PAUSES:
        if redemption.outcome is not RedemptionOutcome.BUSY:
            break
        time.sleep(seconds)
        if not is_wanted():
            break
        redemption = endpoint.redeem(token, session)
    return redemption


def _redeem_and_close(
    store: TokenStore,
    endpoint: TokenEndpoint,
    session: requests.Session,
    is_wanted: Callable[[], bool],
) -> Redemption:
    """In the helper process, with a session of its own."""
    with session:
        return redeem_and_store(store, endpoint, session, is_wanted)


def _mark_of_lost_answer(token: Secret) -> Path:
    """The file that exists if this token must not be redeemed again."""
    return state_folder() / f"answer-lost-{fingerprint(token.reveal())}"


def _refuse_lost(mark: Path, where: str) -> None:
    if mark.exists():
        raise AuthError(
            "this refresh token was redeemed and the answer was lost; it may be void, so it is "
            "never redeemed again",
            where=where,
            hint="authorize the app again and put the new token into the store; or, if "
            f"LoginHistory has no redemption of that time, delete {mark}",
            impact=_GRANT_IN_DOUBT,
        )


def _note(mark: Path, time: datetime) -> None:
    try:
        write_durably(mark, f"{time.isoformat()}\n")
    except OSError as error:
        raise ConfigError(
            f"the answer to a redemption was lost, and {mark} cannot be written: {error.strerror}",
            hint="treat this token as void: authorize the app again",
            impact=_GRANT_IN_DOUBT,
        ) from None
