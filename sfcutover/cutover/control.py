"""The negative control: a redemption from an address that is not on the list must be refused.

A redemption that succeeds proves an address only where the list blocks others. So before add-new
one canary redeems once through the new egress, and what the token endpoint answers is kept.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from sfcutover.allowlist.ranges import Allowlist, IpRange
from sfcutover.cutover.context import TargetContext
from sfcutover.cutover.evidence import Enforcement, Evidence
from sfcutover.cutover.redemptionerrors import BLOCKED, refused, tell_block, tell_redeemed
from sfcutover.cutover.stepresult import StepEvidence
from sfcutover.cutover.targetverification import gating_list
from sfcutover.errors import GateError
from sfcutover.traffic.canary import verify_settings
from sfcutover.traffic.redeemers import canaries_through
from sfcutover.traffic.redemption import BlockRule, Redemption, RedemptionOutcome
from sfcutover.util.document import Document

CONTROL = "control"  # the step
Outcome = Literal["shown", "not-shown", "inconclusive", "skipped", "off"]
_TELLS_NOTHING = (
    RedemptionOutcome.BLOCKED,  # by a rule that is not this list's, or not known to be
    RedemptionOutcome.UNKNOWN,
    RedemptionOutcome.RATE_LIMITED,
    RedemptionOutcome.BUSY,
)


_NO_CANARY = (
    "no canary redeems through the new egress, and the application's token may be a customer's"
)


class ControlEvidence(StepEvidence):
    """What one redemption from an address that is not on the list has shown."""

    outcome: Outcome
    """Whether it is shown that the list blocks; skipped and off: nothing was redeemed."""
    reason: str
    """What was found, in a sentence."""
    body: str | None = None
    """Body of the refusal, one line, without secrets; null where there was none."""

    @property
    def is_made(self) -> bool:
        """True if an address that is not on the list redeemed, or tried to."""
        return self.outcome not in ("skipped", "off")


class ControlTargetDocument(ControlEvidence):
    """The control of one target."""

    target: str
    """Name of the target."""


class ControlDocument(Document):
    """What ``verify --control --json`` prints."""

    schema_: Literal["sfcutover/control/1"] = Field("sfcutover/control/1", alias="schema")
    """Name and version of this document's format."""
    cutover: str
    """Name of the cutover."""
    targets: list[ControlTargetDocument]
    """The control, by target."""


def not_shown(target: str, reason: str) -> GateError:
    """The error of a control that does not show that the list blocks."""
    return GateError(
        f"{target}: nothing shows that the allowlist blocks: {reason}",
        hint="check in Setup that the app enforces its Refresh Token IP Allowlist and that no "
        "new address is on it yet",
        impact="nothing was changed; if the allowlist does not block, a successful redemption "
        "proves no address",
    )


def control(context: TargetContext) -> ControlEvidence:
    """Redeem once through the new egress, from which the list should refuse it.

    Raises CanaryError for a token that is dead or refused, and what a redemption whose answer did
    not come raises.
    """
    if not verify_settings(context.cutover).control:
        return ControlEvidence(outcome="off", reason="verify.control is false in cutover.yaml")
    canaries = canaries_through(context.cutover, [context.target], "new")
    if not canaries:
        return ControlEvidence(outcome="skipped", reason=_NO_CANARY)
    with context.connection() as connection:
        if why := _why_impossible(gating_list(connection.read()), context.cutover.change.new):
            return ControlEvidence(outcome="skipped", reason=why)
    context.control.require_lock()
    redemption = canaries[0].redeem("new")
    if redemption.outcome is RedemptionOutcome.BLOCKED:
        tell_block(context, redemption)
    elif redemption.outcome is RedemptionOutcome.REDEEMED:
        tell_redeemed(context)
    return _judged(redemption)


def _why_impossible(live: Allowlist | None, new: tuple[IpRange, ...]) -> str | None:
    if live is None:
        return "this cutover does not read the allowlist that gates redemptions"
    if listed := live.covered(new):
        be = "is" if len(listed) == 1 else "are"
        return f"{', '.join(map(str, listed))} {be} already on the allowlist"
    return None


def _judged(redemption: Redemption) -> ControlEvidence:
    words = ": ".join(filter(None, (redemption.error, redemption.description)))
    match redemption.outcome, redemption.rule:
        case RedemptionOutcome.REDEEMED, _:
            reason = (
                "a redemption from a new address succeeded although the address is not on "
                "the allowlist"
            )
            return ControlEvidence(outcome="not-shown", reason=reason)
        case RedemptionOutcome.BLOCKED, BlockRule.APP:
            reason = f"a redemption from a new address was refused ({words})"
            return ControlEvidence(outcome="shown", reason=reason, body=redemption.body)
    if redemption.outcome not in _TELLS_NOTHING or redemption.answer_lost:
        raise refused(redemption)
    rule = f" {redemption.rule}" if redemption.rule else ""
    reason = f"a redemption from a new address was refused{rule} with {words or 'no message'}"
    return ControlEvidence(outcome="inconclusive", reason=reason, body=redemption.body)


def with_enforcement(context: TargetContext, proof: Evidence) -> Evidence:
    """The proof with what is known of this list's enforcement.

    A refusal by this list while a new address was waited for counts as the control.
    """
    enforcement = _enforcement(context)
    if enforcement is None:
        return proof
    uncertain = list(proof.uncertain)
    if not enforcement.is_shown:
        uncertain.append(f"nothing shows that the allowlist blocks: {enforcement.reason}")
    return proof.model_copy(update={"enforcement": enforcement, "uncertain": uncertain})


def _enforcement(context: TargetContext) -> Enforcement | None:
    """None where no control was made, nor left out."""
    name = context.target.name
    for each in context.memory.all(BLOCKED, target=name):
        if each.text("rule") == BlockRule.APP and each.step in (CONTROL, "verify-new"):
            return Enforcement(is_shown=True, reason="the allowlist refused a new address")
    ended = context.memory.last("step-ended", CONTROL, name)
    if ended is None or not isinstance(found := ended.data.get("evidence"), dict):
        return None
    made = ControlEvidence.model_validate(found)
    return Enforcement(is_shown=made.outcome == "shown", reason=made.reason)
