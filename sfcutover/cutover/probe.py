"""Step 1: does traffic leave from exactly the addresses that the cutover expects?

The probe repeatedly asks the echo through the egress, or runs the egress's own command. Two things
are then improbable: that a healthy pair hid one of its addresses, and that there is an unlisted
one, whose redemptions the allowlist would block.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Literal, Self

from pydantic import Field

from sfcutover.allowlist.ranges import Address, IpRange, subtract
from sfcutover.config.cutover import Cutover
from sfcutover.cutover.egressobservation import (
    Observation,
    Progress,
    family_warnings,
    observe,
    single,
)
from sfcutover.errors import GateError, Text
from sfcutover.traffic.egress import Egress, configured_way, echo_url_of, egress_of
from sfcutover.traffic.proxyerrors import EgressError
from sfcutover.util.document import AddressText, Document, DocumentText, RangeText

CONFIDENCE = 0.999999  # unless verify.confidence says otherwise


@dataclass(frozen=True)
class ProbeResult:
    """What was seen behind an egress, against what the cutover expects there.

    missing: expected and never seen. unexpected: seen and not expected. warnings: what does
    not fail the gate, but the operator should know, such as another IP family.
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
            f"{self.observation.answers} probes: the chance that one more address, evenly "
            f"balanced with these, stayed hidden is at most {self.hidden_probability:.1e}"
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
    """Ask until a hidden address and an unlisted one are improbable. Raises EgressError where
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


def probe_egress(cutover: Cutover, name: str, progress: Progress = lambda _: None) -> ProbeResult:
    """Probe one of a cutover's egresses. Raises ConfigError for one that is not configured, and
    EgressError."""
    confidence = cutover.verify.confidence if cutover.verify else CONFIDENCE
    egress, echo_url = egress_of(cutover, name), echo_url_of(cutover)
    return probe(egress, echo_url, confidence=confidence, progress=progress)


_NO_WAY_BACK = "no proven rollback path for traffic"


class NoWayBackError(GateError):
    """Nothing proves that traffic could leave by the old egress again. It stops nothing: an egress
    that is dying is a reason to leave it."""


def probe_way_back(cutover: Cutover) -> ProbeResult:
    """Probe the old egress. Raises NoWayBackError for one that is down, does not pass or is not
    configured, and ConfigError for one that can't be used at all."""
    if configured_way(cutover, "old") is None:
        raise NoWayBackError(
            f"{_NO_WAY_BACK}: egress.old is not configured",
            hint="the switch command moves traffic back; add egress.old to prove that traffic "
            "can leave there",
        )
    try:
        result = probe_egress(cutover, "old")
        result.require_passed()
    except (GateError, EgressError) as error:
        raise NoWayBackError(f"{_NO_WAY_BACK}: {error.message}", hint=error.advice) from error
    return result


def judge(egress: Egress, echo_url: str, observation: Observation) -> ProbeResult:
    """Compare what was seen with what is expected."""
    seen = [single(address) for address in observation.seen]
    return ProbeResult(
        egress,
        echo_url,
        observation,
        missing=subtract(egress.expected, seen),
        unexpected=tuple(entry.start for entry in subtract(seen, egress.expected)),
        warnings=tuple(family_warnings(egress, observation, echo_url)),
    )


def size_of(ranges: tuple[IpRange, ...]) -> int:
    """How many addresses the ranges hold."""
    return sum(entry.size for entry in ranges)


def _problem(result: ProbeResult) -> str:
    name, observation = result.egress.name, result.observation
    parts = []
    if result.missing:
        missing = ", ".join(map(str, result.missing))
        them, were = ("address", "was") if len(result.missing) == 1 else ("addresses", "were")
        answers = f"{observation.answers} probes"
        parts.append(f"expected {them} {missing} {were} not observed in {answers}")
    if result.unexpected:
        unexpected = ", ".join(map(str, result.unexpected))
        which = "address" if len(result.unexpected) == 1 else "addresses"
        parts.append(f"unexpected egress {which} {unexpected} (not in {name}:)")
    if observation.errors:
        parts.append(
            f"{len(observation.errors)} of {observation.tries} requests failed "
            f"({observation.errors[0]})"
        )
    return f"the {name} egress: {'; '.join(parts)}"


_NO_ROLLBACK = "do not rely on the rollback until this is resolved"


def _advice(result: ProbeResult) -> Text:
    first = "" if result.egress.name == "new" else f"{_NO_ROLLBACK}: "
    name, provider = result.egress.name, result.egress.provider
    if result.unexpected:
        return (
            f"{first}ask {provider} whose address it is, and correct {name}: in "
            f"cutover.yaml{_lines(result)}; then probe again"
        )
    if result.missing:
        return (
            f"{first}ask {provider} why traffic never leaves from there, or correct "
            f"{name}: in cutover.yaml; then probe again"
        )
    return f"{first}an address behind it may be down; probe again, then ask {provider}"


def _lines(result: ProbeResult) -> str:
    """What new: is to list if all addresses seen are the cutover's own, for pasting."""
    if result.egress.name != "new":
        return ""
    # In quotes, as YAML 1.1 reads some IPv6 addresses as numbers.
    return f". If all are yours, paste: new: {json.dumps([str(each) for each in result.seen])}"


class SeenDocument(Document):
    """An address that the probe saw."""

    address: AddressText
    """The address."""
    answers: int
    """Answers that showed it."""
    expected: bool
    """True if cutover.yaml names it."""


class ProbeDocument(Document):
    """What ``probe`` prints."""

    schema_: Literal["sfcutover/probe/1"] = Field("sfcutover/probe/1", alias="schema")
    """Name and version of this document's format."""
    cutover: str
    """Name of the cutover."""
    via: Literal["old", "new"]
    """Egress that was probed."""
    egress: str
    """A proxy as scheme://host:port without credentials, or this machine, or the program of a
    command."""
    echo_url: str | None
    """Page that was asked; null where a command shows the address."""
    passed: bool
    """True if traffic leaves from exactly the expected addresses."""
    tries: int
    """Number of requests."""
    errors: list[str]
    """Why some requests failed."""
    seen: list[SeenDocument]
    """Addresses that were seen."""
    missing: list[RangeText]
    """Expected ranges or addresses that were not seen."""
    unexpected: list[AddressText]
    """Addresses that were seen and not expected."""
    warnings: list[str]
    """Warnings, a sentence each."""
    certainty: str
    """What remains uncertain, in words."""
    hidden_probability: float
    """Chance, at most, that one of evenly balanced addresses gave none of the answers; 0 to 1."""
    problem: str | None
    """What is wrong; null where the probe passed."""
    next: DocumentText | None
    """What to do next; null where the probe passed."""

    @classmethod
    def of(cls, cutover: str, result: ProbeResult) -> Self:
        observation, failure = result.observation, result.failure
        return cls(
            cutover=cutover,
            via="new" if result.egress.name == "new" else "old",
            egress=str(result.egress.way),
            echo_url=result.echo_url if result.egress.has_session else None,
            passed=result.passed,
            tries=observation.tries,
            errors=list(observation.errors),
            seen=[
                SeenDocument(
                    address=str(address),
                    answers=observation.counts[address],
                    expected=address not in result.unexpected,
                )
                for address in result.seen
            ],
            missing=[str(entry) for entry in result.missing],
            unexpected=[str(address) for address in result.unexpected],
            warnings=list(result.warnings),
            certainty=result.certainty,
            hidden_probability=result.hidden_probability,
            problem=failure.message if failure else None,
            next=failure.advice if failure else None,
        )
