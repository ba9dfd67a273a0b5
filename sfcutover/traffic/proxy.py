"""A proxy's URL, taken apart and checked. No message repeats any part of it: a part may be
the password.

Percent-encoding as RFC 3986 section 3.2.1 has it; basic auth as RFC 7617; SOCKS5's user name
and password as RFC 1929, of which PySocks 1.7.1 sends lengths up to 127 bytes right.
"""

from __future__ import annotations

import base64
import ipaddress
import re
import ssl
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NoReturn
from urllib.parse import unquote, urlsplit

import requests
import urllib3.exceptions

from sfcutover.errors import ConfigError, ExitCode, NetworkError
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
            _refuse(f"the proxy URL's scheme is none of {', '.join(DEFAULT_PORTS)}", where)
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
            "the proxy URL has no host and port where they should stand, or more behind them",
            where,
            f"write it as {_EXAMPLE}; {_ENCODE}",
        )
    host, port = match[1].strip("[]"), int(match[2] or default_port)
    if not 0 < port <= _MAX_PORT:
        _refuse("the proxy URL's port is none", where)
    if ":" in host and not _is_ipv6(host):
        _refuse("the proxy URL's host is no IPv6 address, though in brackets", where)
    return host, port


def _credentials(userinfo: str, where: str) -> tuple[str, str]:
    """User and password, decoded. A colon in the password may stand as it is (RFC 3986)."""
    if _UNENCODED.search(userinfo) or _LONE_PERCENT.search(userinfo):
        _refuse(
            "the proxy URL's user or password holds a character that must be percent-encoded",
            where,
            _ENCODE,
        )
    user, _, password = userinfo.partition(":")
    Secret(password)  # as it stands in the URL, too, it is masked from here on
    try:
        return unquote(user, errors="strict"), unquote(password, errors="strict")
    except UnicodeDecodeError:
        _refuse("the proxy URL's percent-encoding is not UTF-8", where, _ENCODE)


def _check_credentials(scheme: str, user: str, password: str, where: str) -> None:
    if not scheme.startswith("socks"):
        if ":" in user:
            _refuse("the proxy URL's user holds a colon, which basic auth can't send", where)
        return
    if not user or not password:
        _refuse("a SOCKS5 proxy's URL has a user and a password, or neither", where)
    if max(len(user.encode()), len(password.encode())) > _MAX_SOCKS_BYTES:
        _refuse(f"a SOCKS5 user or password is longer than {_MAX_SOCKS_BYTES} bytes", where)


def _is_ipv6(text: str) -> bool:
    try:
        return ipaddress.ip_address(text).version == 6  # noqa: PLR2004
    except ValueError:
        return False


def _refuse(message: str, where: str, hint: str = f"write it as {_EXAMPLE}") -> NoReturn:
    raise ConfigError(message, where=where, hint=hint) from None


_TUNNEL = re.compile(r"Tunnel connection failed: ([0-9]{3})")
PROXY_AUTHENTICATION_REQUIRED = 407
_CHECK = "check the proxy's URL, its state at its provider, and the network from here to it"


class EgressError(NetworkError):
    """Traffic did not leave, or what came back says nothing."""


class ProxyRefusedError(EgressError):
    """The proxy wants another user or password (HTTP 407, or SOCKS5 authentication)."""

    exit_code = ExitCode.AUTH


class ProxyUnreachableError(EgressError):
    """No proxy answers at its host and port, or what answers is no proxy of that kind."""


class EgressTlsError(EgressError):
    """A certificate, the proxy's or that of the host behind it, could not be verified."""


class DestinationUnreachableError(EgressError):
    """The proxy answers, but no connection through it came about, or it broke."""


class EchoHttpError(EgressError):
    """The echo, or the proxy for it, answered with an HTTP error or a redirect."""


class EchoAnswerError(EgressError):
    """The echo answered something that is no IP address."""


def egress_error(error: requests.RequestException, proxy: ProxyUrl | str, url: str) -> EgressError:
    """What a failed request through a proxy means. It names hosts, never credentials."""
    host = urlsplit(url).netloc.rpartition("@")[2]
    chain = tuple(_causes(error))
    if isinstance(error, requests.TooManyRedirects):
        return http_status_error(error.response, proxy, host)
    found = _authentication(chain, proxy) or _tls(chain, proxy, host)
    return found or _tunnel(chain, proxy, host) or _connection(chain, proxy, host)


def proxy_refused(proxy: ProxyUrl | str) -> ProxyRefusedError:
    return ProxyRefusedError(
        f"the proxy {proxy} refused the user or password",
        hint="check both in the proxy's URL, percent-encoded; the provider's page shows them",
    )


def http_status_error(
    response: requests.Response | None, proxy: ProxyUrl | str, host: str
) -> EchoHttpError:
    status = "a redirect" if response is None else f"HTTP {response.status_code}"
    return EchoHttpError(
        f"{host}, through the proxy {proxy}, answered with {status}",
        hint="the page or the proxy did: open it without the proxy; another page may stand as "
        "egress.echo_url",
    )


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and all it was made from, each once."""
    waiting, seen = [error], set[int]()
    while waiting:
        each = waiting.pop()
        if id(each) in seen:
            continue
        seen.add(id(each))
        yield each
        inner = (each.__cause__, each.__context__, getattr(each, "reason", None), *each.args)
        waiting += [one for one in inner if isinstance(one, BaseException)]


def _authentication(
    chain: tuple[BaseException, ...], proxy: ProxyUrl | str
) -> ProxyRefusedError | None:
    refused = _tunnel_status(chain) == PROXY_AUTHENTICATION_REQUIRED
    return proxy_refused(proxy) if refused or _named(chain, "SOCKS5AuthError") else None


def _tls(chain: tuple[BaseException, ...], proxy: ProxyUrl | str, host: str) -> EgressError | None:
    if not _any(chain, requests.exceptions.SSLError, urllib3.exceptions.SSLError, ssl.SSLError):
        return None
    if _any(chain, ssl.SSLEOFError, ssl.SSLZeroReturnError):  # it broke, and nothing was wrong
        return None
    its_own = _any(chain, requests.exceptions.ProxyError, urllib3.exceptions.ProxyError)
    return EgressTlsError(
        f"TLS with the proxy {proxy} failed"
        if its_own
        else f"TLS with {host} failed behind the proxy {proxy}",
        hint="if a private authority signed the certificate, set REQUESTS_CA_BUNDLE to its PEM "
        "file; a proxy that breaks TLS open must not carry refresh tokens"
        + ("; if it speaks plain HTTP, its URL begins with http://" if its_own else ""),
    )


def _tunnel(
    chain: tuple[BaseException, ...], proxy: ProxyUrl | str, host: str
) -> EgressError | None:
    """The proxy has answered, and did not connect."""
    status = _tunnel_status(chain)
    if status is None and not _named(chain, "SOCKS5Error"):
        return None
    how = "" if status is None else f": HTTP {status}"
    return DestinationUnreachableError(
        f"the proxy {proxy} did not connect to {host}{how}",
        hint=f"check that {host} is up and that the proxy may connect to it",
    )


def _connection(chain: tuple[BaseException, ...], proxy: ProxyUrl | str, host: str) -> EgressError:
    """A connection that failed before the proxy had answered, or broke later."""
    general = next((each for each in chain if type(each).__name__ == "GeneralProxyError"), None)
    if general and "invalid data" in str(general):
        return ProxyUnreachableError(f"what answers at {proxy} is no SOCKS5 proxy", hint=_CHECK)
    # A reset may come while connecting or just after; a proxy that is not there refuses.
    broke = general is not None or _any(chain, ConnectionResetError, BrokenPipeError)
    if not broke and _any(chain, urllib3.exceptions.ConnectTimeoutError):
        return ProxyUnreachableError(f"the proxy {proxy} can't be reached", hint=_CHECK)
    slow = _any(chain, requests.Timeout, urllib3.exceptions.TimeoutError, TimeoutError)
    how = "it did not answer in time" if slow and not broke else "the connection broke"
    return DestinationUnreachableError(
        f"{host}, through the proxy {proxy}: {how}", hint=f"run this again; {_CHECK}"
    )


def _tunnel_status(chain: tuple[BaseException, ...]) -> int | None:
    """The HTTP status that the proxy answered CONNECT with, as http.client words it."""
    matches = (_TUNNEL.search(str(each)) for each in chain)
    return next((int(match[1]) for match in matches if match), None)


def _any(chain: tuple[BaseException, ...], *kinds: type[BaseException]) -> bool:
    return any(isinstance(each, kinds) for each in chain)


def _named(chain: tuple[BaseException, ...], *names: str) -> bool:
    """By name, as PySocks is loaded only for a SOCKS proxy."""
    return any(type(each).__name__ in names for each in chain)
