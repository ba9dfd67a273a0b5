"""Step 4, verify: redeem through each address of an egress, for one target."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from pydantic import Field

from sfcutover.allowlist.phases import Phase
from sfcutover.allowlist.snapshot import Snapshot
from sfcutover.config.cutover import Target
from sfcutover.cutover.canaryidentity import bind_canaries, require_same_canary
from sfcutover.cutover.context import StepContext, TargetContext
from sfcutover.cutover.control import with_enforcement
from sfcutover.cutover.evidence import Evidence, VoidEvidenceError
from sfcutover.cutover.monitor import failed_checks
from sfcutover.cutover.orgtime import ORG_TIME, seconds_under_way
from sfcutover.cutover.quiet import NOTHING_REMOVED
from sfcutover.cutover.redemptionerrors import (
    BlockedError,
    NotQuietError,
    refused,
    tell_block,
    tell_redeemed,
)
from sfcutover.cutover.removalgate import RemovalPermit
from sfcutover.cutover.stepresult import StepEvidence
from sfcutover.cutover.targetverification import TargetVerification, via_of
from sfcutover.errors import GateError
from sfcutover.salesforce.connection import Connection
from sfcutover.traffic.redeemers import Redeemer, Via, redeemers_for, why_unproven
from sfcutover.traffic.redemption import Redemption, RedemptionOutcome
from sfcutover.util.clock import Clock
from sfcutover.util.document import AddressText, Document

_PROPAGATION_PAUSE = 1.0  # seconds between two tries whether a new address is let in
_REPORTED_COUNTS = 2  # the first redemptions, then every tenth: the journal stays readable


class LetInDocument(Document):
    """How long a new address was waited for."""

    address: AddressText
    """The new address."""
    seconds: float
    """Seconds from reading the list back with the address to its first redemption."""
    at_most: bool
    """True where it is unknown which redemption left by it, so that it took at most that time."""

    @property
    def words(self) -> str:
        """How long."""
        return f"{'at most ' if self.at_most else ''}{self.seconds:g} s"


class VerifyEvidence(StepEvidence):
    """What verify found. let_in: where it was waited for after the list was shown to block."""

    proof: Evidence
    let_in: list[LetInDocument] = Field(default_factory=list)


class RedeemEvidence(StepEvidence):
    """Redemptions that succeeded, one of each canary. via: old or new.

    unproven: why none was made, where nothing redeems through that egress; else empty.
    """

    via: Via
    redemptions: int
    unproven: str = ""

    @property
    def sentence(self) -> str:
        """What is proven of the old addresses."""
        if self.unproven:
            return f"not proven: {self.unproven}"
        return f"a redemption through the {self.via} egress succeeded"


def verify(context: TargetContext, via: Via, patience: float = 0.0) -> VerifyEvidence:
    """Redeem through each address until it is proven.

    patience: seconds from the first try, over all restarts, in which a blocked address may
    mean that the org has not taken the list to all its servers yet. Raises GateError naming
    the address that is blocked, NetworkError where nothing can be concluded, ConfigError, and
    what the token's store raises.
    """
    end = context.clock.now() + patience - _seconds_tried(context)
    while True:
        try:
            found = _verify_once(context, via)
            waits = _let_in(context, found.proof) if patience else []
            return found.model_copy(update={"let_in": waits})
        except BlockedError as error:
            if context.clock.now() > end:
                raise
            context.note(
                f"{error.message}; the allowlist may not have reached every server; trying again"
            )
            context.clock.pause(_PROPAGATION_PAUSE)


def prove_old(context: StepContext, targets: Sequence[Target]) -> RedeemEvidence:
    """One redemption of each canary of these targets through the old egress. Raises GateError or
    NetworkError if one is refused. Where there is no such egress, the evidence says so."""
    made = [
        _redeemed_once(context, each, "old")
        for each in redeemers_for(context.cutover, targets, "old")
    ]
    unproven = "" if made else why_unproven(context.cutover, "old")
    return RedeemEvidence(via="old", redemptions=len(made), unproven=unproven)


def _redeemed_once(context: StepContext, redeemer: Redeemer, via: Via) -> Redemption:
    context.control.require_lock_soon()
    redemption = redeemer.redeem(via)
    if redemption.outcome is RedemptionOutcome.BLOCKED:
        tell_block(context, redemption)
    if redemption.outcome is not RedemptionOutcome.REDEEMED:
        raise refused(redemption)
    tell_redeemed(context)
    return redemption


def redeem_again(context: TargetContext, proof: Evidence, via: Via) -> None:
    """What proved the addresses still redeems. Raises as redeem_once, and IdentityError
    for one of another user."""
    redeemers = {each.name: each for each in redeemers_for(context.cutover, [context.target], via)}
    for proven in proof.canaries:
        if (redeemer := redeemers.get(proven.canary)) is not None:
            require_same_canary(_redeemed_once(context, redeemer, via), proven)


def report_count(context: StepContext, kind: str, count: int) -> None:
    """An event for the first tries and every tenth."""
    if count <= _REPORTED_COUNTS or count % 10 == 0:
        context.tell(kind, count=count)


def _seconds_tried(context: TargetContext) -> float:
    with context.connection() as connection:
        return seconds_under_way(context, "org-time", connection.org.now())


def _clock_of_gate(context: TargetContext) -> Clock:
    """For the waits of a gate, which a check that fails ends: traffic goes back, then."""

    def pause(seconds: float) -> None:
        context.clock.pause(seconds)
        if (reason := failed_checks(context.memory)) is not None:
            raise NotQuietError(
                f"after traffic moved, {reason}",
                hint="traffic moves back to the old addresses",
                impact=NOTHING_REMOVED,
            )

    return Clock(pause=pause)


def _let_in(context: TargetContext, proof: Evidence) -> list[LetInDocument]:
    """By the org's clock, from the first try of this step, which follows the deployment."""
    start = context.memory.last("org-time", context.step, context.target.name)
    if start is None or proof.enforcement is None or not proof.enforcement.is_shown:
        return []
    canary = proof.canaries[0]
    started = start.number(ORG_TIME)
    return [
        LetInDocument(
            address=each.address,
            seconds=round(max(0.0, (each.first or canary.last_proof).timestamp() - started), 1),
            at_most=each.first is None,
        )
        for each in canary.addresses
    ]


def _verify_once(context: TargetContext, via: Via) -> VerifyEvidence:
    with context.connection() as connection:
        context.control.require_lock()
        verification = TargetVerification(
            connection,
            on_redeemed=lambda count: _redeemed(context, count),
            on_blocked=partial(tell_block, context),
            clock=context.clock,
            probe=context.probes.of,
        )
        proof = with_enforcement(context, verification.verify(via, connection.read()))
        bind_canaries(context, proof)
        return VerifyEvidence(proof=proof)


def _redeemed(context: TargetContext, count: int) -> None:
    """After one redemption; the next one needs the lock."""
    report_count(context, "redeemed", count)
    context.control.require_lock()


@dataclass(frozen=True)
class ProofGate:
    """Permits a removal by evidence: the one given, or a new one where that does not count.

    proof: of an earlier verify, if there is one; where it is void, one is made. again: the canary
    redeems once more before a removal that is permitted by it. tries: how often else evidence is
    checked, created again each time after the first. countdown: receives the remaining seconds of
    settle.
    """

    proof: Evidence | None = None
    again: bool = False
    tries: int = 3
    countdown: Callable[[float], None] = lambda _: None

    def permit(
        self, context: TargetContext, connection: Connection, phase: Phase, live: Snapshot
    ) -> RemovalPermit:
        """Raises GateError where no proof holds, StillInUseError for addresses in use, and
        what verifying raises."""
        verification = TargetVerification(
            connection,
            on_redeemed=lambda count: _redeemed(context, count),
            on_blocked=partial(tell_block, context),
            countdown=self.countdown,
            clock=_clock_of_gate(context),
            probe=context.probes.of,
        )
        proof, tries_left = self.proof, self.tries
        while True:
            if proof is None:
                proof = with_enforcement(context, verification.verify(via_of(phase), live))
                context.tell("proven", evidence=proof.model_dump(mode="json"))
            bind_canaries(context, proof)
            try:
                permit = verification.permit(phase, proof, live)
                if self.again and proof is self.proof:
                    redeem_again(context, proof, via_of(phase))
                return permit
            except GateError as error:
                is_void = isinstance(error, VoidEvidenceError) and proof is self.proof
                tries_left -= not is_void
                if not tries_left or isinstance(error, NotQuietError):
                    raise
                context.note(f"{error.message}; verifying again")
                proof, live = None, connection.read()
