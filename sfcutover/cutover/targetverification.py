"""The verification of one target: each of its canaries, and the application, proves each address of
an egress."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial

from sfcutover.allowlist.carriers import TOKEN_IP_RANGES
from sfcutover.allowlist.phases import Phase
from sfcutover.allowlist.ranges import Allowlist, subtract
from sfcutover.allowlist.snapshot import Snapshot
from sfcutover.config.verify import Verify
from sfcutover.cutover.addressproof import Verification, Verified, each_address
from sfcutover.cutover.addressuse import shown_of
from sfcutover.cutover.evidence import CanaryEvidence, Evidence, Shown, Wanted, evidence_lists
from sfcutover.cutover.probe import ProbeResult
from sfcutover.cutover.quiet import QuietPeriod
from sfcutover.cutover.removalgate import RemovalGate, RemovalPermit
from sfcutover.cutover.supportcase import Confirmations
from sfcutover.errors import NetworkError
from sfcutover.salesforce.connection import Connection
from sfcutover.salesforce.loginhistory import LoginHistory
from sfcutover.salesforce.org import Org
from sfcutover.salesforce.sessions import provider_for
from sfcutover.traffic.canary import verify_settings
from sfcutover.traffic.egress import echo_url_of, egress_of
from sfcutover.traffic.redeemers import (
    Redeemer,
    Via,
    canaries_left_out,
    nothing_redeems,
    redeemers_for,
)
from sfcutover.traffic.redemption import Redemption
from sfcutover.util.clock import Clock
from sfcutover.util.serverclock import whole_second

_ONE_SECOND = timedelta(seconds=1)


@dataclass(frozen=True)
class TargetVerification:
    """Verifies one target, and permits what its evidence allows.

    on_redeemed: receives the number of redemptions so far. on_blocked: receives each one that was
    blocked. countdown: receives the remaining seconds of settle. probe: a probe of an egress by its
    name, where several targets share one.
    """

    connection: Connection
    on_redeemed: Callable[[int], None] = lambda _: None
    on_blocked: Callable[[Redemption], None] = lambda _: None
    countdown: Callable[[float], None] = lambda _: None
    clock: Clock = field(default_factory=Clock)
    probe: Callable[[Via], ProbeResult] | None = None
    _proven: dict[Via, tuple[Evidence, float]] = field(default_factory=dict, init=False)

    def verify(self, via: Via, live: Snapshot) -> Evidence:
        """Redeem through the egress until each of its addresses is proven by each that redeems.

        Raises GateError, also where nothing redeems through the old one, EgressError, NetworkError,
        ConfigError, and what the token's store raises.
        """
        if self.connection.cutover.is_legacy and via == "new":
            Confirmations.of(self.connection).require("add-new")
        redeemers = self._redeemers(via)
        if not redeemers:
            raise nothing_redeems(self.connection.cutover, via)
        live = self._behind_last_save(live)  # as it is before the redemptions
        found: list[CanaryEvidence] = []
        for redeemer in redeemers:
            made = sum(each.redemptions for each in found)
            found.append(self._prove(redeemer, via, live, made))
        evidence = self._evidence(via, live, found)
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
        settings = self._settings
        return RemovalGate(
            phase,
            wanted=Wanted(
                app=self.connection.cutover.app,
                organization_id=self.connection.organization_id,
                via=via,
                addresses=tuple(each for entry in stay for each in each_address(entry)),
                canaries=tuple(each.name for each in self._redeemers(via)),
                confidence=settings.confidence,
                max_age=timedelta(seconds=settings.max_age),
                confirmed=self._confirmed,
            ),
            removed=subtract(change.old if via == "new" else change.new, stay),
            settle=settings.settle,
            late=settings.login_history_wait,
            history=self._history_of(self.connection.org),
            now=self.connection.org.now,
            clock=self.clock,
            quiet=self._quiet if phase is Phase.REMOVE_OLD else None,
            countdown=self.countdown,
        )

    def _prove(self, redeemer: Redeemer, via: Via, live: Snapshot, made: int) -> CanaryEvidence:
        """Have one redeem until each address is proven by it. made: redemptions of others
        before."""
        cutover = self.connection.cutover
        with self._org_of(redeemer) as org:
            verification = Verification(
                egress=egress_of(cutover, via),
                per_address=redeemer.egress_per_address(via),
                echo_url=echo_url_of(cutover),
                live=gating_list(live),
                redeem=redeemer.redeem_by,
                now=self.connection.org.now,
                history=self._history_of(org),
                history_of=org.organization_id(cutover.api_version),
                history_now=org.now,
                confidence=self._settings.confidence,
                by_support=cutover.is_legacy,
                on_redeemed=lambda count: self.on_redeemed(made + count),
                on_blocked=self.on_blocked,
                probe=None if self.probe is None else partial(self.probe, via),
            )
            proven = canary_evidence(redeemer.name, verification.run())
        if verification.is_foreign:
            return proven.model_copy(update={"login_history": "other-org"})
        return proven.model_copy(update={"login_history": self._shown(proven, org)})

    @contextmanager
    def _org_of(self, redeemer: Redeemer) -> Iterator[Org]:
        """The org whose LoginHistory may show its redemptions: its own, where configured."""
        if redeemer.org is None:
            yield self.connection.org
            return
        with closing(Org(provider_for(redeemer.org))) as org:
            yield org

    def _shown(self, proven: CanaryEvidence, org: Org) -> Shown:
        """Whether LoginHistory showed these redemptions, as far as it can be asked now."""
        if proven.proof == "login-history":
            return "complete"
        if org is self.connection.org:  # by whose clock the times are
            with suppress(NetworkError):
                return shown_of(proven, self._history_of(org))
        return "incomplete"

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
    def _quiet(self) -> QuietPeriod | None:
        checks = self.connection.cutover.quiet
        return QuietPeriod(checks, self.clock, self.countdown) if checks else None

    @property
    def _settings(self) -> Verify:
        return verify_settings(self.connection.cutover)

    def _redeemers(self, via: Via) -> tuple[Redeemer, ...]:
        return redeemers_for(self.connection.cutover, [self.connection.target], via)

    @property
    def _confirmed(self) -> dict[str, str] | None:
        """What stands for the list of a legacy app, which only support can read."""
        if not self.connection.cutover.is_legacy:
            return None
        return Confirmations.of(self.connection).hashes()

    def _history_of(self, org: Org) -> LoginHistory:
        return LoginHistory(org, self.connection.cutover.api_version)

    def _evidence(self, via: Via, live: Snapshot, canaries: list[CanaryEvidence]) -> Evidence:
        return Evidence(
            target=self.connection.target.name,
            app=self.connection.cutover.app,
            instance_url=self.connection.org.instance_url,
            organization_id=self.connection.organization_id,
            deployment_id=self.connection.deployer.find_latest(),
            via=via,
            confidence=self._settings.confidence,
            lists=evidence_lists(live, self._confirmed),
            canaries=canaries,
            uncertain=[*self._unlisted(live), *self._left_out(via)],
        )

    def _left_out(self, via: Via) -> list[str]:
        left_out = canaries_left_out(self.connection.cutover, via)
        return [] if left_out is None else [left_out]

    def _unlisted(self, live: Snapshot) -> list[str]:
        """What is unknown of components that the org does not list."""
        if self.connection.cutover.is_legacy:
            return []
        return [
            f"the org does not list {each.full_name}, so only a change of its ranges reveals a "
            "later save"
            for each in live.carriers
            if each.properties is None
        ]


def via_of(phase: Phase) -> Via:
    """The egress that must be proven before a phase removes the other one's addresses."""
    return "new" if phase is Phase.REMOVE_OLD else "old"


def canary_evidence(name: str, verified: Verified) -> CanaryEvidence:
    """What a canary has proven; its times are as uncertain as the more uncertain one."""
    return CanaryEvidence(
        canary=name,
        organization_id=verified.organization_id,
        user_id=verified.user_id,
        proof=verified.proof,
        redemptions=verified.redemptions,
        started=verified.started.middle,
        last_proof=verified.last_proof.middle,
        uncertainty=max(verified.started.uncertainty, verified.last_proof.uncertainty),
        login_history="incomplete",
        addresses=list(verified.addresses),
        uncertain=list(verified.uncertain),
    )


def gating_list(live: Snapshot) -> Allowlist | None:
    """The list that gates redemptions; trusted ranges gate none."""
    found = (each.allowlist for each in live.carriers if each.carrier is TOKEN_IP_RANGES)
    return next(found, None)
