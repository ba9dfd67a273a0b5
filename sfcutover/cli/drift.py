"""What diff --exact compares: the live allowlists and the expected ones."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import click

from sfcutover.allowlist.diff import AllowlistDocument
from sfcutover.allowlist.drift import DriftDocument, TargetDriftDocument, list_drifts
from sfcutover.allowlist.snapshot import read_baseline
from sfcutover.cli.context import Invocation
from sfcutover.errors import ConfigError

Expected = tuple[str, list[AllowlistDocument]]  # its source, and the allowlists


def drift_of(run: Invocation, files: tuple[Path, ...]) -> DriftDocument:
    """Compare every target's allowlists with those in the files, or those that the last run left.

    Raises what reading the state or the files raises before an org is asked, then what the org
    raises.
    """
    if not run.cutover.carriers:
        raise click.UsageError(
            "--exact compares allowlists, and this cutover has none (carriers: [])"
        )
    if files and len(run.targets) > 1:
        raise click.UsageError("--expect belongs to one org: choose its target with --target")
    find = _from_files(run, files) if files else _from_runs(run)
    expected = {target.name: find(target.name) for target in run.targets}
    targets = []
    for name, url, live in run.components():
        origin, lists = expected[name]
        drifts = list_drifts(lists, AllowlistDocument.all_of(live), origin)
        targets.append(
            TargetDriftDocument(target=name, instance_url=url, expected_from=origin, lists=drifts)
        )
    return DriftDocument(
        cutover=run.cutover.name,
        app=run.cutover.app,
        checked=datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        changed=any(each.changed for each in targets),
        targets=targets,
    )


def _from_files(run: Invocation, files: tuple[Path, ...]) -> Callable[[str], Expected]:
    cutover = run.cutover
    try:
        kept = read_baseline(files, cutover.app, cutover.carrier_rows, policies=False)
    except ConfigError as error:
        hint = "give --expect once for the component file of each carrier in cutover.yaml"
        raise error.replaced(hint=hint) from error
    origin = ", ".join(map(str, files))
    return lambda _: (origin, AllowlistDocument.all_of(kept))


def _from_runs(run: Invocation) -> Callable[[str], Expected]:
    from sfcutover.cli.runs import open_store  # SQLAlchemy: only where it is needed
    from sfcutover.cutover.recordedlists import recorded_lists

    store = open_store(run, create=False)

    def find(target: str) -> Expected:
        found = recorded_lists(store, run.cutover.name, target)
        return f"the run {found.run}, read {found.read}", found.lists

    return find
