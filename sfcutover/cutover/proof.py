"""The steps that prove: the probe, verify for each target, and a look at the old way."""

from __future__ import annotations

import time

from sfcutover.cutover.documents import ProbeDocument
from sfcutover.cutover.probe import CONFIDENCE, probe
from sfcutover.cutover.refusals import BlockedError, refused
from sfcutover.cutover.step import Evidence, TargetWork, Work
from sfcutover.cutover.verification import TargetVerification, Via
from sfcutover.traffic.canary import Canary
from sfcutover.traffic.oauth import Outcome

_PROPAGATION_PAUSE = 1.0  # seconds between two looks whether a new address is let in


def prove_egress(work: Work) -> Evidence:
    """Step 1: traffic leaves from exactly the new addresses; the old way out is there, too."""
    canary = Canary(work.cutover)
    canary.egress("old")
    confidence = work.cutover.verify.confidence if work.cutover.verify else CONFIDENCE
    result = probe(
        canary.egress("new"),
        canary.echo_url,
        confidence=confidence,
        progress=lambda tries: _tell_every(work, "probed", tries),
    )
    result.require_passed()
    for target in work.cutover.targets:
        Canary(work.cutover, target).require_token()
    return ProbeDocument.of(work.cutover.name, result, None).model_dump(mode="json", by_alias=True)


def verify(work: TargetWork, via: Via, patience: float) -> Evidence:
    """Step 4 for one target: redeem through each address.

    patience: seconds from the first try, over all restarts, in which a blocked address may
    mean that the org has not taken the list to all its servers yet.
    """
    begun = work.journal.all("step-started", work.step, work.target.name)[0].time
    while True:
        try:
            return _verify(work, via)
        except BlockedError as error:
            if time.time() > begun + patience:
                raise
            work.note(f"{error.message}; the list may not have reached every server, again")
            work.clock.pause(_PROPAGATION_PAUSE)


def _verify(work: TargetWork, via: Via) -> Evidence:
    with work.connection() as connection:
        work.require_to_act()
        verification = TargetVerification(
            connection,
            on_redeemed=lambda count: _redeemed(work, count),
            look=work.probes.of,
        )
        evidence = verification.verify(via, connection.read())
    return {"proof": evidence.model_dump(mode="json")}


def redeem_with(work: Work, canary: Canary, via: str) -> Evidence:
    """One redemption through an egress. Raises GateError or NetworkError if it is refused."""
    work.presence.require_soon()
    redemption = canary.redeem(via)
    if redemption.outcome is not Outcome.REDEEMED:
        raise refused(redemption)
    return {"via": via, "outcome": redemption.outcome.value}


def _redeemed(work: TargetWork, count: int) -> None:
    """One redemption; the next one is for whoever has not been replaced meanwhile."""
    _tell_every(work, "redeemed", count)
    work.require_to_act()


def _tell_every(work: Work, kind: str, count: int) -> None:
    """Not every one: a journal of a thousand redemptions is for nobody."""
    if count <= 2 or count % 10 == 0:  # noqa: PLR2004 - the first two, then every tenth
        work.tell(kind, count=count)
