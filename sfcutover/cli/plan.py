"""sfcutover plan: the baseline, what each phase would change, and a file that binds them."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import click

from sfcutover.allowlist.plan import Planner
from sfcutover.allowlist.planfile import write_plan
from sfcutover.allowlist.templates import Templates
from sfcutover.cli.context import (
    Invocation,
    baseline_option,
    pass_invocation,
    templates_option,
    templates_words,
)
from sfcutover.cli.options import FILE
from sfcutover.cli.treewarnings import warn_of_tree
from sfcutover.cutover.announcement import PHASES
from sfcutover.cutover.plans import FoundTarget, Plan, make, read
from sfcutover.errors import Command
from sfcutover.output import cistep
from sfcutover.output.console import shown
from sfcutover.output.diffs import plan_text
from sfcutover.output.json import print_document
from sfcutover.output.markdown.plan import plan_markdown


@click.command("plan")
@baseline_option
@click.option("--out", type=FILE, help="Write the plan to this file, for deploy --plan.")
@click.option(
    "--show",
    "saved",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Show this saved plan without contacting the org; exit 4 if the file was changed.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "markdown", "json"]),
    default="text",
    show_default=True,
    help="markdown fits a comment on a pull request; json is the same as --json.",
)
@templates_option
@pass_invocation
def command(
    run: Invocation,
    baseline_files: tuple[Path, ...],
    out: Path | None,
    saved: Path | None,
    form: str,
    templates: Templates,
) -> None:
    """Read the allowlist and show what each phase would change, and how much of the limits it
    would use. Changes nothing.

    A plan file (--out) binds the baseline and the packages: deploy --plan refuses if the org,
    cutover.yaml or a template has changed since. It is valid for the org that it was read from;
    a plan from --baseline files is bound to an org by its first deployment. The digests are
    those that a run announces, for approve --expect.
    """
    if saved is not None and (baseline_files or out or run.settings.targets):
        raise click.UsageError("--show excludes --baseline, --out and --target")
    run.settings.json = run.settings.json or form == "json"
    planner = run.cutover.planner(templates)
    plan = _made(run, planner, baseline_files) if saved is None else _read(run, planner, saved)
    if out is not None:
        write_plan(plan.document, out)
        cistep.step().plan = out
        next_ = shown(Command("deploy", "add-new", *_options(run, out)))
        run.console.note(f"plan written to {out}; next: {next_}")
    options = _options(run, saved or out)
    cistep.step().compared(
        [each for each in plan.document.phases if each.phase in PHASES],
        partial(plan_markdown, plan.document, options, cistep.LONGEST),
    )
    if run.settings.json:
        print_document(plan.document)
    elif form == "markdown":
        run.console.data(plan_markdown(plan.document, options))
    else:
        run.console.data(plan_text(plan))


def _made(run: Invocation, planner: Planner, files: tuple[Path, ...]) -> Plan:
    found = list(_found(run, files))
    if not files:
        warn_of_tree(run, [(each.name, each.live) for each in found])
    return make(run.cutover, planner, found)


def _read(run: Invocation, planner: Planner, path: Path) -> Plan:
    plan = read(run.cutover, planner, path)
    run.console.note(f"{path} was written at {plan.document.created}; the org was not contacted")
    return plan


def _options(run: Invocation, plan: Path | None) -> tuple[str, ...]:
    """The options of a deploy that uses this plan."""
    file = ("--plan", str(plan)) if plan else ()
    return run.command(*file, *templates_words()).command


def _found(run: Invocation, files: tuple[Path, ...]) -> Iterator[FoundTarget]:
    if files and len(run.targets) > 1:
        raise click.UsageError("--baseline belongs to one org: choose its target with --target")
    if files:
        yield from (FoundTarget(run.targets[0].name, live) for _, _, live in run.components(files))
        return
    for target in run.targets:
        with run.connection(target) as connection:
            live, url = connection.read(), connection.org.instance_url
            yield FoundTarget(target.name, live, url, connection.organization_id)
