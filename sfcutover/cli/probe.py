"""sfcutover probe: which addresses does traffic leave from?"""

from __future__ import annotations

import click

from sfcutover.cli.context import Invocation, global_options, settings_of
from sfcutover.cutover.discovery import Discovery, discover, load_for_discovery, write_discovered
from sfcutover.cutover.documents import ProbeDocument
from sfcutover.cutover.probe import CONFIDENCE, ProbeResult, probe
from sfcutover.errors import Advice, ExitCode
from sfcutover.output.console import Console
from sfcutover.output.json import print_document
from sfcutover.output.text import probe_text
from sfcutover.traffic.egress import echo_url_of, egress_of
from sfcutover.util.secrets import log_to_stderr

_NOTE_EVERY = 100  # requests


@click.command("probe")
@click.option(
    "--via",
    type=click.Choice(["old", "new"]),
    default="new",
    show_default=True,
    help="The egress to ask through.",
)
@click.option("--discover", "write", is_flag=True, help="Write what is seen as new: into the file.")
@global_options
@click.pass_context
def command(ctx: click.Context, via: str, write: bool) -> int:
    """Step 1: ask a page for the address it sees, through a proxy, until every address of the
    pair has shown itself. Passes only if they are exactly the expected ones."""
    if write and via == "old":
        raise click.UsageError("--discover writes new:, so it takes no --via old.", ctx=ctx)
    run = _run_for_discovery(ctx) if write else Invocation.of(ctx)
    result = _ask(run, via, write)
    run.console.data(probe_text(result))
    for warning in result.warnings:
        run.console.warn(warning)
    found = None
    if write and result.passed:
        found = write_discovered(run.settings.config, result.seen)
        run.console.data(found.change or f"{found.path}: new: says so already")
    return _finish(run, result, found)


def _run_for_discovery(ctx: click.Context) -> Invocation:
    settings = settings_of(ctx)
    log_to_stderr(settings.verbose)
    return Invocation(settings, Console(settings), load_for_discovery(settings.config))


def _ask(run: Invocation, via: str, write: bool) -> ProbeResult:
    cutover = run.cutover
    confidence = cutover.verify.confidence if cutover.verify else CONFIDENCE
    egress, echo_url = egress_of(cutover, via), echo_url_of(cutover)
    run.console.note(f"asking {echo_url} through {egress.proxy}, by a new connection each time")

    def progress(tries: int) -> None:
        if tries % _NOTE_EVERY == 0:
            run.console.note(f"asked {tries} times")

    if write:
        return discover(egress, echo_url, cutover, confidence=confidence, progress=progress)
    return probe(egress, echo_url, confidence=confidence, progress=progress)


def _finish(run: Invocation, result: ProbeResult, found: Discovery | None) -> int:
    if run.settings.json:
        print_document(ProbeDocument.of(run.cutover.name, result, found))
    if failure := result.failure:
        if not run.settings.json:
            raise failure
        run.console.warn(Advice(f"{failure}; next: ", failure.advice))
        return failure.exit_code
    step = ("doctor",) if found else ("deploy", "add-new")
    if result.egress.name == "new":
        run.console.note(f"next: {run.command_line(*step)}")
    return ExitCode.DONE
