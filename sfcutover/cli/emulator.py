"""sfcutover emulator: a local org in the foreground."""

from __future__ import annotations

from pathlib import Path

import click

from sfcutover.cli.options import global_options


@click.command("emulator")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=0,
    show_default=True,
    help="0 picks a free one.",
)
@click.option("--tls/--no-tls", default=True, show_default=True)
@click.option(
    "--scenario",
    type=click.Path(dir_okay=False, path_type=Path),
    help="A YAML file that changes the org: its list, its timing, its faults.",
)
@click.option(
    "--env-file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the variables that cutover.yaml takes its secrets from.",
)
@click.option(
    "--config-file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write a cutover.yaml that fits the org.",
)
@global_options
def command(
    port: int,
    tls: bool,
    scenario: Path | None,
    env_file: Path | None,
    config_file: Path | None,
) -> None:
    """Run a local Salesforce org, on loopback only, until Ctrl-C or SIGTERM.

    Prints "ready" once both files are written. Then, in another terminal:

    \b
      set -a; . ./org.env; set +a
      sfcutover --config org.yaml plan
    """
    from sfcutover.emulator.serve import serve

    serve(port, tls, scenario, env_file, config_file, click.echo)
