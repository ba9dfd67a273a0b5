"""What becomes evidence of a verification."""

from __future__ import annotations

import pytest

from sfcutover.cutover.addressproof import Verified
from sfcutover.cutover.targetverification import canary_evidence
from sfcutover.util.serverclock import ServerTime
from tests.unit.cutover.proven import NOON


@pytest.mark.parametrize("uncertain", [(0.5, 2.0), (2.0, 0.5)])
def test_evidence_is_as_uncertain_as_the_less_certain_of_its_times(
    uncertain: tuple[float, float],
) -> None:
    started, last_proof = (ServerTime.around(NOON, each) for each in uncertain)
    verified = Verified("application", started, last_proof, 2, (), ())
    assert canary_evidence("one", verified).uncertainty == 2.0
