"""sfcutover report: the report of a run, for a reader, a change record or a program."""

from __future__ import annotations

import time
from pathlib import Path

import click

from sfcutover.allowlist.templates import Templates
from sfcutover.cli.context import Invocation, pass_invocation, templates_option, written_to
from sfcutover.cli.options import FILE
from sfcutover.cli.runs import find_run
from sfcutover.errors import ConfigError
from sfcutover.output import cistep
from sfcutover.output.console import presentable, to_stdout
from sfcutover.output.json import document_text, print_document
from sfcutover.output.report.render import html, markdown
from sfcutover.output.report.report import Report
from sfcutover.output.report.rundata import RunData
from sfcutover.output.report.stepevents import data_of
from sfcutover.output.report.stepfiles import read_step_files
from sfcutover.util.files import write_new

FORMATS = ("md", "html", "json")
_NOT_TOUCHED = ""  # a report changes nothing


@click.command("report")
@click.argument("run_or_files", metavar="[ID | FILE...]", nargs=-1)
@click.option(
    "--format",
    "form",
    type=click.Choice(FORMATS),
    help="html is one self-contained page; json is the same as --json.  [default: by the extension "
    "of --out: .md, .html or .json; else md]",
)
@click.option(
    "--out",
    type=FILE,
    help="Write the report to this file instead of stdout; replaces an older file.",
)
@click.option(
    "--from",
    "sources",
    type=FILE,
    is_flag=False,
    multiple=True,
    metavar="FILE",
    help="Make the report from the documents of single commands, in any order; repeat it, or list "
    "further files after it. Needs no state of runs.",
)
@templates_option
@pass_invocation
def command(
    invocation: Invocation,
    run_or_files: tuple[str, ...],
    form: str | None,
    out: Path | None,
    sources: tuple[Path, ...],
    templates: Templates,
) -> None:
    """Report what a run changed and when, who approved it, the evidence, and what is unproven.

    ID is a run's, or a cutover's name for its newest run; by default, the newest run of
    cutover.yaml. The report is made from the journal alone, so it contacts no org and needs no
    secret. A run that is in progress, paused or rolled back has a report, too.

    With --from, the files are those that plan, deploy, switch, verify and watch wrote with
    --out. The report states what they do not cover.
    """
    as_json = invocation.settings.json
    chosen = form or _form_of(out) or ("json" if as_json else "md")
    if as_json and out is None and chosen != "json":
        raise click.UsageError(
            f"--json excludes --format {chosen}, unless --out names a file for it"
        )
    data = _data(invocation, run_or_files, sources)
    report = Report.of(data)
    text = _text(report, chosen, templates)
    if out is not None:
        with written_to(out, "report", impact=_NOT_TOUCHED):
            write_new(out, presentable(text), force=True)
        cistep.step().report = out
        invocation.console.note(f"report of {data.run.id} written to {out}")
    if as_json:
        print_document(report.document)
    elif out is None:
        to_stdout(text.rstrip("\n"))


def _data(
    invocation: Invocation, run_or_files: tuple[str, ...], sources: tuple[Path, ...]
) -> RunData:
    """The data of a run, by its id, or of the documents that --from names."""
    if not sources:
        if len(run_or_files) > 1:
            raise click.UsageError(
                "a report covers one run; for a report from files, use --from FILE..."
            )
        return RunData.read(*find_run(invocation, next(iter(run_or_files), None)), time.time())
    cutover = invocation.cutover
    if cutover.verify is None:
        raise ConfigError(
            "verify: is missing, but the report shows the settings of the gates",
            where=cutover.where,
            hint="use --config with the cutover.yaml of the commands that wrote the documents",
        )
    paths = [*sources, *map(Path, run_or_files)]
    return data_of(read_step_files(paths, cutover.name, cutover.where), cutover, time.time())


def _form_of(out: Path | None) -> str | None:
    """The format by the file's extension; None for another extension."""
    form = "" if out is None else out.suffix.removeprefix(".").lower()
    return form if form in FORMATS else None


def _text(report: Report, form: str, templates: Templates) -> str:
    match form:
        case "html":
            return html(report, templates)
        case "json":
            return f"{document_text(report.document)}\n"
        case _:
            return markdown(report, templates)
