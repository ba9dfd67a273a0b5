"""Fixtures of the examples' tests: an org, and a CI system's machine with the user's repository."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sfcutover.emulator import Emulator, Scenario
from tests.integration.examples.machine import Machine, open_machine


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    with Emulator(Scenario()) as emulator:
        yield open_machine(tmp_path, emulator)
