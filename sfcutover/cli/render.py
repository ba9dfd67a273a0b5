"""sfcutover render: write a phase's package to disk, or a phase into a project's source tree."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click

from sfcutover.allowlist.package import write_folder, write_zip
from sfcutover.allowlist.phases import Phase
from sfcutover.allowlist.plan import PlannedPhase, Planner, RenderDocument, WrittenDocument
from sfcutover.allowlist.sourcetree import change_tree
from sfcutover.allowlist.templates import Templates
from sfcutover.cli.context import (
    PHASE_NAMES,
    Invocation,
    baseline_option,
    pass_invocation,
    templates_option,
)
from sfcutover.errors import OperationFailedError
from sfcutover.output.json import print_document
from sfcutover.util.files import replace_files


@click.command("render")
@click.argument("phases", metavar="[PHASE]...", nargs=-1, type=click.Choice(PHASE_NAMES))
@click.option(
    "--out",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Folder to write to: DIR/<phase>, or DIR/<target>/<phase> with several targets. With "
    "--format source, the source tree itself, such as force-app/main/default.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["mdapi", "source"]),
    default="mdapi",
    show_default=True,
    help="mdapi: packages for sf project deploy start --metadata-dir. source: update the files of "
    "an SFDX project in place, for one PHASE.",
)
@click.option(
    "--zip", "as_zip", is_flag=True, help="Write one zip file per phase instead of a folder."
)
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

    Each phase is computed in the state that it applies to: remove-old on top of add-new,
    restore-old on top of remove-old, remove-new on top of add-new. With --baseline, no org is
    contacted.

    With --format source, the component's file is found in the project by its type and name.
    Only the ranges and policies that the phase changes are written; every other byte stays.
    """
    chosen = tuple(Phase(name) for name in phases)
    planner = run.cutover.planner(templates)
    if form == "source":
        _check_usage(run, chosen, as_zip, templates, baseline_files)
        written = [_update_tree(run, planner, chosen[0], out, baseline_files)]
    else:
        written = list(_write_packages(run, planner, chosen, out, as_zip, baseline_files))
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
            for path in each.files if form == "source" else [each.path]:
                run.console.data(path)


def _check_usage(
    run: Invocation,
    phases: tuple[Phase, ...],
    as_zip: bool,
    templates: Templates,
    baseline_files: tuple[Path, ...],
) -> None:
    """Raises UsageError for options that a source tree excludes: it holds one phase of one org."""
    if as_zip:
        raise click.UsageError("--zip requires --format mdapi")
    if len(phases) != 1:
        raise click.UsageError("--format source requires exactly one PHASE")
    if templates.overrides:
        raise click.UsageError(
            "--templates requires --format mdapi: files of a source tree keep their format"
        )
    if not baseline_files and len(run.targets) > 1:
        raise click.UsageError(
            "--format source writes the files of one org: choose its target with --target"
        )


def _write_packages(
    run: Invocation,
    planner: Planner,
    phases: tuple[Phase, ...],
    out: Path,
    as_zip: bool,
    baseline_files: tuple[Path, ...],
) -> Iterator[WrittenDocument]:
    for target, url, live in list(run.components(baseline_files)):  # read all, then write
        folder = out / target if url and len(run.targets) > 1 else out
        for phase, planned in planner.plan_all(live, phases or None).items():
            path = folder / (f"{phase.value}.zip" if as_zip else phase.value)
            write = write_zip if as_zip else write_folder
            write(planned.package, path)
            yield _written(target, planned, path, [file.path for file in planned.package.files])


def _update_tree(
    run: Invocation, planner: Planner, phase: Phase, out: Path, baseline_files: tuple[Path, ...]
) -> WrittenDocument:
    ((target, _, live),) = run.components(baseline_files)
    planned = planner.plan_all(live, (phase,))[phase]
    files = change_tree(out, planned, run.cutover.policies.of(phase), run.cutover.app)
    try:
        replace_files({each.path: each.data for each in files if each.changed})
    except OSError as error:
        raise OperationFailedError(
            f"the source tree was not changed: {error.strerror}",
            where=str(out),
            hint="free space or correct the permissions, then run the command again",
        ) from error
    for each in files:
        if not each.changed:
            run.console.note(f"{each.path} already holds {phase}")
    return _written(target, planned, out, [str(each.path) for each in files])


def _written(target: str, planned: PlannedPhase, path: Path, files: list[str]) -> WrittenDocument:
    return WrittenDocument(
        target=target,
        phase=planned.phase,
        path=str(path),
        package_sha256=planned.package.sha256,
        files=files,
    )
