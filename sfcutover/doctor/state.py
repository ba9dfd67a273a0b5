"""The doctor's look at where runs are kept. It makes no file and no table."""

from __future__ import annotations

import os
from pathlib import Path

from sfcutover.config.cutover import Cutover
from sfcutover.doctor.checkup import Check, check
from sfcutover.errors import ConfigError
from sfcutover.runs.database import Database
from sfcutover.runs.openrun import find_open, missing_file


def examine_state(cutover: Cutover) -> Check:
    """Whether a run could be kept, and whether one is under way. Raises nothing of ours."""
    return check("state", lambda: _look(cutover))


def _look(cutover: Cutover) -> str:
    database = Database.at(cutover.state)
    try:
        if path := missing_file(database):
            return _could_be_made(path, cutover.state.where)
        run = find_open(database, cutover.name)
    finally:
        database.close()
    said = f"the run {run} has not ended: sfcutover runs {run}" if run else "no run is under way"
    return f"{database}; {said}"


def _could_be_made(path: Path, where: str) -> str:
    folder = next(each for each in path.absolute().parents if each.exists())
    if not (folder.is_dir() and os.access(folder, os.W_OK | os.X_OK)):
        raise ConfigError(
            f"no run could be kept: {path} can't be made, as {folder} can't be written to",
            where=where,
            hint="correct the permissions, or name another file in state.url",
        )
    return f"{path} is made by the first run"
