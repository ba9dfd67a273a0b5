"""All the sockets of an emulator: the org, the echo, and the old and the new way out."""

from __future__ import annotations

import ssl
from contextlib import ExitStack
from typing import TYPE_CHECKING

from sfcutover.emulator.connections import Acceptor
from sfcutover.emulator.egress import Egress, Surroundings
from sfcutover.emulator.proxy import HttpProxy
from sfcutover.emulator.proxy_server import ProxyServer
from sfcutover.emulator.scenario import Scenario
from sfcutover.emulator.server import HOST, Server, listen
from sfcutover.emulator.socks import SocksProxy

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication


class WayOut:
    """An egress by HTTP and by SOCKS5, each on a port of its own."""

    def __init__(self, egress: Egress) -> None:
        self._egress = egress
        self.http = ProxyServer(egress, HttpProxy)
        self.socks = ProxyServer(egress, SocksProxy)

    def url(self, address: str | None = None) -> str:
        """The HTTP proxy's URL, or the one that always leaves by an address."""
        return self._egress.url("http", self.http.port, address)

    @property
    def socks_url(self) -> str:
        """With names looked up by the proxy: it knows only localhost."""
        return self._egress.url("socks5h", self.socks.port)


class Network:
    """Takes all ports at once and answers between start and stop.

    An echo service is plain http, so with TLS the echo has a port of its own. OSError if
    port is in use.
    """

    def __init__(
        self,
        scenario: Scenario,
        port: int,
        tls: ssl.SSLContext | None,
        surroundings: Surroundings,
    ) -> None:
        with ExitStack() as stack:
            self._org = _take(stack, listen(port, tls, ipv6=scenario.uses_ipv6))
            self._echo = self._org
            if tls:
                self._echo = _take(stack, listen(0, None, ipv6=scenario.uses_ipv6))
            ports = frozenset(server.port for server in (*self._org, *self._echo))
            user, password = scenario.proxy_user, scenario.proxy_password
            old = Egress("old_proxy", scenario.old_exits, user, password, surroundings, ports)
            new = Egress("new_proxy", scenario.new_exits, user, password, surroundings, ports)
            self.old, self.new = WayOut(old), WayOut(new)
            stack.pop_all()
        self.url = f"{'https' if tls else 'http'}://{HOST}:{self._org[0].port}"
        self.echo_url = f"http://{HOST}:{self._echo[0].port}/ip"
        proxies = (self.old.http, self.old.socks, self.new.http, self.new.socks)
        self._acceptor = Acceptor([*dict.fromkeys([*self._org, *self._echo]), *proxies])

    def start(self, app: WSGIApplication) -> None:
        """Answer by an app."""
        for server in (*self._org, *self._echo):
            server.app = app
        self._acceptor.start()

    def stop(self) -> None:
        """Close everything; may be called twice."""
        self._acceptor.stop()

    def proxy_url_for(self, address: str) -> str:
        """The URL of a proxy that leaves by this address only; KeyError for any other."""
        for way in (self.new, self.old):
            try:
                return way.url(address)
            except KeyError:
                continue
        raise KeyError(address)

    @property
    def environment(self) -> dict[str, str]:
        """What a client needs to know of it; proxy passwords are among it."""
        return {
            "SFCUTOVER_ECHO_URL": self.echo_url,
            "SFCUTOVER_OLD_PROXY_URL": self.old.url(),
            "SFCUTOVER_NEW_PROXY_URL": self.new.url(),
            "SFCUTOVER_OLD_SOCKS_URL": self.old.socks_url,
            "SFCUTOVER_NEW_SOCKS_URL": self.new.socks_url,
        }


def _take(stack: ExitStack, servers: list[Server]) -> list[Server]:
    for server in servers:
        stack.callback(server.server_close)
    return servers
