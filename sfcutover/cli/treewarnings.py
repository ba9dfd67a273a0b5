"""Warnings if a project's source tree and the org differ, as the next deployment from that tree
would undo the cutover."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from sfcutover.allowlist.phases import Change
from sfcutover.allowlist.ranges import IpRange
from sfcutover.allowlist.snapshot import Snapshot
from sfcutover.allowlist.sourcetree import Project, find_project, shown_path
from sfcutover.allowlist.treecheck import TreeDifference, differences
from sfcutover.cli.context import Invocation
from sfcutover.errors import Advice, SfcutoverError, Text

_MOST_SHOWN = 10


def warn_of_tree(run: Invocation, found: Iterable[tuple[str, Snapshot]]) -> None:
    """Warn of each live allowlist that differs from the project of cutover.yaml; not if there is
    no project, or no file of the allowlist. found: live components by target."""
    try:
        project = find_project(Path(run.cutover.file).parent)
        if project is None:
            return
        for target, live in found:
            for each in differences(project, live, run.cutover.app):
                run.console.warn(_words(run, project, target, live, each))
    except SfcutoverError as error:
        run.console.warn(f"the source tree was not compared with the org: {error}")


def _words(
    run: Invocation, project: Project, target: str, live: Snapshot, difference: TreeDifference
) -> Text:
    said = [
        f"{words} {_listed(ranges)}"
        for words, ranges in (
            ("remove", difference.lacking),
            ("add", difference.extra),
            ("change the description of", difference.rewritten),
        )
        if ranges
    ]
    text = (
        f"{difference.where}: differs from the live allowlist of {target}; "
        f"a deployment from this tree would {' and '.join(said)}; "
    )
    phase = _live_phase(live, run.cutover.change)
    if phase is None:
        return Advice(text, "retrieve the component into the tree, or correct the file")
    folder = str(shown_path(project.folders[0]))
    words = ("render", phase, "--format", "source", "--out", folder)
    return Advice(text, "update the tree: ", run.command(*words, target=target))


def _live_phase(live: Snapshot, change: Change) -> str | None:
    """The phase that renders exactly the live allowlists; None if none is known to."""
    lists = [component.allowlist for component in live.carriers]
    if not all(each.covers(change.new) for each in lists):
        return None
    if all(each.covers(change.old) for each in lists):
        return "add-new"
    return "remove-old" if not any(each.covered(change.removed) for each in lists) else None


def _listed(ranges: tuple[IpRange, ...]) -> str:
    shown = ", ".join(map(str, ranges[:_MOST_SHOWN]))
    more = len(ranges) - _MOST_SHOWN
    return f"{shown} and {more} more" if more > 0 else shown
