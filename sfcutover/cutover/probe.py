"""Step 1: does traffic leave from exactly the addresses that the cutover expects?

The echo is asked through the proxy again and again. Two things are then improbable: that
a healthy pair hid one of its addresses, and that there is one more nobody listed, whose
redemptions the allowlist would block.
"""

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
from sfcutover.errors import Advice, Command, GateError, Text
from sfcutover.traffic.egress import (
    Egress,
    EgressError,
    EgressTlsError,
    ProxyRefusedError,
    ask_echo,
)


def tries_needed(addresses: int, confidence: float) -> int:
    """Successes in a row after which every address was used, with this probability.

    Each try leaves by one of the addresses, evenly and independently: the chance that at
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


CONFIDENCE = 0.999999  # unless verify.confidence says otherwise

__all__ = ["CONFIDENCE", "Observation", "ProbeResult", "judge", "observe", "probe", "size_of"]


@dataclass(frozen=True)
class ProbeResult:
    """What was seen behind an egress, against what the cutover expects there.

    missing: expected and never seen. unexpected: seen and not expected. warnings: what does
    not fail the gate, but a person should know, such as another IP family.
    """

    egress: Egress
    echo_url: str
    observation: Observation
    missing: tuple[IpRange, ...]
    unexpected: tuple[Address, ...]
    warnings: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Also a failed request is a failure: an address that is down shows itself by it."""
        return not (self.missing or self.unexpected or self.observation.errors)

    @property
    def seen(self) -> tuple[Address, ...]:
        return self.observation.seen

    @property
    def pool(self) -> int:
        """One address more than were expected or seen: what the probability is about."""
        return max(size_of(self.egress.expected), len(self.seen)) + 1

    @property
    def hidden_probability(self) -> float:
        return self.observation.hidden_probability(self.pool)

    @property
    def certainty(self) -> str:
        """What remains uncertain, in words."""
        return (
            f"{self.observation.answers} answers: of {self.pool} evenly balanced addresses, one "
            f"would have stayed hidden with a probability of at most {self.hidden_probability:.1e}"
        )

    @property
    def failure(self) -> GateError | None:
        """The error of a probe that did not pass (exit 5)."""
        return None if self.passed else GateError(_problem(self), hint=_advice(self))

    def require_passed(self) -> None:
        """Raises the failure, if it is one."""
        if error := self.failure:
            raise error


def probe(
    egress: Egress,
    echo_url: str,
    *,
    confidence: float = CONFIDENCE,
    progress: Progress = lambda _: None,
) -> ProbeResult:
    """Ask until a missing address, and one too many, are improbable. Raises EgressError where
    nothing can be seen; ProbeResult.require_passed raises GateError."""
    observation = observe(
        egress,
        echo_url,
        pair_size=size_of(egress.expected),
        confidence=confidence,
        look_for_more=True,
        progress=progress,
    )
    return judge(egress, echo_url, observation)


def judge(egress: Egress, echo_url: str, observation: Observation) -> ProbeResult:
    """Hold what was seen against what is expected."""
    seen = [single(address) for address in observation.seen]
    return ProbeResult(
        egress,
        echo_url,
        observation,
        missing=subtract(egress.expected, seen),
        unexpected=tuple(entry.start for entry in subtract(seen, egress.expected)),
        warnings=tuple(family_warnings(egress.expected, observation, echo_url)),
    )


def size_of(ranges: tuple[IpRange, ...]) -> int:
    """How many addresses the ranges hold."""
    return sum(entry.size for entry in ranges)


def _problem(result: ProbeResult) -> str:
    name, observation = result.egress.name, result.observation
    parts = []
    if result.missing:
        missing = ", ".join(map(str, result.missing))
        parts.append(f"{missing} was never seen in {observation.answers} answers")
    if result.unexpected:
        unexpected = ", ".join(map(str, result.unexpected))
        parts.append(f"{unexpected} was seen, but {name}: does not list it")
    if observation.errors:
        parts.append(
            f"{len(observation.errors)} of {observation.tries} requests failed "
            f"({observation.errors[0]})"
        )
    return f"the {name} egress: {'; '.join(parts)}"


def _advice(result: ProbeResult) -> Text:
    first = (
        "stop here, before step 2 (deploy add-new)"
        if result.egress.name == "new"
        else "don't count on the way back until this is settled"
    )
    name = result.egress.name
    if result.unexpected:
        discover = (" (", Command("probe", "--discover"), " writes what was seen)")
        return Advice(
            f"{first}: redemptions from an address that is not listed are blocked. Correct {name}: "
            "in cutover.yaml",
            *(discover if name == "new" else ()),
            ", or ask the proxy's provider whose address it is; then probe again",
        )
    if result.missing:
        return (
            f"{first}: ask the proxy's provider why traffic never leaves from there, or correct "
            f"{name}: in cutover.yaml; then probe again"
        )
    return f"{first}: an address behind the proxy may be down; probe again, then ask its provider"
