"""The demo's application against an org."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sfcutover.cli.demo.environment import Application, Customer, redeem
from sfcutover.emulator import Emulator, Scenario
from tests.integration.cli.harness import eventually


@pytest.fixture
def org() -> Iterator[Emulator]:
    with Emulator(Scenario(customer_orgs=2)) as emulator:
        yield emulator


def customers_of(org: Emulator) -> list[Customer]:
    return [
        Customer(f"customer-{number}", each.token_url, each.issue_grant(f"customer-{number}"))
        for number, each in enumerate(org.customer_orgs, 1)
    ]


def test_application_follows_the_proxy_and_keeps_its_tokens(org: Emulator) -> None:
    values = org.environment
    sides = iter(["OLD", "NEW", "OLD"])
    first, _ = customers_of(org)

    def redeem_next(customer: Customer) -> Customer | None:
        return redeem(values, customer, values[f"SFCUTOVER_{next(sides)}_PROXY_URL"])

    second = redeem_next(first)
    assert second is not None
    assert redeem_next(second) is None  # the new address is not on the allowlist
    third = redeem_next(second)  # a refusal has not consumed it
    assert third is not None
    assert org.customer_orgs[0].tokens == [(first.name, third.token)]
    assert [each.result for each in org.redemptions] == ["redeemed", "blocked", "redeemed"]


def test_application_serves_every_customer_until_it_is_stopped(org: Emulator) -> None:
    values, customers = org.environment, customers_of(org)
    ways = {"customer-1": "OLD", "customer-2": "NEW"}  # the new addresses are not on the allowlist

    def proxy(customer: str) -> str:
        return values[f"SFCUTOVER_{ways[customer]}_PROXY_URL"]

    application = Application(customers, values, proxy)
    with application.serving():
        eventually(lambda: len({each.customer for each in application.attempts}) == len(customers))
    served = application.attempts
    assert all(each.redeemed == (each.customer == "customer-1") for each in served)
    assert len(served) == len(org.redemptions)
    application.stop()
    assert application.attempts == served
