"""A proxy's URL, and a session through it or through none. No message repeats any part of the URL:
a part may be the password.

Percent-encoding as RFC 3986 section 3.2.1 has it; basic auth as RFC 7617; SOCKS5's user name
and password as RFC 1929, of which PySocks 1.7.1 sends lengths up to 127 bytes right.
"""

from __future__ import annotations

import base64
import ipaddress
import os
import re
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any, NoReturn
from urllib.parse import unquote

import requests

from sfcutover.errors import ConfigError
from sfcutover.util.http import BoundedAdapter
from sfcutover.util.secrets import Secret

DEFAULT_PORTS = {"http": 80, "https": 443, "socks5": 1080, "socks5h": 1080}
_EXAMPLE = "http://user:password@proxy.example:9293"
_ENCODE = "write %40 for @, %3A for :, %2F for /, %3F for ?, %23 for # and %25 for % in a password"
_HOST_AND_PORT = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_.-]+)(?::([0-9]{1,5}))?/?")
_LONE_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
_UNENCODED = re.compile(r"[@/?#\[\]\s\x00-\x1f\x7f]")
_MAX_PORT = 65535
_MAX_SOCKS_BYTES = 127


@dataclass(frozen=True)
class ProxyUrl:
    """scheme: http, https, socks5 (names resolved here) or socks5h (by the proxy).

    host: a name or an address, IPv6 without its brackets. user and password: decoded, None
    where the URL has none.
    """

    scheme: str
    host: str
    port: int
    user: str | None = field(default=None, repr=False)
    password: Secret | None = field(default=None, repr=False)

    @classmethod
    def parse(cls, secret: Secret, where: str) -> ProxyUrl:
        """Raises ConfigError with this place, which says what to encode and repeats nothing."""
        scheme, separator, rest = secret.reveal().strip().partition("://")
        scheme = scheme.lower()
        if not separator:
            _refuse("the proxy URL has no scheme", where, f"write it as {_EXAMPLE}")
        if scheme not in DEFAULT_PORTS:
            _refuse(f"the proxy URL's scheme is not one of {', '.join(DEFAULT_PORTS)}", where)
        userinfo, at, place = rest.rpartition("@")
        host, port = _host_and_port(place, DEFAULT_PORTS[scheme], where)
        if not at or not userinfo:
            return cls(scheme, host, port)
        user, password = _credentials(userinfo, where)
        _check_credentials(scheme, user, password, where)
        return cls(scheme, host, port, user, Secret(password))

    @property
    def is_socks(self) -> bool:
        return self.scheme.startswith("socks")

    @property
    def basic_auth(self) -> Secret | None:
        """The value of Proxy-Authorization, in UTF-8; None without a user."""
        if self.user is None or self.password is None:
            return None
        pair = f"{self.user}:{self.password.reveal()}".encode()
        return Secret(f"Basic {Secret(base64.b64encode(pair).decode()).reveal()}")

    def __str__(self) -> str:
        """``http://proxy.example:9293``: never with credentials."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"


def _host_and_port(text: str, default_port: int, where: str) -> tuple[str, int]:
    match = _HOST_AND_PORT.fullmatch(text)
    if match is None:
        _refuse(
            "the proxy URL has no host and port, or has text after them",
            where,
            f"write it as {_EXAMPLE}; {_ENCODE}",
        )
    host, port = match[1].strip("[]"), int(match[2] or default_port)
    if not 0 < port <= _MAX_PORT:
        _refuse("the proxy URL's port is not valid", where)
    if ":" in host and not _is_ipv6(host):
        _refuse("the proxy URL's host is in brackets but is not an IPv6 address", where)
    return host, port


def _credentials(userinfo: str, where: str) -> tuple[str, str]:
    """User and password, decoded. A colon in the password may stand as it is (RFC 3986)."""
    if _UNENCODED.search(userinfo) or _LONE_PERCENT.search(userinfo):
        _refuse(
            "the proxy URL's user or password has a character that must be percent-encoded",
            where,
            _ENCODE,
        )
    user, _, password = userinfo.partition(":")
    Secret(password)  # its form in the URL, too, is masked from here on
    try:
        return unquote(user, errors="strict"), unquote(password, errors="strict")
    except UnicodeDecodeError:
        _refuse("the proxy URL's percent-encoding is not UTF-8", where, _ENCODE)


def _check_credentials(scheme: str, user: str, password: str, where: str) -> None:
    if not scheme.startswith("socks"):
        if ":" in user:
            _refuse("the proxy URL's user has a colon, which basic auth cannot send", where)
        return
    if not user or not password:
        _refuse("a SOCKS5 proxy's URL must have both a user and a password, or neither", where)
    if max(len(user.encode()), len(password.encode())) > _MAX_SOCKS_BYTES:
        _refuse(f"a SOCKS5 user or password is longer than {_MAX_SOCKS_BYTES} bytes", where)


def _is_ipv6(text: str) -> bool:
    try:
        return ipaddress.ip_address(text).version == 6  # noqa: PLR2004
    except ValueError:
        return False


def _refuse(message: str, where: str, hint: str = f"write it as {_EXAMPLE}") -> NoReturn:
    raise ConfigError(message, where=where, hint=hint) from None


class EgressSession(requests.Session):
    """A session through one proxy, or through none, and no other way: bounded, TLS verified, no
    redirects, never a second try, a new connection for each request. Threads may share it.

    It ignores the environment's proxies and ~/.netrc. Balanced addresses alternate by
    connection, and a connection that stays open would show one address only.
    """

    __attrs__ = [*requests.Session.__attrs__, "proxy"]  # noqa: RUF012 - what a pickle of it holds

    def __init__(self, proxy: ProxyUrl | None) -> None:
        super().__init__()
        self.proxy = proxy
        self.trust_env = False
        self.max_redirects = 0
        bundles = (os.environ.get(name) for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"))
        self.verify = next(filter(None, bundles), True)

    def get_adapter(self, url: str | bytes) -> BoundedAdapter:
        return _OneConnection() if self.proxy is None else _OneConnectionByProxy(self.proxy)


class _OneConnection(BoundedAdapter):
    """Makes one request, and closes the connection."""

    def __init__(self) -> None:
        super().__init__(pool_connections=1, pool_maxsize=1)

    def send(
        self, request: requests.PreparedRequest, *args: Any, **options: Any
    ) -> requests.Response:
        with closing(self):
            return super().send(request, *args, **options)


class _OneConnectionByProxy(_OneConnection):
    """The same through a proxy, whose password it passes apart from the URL, which appears in logs
    and errors."""

    def __init__(self, proxy: ProxyUrl) -> None:
        self._proxy = proxy
        super().__init__()

    def send(
        self, request: requests.PreparedRequest, *args: Any, **options: Any
    ) -> requests.Response:
        options["proxies"] = dict.fromkeys(("http", "https"), str(self._proxy))
        return super().send(request, *args, **options)

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
