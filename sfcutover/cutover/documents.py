"""Probes, switches, watches and cases as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

if TYPE_CHECKING:
    from sfcutover.cutover.discovery import Discovery
    from sfcutover.cutover.probe import ProbeResult
    from sfcutover.cutover.watchstate import WatchRound
from sfcutover.util.document import Document, DocumentText


class SeenDocument(Document):
    """An address the echo saw, and in how many answers."""

    address: str
    answers: int
    expected: bool


class DiscoveredDocument(Document):
    """What --discover made of cutover.yaml's ``new:``; change is a unified diff or empty."""

    path: str
    changed: bool
    new: list[str]
    change: str


class ProbeDocument(Document):
    """Step 1. Without credentials: proxy is ``scheme://host:port``.

    tries counts requests, errors says why some failed. hidden_probability: the chance, at
    most, that one of addresses + 1 evenly balanced ones gave none of the answers. problem and
    next are null where the probe passed. discovered is null without --discover.
    """

    schema_: Literal["sfcutover/probe/1"] = Field("sfcutover/probe/1", alias="schema")
    cutover: str
    via: Literal["old", "new"]
    proxy: str
    echo_url: str
    passed: bool
    tries: int
    errors: list[str]
    seen: list[SeenDocument]
    missing: list[str]
    unexpected: list[str]
    warnings: list[str]
    certainty: str
    hidden_probability: float
    problem: str | None
    next: DocumentText | None
    discovered: DiscoveredDocument | None

    @classmethod
    def of(cls, cutover: str, result: ProbeResult, found: Discovery | None) -> ProbeDocument:
        observation, failure = result.observation, result.failure
        return cls(
            cutover=cutover,
            via="new" if result.egress.name == "new" else "old",
            proxy=str(result.egress.proxy),
            echo_url=result.echo_url,
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
            discovered=DiscoveredDocument(
                path=str(found.path),
                changed=bool(found.change),
                new=[str(address) for address in found.addresses],
                change=found.change,
            )
            if found
            else None,
        )


class SwitchDocument(Document):
    """A switch that was made. seconds: how long the command, or the person, took."""

    schema_: Literal["sfcutover/switch/1"] = Field("sfcutover/switch/1", alias="schema")
    cutover: str
    direction: Literal["apply", "revert"]
    manual: bool
    seconds: float
    proof: str


class LookDocument(Document):
    """One look of a round: the canary's redemption, or a check."""

    name: str
    verdict: Literal["passed", "failed", "inconclusive", "error"]
    detail: str


class RoundDocument(Document):
    """time is UTC, ISO 8601; elapsed is in seconds since the watch began."""

    number: int
    time: str
    elapsed: float
    looks: list[LookDocument]

    @classmethod
    def of(cls, done: WatchRound) -> RoundDocument:
        return cls(
            number=done.number,
            time=done.time.isoformat().replace("+00:00", "Z"),
            elapsed=round(done.elapsed, 3),
            looks=[
                LookDocument(name=look.name, verdict=look.verdict.value, detail=look.detail)
                for look in done.results
            ],
        )


class WatchDocument(Document):
    schema_: Literal["sfcutover/watch/1"] = Field("sfcutover/watch/1", alias="schema")
    cutover: str
    outcome: Literal["passed", "rolled-back", "inconclusive"]
    reasons: list[str]
    counts: dict[str, int]
    rounds: list[RoundDocument]


class CaseTargetDocument(Document):
    """One target's support case, or its confirmation; what is of the other is null or empty.

    ranges: those to add or remove. afterwards: the list as far as it is known.
    """

    target: str
    instance_url: str
    organization_id: str | None
    ranges: list[str]
    afterwards: list[str]
    proof: str | None
    text: str | None
    confirmed: str | None
    confirmed_by: str | None
    next: str


class CaseDocument(Document):
    schema_: Literal["sfcutover/case/1"] = Field("sfcutover/case/1", alias="schema")
    cutover: str
    phase: Literal["add-new", "remove-old"]
    targets: list[CaseTargetDocument]
