"""An application with live customers, each of whose refresh tokens is redeemed all the time.

It knows of no cutover: before each redemption it looks which proxy it is to leave by, and it
keeps the token that the org gives back.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import requests

from sfcutover.demo.tally import Attempt

RATE = 7.0  # redemptions of each customer a second
_TIMEOUT_SECONDS = 5.0
Proxy = Callable[[], str]


@dataclass(frozen=True)
class TokenUrl:
    """Where and as whom to redeem. authorities: a file with those that sign the certificate."""

    url: str
    client_id: str
    client_secret: str
    authorities: str

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> Self:
        """As the emulator's variables have it."""
        return cls(
            environment["SFCUTOVER_TOKEN_URL"],
            environment["SF_CLIENT_ID"],
            environment["SF_CLIENT_SECRET"],
            environment["REQUESTS_CA_BUNDLE"],
        )

    def redeem(self, token: str, proxy: str) -> str | None:
        """The next refresh token, None if the redemption failed. On a connection of its own, so
        that the proxy's addresses take turns."""
        form = {
            "grant_type": "refresh_token",
            "refresh_token": token,
            "client_id": self.client_id,
            "client_secret": self.client_secret,
        }
        with requests.Session() as session:
            session.trust_env = False
            session.verify = self.authorities
            session.proxies = {"https": proxy}
            try:
                answer = session.post(self.url, data=form, timeout=_TIMEOUT_SECONDS)
                renewed = answer.json().get("refresh_token") if answer.ok else None
            except requests.RequestException:
                return None
        return renewed if isinstance(renewed, str) else None


class Application:
    """Serves its customers while the block runs. customers: name and refresh token of each."""

    def __init__(
        self, customers: Iterable[tuple[str, str]], token_url: TokenUrl, proxy: Proxy
    ) -> None:
        self._token_url = token_url
        self._proxy = proxy
        self._ends = threading.Event()
        self._attempts: list[Attempt] = []
        self._threads = [
            threading.Thread(target=self._serve, args=customer, name=customer[0], daemon=True)
            for customer in customers
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Begin no more redemptions, and wait for those under way; may be called twice."""
        self._ends.set()
        for thread in self._threads:
            thread.join()

    @property
    def attempts(self) -> tuple[Attempt, ...]:
        """All so far."""
        return tuple(self._attempts)

    def _serve(self, customer: str, token: str) -> None:
        """Whatever comes of it, the customer's token is tried again: a refusal is no reason to
        send a customer to the login page."""
        due = time.monotonic()
        while not self._ends.wait(max(0.0, due - time.monotonic())):
            renewed = self._token_url.redeem(token, self._proxy())
            token = renewed or token
            self._attempts.append(Attempt(customer, time.time(), renewed is not None))
            due = max(due + 1 / RATE, time.monotonic())  # what is late is not caught up on
