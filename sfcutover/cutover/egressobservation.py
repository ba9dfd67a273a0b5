"""Which addresses are seen behind an egress, and what can be excluded from that."""

from __future__ import annotations

import ipaddress
import math
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

from sfcutover.allowlist.ranges import Address, IpRange, subtract
from sfcutover.traffic.egress import Egress
from sfcutover.traffic.proxyerrors import EgressError, EgressTlsError, ProxyRefusedError


def tries_needed(addresses: int, confidence: float) -> int:
    """Successes in a row after which every address was used, with this probability.

    Each try leaves from one of the addresses, evenly and independently: the chance that at
    least one was never used is at most ``n * (1 - 1/n) ** tries``. A pair at 0.999999
    needs 21.
    """
    if addresses <= 1:
        return 1
    return math.ceil(math.log((1 - confidence) / addresses) / math.log(1 - 1 / addresses))


def hidden_probability(addresses: int, tries: int) -> float:
    """The chance that so many tries missed at least one address, at most 1."""
    if addresses <= 1:
        return 0.0 if tries else 1.0
    return float(min(1.0, addresses * (1 - 1 / addresses) ** tries))


PATIENCE_SECONDS = 60.0  # once a request has failed, which shuts the gate anyway
_FAILURES = 3  # in a row from the start: asking on would show nothing
Progress = Callable[[int], None]


@dataclass(frozen=True)
class Observation:
    """counts: answers by address. tries: requests, also those that failed. errors: of each
    that failed, why."""

    counts: dict[Address, int]
    tries: int
    errors: tuple[str, ...] = ()

    @property
    def answers(self) -> int:
        return sum(self.counts.values())

    @property
    def seen(self) -> tuple[Address, ...]:
        """IPv4 first, each in the order of numbers."""
        return tuple(sorted(self.counts, key=lambda each: (each.version, int(each))))

    def hidden_probability(self, pool: int) -> float:
        """The chance that one of so many evenly balanced addresses gave none of the answers."""
        return hidden_probability(pool, self.answers)


def observe(
    egress: Egress,
    echo_url: str,
    *,
    pair_size: int,
    confidence: float,
    look_for_more: bool = False,
    progress: Progress = lambda _: None,
) -> Observation:
    """Ask by which address the egress leaves: the echo, by a new connection each time, or the
    egress's own command.

    Ends when every expected address was seen, or when a healthy, evenly balanced pair of
    pair_size would have hidden one only with a probability below 1 - confidence (21 requests
    for a pair at 0.999999). look_for_more: ends only when one address more than were expected
    or seen would have shown itself with that probability (37 for a pair). Where requests
    fail, by timeouts perhaps, it ends after a minute in any case.

    Raises the EgressError itself where the proxy refuses the password, TLS fails, or the
    first three requests fail, and ConfigError for a command that can't be run.
    """
    counts: Counter[Address] = Counter()
    errors: list[str] = []
    tries = 0
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not _enough(egress, counts, tries, pair_size, confidence, look_for_more):
        tries += 1
        progress(tries)
        try:
            counts[egress.address(echo_url)] += 1
        except (ProxyRefusedError, EgressTlsError):
            raise
        except EgressError as error:
            errors.append(error.message)
            if len(errors) == tries == _FAILURES:
                raise
        if errors and time.monotonic() > deadline:
            break
    return Observation(dict(counts), tries, tuple(errors))


def _enough(
    egress: Egress,
    counts: Counter[Address],
    tries: int,
    pair_size: int,
    confidence: float,
    look_for_more: bool,
) -> bool:
    if look_for_more:
        return tries >= tries_needed(max(pair_size, len(counts)) + 1, confidence)
    all_seen = not subtract(egress.expected, map(single, counts))
    return bool(tries) and (all_seen or tries >= tries_needed(pair_size, confidence))


def single(address: Address) -> IpRange:
    """The range of one address."""
    return IpRange(address, address)


_LOOKUP_SECONDS = 3.0


def family_warnings(egress: Egress, observation: Observation, echo_url: str) -> list[str]:
    """Warnings where the IP families of cutover and echo differ."""
    wanted = {entry.start.version for entry in egress.expected}
    warnings = [
        f"the probe saw IPv{version} ({address}), but the cutover expects only "
        f"{' and '.join(f'IPv{each}' for each in sorted(wanted))}: make traffic leave by that "
        "family, or list the other family too"
        for version, address in {each.version: each for each in observation.seen}.items()
        if version not in wanted
    ]
    host = urlsplit(echo_url).hostname or ""
    if egress.has_session and len(wanted) == 1 and len(families_of(host)) > 1:
        warnings.append(
            f"{host} has an IPv4 and an IPv6 address, but the cutover expects only "
            f"IPv{wanted.pop()}: the echo shows the family that a request uses, and redemptions "
            "may use the other"
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
