"""An application that redeems the refresh tokens of its customers, each several times a second.

It knows of no cutover: it asks for the proxy before each redemption, and keeps the token that
the org returns.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager

import requests

from sfcutover.cli.demo.counters import Attempt

RATE = 7.0  # redemptions of each customer a second
_TIMEOUT_SECONDS = 5.0


def redeem(variables: Mapping[str, str], token: str, proxy: str) -> str | None:
    """Redeem a refresh token; return the next one, or None if that failed.

    variables: the emulator's environment variables. Each redemption opens a connection, so that
    the addresses of the proxy alternate.
    """
    form = {
        "grant_type": "refresh_token",
        "refresh_token": token,
        "client_id": variables["SF_CLIENT_ID"],
        "client_secret": variables["SF_CLIENT_SECRET"],
    }
    with requests.Session() as session:
        session.trust_env = False
        session.verify = variables["REQUESTS_CA_BUNDLE"]
        session.proxies = {"https": proxy}
        try:
            answer = session.post(
                variables["SFCUTOVER_TOKEN_URL"], data=form, timeout=_TIMEOUT_SECONDS
            )
            renewed = answer.json().get("refresh_token") if answer.ok else None
        except requests.RequestException:
            return None
    return renewed if isinstance(renewed, str) else None


class Application:
    """Serves its customers.

    customers: name and refresh token of each. variables: as for ``redeem``. proxy: returns the
    URL of the proxy for the next redemption.
    """

    def __init__(
        self,
        customers: Iterable[tuple[str, str]],
        variables: Mapping[str, str],
        proxy: Callable[[], str],
    ) -> None:
        self._variables = variables
        self._proxy = proxy
        self._stopping = threading.Event()
        self._attempts: list[Attempt] = []
        self._threads = [
            threading.Thread(target=self._serve, args=customer, name=customer[0], daemon=True)
            for customer in customers
        ]

    @contextmanager
    def serving(self) -> Iterator[None]:
        """Serve until the block ends."""
        for thread in self._threads:
            thread.start()
        try:
            yield
        finally:
            self.stop()

    def stop(self) -> None:
        """Start no more redemptions and wait for those in flight; may be called twice."""
        self._stopping.set()
        for thread in self._threads:
            thread.join()

    @property
    def attempts(self) -> tuple[Attempt, ...]:
        """All attempts so far."""
        return tuple(self._attempts)

    def _serve(self, customer: str, token: str) -> None:
        """A refused token is tried again: a refusal is no reason to send the customer to the
        login page."""
        due = time.monotonic()
        while not self._stopping.wait(max(0.0, due - time.monotonic())):
            renewed = redeem(self._variables, token, self._proxy())
            token = renewed or token
            self._attempts.append(Attempt(customer, time.time(), renewed is not None))
            due = max(due + 1 / RATE, time.monotonic())  # a late redemption is not made up for
