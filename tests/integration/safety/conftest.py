"""Fixtures: one org with its cutover.yaml, and timers as short as those of the chaos runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from sfcutover.emulator import Scenario
from tests.chaos.world import World, world

OpenWorld = Callable[..., World]


@pytest.fixture
def open_world(tmp_path: Path) -> Iterator[OpenWorld]:
    """Starts the org of a scenario; keywords are the scenario's settings."""
    with ExitStack() as stack:

        def open_(**settings: object) -> World:
            scenario = Scenario.model_validate(settings)
            return stack.enter_context(world(tmp_path / "world", scenario))

        yield open_


@pytest.fixture
def here(open_world: OpenWorld) -> World:
    """The default org's."""
    return open_world()
