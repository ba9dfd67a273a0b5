"""sfcutover render: a phase's package on disk."""

from __future__ import annotations

from pathlib import Path

import click

from sfcutover.allowlist.package import write_folder, write_zip
from sfcutover.allowlist.phases import Phase
from sfcutover.allowlist.plan import PlannedPhase, RenderDocument, WrittenDocument
from sfcutover.allowlist.templates import Templates
from sfcutover.cli.context import (
    PHASE_NAMES,
    Invocation,
    baseline_option,
    pass_invocation,
    templates_option,
)
from sfcutover.output.json import print_document


@click.command("render")
@click.argument("phases", metavar="[PHASE]...", nargs=-1, type=click.Choice(PHASE_NAMES))
@click.option(
    "--out",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Where the packages go: DIR/<phase>, or DIR/<target>/<phase> for several targets.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["mdapi", "source"]),
    default="mdapi",
    show_default=True,
    help="mdapi for sf project deploy --metadata-dir; source for an SFDX project.",
)
@click.option("--zip", "as_zip", is_flag=True, help="One deploy zip a phase, not a folder.")
@baseline_option
@templates_option
@pass_invocation
def command(
    run: Invocation,
    phases: tuple[str, ...],
    out: Path,
    form: str,
    as_zip: bool,
    baseline_files: tuple[Path, ...],
    templates: Templates,
) -> None:
    """Write the packages of these phases: add-new, remove-old, restore-old, remove-new
    (default: all that change something).

    Each phase is computed in the state it is meant for: remove-old on top of add-new, and
    each undone. With --baseline no org is asked.
    """
    if as_zip and form == "source":
        raise click.UsageError("--zip goes with --format mdapi: a source tree is never zipped.")
    chosen = tuple(Phase(name) for name in phases) or None
    planner = run.cutover.planner(templates)
    written = []
    for target, url, live in list(run.components(baseline_files)):  # read all, then write
        folder = out / target if url and len(run.targets) > 1 else out
        planned = planner.plan_all(live, chosen)
        written += [
            _write(each, folder / phase.value, target, form, as_zip)
            for phase, each in planned.items()
        ]
    if run.settings.json:
        print_document(
            RenderDocument(
                cutover=run.cutover.name,
                format="source" if form == "source" else "mdapi",
                packages=written,
            )
        )
    else:
        for each in written:
            run.console.data(each.path)


def _write(
    planned: PlannedPhase, path: Path, target: str, form: str, as_zip: bool
) -> WrittenDocument:
    package = planned.package.in_source_format() if form == "source" else planned.package
    if as_zip:
        path = path.with_name(f"{path.name}.zip")
        write_zip(package, path)
    else:
        write_folder(package, path)
    return WrittenDocument(
        target=target,
        phase=planned.phase,
        path=str(path),
        package_sha256=planned.package.sha256,
        files=[file.path for file in package.files],
    )
