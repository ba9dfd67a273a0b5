"""The command line. A command's module, and what it needs, is loaded when it runs."""

from __future__ import annotations

import gc
from importlib import import_module

import click

from sfcutover.cli.options import GlobalOption, global_options
from sfcutover.errors import EXIT_CODE_MEANINGS

_GLOBAL_TITLE = "Global options (before or after the command)"
_GLOBAL_OPTIONS = "Global options, such as --config and --json: see sfcutover --help."


class Group(click.Group):
    """Shows its help if no command is given, and the closest name for an unknown command.

    Create it with no_args_is_help=False: click would print the help as an error message.
    """

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        command = super().get_command(ctx, cmd_name)
        return None if command is None else with_global_options_named(command)

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
    hint = f"did you mean {close[0]!r}?" if close else f"the commands are {', '.join(known)}"
    return click.UsageError(f"no command {name!r}; {hint}", ctx=ctx)


def with_global_options_named(command: click.Command) -> click.Command:
    """The command, whose help ends by naming where the global options are listed."""
    command.epilog = _GLOBAL_OPTIONS
    return command


# The module of each command, and the line that --help shows, in the order of a cutover.
_COMMANDS = {
    "init": "Read the app's allowlist from the org and write cutover.yaml.",
    "doctor": "Check configuration, secrets, orgs and permissions; change nothing.",
    "plan": "Read the allowlist and show what each phase would change.",
    "render": "Write the metadata packages of the phases to disk.",
    "diff": "Show what a phase would change on the live allowlist.",
    "probe": "Step 1: prove which addresses traffic leaves from.",
    "deploy": "Steps 2 and 5: deploy a phase, wait, and read the org back.",
    "switch": "Step 3: move application traffic to the new addresses, or back.",
    "verify": "Step 4: redeem refresh tokens through each new address to prove it.",
    "watch": "Step 5: monitor redemptions; restore the old addresses if they fail.",
    "rollback": "Undo the last phase, in the safe order.",
    "run": "Run the whole cutover; run it again to resume.",
    "approve": "Approve a paused run.",
    "runs": "List runs, show one, or follow one live.",
    "cancel": "Cancel a run at the next safe point.",
    "worker": "Execute runs whose state is in a shared PostgreSQL database.",
    "state": "Transfer the state of runs between CI jobs as one file.",
    "report": "Write the report of a run as Markdown, HTML or JSON.",
    "deployment": "Show, wait for or cancel an earlier deployment.",
    "case": "Legacy apps: write the support case, or record that Support acted.",
    "schema": "Print the JSON Schema of cutover.yaml or of a command's JSON.",
    "emulator": "Run a local Salesforce org in the foreground.",
    "demo": "Run a cutover against a local org, under live traffic.",
}


class LazyGroup(Group):
    """Lists its commands without importing them, so that --help is fast."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if ctx.resilient_parsing:  # shell completion
            from sfcutover.cli.completion import indexed_command

            return indexed_command(cmd_name)
        if cmd_name not in _COMMANDS:
            return None
        module = import_module(f"{__name__}.{cmd_name}")
        gc.freeze()  # what is loaded stays, so that no collection examines it
        gc.enable()  # __main__ disables it
        return with_global_options_named(module.command)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The global options under a heading of their own."""
        records: dict[bool, list[tuple[str, str]]] = {False: [], True: []}
        for param in self.get_params(ctx):
            if (record := param.get_help_record(ctx)) is not None:
                records[isinstance(param, GlobalOption)].append(record)
        for title, is_global in (("Options", False), (_GLOBAL_TITLE, True)):
            with formatter.section(title):
                formatter.write_dl(records[is_global])
        self.format_commands(ctx, formatter)

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
    """Change the IP addresses on a Salesforce Refresh Token IP Allowlist without locking a
    customer out: add the new addresses, move the traffic, prove each address by redeeming a
    refresh token through it, then remove the old addresses."""
