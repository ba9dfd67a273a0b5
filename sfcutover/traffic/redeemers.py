"""What redeems to prove addresses: canaries through an egress, and the application itself."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal, Protocol

from sfcutover.allowlist.ranges import Address
from sfcutover.config.cutover import Cutover, Target
from sfcutover.config.org import OrgConfig
from sfcutover.errors import ConfigError, GateError, SfcutoverError
from sfcutover.traffic.application import Application
from sfcutover.traffic.canary import Canary, all_canaries
from sfcutover.traffic.egress import Egress, configured_way
from sfcutover.traffic.redemption import Redemption

Via = Literal["old", "new"]


class Redeemer(Protocol):
    """Redeems one grant, once a call."""

    @property
    def name(self) -> str:
        """As evidence names it."""

    @property
    def org(self) -> OrgConfig | None:
        """The org whose LoginHistory shows it, where that is not the target's."""

    def egress_per_address(self, name: str) -> dict[Address, Egress]:
        """An egress for each single address that it can be sent through."""

    def require_ready(self) -> None:
        """Raises what would keep it from redeeming. Nothing is redeemed."""

    def redeem(self, name: str) -> Redemption:
        """One redemption through an egress. Raises what keeps it from that."""

    def redeem_by(self, egress: Egress) -> Redemption:
        """The same by this egress."""


def redeemers_for(cutover: Cutover, targets: Iterable[Target], via: Via) -> tuple[Redeemer, ...]:
    """Each that proves the lists of these targets through an egress, once: the canaries, where they
    can redeem through it, and the application through the new one."""
    found: list[Redeemer] = [*canaries_through(cutover, targets, via)]
    if via == "new" and (application := application_of(cutover)) is not None:
        found.append(application)
    return tuple(found)


def canaries_through(cutover: Cutover, targets: Iterable[Target], via: Via) -> tuple[Canary, ...]:
    """The canaries of these targets, each once, where they can redeem through the egress."""
    way = configured_way(cutover, via)
    return () if way is None or way.probe is not None else all_canaries(cutover, targets)


def all_redeemers(cutover: Cutover, targets: Sequence[Target]) -> tuple[Redeemer, ...]:
    """Each of these targets, whichever egress it redeems through."""
    ways: tuple[Via, ...] = ("new", "old")
    every = (each for via in ways for each in redeemers_for(cutover, targets, via))
    return tuple({each.name: each for each in every}.values())


def application_of(cutover: Cutover) -> Application | None:
    """The application, where cutover.yaml has a command for it.

    The only canary's org is taken for its own.
    """
    verify = cutover.verify
    if verify is None or verify.application is None:
        return None
    org = verify.canaries[0].org if len(verify.canaries) == 1 else None
    return Application(verify.application, verify.where, org)


def canaries_left_out(cutover: Cutover, via: Via) -> str | None:
    """Why configured canaries prove nothing of an egress that is there."""
    way = configured_way(cutover, via)
    if way is None or way.probe is None or not all_canaries(cutover, cutover.targets):
        return None
    return f"the canaries cannot prove egress.{via}: they cannot redeem through a command"


def why_unproven(cutover: Cutover, via: Via) -> str:
    """Why nothing can redeem through an egress, where redeemers_for finds nothing."""
    if configured_way(cutover, via) is None:
        return f"egress.{via} is not configured"
    if cutover.verify is None:
        return "verify is not configured"
    return canaries_left_out(cutover, via) or "no canary is configured"


def nothing_redeems(cutover: Cutover, via: Via) -> SfcutoverError:
    """The error where redeemers_for finds nothing: a gate's for the old egress, which may be left
    out."""
    message = f"nothing can prove the {via} addresses by a redemption: {why_unproven(cutover, via)}"
    if via == "old":
        return GateError(
            message,
            hint="add egress.old and a canary to cutover.yaml; or leave the new addresses on the "
            "allowlist, which is harmless",
        )
    configured = cutover.verify or cutover
    return ConfigError(
        message,
        where=configured.where,
        hint="add egress.new with verify.refresh_token; or, if only the application can use it, "
        "verify.application: [argv]",
    )
