"""IPv4 where IPv6 was meant, and the other way: a way out nobody listed."""

from __future__ import annotations

import ipaddress
import socket
import threading
from urllib.parse import urlsplit

from sfcutover.allowlist.ranges import IpRange
from sfcutover.gates.observation import Observation

_LOOKUP_SECONDS = 3.0


def family_warnings(
    expected: tuple[IpRange, ...], observation: Observation, echo_url: str
) -> list[str]:
    """What a person should know where the families of cutover and echo differ."""
    wanted = {entry.start.version for entry in expected}
    warnings = [
        f"the echo saw IPv{version} ({address}), the cutover expects only "
        f"{' and '.join(f'IPv{each}' for each in sorted(wanted))}: have the proxy leave by that "
        "family, or list the other one, too"
        for version, address in {each.version: each for each in observation.seen}.items()
        if version not in wanted
    ]
    host = urlsplit(echo_url).hostname or ""
    if len(wanted) == 1 and len(families_of(host)) > 1:
        warnings.append(
            f"{host} has an IPv4 and an IPv6 address, the cutover expects only IPv{wanted.pop()}: "
            "what the echo shows depends on which one the proxy takes, and so may redemptions"
        )
    return warnings


def families_of(host: str) -> frozenset[int]:
    """The IP versions (4, 6) a name resolves to from here; none if that fails or takes 3 s."""
    found: set[int] = set()

    def look_up() -> None:
        try:
            for family, *_ in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM):
                found.add(6 if family == socket.AF_INET6 else 4)
        except (OSError, UnicodeError):
            return  # the proxy may know the name; from here it says nothing

    try:
        return frozenset({ipaddress.ip_address(host).version})
    except ValueError:
        thread = threading.Thread(target=look_up, daemon=True)
        thread.start()
        thread.join(_LOOKUP_SECONDS)
        return frozenset(found)
