"""An emulator without TLS and a client for it; start_org takes the scenario's settings."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing

import pytest

from sfcutover.emulator.emulator import Emulator
from sfcutover.emulator.scenario import Scenario
from sfcutover.emulator.server import has_ipv6
from tests.integration.emulator.client import Client, SteppedClock

StartOrg = Callable[..., tuple[Emulator, Client]]


@pytest.fixture
def clock() -> SteppedClock:
    return SteppedClock()


@pytest.fixture
def start_org(clock: SteppedClock) -> Iterator[StartOrg]:
    """Starts an org whose clock is stopped; keywords are the scenario's settings."""
    with ExitStack() as stack:

        def start(**settings: object) -> tuple[Emulator, Client]:
            scenario = Scenario.model_validate(settings)
            emulator = stack.enter_context(Emulator(scenario, tls=False, clock=clock))
            token = emulator.environment["SF_ACCESS_TOKEN"]
            client = stack.enter_context(closing(Client(emulator.url, token)))
            return emulator, client

        yield start


@pytest.fixture
def org(start_org: StartOrg) -> tuple[Emulator, Client]:
    """The default org."""
    return start_org()


@pytest.fixture
def needs_ipv6() -> None:
    """Skips a test where the machine has no ::1."""
    if not has_ipv6():
        pytest.skip("this machine has no ::1")
