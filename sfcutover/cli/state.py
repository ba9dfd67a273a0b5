"""sfcutover state: what is kept of runs, as one file that the next CI job continues from."""

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
    """The same for a state and all that come from its exports."""
    number: int
    """Number of the export, which counts up."""
    runs: list[RunDocument]
    """The runs in it that have not ended."""


@click.group("state", cls=Group, no_args_is_help=False)
@global_options
def command() -> None:
    """Pass the state of runs on from one CI job to the next, as one file. For SQLite alone."""


@command.command("export")
@click.argument("file", type=FILE)
@pass_invocation
def export(invocation: Invocation, file: Path) -> None:
    """Write the state to FILE, for an artifact or a cache; it holds no secret.

    Refused while a process performs a run of it (exit 69).
    """
    _require_sqlite(invocation, "export")
    database = open_store(invocation, create=False).database
    made = export_state(database, invocation.cutover.name, file)
    _show(invocation, "export", file, made)


@command.command("import")
@click.argument("file", type=FILE)
@pass_invocation
def import_(invocation: Invocation, file: Path) -> None:
    """Continue from FILE, which state export wrote. An older one than was seen here is refused.

    Where another job has continued the same run meanwhile, run and approve end with 4.
    """
    _require_sqlite(invocation, "import")
    made = import_state(invocation.cutover.state, invocation.cutover.name, file)
    _show(invocation, "import", file, made)


def _require_sqlite(invocation: Invocation, verb: str) -> None:
    state = invocation.cutover.state
    if not state.is_sqlite:
        raise ConfigError(
            f"state {verb} passes a SQLite file on, and this state is kept in PostgreSQL, which "
            "every job reaches: nothing has to be passed on",
            where=state.where,
            hint="give each job the same state.url",
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
    waiting = ", ".join(f"{each.id} ({each.state})" for each in runs) or "no run that has not ended"
    invocation.console.data(f"{action}ed: number {made.number}, {file}: {waiting}")
    verb, words = ("state", ("import", str(file))) if action == "export" else ("approve", ())
    invocation.console.note(f"next: {invocation.command_line(verb, *words)}")
