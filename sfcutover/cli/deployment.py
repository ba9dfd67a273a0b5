"""sfcutover deployment: show, wait for or cancel an earlier deployment, from any machine."""

from __future__ import annotations

import re

import click

from sfcutover.allowlist.diff import AllowlistDocument
from sfcutover.allowlist.plan import live_phase
from sfcutover.cli import Group
from sfcutover.cli.context import Invocation, pass_invocation
from sfcutover.cli.options import global_options, wait_option
from sfcutover.config.cutover import Target
from sfcutover.cutover.interruption import SentPackage
from sfcutover.errors import Advice, ConfigError, ExitCode, StillRunningError
from sfcutover.output.deployprogress import Status, progress_for
from sfcutover.output.json import print_document
from sfcutover.output.text import result_text
from sfcutover.salesforce.connection import Connection
from sfcutover.salesforce.results import (
    DeploymentDocument,
    DeployResult,
    DeployState,
    ResultDocument,
)

_DEPLOYMENT_ID = re.compile(r"0Af[A-Za-z0-9]{12}(?:[A-Za-z0-9]{3})?")
_EXIT_CODES = {
    DeployState.RUNNING: ExitCode.STILL_RUNNING,
    DeployState.SUCCEEDED: ExitCode.DONE,
    DeployState.PARTIAL: ExitCode.PARTIAL,
    DeployState.FAILED: ExitCode.FAILED,
    DeployState.CANCELED: ExitCode.FAILED,
}


def _check_id(_ctx: click.Context, _param: click.Parameter, value: str) -> str:
    if not _DEPLOYMENT_ID.fullmatch(value):
        raise ConfigError(
            f"{value!r} is not a deployment id",
            hint="a deployment id starts with 0Af and has 15 or 18 characters",
        )
    return value


@click.group("deployment", cls=Group, no_args_is_help=False)
@global_options
def command() -> None:
    """Show, wait for or cancel an earlier deployment, from any machine that has cutover.yaml."""


@command.command("report")
@click.argument("deployment_id", metavar="ID", callback=_check_id)
@pass_invocation
def report(run: Invocation, deployment_id: str) -> int:
    """Show the deployment's status and the live allowlist. Exits 69 while it is running."""
    with run.connection(_one_target(run)) as connection:
        return _show(run, connection, connection.deployer.report(deployment_id))


@command.command("wait")
@click.argument("deployment_id", metavar="ID", callback=_check_id)
@wait_option
@pass_invocation
def wait(run: Invocation, deployment_id: str, minutes: float) -> int:
    """Wait until the deployment ends, then show its status and the live allowlist."""
    with run.connection(_one_target(run)) as connection:
        name = connection.target.name
        run.started.deployments.append(SentPackage(name, "", deployment_id))
        again = Advice(
            "wait longer: ", run.command("deployment", "wait", deployment_id, target=name)
        )
        with progress_for(name, run.settings) as progress:
            try:
                result = connection.deployer.wait(
                    deployment_id,
                    minutes * 60,
                    on_progress=lambda result: progress.progress(Status.of(result)),
                    on_problem=lambda error: progress.note(str(error)),
                )
            except StillRunningError as error:
                raise error.replaced(hint=again) from None
        return _show(run, connection, result)


@command.command("cancel")
@click.argument("deployment_id", metavar="ID", callback=_check_id)
@pass_invocation
def cancel(run: Invocation, deployment_id: str) -> int:
    """Ask the org to cancel the deployment, which may have ended before.

    Exits 0 if the deployment is canceled, 69 while the org cancels it, and 1 if it ended
    before.
    """
    with run.connection(_one_target(run)) as connection:
        run.started.deployments.append(SentPackage(connection.target.name, "", deployment_id))
        result = connection.deployer.cancel(deployment_id)
        _show(run, connection, result)
        again = run.command_line("deployment", "wait", deployment_id, target=connection.target.name)
        if not result.done:
            run.console.note(f"next: {again}")
            return ExitCode.STILL_RUNNING
        if result.state is DeployState.CANCELED:
            return ExitCode.DONE
        run.console.warn(f"not canceled: the deployment had already ended as {result.status}")
        return ExitCode.FAILED


def _one_target(run: Invocation) -> Target:
    targets = run.targets
    if len(targets) > 1:
        names = ", ".join(target.name for target in targets)
        raise ConfigError(
            "a deployment belongs to one org, and the cutover has several targets",
            hint=f"use --target with one of: {names}",
        )
    return targets[0]


def _show(run: Invocation, connection: Connection, result: DeployResult) -> ExitCode:
    """Show what the org reports about the deployment, and the allowlist itself, which decides."""
    live = connection.read()
    phase = live_phase(live, run.cutover.change)
    if run.settings.json:
        print_document(
            DeploymentDocument(
                target=connection.target.name,
                instance_url=connection.org.instance_url,
                deployment=ResultDocument.model_validate(result),
                live=phase,
                allowlists=AllowlistDocument.all_of(live),
            )
        )
    else:
        run.console.data(f"{result_text(result)}\nlive now: {phase}")
    return _EXIT_CODES[result.state]
