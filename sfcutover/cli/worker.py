"""sfcutover worker: perform runs of this cutover that are kept in a shared PostgreSQL."""

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
    """Take part in the runs of this cutover until Ctrl-C or SIGTERM.

    Exits 0 then, and 9 where old addresses are off a list that no other worker watches.

    Takes targets from the queue, and takes over what a process has left that is gone.
    Needs state.url to name a PostgreSQL.
    """
    require_runnable(invocation)
    store = open_store(invocation)
    if not store.database.is_shared:
        raise ConfigError(
            "a worker shares its runs with others, and SQLite is for one machine",
            where=invocation.cutover.state.where,
            hint="set state.url to a PostgreSQL: postgresql+psycopg://host/database",
        )
    cutover, resources = invocation.cutover, invocation.resources
    controller = RunController(cutover, store, resources, templates=templates)
    invocation.begun.store = store
    controller.require_fit_for_active()
    try:
        controller.serve(
            lambda place: invocation.console.data(f"ready: {place} works for {cutover.name}")
        )
    except KeyboardInterrupt:
        error = interrupted(invocation)
        if invocation.begun.unwatched:
            raise error from None
        invocation.console.note("stopped; what was under way is taken over by the others")
