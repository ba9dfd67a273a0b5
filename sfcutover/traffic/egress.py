"""The way traffic leaves, and which address the internet sees behind it.

A way is a proxy, this machine's own, or a command that prints the address it leaves from. The
first two have sessions, through which a canary redeems; a command shows an address, no more.
"""

from __future__ import annotations

import ipaddress
import json
from dataclasses import dataclass
from urllib.parse import urlsplit

import requests

from sfcutover.allowlist.ranges import Address, IpRange
from sfcutover.config.cutover import Cutover
from sfcutover.config.egress import Way as ConfiguredWay
from sfcutover.errors import ConfigError
from sfcutover.traffic.command import MAX_OUTPUT_BYTES, require_program, run_for_output
from sfcutover.traffic.proxy import EgressSession, ProxyUrl
from sfcutover.traffic.proxyerrors import (
    EchoAnswerError,
    ProbeCommandError,
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
class Direct:
    """Traffic of this machine, without a proxy (a NAT gateway, an Elastic IP)."""

    def __str__(self) -> str:
        return "this machine"


@dataclass(frozen=True)
class ProbeCommand:
    """A command (argv, no shell) that prints the address it leaves from, once a run.

    where: its place in cutover.yaml.
    """

    argv: tuple[str, ...]
    where: str

    def address(self) -> Address:
        """One run. Raises an EgressError, and what running it raises."""
        printed = run_for_output(self.argv, self.where)
        if printed.ended.status or printed.ended.cut_short:
            raise ProbeCommandError(f"{self}: {printed.ended}", hint=_BY_HAND)
        text = f"over {MAX_OUTPUT_BYTES} bytes" if printed.text is None else printed.text
        return _address_in(text.encode(), f"{self} printed", _BY_HAND)

    def __str__(self) -> str:
        return f"the command {self.argv[0]}"


_BY_HAND = 'run it by hand: it prints one address, or {"ip": …}, and exits 0'


@dataclass(frozen=True)
class Egress:
    """The way traffic leaves. name: old or new. expected: the addresses seen behind it."""

    name: str
    way: ProxyUrl | Direct | ProbeCommand
    expected: tuple[IpRange, ...]

    @property
    def has_session(self) -> bool:
        """True if this process can send requests through it."""
        return not isinstance(self.way, ProbeCommand)

    def session(self) -> EgressSession:
        """A session by this way and no other, with a new connection for each request.

        Raises ConfigError for a command, by which only the application's requests leave.
        """
        if isinstance(self.way, ProbeCommand):
            raise ConfigError(
                f"this process cannot send requests through the {self.name} egress: it is "
                f"{self.way}",
                where=self.way.where,
                hint="set proxy: or direct: true, or prove it with verify.application",
            )
        return EgressSession(self.way if isinstance(self.way, ProxyUrl) else None)

    def address(self, echo_url: str) -> Address:
        """The address it leaves from now: asked again each time. Raises an EgressError."""
        if isinstance(self.way, ProbeCommand):
            return self.way.address()
        with self.session() as session:
            return ask_echo(session, echo_url)

    @property
    def provider(self) -> str:
        """Whom to ask about its addresses."""
        is_proxy = isinstance(self.way, ProxyUrl)
        return "the proxy's provider" if is_proxy else "the operator of its network"

    def how_asked(self, echo_url: str) -> str:
        """How that is found out, in words: ``asking http://… through http://…``."""
        match self.way:
            case ProbeCommand():
                return f"running {self.way}, which prints the address it leaves from"
            case Direct():
                return f"requesting {echo_url} from this machine, over a new connection each time"
            case ProxyUrl():
                return f"requesting {echo_url} through {self.way}, over a new connection each time"


def configured_way(cutover: Cutover, name: str) -> ConfiguredWay | None:
    """The old or the new way as cutover.yaml has it."""
    ways = (cutover.egress.old, cutover.egress.new) if cutover.egress else (None, None)
    return dict(zip(("old", "new"), ways, strict=True)).get(name)


def egress_of(cutover: Cutover, name: str) -> Egress:
    """The old or new egress, its secret read. Raises ConfigError with file and line."""
    configured = configured_way(cutover, name)
    if configured is None:
        raise ConfigError(
            f"egress.{name} is not configured",
            where=cutover.egress.where if cutover.egress else cutover.where,
            hint=f"add egress: {{{name}: {{proxy: {{env: NAME}}}}}}, where NAME is the variable "
            "that holds the proxy's URL; or direct: true, or probe: [argv]",
        )
    entries = cutover.new if name == "new" else cutover.old
    return Egress(name, _way_of(configured), tuple(entry.to_range() for entry in entries))


def require_egresses(cutover: Cutover) -> None:
    """Raise ConfigError with file and line for an egress that is configured and can't be used."""
    for name in ("old", "new"):
        if configured_way(cutover, name) is not None:
            egress_of(cutover, name)


def egress_per_address(cutover: Cutover, name: str) -> dict[Address, Egress]:
    """An egress for each single address, where there are proxy URLs for them. Raises ConfigError
    with file and line."""
    configured, expected = configured_way(cutover, name), egress_of(cutover, name).expected
    urls = configured.per_address if configured else {}
    return {
        ipaddress.ip_address(text): Egress(name, ProxyUrl.parse(url.read(), url.where), expected)
        for text, url in urls.items()
    }


def _way_of(configured: ConfiguredWay) -> ProxyUrl | Direct | ProbeCommand:
    if configured.probe is not None:
        require_program(configured.probe, configured.where)
        return ProbeCommand(configured.probe, configured.where)
    if configured.proxy is not None:
        return ProxyUrl.parse(configured.proxy.read(), configured.proxy.where)
    return Direct()


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
            "echo_url is not an http or https URL without a user",
            where=configured.where,
            hint="use a page that answers with the address it sees, such as "
            "http://ip.quotaguard.com",
        )
    return url


def ask_echo(session: EgressSession, url: str) -> Address:
    """The address the echo sees: plain text or ``{"ip": "…"}``. Raises an EgressError."""
    host = urlsplit(url).netloc
    response = _get(session, url, _ECHO_HEADERS)
    if not response.ok or response.is_redirect:
        raise http_status_error(response, session.proxy, host)
    return _address_in(response.content, f"{host} answered", _NO_ECHO)


def contact(session: EgressSession, url: str) -> int:
    """The HTTP status that a page answers a GET with: of a token endpoint, it shows that name, TLS
    and HTTP work, and redeems nothing. Raises an EgressError."""
    return _get(session, url, {"Accept": "application/json"}).status_code


def _get(session: EgressSession, url: str, headers: dict[str, str]) -> requests.Response:
    try:
        response = session.get(
            url,
            headers=headers,
            timeout=(CONNECT_SECONDS, ECHO_READ_SECONDS),
            allow_redirects=False,
        )
    except requests.RequestException as error:
        raise egress_error(error, session.proxy, url) from error
    if session.proxy is not None and is_refusal_of_proxy(response):
        raise proxy_refused(session.proxy)
    return response


_NO_ECHO = (
    "the proxy or a network login page may have answered instead; or use another page as "
    "egress.echo_url"
)


def _address_in(body: bytes, who: str, hint: str) -> Address:
    """who: says it. hint: where it is no address."""
    text = body[: _MAX_ECHO_BYTES + 1].decode(errors="replace").strip()
    try:
        if len(body) > _MAX_ECHO_BYTES:
            raise ValueError
        return parse_address(_json_ip(text) if text.startswith("{") else text)
    except (ValueError, RecursionError):
        shown = f"{text[:_SHOWN]}…" if len(text) > _SHOWN else text
        raise EchoAnswerError(
            f"{who} something that is not an IP address: {shown!r}", hint=hint
        ) from None


def parse_address(text: str) -> Address:
    """A single address. Raises ValueError.

    An IPv4 address in IPv6 form is what a server for both families calls an IPv4 peer.
    """
    address = ipaddress.ip_address(text)
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address.scope_id:
        raise ValueError("an address with a zone")
    return address.ipv4_mapped or address


def _json_ip(text: str) -> str:
    document = json.loads(text)
    ip = document.get("ip") if isinstance(document, dict) else None
    if not isinstance(ip, str):
        raise ValueError
    return ip.strip()
