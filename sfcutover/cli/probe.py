"""sfcutover probe: observe the addresses from which traffic leaves."""

from __future__ import annotations

import click

from sfcutover.cli.context import Invocation, pass_invocation
from sfcutover.cutover.probe import ProbeDocument, ProbeResult, probe_egress
from sfcutover.errors import ExitCode
from sfcutover.output.json import print_document
from sfcutover.output.text import probe_text
from sfcutover.traffic.egress import echo_url_of, egress_of

_NOTE_EVERY = 100  # requests


@click.command("probe")
@click.option(
    "--via",
    type=click.Choice(["old", "new"]),
    default="new",
    show_default=True,
    help="Egress to probe.",
)
@pass_invocation
def command(run: Invocation, via: str) -> int:
    """Step 1: prove which addresses traffic leaves from. An egress is the way it leaves: a proxy,
    or none. Requests egress.echo_url, a page that answers with the client's address, or runs
    the egress's probe command, until every expected address was observed. Passes only if no
    other address was."""
    run.require_addresses("probe")
    result = _ask(run, via)
    run.console.data(probe_text(result))
    for warning in result.warnings:
        run.console.warn(warning)
    return _finish(run, result)


def _ask(run: Invocation, via: str) -> ProbeResult:
    cutover = run.cutover
    egress, echo_url = egress_of(cutover, via), echo_url_of(cutover)
    run.console.note(egress.how_asked(echo_url))

    def progress(tries: int) -> None:
        if tries % _NOTE_EVERY == 0:
            run.console.note(f"probed {tries} times")

    return probe_egress(cutover, via, progress)


def _finish(run: Invocation, result: ProbeResult) -> int:
    if run.settings.json:
        print_document(ProbeDocument.of(run.cutover.name, result))
    if failure := result.failure:
        return run.fail(failure)
    if result.egress.name == "new":
        run.console.note(f"next: {run.command_line('deploy', 'add-new')}")
    return ExitCode.DONE
