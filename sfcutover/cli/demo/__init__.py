"""sfcutover demo: a whole cutover against a local org, under live traffic."""

from __future__ import annotations

from typing import TYPE_CHECKING, get_args

import click

from sfcutover.cli.demo.result import DemoDocument, DemoFault, Order
from sfcutover.cli.options import global_options, settings_of
from sfcutover.errors import DEFAULT_CONFIG, ExitCode
from sfcutover.output.console import Console, Settings, use_config
from sfcutover.output.events import event_line
from sfcutover.output.json import print_document

if TYPE_CHECKING:
    from sfcutover.runs.events import Event


@click.command("demo")
@click.option(
    "--order",
    type=click.Choice(get_args(Order)),
    default="right",
    show_default=True,
    help="wrong: also show what happens when the old addresses are removed first.",
)
@click.option(
    "--fault",
    type=click.Choice(get_args(DemoFault)),
    help="Let this go wrong, and show how the run catches it.",
)
@global_options
@click.pass_context
def command(ctx: click.Context, order: Order, fault: DemoFault | None) -> ExitCode:
    """Watch a cutover on a local org while an application serves its customers.

    Runs the real "sfcutover run" with shortened timers, and ends with a table of the
    redemptions by phase and address. Exits 0 if all was as it should be: in the right order
    not one redemption fails.
    """
    from sfcutover.cli.demo.commands import Display
    from sfcutover.cli.demo.scenario import show_both_orders, show_fault, show_right_order
    from sfcutover.cli.demo.text import result_text

    if fault and order == "wrong":
        raise click.UsageError("--fault goes with the right order.", ctx=ctx)
    use_config(DEFAULT_CONFIG)  # the demo's commands are about a file of its own
    settings = settings_of(ctx)
    console = Console(settings)

    def show(event: Event) -> None:
        if (line := event_line(event)) is not None:
            console.note(line)

    display = Display(console.data, show, _options(settings), settings.json)
    if fault:
        result = show_fault(display, fault)
    elif order == "wrong":
        result = show_both_orders(display)
    else:
        result = show_right_order(display)
    console.data(result_text(result))
    if settings.json:
        print_document(DemoDocument.of(result))
    return ExitCode.DONE if result.ok else ExitCode.FAILED


def _options(settings: Settings) -> tuple[str, ...]:
    """The options for output, for every command of the demo too."""
    chosen = {"--quiet": settings.quiet, "--no-color": settings.no_color}
    return (*(name for name, wanted in chosen.items() if wanted), *["-v"] * settings.verbose)
