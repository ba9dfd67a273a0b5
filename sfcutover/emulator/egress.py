"""One way out: a pair of addresses that take turns, a password, and what goes wrong there."""

from __future__ import annotations

import ipaddress
import itertools
import socket
import ssl
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import quote

from sfcutover.emulator.faults import Fault, FaultBoard
from sfcutover.emulator.server import HOST, HOST_6
from sfcutover.emulator.sessions import is_same_secret
from sfcutover.emulator.wire import Waiter

_CONNECT_SECONDS = 10.0


class ForbiddenError(Exception):
    """The destination is not the emulator."""


@dataclass(frozen=True)
class Surroundings:
    """What the proxies share: faults, waiting, and a certificate that nobody trusts."""

    faults: FaultBoard
    wait: Waiter
    untrusted: Callable[[], ssl.SSLContext]


class Exits:
    """Addresses that take turns. Thread-safe."""

    def __init__(self, addresses: tuple[str, ...]) -> None:
        self._turns = itertools.cycle(addresses)
        self._lock = threading.Lock()

    def next(self) -> str:
        with self._lock:
            return next(self._turns)


class Egress:
    """Old or new. operation: old_proxy or new_proxy, as faults name it.

    Whoever gives the user name with ``-`` and an address behind it leaves by that one.
    IPv4 addresses are those of 127.0.0.0/8. Of IPv6, loopback has only ::1: it can stand
    alone or beside IPv4 ones, but there is no pair of two. Nothing can leave by any other
    address; the proxy then says so. ports: those of the emulator, the only ones to reach.
    """

    def __init__(
        self,
        operation: str,
        addresses: tuple[str, ...],
        user: str,
        password: str,
        surroundings: Surroundings,
        ports: frozenset[int],
    ) -> None:
        self._operation = operation
        self._user = user
        self._password = password
        self._surroundings = surroundings
        self._ports = ports
        self._exits: Mapping[str, Exits] = {
            user: Exits(addresses),
            **{self._user_for(one): Exits((one,)) for one in addresses},
        }

    def exits_for(self, user: str, password: str) -> Exits | None:
        """The addresses a user may leave by; None for a wrong user or password."""
        exits = self._exits.get(user)
        return exits if exits and is_same_secret(password, self._password) else None

    def url(self, scheme: str, port: int, address: str | None = None) -> str:
        """A proxy URL with its password; KeyError for an address that is not one of these."""
        user = self._user if address is None else self._user_for(address)
        if user not in self._exits:
            raise KeyError(address)
        return f"{scheme}://{quote(user, safe='')}:{quote(self._password, safe='')}@{HOST}:{port}"

    def fault(self, address: str | None = None) -> Fault | None:
        """The fault that hits a connection: the proxy's, or that of the address it leaves by."""
        return self._surroundings.faults.strike(self._operation, address)

    def wait(self, seconds: float) -> None:
        """Wait, or less when the emulator stops."""
        self._surroundings.wait(seconds)

    @property
    def untrusted(self) -> ssl.SSLContext:
        """For TLS that the proxy breaks open."""
        return self._surroundings.untrusted()

    def connect(self, host: str, port: int, source: str) -> socket.socket:
        """A connection from source to the emulator; ForbiddenError for any other server.

        A host of the other IP family stands for the same server on source's family.
        """
        if port not in self._ports or not _is_loopback(host):
            raise ForbiddenError(host)
        is_6 = ipaddress.ip_address(source).version == 6  # noqa: PLR2004
        there = HOST_6 if is_6 else host if _version(host) == 4 else HOST  # noqa: PLR2004
        connection = socket.create_connection((there, port), _CONNECT_SECONDS, (source, 0))
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection

    def _user_for(self, address: str) -> str:
        return f"{self._user}-{address.replace(':', '.')}"  # basic auth splits at a colon


def _is_loopback(host: str) -> bool:
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False  # a name is not looked up


def _version(host: str) -> int:
    return 4 if host.lower() == "localhost" else ipaddress.ip_address(host).version
