"""sfcutover doctor: one line per check, each with its fix."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Literal

import click
from pydantic import Field

from sfcutover.allowlist.phases import Phase
from sfcutover.allowlist.templates import Templates
from sfcutover.cli.context import Invocation, pass_invocation, templates_option
from sfcutover.cutover.preflight import (
    Check,
    causes_once,
    examine_config,
    examine_orgs,
    examine_state,
)
from sfcutover.cutover.trafficpreflight import examine_traffic
from sfcutover.errors import ExitCode
from sfcutover.output.console import shown
from sfcutover.output.json import print_document
from sfcutover.util.document import Document, DocumentText

PARTS = ("config", "org", "traffic", "state")
_MARKS = {
    "ok": ("ok     ", "green"),
    "warning": ("warning", "yellow"),
    "failed": ("FAILED ", "red"),
    "skipped": ("skipped", "cyan"),
}


class CheckDocument(Document):
    """One check of the doctor."""

    target: str | None
    """Target that was checked; null for a check of the whole cutover."""
    check: str = Field(validation_alias="name")
    """Name of the check."""
    status: Literal["ok", "warning", "failed", "skipped"]
    """Result of the check; ok only if it was carried out."""
    detail: DocumentText
    """The finding."""
    fix: DocumentText | None = None
    """What to do if the check did not pass; else null."""


class DoctorDocument(Document):
    """What ``doctor`` prints."""

    schema_: Literal["sfcutover/doctor/1"] = Field("sfcutover/doctor/1", alias="schema")
    """Name and version of this document's format."""
    ok: bool
    """True if no check failed."""
    checks: list[CheckDocument]
    """The checks, in order."""


def _chosen(_ctx: click.Context, param: click.Parameter, value: str | None) -> tuple[str, ...]:
    """The parts of a comma-separated list, in the order of the checks."""
    if value is None:
        return PARTS
    names = {name.strip() for name in value.split(",")}
    if unknown := sorted(names - set(PARTS)):
        raise click.BadParameter(
            f"{unknown[0]!r} is not one of {', '.join(PARTS)} (separated by commas)", param=param
        )
    return tuple(part for part in PARTS if part in names)


@click.command("doctor")
@click.option(
    "--only",
    "parts",
    metavar="PARTS",
    callback=_chosen,
    help=f"Check only these parts, separated by commas: {', '.join(PARTS)}. config reads "
    "no secret.",
)
@click.option("--strict", is_flag=True, help="Exit 1 if there are warnings.")
@templates_option
@pass_invocation
def command(run: Invocation, templates: Templates, parts: tuple[str, ...], strict: bool) -> int:
    """Check cutover.yaml, the orgs, the traffic and the state of runs. Changes nothing and redeems
    no token.

    Exits with the code of the first check that failed.
    """
    checks = []
    for check in causes_once(examine(run, templates, parts)):
        checks.append(check)
        if not run.settings.json:
            run.console.data(_line(check))
    failed = [check for check in checks if check.status == "failed"]
    warned = [check for check in checks if strict and check.status == "warning"]
    code = failed[0].exit_code if failed else ExitCode.FAILED if warned else ExitCode.DONE
    if run.settings.json:
        documents = [CheckDocument.model_validate(each) for each in checks]
        print_document(DoctorDocument(ok=not failed, checks=documents))
    elif failed:
        run.console.note(f"{_counted(failed)} failed; exit {code}")
    elif warned:
        run.console.note(f"{_counted(warned)} ended with a warning; exit {code}")
    else:
        run.console.note(f"next: {run.command_line('diff', _next_phase(checks))}")
    return code


def _counted(checks: Sequence[Check]) -> str:
    return "1 check" if len(checks) == 1 else f"{len(checks)} checks"


def _next_phase(checks: Iterable[Check]) -> Phase:
    """What a target still needs first; add-new if no allowlist was read."""
    following = {check.follows for check in checks if check.follows is not None}
    return Phase.REMOVE_OLD if following == {Phase.REMOVE_OLD} else Phase.ADD_NEW


def examine(run: Invocation, templates: Templates, parts: tuple[str, ...]) -> Iterator[Check]:
    cutover, targets = run.cutover, run.targets
    if "config" in parts:
        yield from examine_config(cutover)
    if "org" in parts:
        yield from examine_orgs(cutover, targets, templates)
    if "traffic" in parts:
        yield from examine_traffic(cutover, targets)
    if "state" in parts:
        yield examine_state(cutover)


def _line(check: Check) -> str:
    mark, color = _MARKS[check.status]
    name = f"{check.target}: {check.name}" if check.target else check.name
    line = f"{click.style(mark, fg=color)}  {name}: {shown(check.detail)}"
    return f"{line}\n         fix: {shown(check.fix)}" if check.fix else line
