"""Which addresses the echo sees behind an egress, request by request."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from sfcutover.allowlist.ranges import Address, IpRange, subtract
from sfcutover.gates.confidence import hidden_probability, tries_needed
from sfcutover.traffic.egress import (
    Egress,
    EgressError,
    EgressTlsError,
    ProxyRefusedError,
    ask_echo,
)

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
    """Ask the echo through the proxy, by a new connection each time.

    Ends when every expected address was seen, or when a healthy, evenly balanced pair of
    pair_size would have hidden one only with a probability below 1 - confidence (21 requests
    for a pair at 0.999999). look_for_more: ends only when one address more than were expected
    or seen would have shown itself with that probability (37 for a pair). Where requests
    fail, by timeouts perhaps, it ends after a minute in any case.

    Raises the EgressError itself where the proxy refuses the password, TLS fails, or the
    first three requests fail.
    """
    counts: Counter[Address] = Counter()
    errors: list[str] = []
    tries = 0
    deadline = time.monotonic() + PATIENCE_SECONDS
    with egress.session() as session:
        while not _enough(egress, counts, tries, pair_size, confidence, look_for_more):
            tries += 1
            progress(tries)
            try:
                counts[ask_echo(session, echo_url)] += 1
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
