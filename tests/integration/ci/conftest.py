"""An emulated org, and a job that runs action.yml for it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from sfcutover.emulator import Scenario
from tests.chaos.world import ROOT, World, world
from tests.integration.ci.compositerunner import Job

VERSION = "0.0.0"  # of inputs.version: what is installed is the environment of the tests

StartWorld = Callable[..., World]
OpenJob = Callable[[World], Job]


@pytest.fixture
def start_world(tmp_path: Path) -> Iterator[StartWorld]:
    """Starts the org; keywords are the scenario's settings."""
    with ExitStack() as stack:

        def start(**settings: object) -> World:
            scenario = Scenario.model_validate(settings)
            return stack.enter_context(world(tmp_path / "world", scenario))

        yield start


@pytest.fixture
def open_job(tmp_path: Path) -> OpenJob:
    """A job in the folder of the org's cutover.yaml."""

    def open_(here: World) -> Job:
        temporary = tmp_path / "runner"
        temporary.mkdir()
        (temporary / f"sfcutover-{VERSION}").symlink_to(sys.prefix)
        return Job(ROOT, here.folder, temporary, here.environment)

    return open_
