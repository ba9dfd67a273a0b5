"""sfcutover doctor: one line a check, each with its fix."""

from __future__ import annotations

from typing import Literal

import click
from pydantic import Field

from sfcutover.allowlist.templates import Templates
from sfcutover.cli.context import Invocation, pass_invocation, templates_option
from sfcutover.cutover.preflight import Check, examine
from sfcutover.errors import ExitCode
from sfcutover.output.console import shown
from sfcutover.output.json import print_document
from sfcutover.util.document import Document, DocumentText

_MARKS = {
    "ok": ("ok     ", "green"),
    "warning": ("warning", "yellow"),
    "failed": ("FAILED ", "red"),
    "skipped": ("skipped", "cyan"),
}


class CheckDocument(Document):
    """One line of the doctor. fix is what to do where the check did not pass."""

    target: str | None
    check: str = Field(validation_alias="name")
    status: Literal["ok", "warning", "failed", "skipped"]
    detail: DocumentText
    fix: DocumentText | None = None


class DoctorDocument(Document):
    schema_: Literal["sfcutover/doctor/1"] = Field("sfcutover/doctor/1", alias="schema")
    ok: bool
    checks: list[CheckDocument]


@click.command("doctor")
@templates_option
@pass_invocation
def command(run: Invocation, templates: Templates) -> int:
    """Check config, secrets, org, permission, API version and list. Changes nothing.

    Exits with the code of the first check that failed.
    """
    checks = []
    for check in examine(run.cutover, run.targets, templates):
        checks.append(check)
        if not run.settings.json:
            run.console.data(_line(check))
    failed = [check for check in checks if check.status == "failed"]
    if run.settings.json:
        documents = [CheckDocument.model_validate(each) for each in checks]
        print_document(DoctorDocument(ok=not failed, checks=documents))
    elif not failed:
        run.console.note(f"next: {run.command_line('plan', '--out', 'plan.json')}")
    return failed[0].exit_code if failed else ExitCode.DONE


def _line(check: Check) -> str:
    mark, color = _MARKS[check.status]
    name = f"{check.target}: {check.name}" if check.target else check.name
    line = f"{click.style(mark, fg=color)}  {name}: {shown(check.detail)}"
    return f"{line}\n         fix: {shown(check.fix)}" if check.fix else line
