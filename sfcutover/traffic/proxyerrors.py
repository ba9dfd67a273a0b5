"""What a failed request by an egress means: the proxy, the host behind it, or what came back.

The text of an error names hosts, never credentials.
"""

from __future__ import annotations

import re
import ssl
from traceback import walk_tb
from urllib.parse import urlsplit

import requests
import urllib3.exceptions

from sfcutover.errors import UNCHANGED, ExitCode, NetworkError
from sfcutover.traffic.proxy import ProxyUrl
from sfcutover.util.http import causes, is_about_tls, network_error

_TUNNEL = re.compile(r"Tunnel connection failed: ([0-9]{3})\b")
_AUTHENTICATION_REQUIRED = 407
_UNAUTHORIZED = 401  # what tinyproxy answers to a wrong password, where others answer 407
_REFUSED_PASSWORD = (_UNAUTHORIZED, _AUTHENTICATION_REQUIRED)
_CHECK = (
    "check the proxy's URL, its status at the provider, and the network from this machine to it"
)


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
    """The echo, or a command in its place, answered something that is no IP address."""


class ProbeCommandError(EgressError):
    """The command that shows an egress's address failed."""


def egress_error(error: requests.RequestException, proxy: ProxyUrl | None, url: str) -> EgressError:
    """What a failed request through a proxy means, or through none."""
    host = urlsplit(url).netloc.rpartition("@")[2]
    if proxy is None:
        return _without_proxy(error, url, host)
    chain = causes(error)
    if isinstance(error, requests.TooManyRedirects):
        return http_status_error(error.response, proxy, host)
    found = _authentication(chain, proxy) or _tls(chain, proxy, host)
    return found or _tunnel(chain, proxy, host) or _connection(chain, proxy, host)


def _without_proxy(error: requests.RequestException, url: str, host: str) -> EgressError:
    if isinstance(error, requests.TooManyRedirects):
        return http_status_error(error.response, None, host)
    found = network_error(error, url, UNCHANGED)
    if is_about_tls(error):
        return EgressTlsError(found.message, hint=found.advice)
    hint = f"check the network from this machine to {host}, then run this again"
    return DestinationUnreachableError(found.message, hint=hint)


def is_refusal_of_proxy(response: requests.Response) -> bool:
    """True if the proxy itself wants another user or password.

    A page that wants some answers 401 and says how (WWW-Authenticate, RFC 9110), or in JSON; what
    comes over TLS is never the proxy's.
    """
    if response.status_code != _UNAUTHORIZED or not (response.url or "").startswith("http://"):
        return response.status_code == _AUTHENTICATION_REQUIRED
    headers = response.headers
    how, kind = headers.get("WWW-Authenticate", ""), headers.get("Content-Type", "")
    if "tinyproxy" in f"{headers.get('Server', '')} {how}".lower():
        return True
    return not how and "json" not in kind.lower()


def proxy_refused(proxy: ProxyUrl) -> ProxyRefusedError:
    if proxy.user is None:
        return ProxyRefusedError(
            f"the proxy {proxy} requires a user and password, but its URL has none",
            hint="add both to the proxy's URL, percent-encoded; the provider's page shows them",
        )
    return ProxyRefusedError(
        f"the proxy {proxy} refused the user or password",
        hint="check both in the proxy's URL, percent-encoded; the provider's page shows them",
    )


def http_status_error(
    response: requests.Response | None, proxy: ProxyUrl | None, host: str
) -> EchoHttpError:
    status = "a redirect" if response is None else f"HTTP {response.status_code}"
    if proxy is None:
        return EchoHttpError(
            f"{host} answered with {status}",
            hint="open the page by hand, or use another page as egress.echo_url",
        )
    return EchoHttpError(
        f"{host}, through the proxy {proxy}, answered with {status}",
        hint="find which of the two answered: open the page without the proxy, or use another "
        "page as egress.echo_url",
    )


def failed_at_proxy(error: requests.RequestException) -> bool:
    """True if a request that was not sent failed at the proxy, not behind it.

    PySocks' errors look like the network's, and so does much of what goes wrong while a proxy
    is asked to connect. (Once the request is sent, urllib3 blames the proxy for everything
    that happens to the connection.)
    """
    return any(
        isinstance(each, requests.exceptions.ProxyError) or _is_socks(each) or _in_tunnel(each)
        for each in causes(error)
    )


def proxy_answer(error: requests.RequestException) -> tuple[int | None, str]:
    """What the proxy answered instead of connecting: its HTTP status if any, and the words."""
    chain = causes(error)
    status = _tunnel_status(chain)
    if status in _REFUSED_PASSWORD:
        return status, f"the proxy requires a user and password (HTTP {status})"
    if status is not None:
        return status, f"the proxy refused to connect to the token endpoint (HTTP {status})"
    socks = next((str(each) for each in chain if _is_socks(each)), None)
    return None, f"the SOCKS proxy failed: {socks}" if socks else "the proxy could not be reached"


def _is_socks(error: BaseException) -> bool:
    """By name, as PySocks is loaded only for a SOCKS proxy."""
    return type(error).__module__ == "socks"


def _in_tunnel(error: BaseException) -> bool:
    """True for an error that came while http.client asked a proxy to connect."""
    return any(frame.f_code.co_name == "_tunnel" for frame, _ in walk_tb(error.__traceback__))


def _authentication(chain: list[BaseException], proxy: ProxyUrl) -> ProxyRefusedError | None:
    refused = _tunnel_status(chain) in _REFUSED_PASSWORD
    return proxy_refused(proxy) if refused or _named(chain, "SOCKS5AuthError") else None


def _tls(chain: list[BaseException], proxy: ProxyUrl, host: str) -> EgressError | None:
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
        + ("; if it speaks plain HTTP, its URL must start with http://" if its_own else ""),
    )


def _tunnel(chain: list[BaseException], proxy: ProxyUrl, host: str) -> EgressError | None:
    """The proxy has answered, and did not connect."""
    status = _tunnel_status(chain)
    if status is None and not _named(chain, "SOCKS5Error"):
        return None
    how = "" if status is None else f": HTTP {status}"
    return DestinationUnreachableError(
        f"the proxy {proxy} did not connect to {host}{how}",
        hint=f"check that {host} is reachable and that the proxy is allowed to connect to it",
    )


def _connection(chain: list[BaseException], proxy: ProxyUrl, host: str) -> EgressError:
    """A connection that failed before the proxy had answered, or broke later."""
    general = next((each for each in chain if type(each).__name__ == "GeneralProxyError"), None)
    if general and "invalid data" in str(general):
        return ProxyUnreachableError(f"the server at {proxy} is not a SOCKS5 proxy", hint=_CHECK)
    # A reset may come while connecting or just after; a proxy that is not there refuses.
    broke = general is not None or _any(chain, ConnectionResetError, BrokenPipeError)
    if not broke and _any(chain, urllib3.exceptions.ConnectTimeoutError):
        return ProxyUnreachableError(f"the proxy {proxy} cannot be reached", hint=_CHECK)
    slow = _any(chain, requests.Timeout, urllib3.exceptions.TimeoutError, TimeoutError)
    how = "no answer arrived in time" if slow and not broke else "the connection broke"
    return DestinationUnreachableError(
        f"{host}, through the proxy {proxy}: {how}", hint=f"run this again; {_CHECK}"
    )


def _tunnel_status(chain: list[BaseException]) -> int | None:
    """The HTTP status that the proxy answered CONNECT with, as http.client words it."""
    matches = (_TUNNEL.search(str(each)) for each in chain)
    return next((int(match[1]) for match in matches if match), None)


def _any(chain: list[BaseException], *kinds: type[BaseException]) -> bool:
    return any(isinstance(each, kinds) for each in chain)


def _named(chain: list[BaseException], *names: str) -> bool:
    """By name, as PySocks is loaded only for a SOCKS proxy."""
    return any(type(each).__name__ in names for each in chain)
