"""sfcutover worker: execute runs of this cutover whose state is in a shared PostgreSQL."""

from __future__ import annotations

import click

from sfcutover.allowlist.templates import Templates
from sfcutover.cli.context import Invocation, pass_invocation, templates_option
from sfcutover.cli.interruption import interrupted
from sfcutover.cli.run import require_runnable
from sfcutover.cli.runs import open_store
from sfcutover.cutover.runcontroller import RunController
from sfcutover.errors import ConfigError


@click.command("worker")
@templates_option
@pass_invocation
def command(invocation: Invocation, templates: Templates) -> None:
    """Execute the runs of this cutover until Ctrl-C or SIGTERM.

    Takes targets from the queue, and takes over from a process that has ended. Requires a
    PostgreSQL database in state.url. Exits 0, or 9 if old addresses are removed and no other
    worker watches.
    """
    require_runnable(invocation)
    store = open_store(invocation)
    if not store.database.is_shared:
        raise ConfigError(
            "a worker shares runs with other machines, which SQLite can't",
            where=invocation.cutover.state.where,
            hint="set state.url to a PostgreSQL database: postgresql+psycopg://host/database",
        )
    cutover, resources = invocation.cutover, invocation.resources
    controller = RunController(cutover, store, resources, templates=templates)
    invocation.started.store = store
    controller.require_fit_for_active()
    try:
        controller.serve(
            lambda place: invocation.console.data(f"ready: {place} executes runs of {cutover.name}")
        )
    except KeyboardInterrupt:
        error = interrupted(invocation)
        if invocation.started.unwatched:
            raise error from None
        invocation.console.note("stopped; other workers take over what was in progress")
