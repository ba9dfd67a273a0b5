"""What a proof says of the list's enforcement, by what the memory has of the negative control."""

from __future__ import annotations

from pathlib import Path

import pytest

from sfcutover.cutover.context import TargetContext
from sfcutover.cutover.control import CONTROL, ControlEvidence, Outcome, with_enforcement
from sfcutover.cutover.evidence import Enforcement
from sfcutover.cutover.redemptionerrors import tell_block
from sfcutover.traffic.redemption import BlockRule, Redemption, RedemptionOutcome
from tests.unit.cutover.contexts import target_context
from tests.unit.cutover.proven import NOON, evidence


@pytest.fixture
def context(tmp_path: Path) -> TargetContext:
    return target_context(tmp_path, CONTROL)


def test_without_a_control_a_proof_says_nothing_of_enforcement(context: TargetContext) -> None:
    assert with_enforcement(context, evidence()).enforcement is None


@pytest.mark.parametrize(("outcome", "is_shown"), [("shown", True), ("not-shown", False)])
def test_a_proof_says_what_the_control_has_shown(
    context: TargetContext, outcome: Outcome, is_shown: bool
) -> None:
    context.execute(lambda: ControlEvidence(outcome=outcome, reason="as tried"))
    proof = with_enforcement(context, evidence())
    assert proof.enforcement == Enforcement(is_shown=is_shown, reason="as tried")
    assert any("as tried" in each for each in proof.uncertain) is not is_shown


def test_a_refusal_by_the_list_itself_shows_its_enforcement(context: TargetContext) -> None:
    context.execute(lambda: ControlEvidence(outcome="not-shown", reason="as tried"))
    tell_block(context, Redemption(RedemptionOutcome.BLOCKED, NOON, rule=BlockRule.APP))
    proof = with_enforcement(context, evidence())
    assert proof.enforcement is not None
    assert proof.enforcement.is_shown
