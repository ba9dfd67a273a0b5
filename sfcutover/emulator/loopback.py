"""The source addresses of traffic must be addresses of this machine.

On Linux all of 127.0.0.0/8 is. On macOS and the BSDs only 127.0.0.1 is, until others are added.
"""

from __future__ import annotations

import errno
import ipaddress
import os
import socket
import sys
from collections.abc import Iterable


class MissingAddressesError(OSError):
    """addresses: those of loopback that this machine does not have."""

    def __init__(self, addresses: tuple[str, ...]) -> None:
        super().__init__(errno.EADDRNOTAVAIL, os.strerror(errno.EADDRNOTAVAIL))
        self.addresses = addresses


def require_addresses(addresses: Iterable[str]) -> None:
    """Raise MissingAddressesError for loopback addresses that no socket can be bound to.

    Others are left out: traffic that leaves by them is refused when it comes.
    """
    wanted = [each for each in addresses if ipaddress.ip_address(each).is_loopback]
    if missing := tuple(each for each in wanted if not _is_own(each)):
        raise MissingAddressesError(missing)


def _is_own(address: str) -> bool:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        try:
            probe.bind((address, 0))
        except OSError as error:
            if error.errno == errno.EADDRNOTAVAIL:
                return False
            raise
    return True


def adding_commands(addresses: Iterable[str], platform: str = sys.platform) -> list[str]:
    """What an administrator runs to add them until the next restart of the machine."""
    if platform == "linux":
        return [f"sudo ip address add {each}/{_bits(each)} dev lo" for each in addresses]
    return [f"sudo ifconfig lo0 {_family(each)}alias {each} up" for each in addresses]


def _bits(address: str) -> int:
    return ipaddress.ip_address(address).max_prefixlen


def _family(address: str) -> str:
    return "inet6 " if ":" in address else ""
