"""A state in one SQLite file, without a process that uses it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sfcutover.runs.database import Database
from tests.unit.runs.working import state_in


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = Database.open(state_in(tmp_path / "kept"))
    yield opened
    opened.close()
