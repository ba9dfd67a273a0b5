"""The command line. A command's module, and what it needs, is loaded when it runs."""

from __future__ import annotations

import gc
from importlib import import_module

import click

from sfcutover.cli.options import global_options
from sfcutover.errors import EXIT_CODE_MEANINGS


class Group(click.Group):
    """Shows its help where no command is given, and the closest name for an unknown one.

    Made with no_args_is_help=False, as click's own way makes the help an error message.
    """

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args and not ctx.resilient_parsing:
            click.echo(f"{ctx.get_help()}\n", err=True)
            raise click.UsageError("no command was given", ctx=ctx)
        return super().parse_args(ctx, args)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        known = self.list_commands(ctx)
        if ctx.resilient_parsing:
            return super().resolve_command(ctx, args)
        if args and args[0] not in known and not args[0].startswith("-"):
            raise _unknown(args[0], known, ctx)
        return super().resolve_command(ctx, args)


def _unknown(name: str, known: list[str], ctx: click.Context) -> click.UsageError:
    import difflib

    close = difflib.get_close_matches(name, known, n=1)
    hint = f"Did you mean {close[0]!r}?" if close else f"There are {', '.join(known)}."
    return click.UsageError(f"There is no command {name!r}. {hint}", ctx=ctx)


# The module of each command, and the line that --help shows, in the order of a cutover.
_COMMANDS = {
    "init": "Find the app's components in the org and write cutover.yaml.",
    "doctor": "Check config, secrets, org and permissions; change nothing.",
    "plan": "Capture the baseline and show what every phase would change.",
    "render": "Write a phase's metadata package to disk.",
    "diff": "Show the live list against a phase: the dry run.",
    "probe": "Step 1: prove which addresses traffic leaves from.",
    "deploy": "Deploy a phase, wait, and read the org back.",
    "switch": "Step 3: move application traffic to the new addresses, or back.",
    "verify": "Step 4: redeem through each address until it is proven.",
    "watch": "After step 5: look on, and put the old addresses back if it fails.",
    "rollback": "Undo the last phase in the only safe order.",
    "run": "The whole cutover, durably; started again, it goes on.",
    "approve": "Let a run go on that waits for a person.",
    "runs": "List runs, show one, or follow it as it goes.",
    "cancel": "End a run at the next safe point.",
    "worker": "Perform runs that are kept in a shared PostgreSQL.",
    "state": "Pass the runs on from one CI job to the next, as one file.",
    "report": "The evidence of a run, as Markdown, HTML or JSON.",
    "deployment": "Report, wait for or cancel an earlier deployment.",
    "case": "Legacy apps: write the support case, or record that support has acted.",
    "schema": "Print the JSON Schema of cutover.yaml or of a command's JSON.",
    "emulator": "Run a local org in the foreground.",
    "demo": "Watch a cutover against a local org.",
}


class LazyGroup(Group):
    """Lists its commands without importing them, so that --help is fast."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if ctx.resilient_parsing:  # a shell completes a word
            from sfcutover.cli.completion import indexed_command

            return indexed_command(cmd_name)
        if cmd_name not in _COMMANDS:
            return None
        module = import_module(f"{__name__}.{cmd_name}")
        gc.freeze()  # what is loaded stays, so no collection has to look at it
        gc.enable()  # __main__ has disabled it
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))


_EXIT_CODES = "\n".join(
    f"{int(code):>4}  {meaning}" for code, meaning in EXIT_CODE_MEANINGS.items()
)


@click.group(
    cls=LazyGroup,
    no_args_is_help=False,
    epilog=f"\b\nExit codes:\n{_EXIT_CODES}",
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(
    package_name="sfcutover", message="sfcutover %(version)s", help="Show the version."
)
@global_options
def cli() -> None:
    """Change the addresses on a Salesforce Refresh Token IP Allowlist without logging a
    customer out: add the new ones, move traffic, prove each, then remove the old."""
