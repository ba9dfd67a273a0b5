"""Who may call: access tokens and how long they live."""

from __future__ import annotations

import hmac
import secrets
import string
from datetime import datetime, timedelta

from sfcutover.emulator.clock import Clock

_ALPHABET = string.ascii_letters + string.digits + "._"  # 64: every byte is as good
_TOKEN_LENGTH = 96


def make_secret(length: int) -> str:
    """A random text of letters, digits, points and underscores, as Salesforce's are."""
    return "".join(_ALPHABET[byte % len(_ALPHABET)] for byte in secrets.token_bytes(length))


class Sessions:
    """The org's live sessions. The caller holds the org's lock."""

    def __init__(self, organization_id: str, seconds: float, clock: Clock) -> None:
        self._prefix = organization_id[:15]
        self._lifetime = timedelta(seconds=seconds)
        self._clock = clock
        self._started: dict[str, datetime] = {}

    def start(self) -> str:
        """Log the user in; the new access token is ``<org id>!<random>``."""
        token = f"{self._prefix}!{make_secret(_TOKEN_LENGTH)}"
        self._started[token] = self._clock()
        return token

    def is_alive(self, token: str) -> bool:
        """True for a token of this org that is neither expired nor ended."""
        started = self._started.get(token)
        return started is not None and self._clock() < started + self._lifetime

    def end(self, token: str) -> None:
        """Kill one session."""
        self._started.pop(token, None)


def is_same_secret(one: str, other: str) -> bool:
    """Compare without telling by the time taken where they differ."""
    return hmac.compare_digest(one.encode(), other.encode())
