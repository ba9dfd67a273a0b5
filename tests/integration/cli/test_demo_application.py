"""The demo's application against an org."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sfcutover.cli.demo.environment import Application, redeem
from sfcutover.emulator import Emulator
from tests.integration.cli.harness import eventually


@pytest.fixture
def org() -> Iterator[Emulator]:
    with Emulator() as emulator:
        yield emulator


def test_the_application_follows_the_proxy_and_keeps_its_tokens(org: Emulator) -> None:
    values = org.environment
    sides = iter(["OLD", "NEW", "OLD"])
    (name, first) = org.customer_tokens[0]

    def redeem_next(token: str) -> str | None:
        return redeem(values, token, values[f"SFCUTOVER_{next(sides)}_PROXY_URL"])

    second = redeem_next(first)
    assert second is not None
    assert redeem_next(second) is None  # the new address is not on the list
    third = redeem_next(second)  # a refusal has not used it up
    assert (name, third) in org.customer_tokens
    assert [each.result for each in org.redemptions] == ["redeemed", "blocked", "redeemed"]


def test_the_application_serves_every_customer_until_it_is_stopped(org: Emulator) -> None:
    proxy = org.environment["SFCUTOVER_OLD_PROXY_URL"]
    customers = org.customer_tokens
    application = Application(customers, org.environment, lambda: proxy)
    with application.serving():
        eventually(lambda: len({each.customer for each in application.attempts}) == len(customers))
    served = application.attempts
    assert all(each.redeemed for each in served)
    assert len(served) == len(org.redemptions)
    application.stop()
    assert application.attempts == served
