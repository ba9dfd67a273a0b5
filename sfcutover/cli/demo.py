"""sfcutover demo: a whole cutover against a local org, under live traffic."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, get_args

import click

from sfcutover.cli.context import global_options, settings_of
from sfcutover.documents.commands import DemoFault
from sfcutover.errors import ExitCode
from sfcutover.output.console import Console
from sfcutover.output.events import event_line
from sfcutover.output.json import print_document
from sfcutover.output.settings import Settings
from sfcutover.util.hints import use_default_config

if TYPE_CHECKING:
    from sfcutover.runs.journal import Event


@click.command("demo")
@click.option(
    "--order",
    type=click.Choice(("right", "wrong")),
    default="right",
    show_default=True,
    help="wrong: also what comes of taking the old addresses off first.",
)
@click.option(
    "--fault",
    type=click.Choice(get_args(DemoFault)),
    help="Let this go wrong, and see what the run makes of it.",
)
@global_options
@click.pass_context
def command(
    ctx: click.Context, order: Literal["right", "wrong"], fault: DemoFault | None
) -> ExitCode:
    """Watch a cutover on a local org while an application serves its customers.

    Runs the real "sfcutover run" with shortened timers, and ends with a table of the
    redemptions by phase and address. Exits 0 if all was as it should be: in the right order
    not one redemption fails.
    """
    from sfcutover.demo.document import demo_document
    from sfcutover.demo.orders import Audience
    from sfcutover.demo.show import Demo
    from sfcutover.demo.table import shown_text

    if fault and order == "wrong":
        raise click.UsageError("--fault goes with the right order.", ctx=ctx)
    use_default_config()
    settings = settings_of(ctx)
    console = Console(settings)

    def show(event: Event) -> None:
        if (line := event_line(event)) is not None:
            console.note(line)

    demo = Demo(Audience(console.data, show), _options(settings), settings.json)
    shown = demo.of_order(order) if fault is None else demo.of_fault(fault)
    console.data(shown_text(shown))
    if settings.json:
        print_document(demo_document(shown, fault))
    return ExitCode.DONE if shown.ok else ExitCode.FAILED


def _options(settings: Settings) -> tuple[str, ...]:
    """What a person has said about the output goes for every command, too."""
    chosen = {"--quiet": settings.quiet, "--no-color": settings.no_color}
    return (*(name for name, wanted in chosen.items() if wanted), *["-v"] * settings.verbose)
