"""HTTP with bounds: every request has time limits, every answer a largest size.

TLS is always verified; ``REQUESTS_CA_BUNDLE`` names a private authority.
"""

from __future__ import annotations

import ipaddress
import re
import ssl
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import requests
import urllib3.exceptions
from requests.adapters import HTTPAdapter

from sfcutover.errors import ConfigError, NetworkError
from sfcutover.util.serverclock import ServerClock
from sfcutover.util.timedconnection import exchange_within, timed


def is_loopback_url(url: str) -> bool:
    """True for a URL whose host is localhost or a loopback address."""
    try:
        host = urlsplit(url).hostname or ""
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:  # a name, or no URL at all
        return False


CONNECT_SECONDS = 10.0
READ_SECONDS = 60.0
TOTAL_SECONDS = 180.0
MAX_RESPONSE_BYTES = 64 * 1024 * 1024
MAX_JSON_BYTES = 4 * 1024 * 1024  # of which Python makes some twenty times as much
_CHUNK_BYTES = 64 * 1024


TRUST = (
    "if a private authority signed it, or a proxy intercepts TLS, set REQUESTS_CA_BUNDLE to the "
    "authority's PEM file"
)
_BY_VERIFICATION = {  # of OpenSSL
    9: "it is not valid yet: check this machine's clock",
    10: "it has expired: its owner must renew it; or check this machine's clock",
    62: "use the host name that the certificate has",
    64: "use the host's name, not its address",
}
_TUNNEL = re.compile(r"Tunnel connection failed: ([0-9]{3})\b")
_PROXY_WANTS_PASSWORD = ("401", "407")  # 401: tinyproxy, for a wrong one


class ResponseTooLargeError(requests.RequestException):
    """The answer is larger than MAX_RESPONSE_BYTES."""


class BoundedResponse(requests.Response):
    """An answer that was read within the limits, and is decoded within them."""

    def json(self, **options: Any) -> Any:
        """Raises JSONDecodeError also for what nests too deep, or is too large to be decoded."""
        if len(self.content) > MAX_JSON_BYTES:
            raise requests.exceptions.JSONDecodeError("it is too large", "", 0)
        try:
            return super().json(**options)
        except requests.exceptions.JSONDecodeError:
            raise
        except (ValueError, RecursionError) as error:
            raise requests.exceptions.JSONDecodeError(str(error), "", 0) from error


class BoundedAdapter(HTTPAdapter):
    """Reads the whole answer immediately, within the limits; its time counts from the connection
    on."""

    def send(
        self, request: requests.PreparedRequest, *args: Any, **options: Any
    ) -> requests.Response:
        """A session passes every option by its name."""
        options["stream"] = True
        options["timeout"] = options.get("timeout") or (CONNECT_SECONDS, READ_SECONDS)
        with exchange_within(TOTAL_SECONDS):
            try:
                response = super().send(request, *args, **options)
            except requests.RequestException:
                raise
            except OSError as error:  # requests' way to say that the authorities' file is missing
                raise _no_authorities(error) from error
            response._content = _read_bounded(response)
        response._content_consumed = True  # type: ignore[attr-defined]  # as requests marks it
        return response

    def get_connection_with_tls_context(self, *args: Any, **options: Any) -> Any:
        """Raises what requests raises."""
        pool: Any = super().get_connection_with_tls_context(*args, **options)
        pool.ConnectionCls = timed(pool.ConnectionCls)
        return pool

    def build_response(self, *args: Any) -> requests.Response:
        response = BoundedResponse()
        vars(response).update(vars(super().build_response(*args)))
        response.encoding = response.encoding or "utf-8"  # a guess would take its time
        return response


class DatedAdapter(BoundedAdapter):
    """Lets a server's clock hear when each answer was dated."""

    def __init__(self, server: ServerClock) -> None:
        super().__init__()
        self._server = server

    def send(
        self, request: requests.PreparedRequest, *args: Any, **options: Any
    ) -> requests.Response:
        sent = self._server.now_here()
        response = super().send(request, *args, **options)
        self._server.hear(response.headers.get("Date"), sent, self._server.now_here())
        return response


class NoCredentials(requests.auth.AuthBase):
    """Keeps requests from adding a password of its own from ~/.netrc."""

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        return request


def new_session(server: ServerClock | None = None) -> requests.Session:
    """A session for one org: bounded, verified, without redirects or ~/.netrc.

    server: the org's clock, which hears of every answer.
    """
    adapter = BoundedAdapter() if server is None else DatedAdapter(server)
    session = requests.Session()
    session.auth = NoCredentials()
    session.max_redirects = 0
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    return session


def is_http_url(url: str) -> bool:
    """True for an http or https URL of a host, without a user."""
    try:
        parts = urlsplit(url)
        has_port = parts.port != 0  # raises ValueError for a port that is none
    except ValueError:
        return False
    return (
        parts.scheme in ("http", "https")
        and bool(parts.hostname)
        and has_port
        and ("@" not in parts.netloc)
    )


def check_url(url: str, where: str) -> str:
    """The URL without a trailing slash. Raises ConfigError unless it is https, or http to
    loopback, and without a password; the message never repeats one."""
    try:
        parts = urlsplit(url)
        secure = parts.scheme == "https" or (parts.scheme == "http" and is_loopback_url(url))
        if secure and parts.hostname and "@" not in parts.netloc:
            return url.rstrip("/")
        _, credentials, host = parts.netloc.rpartition("@")
        shown = parts._replace(netloc=host, query="").geturl()
        problem = "has credentials" if secure and credentials else "is not an https URL"
    except ValueError:
        shown, problem = "this text", "is not a URL"
    raise ConfigError(
        f"{shown} {problem}",
        where=where,
        hint="use https://…; plain http is accepted only for an org on this machine",
    )


def causes(error: BaseException) -> list[BaseException]:
    """The error and all it was made from, each once, the error first."""
    found, waiting = list[BaseException](), [error]
    while waiting:
        each = waiting.pop(0)
        if any(each is one for one in found):
            continue
        found.append(each)
        inner = (each.__cause__, each.__context__, getattr(each, "reason", None), *each.args)
        waiting += [one for one in inner if isinstance(one, BaseException)]
    return found


def never_taken(error: requests.RequestException) -> bool:
    """True if the request was not carried out for certain: it was answered with a redirect, or
    not even sent, as the certificate was refused."""
    return isinstance(error, requests.exceptions.TooManyRedirects) or is_about_tls(error)


def network_error(error: requests.RequestException, url: str, impact: str) -> NetworkError:
    """What a failed request means, in words. tokens: what it means for the customers."""
    host = urlsplit(url).netloc.rpartition("@")[2]
    message, hint = explain(error)
    return NetworkError(f"{host}: {message}", hint=hint, impact=impact)


def explain(error: requests.RequestException) -> tuple[str, str]:
    """What happened, without the host, and what to do where the host is an org."""
    again = "check the network from this machine to the org, then run this again"
    match error:
        case requests.exceptions.SSLError():
            return _explain_tls(error)
        case requests.exceptions.ProxyError():
            return _explain_proxy(error)
        case requests.exceptions.TooManyRedirects():
            return "the server answered with a redirect", "use the org's My Domain URL itself"
        case requests.exceptions.Timeout():
            return "the server did not answer in time", again
        case requests.exceptions.JSONDecodeError():
            return "the server answered with something other than JSON", again
        case ResponseTooLargeError():
            return str(error), "run this again; if it repeats, report it"
        case requests.exceptions.ConnectionError() | requests.exceptions.ChunkedEncodingError():
            return "the connection failed or broke", again
        case _:
            return f"the request failed ({type(error).__name__})", again


def is_about_tls(error: requests.RequestException) -> bool:
    """True if a certificate was refused, which only this machine or the host can cure."""
    return any(isinstance(each, ssl.SSLCertVerificationError) for each in causes(error))


def _explain_tls(error: requests.RequestException) -> tuple[str, str]:
    refused = [each for each in causes(error) if isinstance(each, ssl.SSLCertVerificationError)]
    if not refused:
        return "TLS failed", "check that its port uses TLS: the URL may need http:// here"
    reason = refused[0].verify_message
    hint = _BY_VERIFICATION.get(refused[0].verify_code, TRUST)
    return f"its TLS certificate could not be verified ({reason})", hint


def _explain_proxy(error: requests.RequestException) -> tuple[str, str]:
    """requests takes the environment's proxies."""
    check = "check HTTPS_PROXY and NO_PROXY"
    answered = (_TUNNEL.search(str(each)) for each in causes(error))
    status = next((match[1] for match in answered if match), None)
    if status is None:
        return "the proxy in between refused or failed", check
    if status in _PROXY_WANTS_PASSWORD:
        check = f"{check}: the user and password in the proxy's URL"
    return f"the proxy in between did not connect (HTTP {status})", check


def _no_authorities(error: OSError) -> ConfigError:
    return ConfigError(
        f"the file of TLS authorities cannot be used: {error}",
        hint="set REQUESTS_CA_BUNDLE to an existing PEM file, or unset it",
    )


def _read_bounded(response: requests.Response) -> bytes:
    body = bytearray()
    for chunk in _arriving(response):
        body += chunk
        if len(body) > MAX_RESPONSE_BYTES:
            response.close()
            raise ResponseTooLargeError(f"its answer is larger than {MAX_RESPONSE_BYTES:,} bytes")
    return bytes(body)


def _arriving(response: requests.Response) -> Iterator[bytes]:
    """The body as it comes, one read of the socket at a time."""
    response.raw.decode_content = True
    try:
        while chunk := response.raw.read1(_CHUNK_BYTES):
            yield chunk
    except urllib3.exceptions.ProtocolError as error:
        raise requests.exceptions.ChunkedEncodingError(error) from error
    except urllib3.exceptions.DecodeError as error:
        raise requests.exceptions.ContentDecodingError(error) from error
    except urllib3.exceptions.ReadTimeoutError as error:
        raise requests.exceptions.ReadTimeout(error) from error
    except urllib3.exceptions.SSLError as error:
        raise requests.exceptions.SSLError(error) from error
