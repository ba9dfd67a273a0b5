"""Helpers shared by the unit tests of runs."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from sfcutover.config.state import State
from sfcutover.config.values import Text
from sfcutover.runs.baselinerecord import BaselineRecord
from sfcutover.runs.database import Database

ENDING = {"outcome": "done", "exit_code": 0, "message": "m", "impact": "t", "next": "n"}


def state_at(url: str) -> State:
    return State(url=Text(literal=url))


def state_in(folder: Path) -> State:
    """A state in a file of this folder."""
    return state_at(f"sqlite:///{folder}/state.db")


def config_of(app: str, org: str = "packaging") -> str:
    """The part of a text of config_text that states which allowlist a cutover changes."""
    return json.dumps({"app": app, "targets": [{"name": "one", "org": {"alias": org}}]})


def record(cutover: str, target: str, **changes: object) -> BaselineRecord:
    """A baseline record; changes: fields with another value."""
    fields = {
        "cutover": cutover,
        "target": target,
        "app": "Acme",
        "instance_url": "https://acme.my.salesforce.com",
        "organization_id": "00D000000000001AAA",
        "components": [],
        "before_add_new": True,
        "old": [],
        "new": [],
        "policies": {},
        "recorded": 0.0,
        "by": "Casey",
    }
    return BaselineRecord.model_validate(fields | changes)


@contextmanager
def writing(database: Database) -> Iterator[None]:
    """Another process has begun to write, and keeps every other writer waiting."""
    with closing(sqlite3.connect(database.file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield


def execute(database: Database, statement: str) -> None:
    """Change the file as no code of this program does."""
    with closing(sqlite3.connect(database.file)) as connection:
        connection.execute(statement)
        connection.commit()
