"""Redeeming a refresh token at the token endpoint: once, and never a second time by accident.

The token is the request's body, and whether the body was asked for tells whether the
endpoint can have seen it. That decides if an answer was lost or never possible.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import urlencode, urlsplit

import requests

from sfcutover.config.traffic import Verify
from sfcutover.errors import ConfigError
from sfcutover.traffic.proxyerrors import failed_at_proxy, proxy_answer
from sfcutover.traffic.redemption import Redemption, RedemptionOutcome, read_answer
from sfcutover.util.http import (
    CONNECT_SECONDS,
    READ_SECONDS,
    check_url,
    is_loopback_url,
    network_error,
)
from sfcutover.util.secrets import Secret, one_line

_SALESFORCE = ("salesforce.com", "force.com")  # My Domains lie below them
_HOST = re.compile(r"[a-z0-9.-]+")
_HEADERS = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}


@dataclass(frozen=True)
class TokenEndpoint:
    """A token endpoint, and the app that redeems there."""

    url: str
    client_id: str
    client_secret: Secret | None

    def redeem(self, token: Secret, session: requests.Session) -> Redemption:
        """Post the refresh-token grant, once.

        Whatever the endpoint, the proxy or the network does is an outcome, no error.
        """
        body = _SentOnce(self._form(token))
        try:
            response = session.post(
                self.url,
                data=body,
                headers=_HEADERS,
                timeout=(CONNECT_SECONDS, READ_SECONDS),
                allow_redirects=False,
            )
        except requests.RequestException as error:
            if error.response is None:
                return self._failure(error, body.was_sent)
            response = error.response  # the session's way to refuse a redirect
        return read_answer(response.status_code, response.content, datetime.now(UTC))

    def _form(self, token: Secret) -> bytes:
        form = {
            "grant_type": "refresh_token",
            "client_id": self.client_id,
            "refresh_token": token.reveal(),
        }
        if self.client_secret is not None:
            form["client_secret"] = self.client_secret.reveal()
        return urlencode(form).encode()

    def _failure(self, error: requests.RequestException, sent: bool) -> Redemption:
        """No answer, or half of one."""
        outcome, status = RedemptionOutcome.NETWORK_FAILURE, None
        reason = network_error(error, self.url, "").message
        if not sent and failed_at_proxy(error):
            outcome = RedemptionOutcome.PROXY_FAILURE
            status, reason = proxy_answer(error)
        return Redemption(
            outcome,
            datetime.now(UTC),
            status,
            description=one_line(reason),
            answer_lost=sent,
        )


def token_endpoint(verify: Verify, *, allow_other_hosts: bool) -> TokenEndpoint:
    """The endpoint that cutover.yaml names, with its secrets read.

    Raises ConfigError, also for a host that is not Salesforce's: it would get a token
    and a client secret, unless allow_other_hosts says that it may.
    """
    where = verify.token_url.where
    url = check_url(verify.token_url.read(), where)
    if not (allow_other_hosts or _is_trusted(url)):
        raise ConfigError(
            f"token_url's host {urlsplit(url).hostname} is not Salesforce's; it would get the "
            "refresh token",
            where=where,
            hint="use https://login.salesforce.com/services/oauth2/token or the My Domain's; "
            "allow_other_hosts: true if the host is yours",
        )
    secret = verify.client_secret.read() if verify.client_secret else None
    return TokenEndpoint(url, verify.client_id.read(), secret)


class _SentOnce:
    """A request body that can be read once, so that nothing below can send it again."""

    def __init__(self, data: bytes) -> None:
        self._length = len(data)
        self._parts = [data, b""]
        self.was_sent = False  # True from the instant on at which a connection asks for it

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[bytes]:
        """requests takes only what has this for a stream; it then reads."""
        while part := self.read():
            yield part

    def read(self, size: int = -1) -> bytes:
        """All, whatever the size, at the first call; then the end; then no more."""
        if not self._parts:
            raise OSError("a grant is sent once")
        self.was_sent = True
        return self._parts.pop(0)


def _is_trusted(url: str) -> bool:
    host = (urlsplit(url).hostname or "").removesuffix(".")
    salesforce = any(host == each or host.endswith(f".{each}") for each in _SALESFORCE)
    return is_loopback_url(url) or (salesforce and _HOST.fullmatch(host) is not None)
