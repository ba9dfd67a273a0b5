"""Step 4, verify: redeem through each address of an egress, for one target."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Literal

from sfcutover.allowlist.carriers import TOKEN_IP_RANGES
from sfcutover.allowlist.phases import Phase
from sfcutover.allowlist.ranges import Allowlist, subtract
from sfcutover.allowlist.snapshot import Snapshot
from sfcutover.cutover.addressproof import Verification, Verified, each_address
from sfcutover.cutover.addressuse import AddressUse
from sfcutover.cutover.canaryidentity import bind_canary, require_same_canary
from sfcutover.cutover.context import StepContext, TargetContext
from sfcutover.cutover.evidence import Evidence, VoidEvidenceError, Wanted, evidence_lists
from sfcutover.cutover.orgtime import seconds_under_way
from sfcutover.cutover.probe import ProbeResult
from sfcutover.cutover.redemptionerrors import BlockedError, refused
from sfcutover.cutover.removalgate import RemovalGate, RemovalPermit
from sfcutover.cutover.stepresult import StepEvidence
from sfcutover.cutover.supportcase import Confirmations
from sfcutover.errors import GateError, NetworkError
from sfcutover.salesforce.connection import Connection
from sfcutover.salesforce.loginhistory import LoginHistory
from sfcutover.traffic.canary import Canary
from sfcutover.traffic.tokenanswer import Redemption, RedemptionOutcome
from sfcutover.util.clock import Clock
from sfcutover.util.serverclock import whole_second

_PROPAGATION_PAUSE = 1.0  # seconds between two tries whether a new address is let in
_ONE_SECOND = timedelta(seconds=1)
_REPORTED_COUNTS = 2  # the first redemptions, then every tenth: the journal stays readable
BLOCKED = "redemption-blocked"  # an event
Via = Literal["old", "new"]


class VerifyEvidence(StepEvidence):
    """What verify found."""

    proof: Evidence


class RedeemEvidence(StepEvidence):
    """One redemption that succeeded. via: old or new."""

    via: str
    outcome: str


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
            return _verify_once(context, via)
        except BlockedError as error:
            if context.clock.now() > end:
                raise
            context.note(f"{error.message}; the list may not have reached every server, again")
            context.clock.pause(_PROPAGATION_PAUSE)


def redeem_once(context: StepContext, canary: Canary, via: Via) -> RedeemEvidence:
    """One redemption through an egress. Raises GateError or NetworkError if it is refused."""
    return RedeemEvidence(via=via, outcome=_redeemed_once(context, canary, via).outcome.value)


def _redeemed_once(context: StepContext, canary: Canary, via: Via) -> Redemption:
    context.control.require_lock_soon()
    redemption = canary.redeem(via)
    if redemption.outcome is RedemptionOutcome.BLOCKED:
        tell_block(context, redemption)
    if redemption.outcome is not RedemptionOutcome.REDEEMED:
        raise refused(redemption)
    return redemption


def redeem_again(context: TargetContext, proof: Evidence, via: Via) -> None:
    """The canary that was proven with still redeems. Raises as redeem_once, and IdentityError for
    the canary of another user."""
    redemption = _redeemed_once(context, Canary(context.cutover, context.target), via)
    require_same_canary(redemption, proof)


def tell_block(context: StepContext, redemption: Redemption) -> None:
    """An event with the whole answer: whose rule it is can be told from its words alone."""
    context.tell(BLOCKED, rule=redemption.rule, body=redemption.body)


def report_count(context: StepContext, kind: str, count: int) -> None:
    """An event for the first tries and every tenth."""
    if count <= _REPORTED_COUNTS or count % 10 == 0:
        context.tell(kind, count=count)


def _seconds_tried(context: TargetContext) -> float:
    with context.connection() as connection:
        return seconds_under_way(context, "org-time", connection.org.now())


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
        proof = verification.verify(via, connection.read())
        bind_canary(context, proof)
        return VerifyEvidence(proof=proof)


def _redeemed(context: TargetContext, count: int) -> None:
    """After one redemption; the next one needs the lock."""
    report_count(context, "redeemed", count)
    context.control.require_lock()


@dataclass(frozen=True)
class ProofGate:
    """Permits a removal by evidence: the one given, or a new one where that does not count.

    proof: of an earlier verify, if there is one; where it is void, one is made. again: the canary
    redeems once more before a removal that is permitted by it. tries: how often
    evidence is checked besides, made anew each time after the first. countdown: told the seconds
    left of settle.
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
            clock=context.clock,
            probe=context.probes.of,
        )
        proof, tries_left = self.proof, self.tries
        while True:
            if proof is None:
                proof = verification.verify(via_of(phase), live)
                context.tell("proven", evidence=proof.model_dump(mode="json"))
            bind_canary(context, proof)
            try:
                permit = verification.permit(phase, proof, live)
                if self.again and proof is self.proof:
                    redeem_again(context, proof, via_of(phase))
                return permit
            except GateError as error:
                is_void = isinstance(error, VoidEvidenceError) and proof is self.proof
                tries_left -= not is_void
                if not tries_left:
                    raise
                context.note(f"{error.message}; proving it once more")
                proof, live = None, connection.read()


@dataclass(frozen=True)
class TargetVerification:
    """Verifies one target, and permits what its evidence allows.

    on_redeemed: told the number of redemptions so far. on_blocked: told one that was blocked.
    countdown: the seconds left of settle. probe: a probe of an egress by its name, where several
    targets share one.
    """

    connection: Connection
    on_redeemed: Callable[[int], None] = lambda _: None
    on_blocked: Callable[[Redemption], None] = lambda _: None
    countdown: Callable[[float], None] = lambda _: None
    clock: Clock = field(default_factory=Clock)
    probe: Callable[[Via], ProbeResult] | None = None
    _proven: dict[Via, tuple[Evidence, float]] = field(default_factory=dict, init=False)

    def verify(self, via: Via, live: Snapshot) -> Evidence:
        """Redeem through the egress until each of its addresses is proven.

        Raises GateError, EgressError, NetworkError, ConfigError, and what the token's store
        raises.
        """
        cutover = self.connection.cutover
        if cutover.is_legacy and via == "new":
            Confirmations.of(self.connection).require("add-new")
        live = self._behind_last_save(live)  # as it is before the redemptions
        canary = self._canary
        verified = Verification(
            egress=canary.egress(via),
            per_address=canary.egress_per_address(via),
            echo_url=canary.echo_url,
            live=_allowlist(live),
            redeem=canary.redeem_in,
            history=self._history,
            now=self.connection.org.now,
            confidence=canary.settings.confidence,
            by_support=cutover.is_legacy,
            on_redeemed=self.on_redeemed,
            on_blocked=self.on_blocked,
            probe=None if self.probe is None else partial(self.probe, via),
        ).run()
        evidence = self._evidence(via, live, verified)
        self._proven[via] = (evidence, self.clock.now())
        return evidence

    def permit(self, phase: Phase, evidence: Evidence, live: Snapshot) -> RemovalPermit:
        """Wait for what is left of settle, and let the phase remove addresses.

        Raises GateError for evidence that doesn't count and for addresses still in use, and
        NetworkError if the org can't be asked for these.
        """
        own, proven_at = self._proven.get(via_of(phase), (None, None))
        return self.gate(phase).permit(evidence, live, proven_at if evidence is own else None)

    def gate(self, phase: Phase) -> RemovalGate:
        """What must hold before the phase may remove addresses."""
        change = self.connection.cutover.change
        via = via_of(phase)
        stay = change.new if via == "new" else change.old
        settings = self._canary.settings
        return RemovalGate(
            phase,
            wanted=Wanted(
                app=self.connection.cutover.app,
                organization_id=self.connection.organization_id,
                via=via,
                addresses=tuple(each for entry in stay for each in each_address(entry)),
                confidence=settings.confidence,
                max_age=timedelta(seconds=settings.max_age),
                confirmed=self._confirmed,
            ),
            removed=subtract(change.old if via == "new" else change.new, stay),
            settle=settings.settle,
            late=settings.login_history_wait,
            history=self._history,
            now=self.connection.org.now,
            clock=self.clock,
            countdown=self.countdown,
        )

    def _behind_last_save(self, live: Snapshot) -> Snapshot:
        """The lists, read again once the second of their last save is over by the org's clock.

        A later save then has another time, also where times have whole seconds (assumed of real
        orgs), and can't hide.
        """
        now = self.connection.org.now()
        ends = [
            end
            for each in live.carriers
            if each.properties is not None
            and (end := whole_second(each.properties.last_modified) + _ONE_SECOND) > now.earliest
            and end - _ONE_SECOND <= now.latest
        ]
        if not ends:
            return live
        self.clock.pause((max(ends) - now.earliest).total_seconds())
        return self.connection.read()

    @property
    def _canary(self) -> Canary:
        return Canary(self.connection.cutover, self.connection.target)

    @property
    def _confirmed(self) -> dict[str, str] | None:
        """What stands for the list of a legacy app, which only support can read."""
        if not self.connection.cutover.is_legacy:
            return None
        return Confirmations.of(self.connection).hashes()

    @property
    def _history(self) -> LoginHistory:
        return LoginHistory(self.connection.org, self.connection.cutover.api_version)

    def _evidence(self, via: Via, live: Snapshot, verified: Verified) -> Evidence:
        evidence = Evidence(
            target=self.connection.target.name,
            app=self.connection.cutover.app,
            instance_url=self.connection.org.instance_url,
            organization_id=self.connection.organization_id,
            canary_organization_id=verified.organization_id,
            canary_user_id=verified.user_id,
            deployment_id=self.connection.deployer.find_latest(),
            via=via,
            proof=verified.proof,
            redemptions=verified.redemptions,
            confidence=self._canary.settings.confidence,
            lists=evidence_lists(live, self._confirmed),
            started=verified.started.middle,
            last_proof=verified.last_proof.middle,
            uncertainty=max(verified.started.uncertainty, verified.last_proof.uncertainty),
            login_history="incomplete",
            addresses=list(verified.addresses),
            uncertain=[*verified.uncertain, *self._unlisted(live)],
        )
        with suppress(NetworkError):
            shown = AddressUse(self._history, evidence).shown()
            return evidence.model_copy(update={"login_history": shown})
        return evidence

    def _unlisted(self, live: Snapshot) -> list[str]:
        """What is not known of components that the org does not list."""
        if self.connection.cutover.is_legacy:
            return []
        return [
            f"the org does not list {each.full_name}: only its ranges can tell of a later save"
            for each in live.carriers
            if each.properties is None
        ]


def via_of(phase: Phase) -> Via:
    """The egress that must be proven before a phase removes the other one's addresses."""
    return "new" if phase is Phase.REMOVE_OLD else "old"


def _allowlist(live: Snapshot) -> Allowlist | None:
    """The list that gates redemptions; trusted ranges gate none."""
    found = (each.allowlist for each in live.carriers if each.carrier is TOKEN_IP_RANGES)
    return next(found, None)
