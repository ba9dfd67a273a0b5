"""sfcutover demo: run a whole cutover against a local org, under live traffic."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import get_args

import click

from sfcutover.cli.demo.prose import folded
from sfcutover.cli.demo.result import (
    STEP_SECONDS,
    DemoAddressDocument,
    DemoDocument,
    DemoFault,
    DemoPhaseDocument,
    DemoResult,
    Order,
    ScenarioResult,
)
from sfcutover.cli.options import global_options, settings_of
from sfcutover.errors import DEFAULT_CONFIG, ExitCode
from sfcutover.output.console import Console, Settings, use_config
from sfcutover.output.events import event_line
from sfcutover.output.json import print_document
from sfcutover.runs.event import Event

_OUTAGE = folded(
    "The outage is that of the customer who waited longest. Each step of the wrong order takes "
    f"{STEP_SECONDS:.0f} s here; in production, the outage lasts until an operator moves the "
    "traffic. A refusal because of the address does not use up a refresh token: a customer stays "
    "logged in if the application tries it again."
)
_COUNTS = folded(
    "This table counts the redemptions of the application's customers. The report counts what the "
    "run itself can observe, so its totals differ: the redemptions of its own canary (a refresh "
    "token of your own, which proves an address), and those in the LoginHistory of the app's own "
    "org, where customers in other orgs do not appear."
)
_FOLDER = folded(
    "The demo has removed the folder in which these commands ran, with the state of the run. Only "
    "the report is left."
)


@click.command("demo")
@click.option(
    "--order",
    type=click.Choice(get_args(Order)),
    default="right",
    show_default=True,
    help="wrong: also show the outage when the old addresses are removed first.",
)
@click.option(
    "--fault",
    type=click.Choice(get_args(DemoFault)),
    help="Inject this fault, and show how the run detects it.",
)
@global_options
@click.pass_context
def command(ctx: click.Context, order: Order, fault: DemoFault | None) -> ExitCode:
    """Run a cutover against a local org while an application serves its customers.

    Runs the real "sfcutover run" with shortened timers. Ends with a table of the customers'
    redemptions by phase and address, and the path of the report. Exits 0 if the result is
    the expected one: in the right order, no redemption fails.
    """
    from sfcutover.cli.demo.commands import Display
    from sfcutover.cli.demo.scenario import perform

    if fault and order == "wrong":
        raise click.UsageError("--fault and --order wrong exclude each other", ctx=ctx)
    use_config(DEFAULT_CONFIG)  # the demo's commands use a file of its own
    settings = settings_of(ctx)
    console = Console(settings)

    def show(event: Event) -> None:
        if (line := event_line(event)) is not None:
            console.note(line)

    result = perform(Display(console.data, show, _options(settings), settings.json), order, fault)
    console.data(result_text(result))
    if settings.json:
        print_document(DemoDocument.model_validate(result))
    return ExitCode.DONE if result.ok else ExitCode.FAILED


def _options(settings: Settings) -> tuple[str, ...]:
    """The output options, which every command of the demo gets too."""
    chosen = {"--quiet": settings.quiet, "--no-color": settings.no_color}
    return (*(name for name, wanted in chosen.items() if wanted), *["-v"] * settings.verbose)


def result_text(result: DemoResult) -> str:
    """The tables, the conclusion, and the path of the report in the last line."""
    both = len(result.performances) > 1
    first, *others = [_traffic_table(each, titled=both) for each in result.performances]
    parts = [first, *([_COUNTS] if result.report else []), *others]
    if both:
        parts.append(_orders_table(result.performances))
    if result.report:
        parts.append(_FOLDER)
    last = [f"report: {result.report}"] if result.report else []
    return "\n\n".join([*parts, "\n".join([*_conclusion(result), *last])])


def _traffic_table(result: ScenarioResult, *, titled: bool) -> str:
    """The customers' redemptions by phase and address, as the orgs received them, and how many
    failed for the application."""
    addresses = [each.address for each in result.total.addresses]
    rows = [_row(phase, addresses) for phase in (*result.phases, result.total)]
    title = [click.style(f"{result.order} order", bold=True)] if titled else []
    lines = _table([["phase", *addresses, "failed"], *rows])
    return "\n".join([*title, *lines, _summary(result)])


def _orders_table(results: Sequence[ScenarioResult]) -> str:
    """The right and the wrong order side by side."""
    rows = [
        ["", *(f"{each.order} order" for each in results)],
        ["redemptions", *(str(each.redemptions) for each in results)],
        ["failed", *(str(each.failed) for each in results)],
        ["seconds of outage", *(f"{each.outage_seconds:.1f}" for each in results)],
    ]
    return "\n".join([*_table(rows), _OUTAGE])


def _summary(result: ScenarioResult) -> str:
    sent = ", ".join(f"{name} {count}" for name, count in result.deployments.items())
    return (
        f"{result.redemptions} redemptions, {result.failed} failed; {result.logged_in} of "
        f"{result.customers} customers still logged in\ndeployments: {sent or 'none'}"
    )


def _conclusion(result: DemoResult) -> list[str]:
    if result.problems:
        return [click.style(f"UNEXPECTED: {each}", fg="red") for each in result.problems]
    if result.caught:
        return [f"{click.style('detected:', fg='green', bold=True)} {result.caught}"]
    failures = "; ".join(_failures(result.performances))
    return [f"{click.style('done:', fg='green', bold=True)} {failures}"]


def _failures(results: Sequence[ScenarioResult]) -> Iterator[str]:
    first, *others = results
    yield f"{first.failed} of {first.redemptions} redemptions failed"
    for each in others:
        yield (
            f"{each.order} order: {each.failed} of {each.redemptions}, an outage of "
            f"{each.outage_seconds:.1f} s"
        )


def _row(phase: DemoPhaseDocument, addresses: Sequence[str]) -> list[str]:
    counts = {each.address: each for each in phase.addresses}
    return [phase.phase, *(_cell(counts.get(each)) for each in addresses), str(phase.failed)]


def _cell(counter: DemoAddressDocument | None) -> str:
    if counter is None:
        return "0"
    refused = f"{counter.refused} refused"
    if counter.redeemed and counter.refused:
        return f"{counter.redeemed} ok, {refused}"
    return refused if counter.refused else str(counter.redeemed)


def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    """Aligned lines with a bold head: the first column to the left, the others to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    head, *lines = [
        "  ".join(
            cell.rjust(width) if number else cell.ljust(width)
            for number, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    ]
    return [click.style(head, bold=True), *lines]
