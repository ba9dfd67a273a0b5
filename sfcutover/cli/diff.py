"""sfcutover diff: the live list against a phase."""

from __future__ import annotations

import difflib
from pathlib import Path

import click

from sfcutover.allowlist.package import build_package
from sfcutover.allowlist.phases import Phase
from sfcutover.allowlist.plan import DiffDocument, PhaseDocument, PlannedPhase, TargetDiffDocument
from sfcutover.allowlist.templates import Templates
from sfcutover.cli.context import (
    Invocation,
    baseline_option,
    pass_invocation,
    phase_argument,
    templates_option,
)
from sfcutover.cli.treewarnings import warn_of_tree
from sfcutover.errors import ExitCode
from sfcutover.output import cistep
from sfcutover.output.diffs import phase_markdown, phase_text
from sfcutover.output.json import print_document


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
@pass_invocation
def command(
    run: Invocation,
    phase: Phase,
    baseline_files: tuple[Path, ...],
    form: str,
    exit_code: bool,
    templates: Templates,
) -> int:
    """The dry run: what PHASE would change on the live list. Changes nothing.

    PHASE is add-new, remove-old, restore-old or remove-new.
    """
    if form == "json":
        run.settings.json = True
    planner = run.cutover.planner(templates)
    found = [
        (name, url, planner.plan(phase, live)) for name, url, live in run.components(baseline_files)
    ]
    if not baseline_files:
        warn_of_tree(run, [(name, planned.start) for name, _, planned in found])
    for name, _, planned in found:
        cistep.step().planned(name, planned)
    changed = any(planned.changed for _, _, planned in found)
    if run.settings.json:
        targets = [
            TargetDiffDocument(
                target=name, instance_url=url or None, phase=PhaseDocument.of(planned)
            )
            for name, url, planned in found
        ]
        print_document(DiffDocument(cutover=run.cutover.name, changed=changed, targets=targets))
    else:
        for name, url, planned in found:
            match form:
                case "markdown":
                    text = phase_markdown(name, planned)
                case "xml":
                    text = _xml_diff(planned, run.cutover.api_version, templates)
                case _:
                    text = phase_text(f"{name} ({url})" if url else name, planned)
            run.console.data(text)
    return ExitCode.CHANGES_PENDING if exit_code and changed else ExitCode.DONE


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
