"""sfcutover diff: the live list against a phase."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from pathlib import Path

import click

from sfcutover.allowlist.package import build_package
from sfcutover.allowlist.phases import Phase
from sfcutover.allowlist.plan import DiffDocument, PhaseDocument, PlannedPhase, TargetDiffDocument
from sfcutover.allowlist.templates import Templates
from sfcutover.cli.context import (
    Invocation,
    baseline_from,
    baseline_option,
    phase_argument,
    templates_option,
)
from sfcutover.cli.options import global_options
from sfcutover.errors import ExitCode
from sfcutover.output.diffs import phase_markdown, phase_text
from sfcutover.output.json import print_document

Planned = tuple[str, str | None, PlannedPhase]


@click.command("diff")
@phase_argument
@baseline_option
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "markdown", "json", "xml"]),
    default="text",
    show_default=True,
    help="json is the same as --json; xml is a unified diff of the files.",
)
@click.option("--exit-code", is_flag=True, help="Exit 3 if anything would change.")
@templates_option
@global_options
@click.pass_context
def command(
    ctx: click.Context,
    phase: Phase,
    baseline_files: tuple[Path, ...],
    form: str,
    exit_code: bool,
    templates: Templates,
) -> int:
    """The dry run: what PHASE would change on the live list. Changes nothing.

    PHASE is add-new, remove-old, restore-old or remove-new.
    """
    run = Invocation.of(ctx)
    if form == "json":
        run.settings.json = True
    found = list(_planned(run, phase, baseline_files, templates))
    changed = any(planned.changed for _, _, planned in found)
    if run.settings.json:
        print_document(_document(run, found, changed))
    else:
        for name, url, planned in found:
            run.console.data(_text(form, name, url, planned, run, templates))
    return ExitCode.CHANGES_PENDING if exit_code and changed else ExitCode.DONE


def _planned(
    run: Invocation, phase: Phase, files: tuple[Path, ...], templates: Templates
) -> Iterator[Planned]:
    planner = run.cutover.planner(templates)
    if files:
        baseline = baseline_from(files, run.cutover)
        yield "baseline", None, planner.plan(phase, baseline)
        return
    for target in run.targets:
        with run.connection(target) as connection:
            live = connection.read()
            yield (
                target.name,
                connection.org.instance_url,
                planner.plan(phase, live),
            )


def _text(
    form: str,
    name: str,
    url: str | None,
    planned: PlannedPhase,
    run: Invocation,
    templates: Templates,
) -> str:
    if form == "markdown":
        return phase_markdown(name, planned)
    if form == "xml":
        return _xml_diff(planned, run.cutover.api_version, templates)
    return phase_text(f"{name} ({url})" if url else name, planned)


def _xml_diff(planned: PlannedPhase, api_version: str, templates: Templates) -> str:
    before = build_package(planned.start.components, api_version, templates)
    lines = [
        line
        for old, new in zip(before.files, planned.package.files, strict=True)
        for line in difflib.unified_diff(
            old.data.decode().splitlines(),
            new.data.decode().splitlines(),
            f"live/{old.path}",
            f"{planned.phase}/{new.path}",
            lineterm="",
        )
    ]
    return "\n".join(lines) or "no change"


def _document(run: Invocation, found: list[Planned], changed: bool) -> DiffDocument:
    return DiffDocument(
        cutover=run.cutover.name,
        changed=changed,
        targets=[
            TargetDiffDocument(target=name, instance_url=url, phase=PhaseDocument.of(planned))
            for name, url, planned in found
        ],
    )
