"""The ways out, and which address the world sees behind one.

Every request takes a connection of its own: a balanced pair alternates by connection, and
a connection that stays open would show one address only.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import requests
from requests.adapters import BaseAdapter

from sfcutover.allowlist.ranges import IpRange
from sfcutover.config import Cutover
from sfcutover.egress.echo import ask_echo, echo_url_of
from sfcutover.egress.errors import (
    DestinationUnreachableError,
    EchoAnswerError,
    EchoHttpError,
    EgressError,
    EgressTlsError,
    ProxyRefusedError,
    ProxyUnreachableError,
    egress_error,
)
from sfcutover.egress.proxyurl import ProxyUrl
from sfcutover.errors import ConfigError
from sfcutover.util.http import BoundedAdapter

__all__ = [
    "DestinationUnreachableError",
    "EchoAnswerError",
    "EchoHttpError",
    "Egress",
    "EgressError",
    "EgressSession",
    "EgressTlsError",
    "ProxyRefusedError",
    "ProxyUnreachableError",
    "ProxyUrl",
    "ask_echo",
    "echo_url_of",
    "egress_error",
    "egress_of",
]


class EgressSession(requests.Session):
    """Knows nothing but its proxy: the environment's proxies and ~/.netrc are ignored."""

    def __init__(self, proxy: ProxyUrl) -> None:
        super().__init__()
        self.proxy = proxy
        self.trust_env = False
        self.max_redirects = 0
        bundles = (os.environ.get(name) for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"))
        self.verify = next(filter(None, bundles), True)
        self.mount("https://", _OneConnection(proxy))
        self.mount("http://", _OneConnection(proxy))


@dataclass(frozen=True)
class Egress:
    """The way traffic leaves. name: old or new. expected: the addresses seen behind it."""

    name: str
    proxy: ProxyUrl
    expected: tuple[IpRange, ...]

    def session(self) -> requests.Session:
        """A session through this proxy and no other way: bounded, TLS verified, no redirects,
        never a second try, a new connection a request. Threads may share it."""
        return EgressSession(self.proxy)


def egress_of(cutover: Cutover, name: str) -> Egress:
    """The old or new egress, its secret read. Raises ConfigError with file and line."""
    configured = cutover.egress
    proxy = getattr(configured, name) if configured and name in ("old", "new") else None
    if proxy is None:
        raise ConfigError(
            f"egress.{name} is not configured",
            where=configured.where if configured else cutover.where,
            hint=f"add egress: {{{name}: {{proxy: {{env: NAME}}}}}}, where NAME is the variable "
            "that holds the proxy's URL",
        )
    entries = cutover.new if name == "new" else cutover.old
    return Egress(
        name,
        ProxyUrl.parse(proxy.proxy.read(), proxy.proxy.where),
        tuple(entry.to_range() for entry in entries),
    )


class _OneConnection(BaseAdapter):
    """Makes an adapter, with its connection, for each request, and closes it."""

    def __init__(self, proxy: ProxyUrl) -> None:
        super().__init__()
        self._proxy = proxy

    def send(
        self,
        request: requests.PreparedRequest,
        stream: bool = False,
        timeout: float | tuple[float, float] | tuple[float, None] | None = None,
        verify: bool | str = True,
        cert: bytes | str | tuple[bytes | str, bytes | str] | None = None,
        proxies: Mapping[str, str] | None = None,
    ) -> requests.Response:
        with closing(_ProxyAdapter(self._proxy)) as adapter:
            url = str(self._proxy)
            return adapter.send(request, stream, timeout, verify, cert, {"http": url, "https": url})

    def close(self) -> None:
        """Nothing stays open."""


class _ProxyAdapter(BoundedAdapter):
    """Hands the password over apart from the URL, which stands in logs and errors."""

    def __init__(self, proxy: ProxyUrl) -> None:
        self._proxy = proxy
        super().__init__(pool_connections=1, pool_maxsize=1)

    def proxy_headers(self, proxy: str) -> dict[str, str]:
        value = self._proxy.basic_auth
        return {} if value is None else {"Proxy-Authorization": value.reveal()}

    def proxy_manager_for(self, proxy: str, **proxy_kwargs: Any) -> Any:
        if not self._proxy.is_socks:
            return super().proxy_manager_for(proxy, **proxy_kwargs)
        from urllib3.contrib.socks import SOCKSProxyManager

        user, password = self._proxy.user, self._proxy.password
        self.proxy_manager[proxy] = SOCKSProxyManager(
            proxy,
            username=user if user else None,
            password=password.reveal() if password else None,
        )
        return self.proxy_manager[proxy]

    def cert_verify(self, conn: Any, url: str, verify: bool | str, cert: Any) -> None:
        """Also where only the proxy speaks TLS, which requests does not verify by itself."""
        super().cert_verify(conn, "https://", verify, cert)  # type: ignore[no-untyped-call]
