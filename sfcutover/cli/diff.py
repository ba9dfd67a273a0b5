"""sfcutover diff: what a phase would change on the live allowlist, and drift."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Self

import click

from sfcutover.allowlist.drift import DriftDocument
from sfcutover.allowlist.package import build_package
from sfcutover.allowlist.phases import Phase
from sfcutover.allowlist.plan import (
    DiffDocument,
    PhaseDocument,
    PlannedPhase,
    Planner,
    TargetDiffDocument,
)
from sfcutover.allowlist.snapshot import Snapshot
from sfcutover.allowlist.templates import Templates
from sfcutover.cli.context import (
    PHASE_NAMES,
    Invocation,
    baseline_option,
    pass_invocation,
    templates_option,
)
from sfcutover.cli.drift import drift_of
from sfcutover.cli.treewarnings import warn_of_tree
from sfcutover.errors import ExitCode
from sfcutover.output import cistep
from sfcutover.output.diffs import drift_text, phase_text
from sfcutover.output.json import print_document
from sfcutover.output.markdown.diff import diff_markdown
from sfcutover.output.markdown.drift import drift_markdown


@click.command("diff")
@click.argument(
    "phase",
    metavar="[PHASE]",
    required=False,
    type=click.Choice(PHASE_NAMES),
    callback=lambda _ctx, _param, value: value and Phase(value),
)
@baseline_option
@click.option(
    "--exact",
    is_flag=True,
    help="Instead of a PHASE: compare the live allowlist with the one that the last run left, "
    "including entries of others, order and descriptions.",
)
@click.option(
    "--expect",
    "expected_files",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="With --exact: compare with this component file instead of the last run; repeat it for "
    "each carrier.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "markdown", "json", "xml"]),
    default="text",
    show_default=True,
    help="json is the same as --json; xml is a unified diff of the component files.",
)
@click.option(
    "--exit-code",
    is_flag=True,
    help="Exit 3 if the phase would change anything, or with --exact, if the allowlist differs.",
)
@templates_option
@pass_invocation
def command(
    run: Invocation,
    phase: Phase | None,
    baseline_files: tuple[Path, ...],
    exact: bool,
    expected_files: tuple[Path, ...],
    form: str,
    exit_code: bool,
    templates: Templates,
) -> int:
    """Show what PHASE would change on the live allowlist. Changes nothing.

    PHASE is add-new, remove-old, restore-old or remove-new. While add-new is not live, remove-old
    is computed on top of it.

    --exact shows what other users have changed since the last run, or with --expect, since a
    component file was written.
    """
    run.settings.json = run.settings.json or form == "json"
    if exact:
        if phase or baseline_files or form == "xml":
            raise click.UsageError("--exact excludes PHASE, --baseline and --format xml")
        changed = _show_drift(run, drift_of(run, expected_files), form)
    elif phase is None or expected_files:
        raise click.UsageError("give a PHASE, or --exact (which --expect requires)")
    else:
        changed = _show_diff(run, phase, baseline_files, form, templates)
    return ExitCode.CHANGES_PENDING if exit_code and changed else ExitCode.DONE


def _show_drift(run: Invocation, document: DriftDocument, form: str) -> bool:
    cistep.step().changes = document.changed
    cistep.step().parts.append(partial(drift_markdown, document, cistep.LONGEST))
    if run.settings.json:
        print_document(document)
    else:
        is_markdown = form == "markdown"
        run.console.data(drift_markdown(document) if is_markdown else drift_text(document))
    return document.changed


def _show_diff(
    run: Invocation, phase: Phase, files: tuple[Path, ...], form: str, templates: Templates
) -> bool:
    planner = run.cutover.planner(templates)
    found = [_Found.of(planner, phase, *each) for each in run.components(files)]
    if not files:
        warn_of_tree(run, [(each.target, each.live) for each in found])
    document = DiffDocument(
        cutover=run.cutover.name,
        changed=any(each.planned.changed for each in found),
        targets=[each.document for each in found],
    )
    cistep.step().compared(
        [each.phase for each in document.targets], partial(diff_markdown, document, cistep.LONGEST)
    )
    if run.settings.json:
        print_document(document)
    elif form == "markdown":
        run.console.data(diff_markdown(document))
    else:
        for each in found:
            is_xml = form == "xml"
            run.console.data(_xml_diff(each, planner) if is_xml else each.text)
    return document.changed


@dataclass(frozen=True)
class _Found:
    """A phase on one target. url: empty for files. before: the phase on top of which it is
    computed, if that is not live yet."""

    target: str
    url: str
    live: Snapshot
    before: Phase | None
    planned: PlannedPhase

    @classmethod
    def of(cls, planner: Planner, phase: Phase, target: str, url: str, live: Snapshot) -> Self:
        before = planner.not_live_yet(phase, live)
        return cls(target, url, live, before, planner.plan_in_order(phase, live))

    @property
    def document(self) -> TargetDiffDocument:
        return TargetDiffDocument(
            target=self.target,
            instance_url=self.url or None,
            on_top_of=self.before,
            phase=PhaseDocument.of(self.planned),
        )

    @property
    def text(self) -> str:
        where = f"{self.target} ({self.url})" if self.url else self.target
        return phase_text(where, self.planned, on_top_of=self.before)


def _xml_diff(found: _Found, planner: Planner) -> str:
    planned, start = found.planned, found.before or "live"
    before = build_package(planned.start.components, planner.api_version, planner.templates)
    lines = [
        line
        for old, new in zip(before.files, planned.package.files, strict=True)
        for line in difflib.unified_diff(
            old.data.decode().splitlines(),
            new.data.decode().splitlines(),
            f"{start}/{old.path}",
            f"{planned.phase}/{new.path}",
            lineterm="",
        )
    ]
    return "\n".join(lines) or "no change"
