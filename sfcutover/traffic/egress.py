"""The way traffic leaves, and which address the internet sees behind it."""

from __future__ import annotations

import ipaddress
import json
from dataclasses import dataclass
from urllib.parse import urlsplit

import requests

from sfcutover.allowlist.ranges import Address, IpRange
from sfcutover.config.cutover import Cutover
from sfcutover.errors import ConfigError
from sfcutover.traffic.proxy import ProxySession, ProxyUrl
from sfcutover.traffic.proxyerrors import (
    EchoAnswerError,
    egress_error,
    http_status_error,
    is_refusal_of_proxy,
    proxy_refused,
)
from sfcutover.util.http import CONNECT_SECONDS, is_http_url

ECHO_READ_SECONDS = 20.0
_ECHO_HEADERS = {"Accept": "text/plain, */*;q=0.5", "Cache-Control": "no-cache, no-store"}
_MAX_ECHO_BYTES = 4096
_SHOWN = 60  # characters of an answer that is no address


@dataclass(frozen=True)
class Egress:
    """The way traffic leaves. name: old or new. expected: the addresses seen behind it."""

    name: str
    proxy: ProxyUrl
    expected: tuple[IpRange, ...]

    def session(self) -> ProxySession:
        """A session through this proxy and no other way, with a new connection for each request."""
        return ProxySession(self.proxy)


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


def echo_url_of(cutover: Cutover) -> str:
    """The page that answers with the address it sees. Raises ConfigError with file and line."""
    if cutover.egress is None:
        raise ConfigError(
            "egress is not configured", where=cutover.where, hint="add egress: with old and new"
        )
    configured = cutover.egress.echo_url
    url = configured.read()
    if not is_http_url(url):
        raise ConfigError(
            "echo_url is no http or https URL without a user",
            where=configured.where,
            hint="name a page that answers with the address it sees, as http://ip.quotaguard.com",
        )
    return url


def ask_echo(session: ProxySession, url: str) -> Address:
    """The address the echo sees: plain text or ``{"ip": "…"}``. Raises an EgressError."""
    host = urlsplit(url).netloc
    response = _get(session, url, _ECHO_HEADERS)
    if not response.ok or response.is_redirect:
        raise http_status_error(response, session.proxy, host)
    return _address_in(response.content, host)


def contact(session: ProxySession, url: str) -> int:
    """The HTTP status that a page answers a GET with: of a token endpoint, it shows that name, TLS
    and HTTP work, and redeems nothing. Raises an EgressError."""
    return _get(session, url, {"Accept": "application/json"}).status_code


def _get(session: ProxySession, url: str, headers: dict[str, str]) -> requests.Response:
    try:
        response = session.get(
            url,
            headers=headers,
            timeout=(CONNECT_SECONDS, ECHO_READ_SECONDS),
            allow_redirects=False,
        )
    except requests.RequestException as error:
        raise egress_error(error, session.proxy, url) from error
    if is_refusal_of_proxy(response):
        raise proxy_refused(session.proxy)
    return response


def _address_in(body: bytes, host: str) -> Address:
    """An IPv4 address in IPv6 form is what a server for both families calls an IPv4 peer."""
    text = body[: _MAX_ECHO_BYTES + 1].decode(errors="replace").strip()
    try:
        if len(body) > _MAX_ECHO_BYTES:
            raise ValueError
        address = ipaddress.ip_address(_json_ip(text) if text.startswith("{") else text)
        if isinstance(address, ipaddress.IPv4Address):
            return address
        if address.scope_id:
            raise ValueError
        return address.ipv4_mapped or address
    except (ValueError, RecursionError):
        shown = f"{text[:_SHOWN]}…" if len(text) > _SHOWN else text
        raise EchoAnswerError(
            f"{host} answered something that is no IP address: {shown!r}",
            hint="a page of the proxy's or of a network's login may have come instead; "
            "or name another page as egress.echo_url",
        ) from None


def _json_ip(text: str) -> str:
    document = json.loads(text)
    ip = document.get("ip") if isinstance(document, dict) else None
    if not isinstance(ip, str):
        raise ValueError
    return ip.strip()
