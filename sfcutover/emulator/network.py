"""All the sockets of an emulator: the orgs, the echo, and the old and the new proxy."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from datetime import datetime
from functools import cache
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from sfcutover.emulator.faults import FaultBoard
from sfcutover.emulator.formats import Clock
from sfcutover.emulator.loopback import require_addresses
from sfcutover.emulator.proxies import Proxy, Surroundings
from sfcutover.emulator.scenario import Scenario
from sfcutover.emulator.server import HOST, Acceptor, Server, listen

if TYPE_CHECKING:
    import trustme
    from _typeshed.wsgi import WSGIApplication


class Network:
    """Takes all ports immediately, and answers between start and stop.

    wait: for seconds, or less when the emulator stops. clock: the true time. An echo service is
    plain http, so with TLS the echo has a port of its own. OSError if port is in use;
    MissingAddressesError where traffic can't leave by an address of the scenario.
    """

    def __init__(
        self,
        scenario: Scenario,
        port: int,
        tls: ssl.SSLContext | None,
        faults: FaultBoard,
        wait: Callable[[float], object],
        clock: Clock,
    ) -> None:
        require_addresses((*scenario.old_exits, *scenario.new_exits))
        with ExitStack() as stack:
            self._servers = _take(stack, listen(port, tls, ipv6=scenario.uses_ipv6))
            echo = self._servers
            if tls:
                echo = _take(stack, listen(0, None, ipv6=scenario.uses_ipv6))
                self._servers = [*self._servers, *echo]
            self._customers = [
                _take(stack, listen(0, tls, ipv6=scenario.uses_ipv6))
                for _ in range(scenario.customer_orgs)
            ]
            every = [*self._servers, *chain.from_iterable(self._customers)]
            ports = frozenset(server.port for server in every)
            reachable = ports.union(scenario.reachable_ports)
            surroundings = Surroundings(clock, reachable, faults, wait, _untrusted_tls)
            login = scenario.proxy_user, scenario.proxy_password
            self.old = Proxy("old_proxy", scenario.old_exits, *login, surroundings)
            stack.callback(self.old.server_close)
            self.new = Proxy("new_proxy", scenario.new_exits, *login, surroundings)
            stack.pop_all()
        scheme = "https" if tls else "http"
        self.url = f"{scheme}://{HOST}:{self._servers[0].port}"
        self.customer_urls = [f"{scheme}://{HOST}:{one[0].port}" for one in self._customers]
        self.echo_url = f"http://{HOST}:{echo[0].port}/ip"
        self._acceptor = Acceptor([*every, self.old, self.new])

    def start(self, app: WSGIApplication, customers: Sequence[WSGIApplication]) -> None:
        """Answer by an app, and at each of customer_urls by the customer's."""
        for server in self._servers:
            server.app = app
        for servers, customer in zip(self._customers, customers, strict=True):
            for server in servers:
                server.app = customer
        self._acceptor.start()

    def stop(self) -> None:
        """Close everything; may be called twice."""
        self._acceptor.stop()

    def proxy_url_for(self, address: str) -> str:
        """The URL of a proxy that uses only this address; KeyError for any other."""
        for proxy in (self.new, self.old):
            with suppress(KeyError):
                return proxy.url(address)
        raise KeyError(address)

    @property
    def requests(self) -> dict[str, list[datetime]]:
        """When requests passed through the old and through the new proxy."""
        return {"old": list(self.old.requests), "new": list(self.new.requests)}

    @property
    def environment(self) -> dict[str, str]:
        """What a client needs to know of it; proxy passwords are among it."""
        return {
            "SFCUTOVER_ECHO_URL": self.echo_url,
            "SFCUTOVER_OLD_PROXY_URL": self.old.url(),
            "SFCUTOVER_NEW_PROXY_URL": self.new.url(),
        }


def make_tls(folder: Path) -> tuple[ssl.SSLContext, Path]:
    """A context for loopback names, and the file of the authority that clients must trust."""
    import trustme

    authority = trustme.CA()
    bundle = folder / "ca.pem"
    authority.cert_pem.write_to_path(str(bundle))
    return _context(authority), bundle


@cache
def _untrusted_tls() -> ssl.SSLContext:
    """A context for the same names, by an authority that no client knows."""
    import trustme

    return _context(trustme.CA())


def _context(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1", "::1", "localhost").configure_cert(context)
    return context


def _take(stack: ExitStack, servers: list[Server]) -> list[Server]:
    for server in servers:
        stack.callback(server.server_close)
    return servers
