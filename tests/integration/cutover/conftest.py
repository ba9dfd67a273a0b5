"""Fixtures: a world, and a context for a step on its target."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sfcutover.cutover import resending
from sfcutover.cutover.context import TargetContext
from tests.chaos.world import World, world
from tests.integration.cutover.working import step_context


@pytest.fixture
def here(tmp_path: Path) -> Iterator[World]:
    with world(tmp_path / "world") as opened:
        yield opened


@pytest.fixture
def context(
    here: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[TargetContext]:
    """A context whose retries are immediate."""
    monkeypatch.setattr(resending, "FIRST_PAUSE_SECONDS", 0.01)
    with step_context(here, tmp_path, monkeypatch) as (opened, *_):
        yield opened
