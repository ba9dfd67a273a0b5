"""The command line. A command's module, and what it needs, is loaded when it runs."""

from __future__ import annotations

from importlib import import_module

import click

from sfcutover.cli.options import global_options

# Name, module in this package, and the line that --help shows, in the order of a cutover.
_COMMANDS: dict[str, tuple[str, str]] = {
    "init": ("init", "Find the app's components in the org and write cutover.yaml."),
    "doctor": ("doctor", "Check config, secrets, org and permissions; change nothing."),
    "plan": ("plan", "Capture the baseline and show what every phase would change."),
    "render": ("render", "Write a phase's metadata package to disk."),
    "diff": ("diff", "Show the live list against a phase: the dry run."),
    "deploy": ("deploy", "Deploy a phase, wait, and read the org back."),
    "deployment": ("deployment", "Report, wait for or cancel an earlier deployment."),
    "emulator": ("emulator", "Run a local org in the foreground."),
    "demo": ("demo", "Watch a cutover against a local org."),
}


class LazyGroup(click.Group):
    """Lists its commands without importing them, so that --help is fast."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module = import_module(f"sfcutover.cli.{_COMMANDS[cmd_name][0]}")
        command: click.Command = module.command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in _COMMANDS and not args[0].startswith("-"):
            raise _unknown(args[0], ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in _COMMANDS.items()])


def _unknown(name: str, ctx: click.Context) -> click.UsageError:
    import difflib

    close = difflib.get_close_matches(name, _COMMANDS, n=1)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    return click.UsageError(f"There is no command {name!r}.{hint}", ctx=ctx)


def _print_version(ctx: click.Context, _param: click.Parameter, value: bool) -> None:
    if value and not ctx.resilient_parsing:
        from importlib.metadata import version

        click.echo(f"sfcutover {version('sfcutover')}")
        ctx.exit()


EPILOG = """\b
Exit codes: 0 done or no change, 1 failed, 2 usage or config, 3 changes pending
(diff --exit-code), 4 drift, 5 a gate did not pass, 6 authentication or permission,
7 network, 8 limit, 9 interrupted, 68 partial success, 69 still running."""


@click.group(
    cls=LazyGroup,
    epilog=EPILOG,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_print_version,
    help="Show the version.",
)
@global_options
def cli() -> None:
    """Change the addresses on a Salesforce Refresh Token IP Allowlist without logging a
    customer out: add the new ones, move traffic, prove each, then remove the old."""
