"""What a redemption says of the proxy that carried it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from sfcutover.traffic.redemption import Redemption, RedemptionOutcome

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("outcome", "status", "refused"),
    [
        (RedemptionOutcome.PROXY_FAILURE, 407, True),
        (RedemptionOutcome.PROXY_FAILURE, 401, True),
        (RedemptionOutcome.PROXY_FAILURE, 502, False),
        (RedemptionOutcome.PROXY_FAILURE, None, False),
        (RedemptionOutcome.CLIENT_REJECTED, 401, False),  # by the token endpoint
    ],
)
def test_only_a_proxy_refuses_its_password(
    outcome: RedemptionOutcome, status: int | None, refused: bool
) -> None:
    assert Redemption(outcome, NOW, status).is_proxy_password is refused
