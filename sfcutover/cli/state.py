"""sfcutover state: transfer the state of runs from one CI job to the next as one file."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import click
from pydantic import Field

from sfcutover.cli import Group
from sfcutover.cli.context import Invocation, pass_invocation
from sfcutover.cli.options import FILE, global_options
from sfcutover.cli.runs import describe, open_store
from sfcutover.cutover.rundocument import RunDocument
from sfcutover.errors import ConfigError
from sfcutover.output.json import print_document
from sfcutover.runs.stateexport import Export, export_state, import_state
from sfcutover.util.document import Document


class StateDocument(Document):
    """What ``state export`` and ``state import`` print."""

    schema_: Literal["sfcutover/state/1"] = Field("sfcutover/state/1", alias="schema")
    """Name and version of this document's format."""
    action: Literal["export", "import"]
    """What was done."""
    file: str
    """The exported file."""
    lineage: str
    """Identifies a state and all states imported from its exports."""
    number: int
    """Number of the export; each export increments it."""
    runs: list[RunDocument]
    """The runs in it that have not ended."""


@click.group("state", cls=Group, no_args_is_help=False)
@global_options
def command() -> None:
    """Transfer the state of runs from one CI job to the next as one file. Only for SQLite."""


@command.command("export")
@click.argument("file", type=FILE)
@pass_invocation
def export(invocation: Invocation, file: Path) -> None:
    """Write the state to FILE, for an artifact or a cache. It contains no secret.

    Refused while a process is executing a run (exit 69).
    """
    _require_sqlite(invocation, "export")
    database = open_store(invocation, create=False).database
    made = export_state(database, invocation.cutover.name, file)
    _show(invocation, "export", file, made)


@command.command("import")
@click.argument("file", type=FILE)
@pass_invocation
def import_(invocation: Invocation, file: Path) -> None:
    """Import FILE, which state export wrote. Refused if this machine has a newer export.

    If another job has resumed the same run since, run and approve exit with 4.
    """
    _require_sqlite(invocation, "import")
    made = import_state(invocation.cutover.state, invocation.cutover.name, file)
    _show(invocation, "import", file, made)


def _require_sqlite(invocation: Invocation, verb: str) -> None:
    state = invocation.cutover.state
    if not state.is_sqlite:
        raise ConfigError(
            f"state {verb} transfers a SQLite file, but this state is in PostgreSQL, which every "
            "job can reach",
            where=state.where,
            hint="use the same state.url in each job",
        )


def _show(
    invocation: Invocation, action: Literal["export", "import"], file: Path, made: Export
) -> None:
    store = open_store(invocation, create=False)
    runs = [describe(store, run) for run in store.all() if run.ended is None]
    if invocation.settings.json:
        print_document(
            StateDocument(
                action=action, file=str(file), lineage=made.lineage, number=made.number, runs=runs
            )
        )
        return
    waiting = ", ".join(f"{each.id} ({each.state})" for each in runs) or "no run in progress"
    invocation.console.data(f"{action}ed {file} (number {made.number}): {waiting}")
    verb, words = ("state", ("import", str(file))) if action == "export" else ("approve", ())
    invocation.console.note(f"next: {invocation.command_line(verb, *words)}")
