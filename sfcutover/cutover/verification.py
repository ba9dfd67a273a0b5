"""Step 4 for one target: its org, its egress and its canary put together, and the evidence."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Literal

from sfcutover.allowlist.phases import Phase
from sfcutover.allowlist.ranges import Allowlist, subtract
from sfcutover.allowlist.snapshot import Snapshot
from sfcutover.cutover.evidence import Evidence, Wanted, evidence_lists
from sfcutover.cutover.probe import ProbeResult
from sfcutover.cutover.refusals import Clearance
from sfcutover.cutover.removal import RemovalGate
from sfcutover.cutover.supportcase import Confirmations
from sfcutover.cutover.verify import Verification, Verified, each_address
from sfcutover.salesforce.connection import Connection
from sfcutover.salesforce.org import LoginHistory
from sfcutover.traffic.canary import Canary
from sfcutover.util.clock import Clock

Via = Literal["old", "new"]


@dataclass(frozen=True)
class TargetVerification:
    """Verifies one target, and clears what its evidence allows.

    on_redeemed: told the number of redemptions so far. countdown: the seconds left of settle.
    look: a probe of an egress by its name, where several targets may share one.
    """

    connection: Connection
    on_redeemed: Callable[[int], None] = lambda _: None
    countdown: Callable[[float], None] = lambda _: None
    clock: Clock = field(default_factory=Clock)
    look: Callable[[Via], ProbeResult] | None = None
    _proven: dict[Via, tuple[Evidence, float]] = field(default_factory=dict, init=False)

    def verify(self, via: Via, live: Snapshot) -> Evidence:
        """Redeem through the egress until each of its addresses is proven.

        Raises GateError, EgressError, NetworkError, ConfigError, and what the token's store
        raises.
        """
        cutover = self.connection.cutover
        if cutover.is_legacy and via == "new":
            Confirmations.of(self.connection).require("add-new")
        lists = evidence_lists(live, self._confirmed)  # as it is before the redemptions
        canary = self._canary
        verified = Verification(
            egress=canary.egress(via),
            per_address=canary.egress_per_address(via),
            echo_url=canary.echo_url,
            live=None if cutover.is_legacy else _allowlist(live),
            redeem=canary.redeem_in,
            history=self._history,
            confidence=canary.settings.confidence,
            on_redeemed=self.on_redeemed,
            look=None if self.look is None else partial(self.look, via),
        ).run()
        evidence = self._evidence(via, lists, verified)
        self._proven[via] = (evidence, self.clock.now())
        return evidence

    def clear(self, phase: Phase, evidence: Evidence, live: Snapshot) -> Clearance:
        """Wait for what is left of settle, and let the phase remove addresses.

        Raises GateError for evidence that doesn't count and for addresses still in use, and
        NetworkError if the org can't be asked for these.
        """
        change = self.connection.cutover.change
        via = via_of(phase)
        stay = change.new if via == "new" else change.old
        settings = self._canary.settings
        gate = RemovalGate(
            phase,
            wanted=Wanted(
                app=self.connection.cutover.app,
                instance_url=self.connection.org.instance_url,
                via=via,
                addresses=tuple(each for entry in stay for each in each_address(entry)),
                confidence=settings.confidence,
                max_age=timedelta(seconds=settings.max_age),
                confirmed=self._confirmed,
            ),
            removed=subtract(change.old if via == "new" else change.new, stay),
            settle=settings.settle,
            history=self._history,
            clock=self.clock,
            countdown=self.countdown,
        )
        own, proven_at = self._proven.get(via, (None, None))
        return gate.clear(evidence, live, proven_at if evidence is own else None)

    @property
    def _canary(self) -> Canary:
        return Canary(self.connection.cutover, self.connection.target)

    @property
    def _confirmed(self) -> dict[str, str] | None:
        """What stands for the list of a legacy app, which nobody but support can read."""
        if not self.connection.cutover.is_legacy:
            return None
        return Confirmations.of(self.connection).hashes()

    @property
    def _history(self) -> LoginHistory:
        return LoginHistory(self.connection.org, self.connection.cutover.api_version)

    def _evidence(self, via: Via, lists: dict[str, str], verified: Verified) -> Evidence:
        return Evidence(
            target=self.connection.target.name,
            app=self.connection.cutover.app,
            instance_url=self.connection.org.instance_url,
            deployment_id=self.connection.deployer.find_latest(),
            via=via,
            proof=verified.proof,
            redemptions=verified.redemptions,
            confidence=self._canary.settings.confidence,
            lists=lists,
            started=verified.started,
            last_proof=verified.last_proof,
            addresses=list(verified.addresses),
            uncertain=list(verified.uncertain),
        )


def via_of(phase: Phase) -> Via:
    """The egress that must be proven before a phase removes the other one's addresses."""
    return "new" if phase is Phase.REMOVE_OLD else "old"


def _allowlist(live: Snapshot) -> Allowlist:
    """The list that gates redemptions: the first carrier's, the allowlist itself."""
    return live.carriers[0].allowlist
