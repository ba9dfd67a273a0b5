"""What can go wrong on the way out, told apart: the proxy, its TLS, the page behind it.

requests and urllib3 wrap the cause several times over, so it is searched for in the chain.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Iterator
from urllib.parse import urlsplit

import requests
import urllib3.exceptions

from sfcutover.egress.proxyurl import ProxyUrl
from sfcutover.errors import ExitCode, NetworkError

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
