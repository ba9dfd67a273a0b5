"""A command with subcommands, which says what was meant."""

from __future__ import annotations

import click


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
        if args and args[0] not in known and not args[0].startswith("-"):
            raise _unknown(args[0], known, ctx)
        return super().resolve_command(ctx, args)


def _unknown(name: str, known: list[str], ctx: click.Context) -> click.UsageError:
    import difflib

    close = difflib.get_close_matches(name, known, n=1)
    hint = f"Did you mean {close[0]!r}?" if close else f"There are {', '.join(known)}."
    return click.UsageError(f"There is no command {name!r}. {hint}", ctx=ctx)
