"""sfcutover plan: the baseline, every phase, and a file that binds them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from sfcutover.allowlist.phases import Phase, PhaseName, check_order
from sfcutover.allowlist.plan import Planner, live_phase
from sfcutover.allowlist.planfile import PlanTargetDocument, make_plan, make_target_plan, write_plan
from sfcutover.allowlist.snapshot import Snapshot
from sfcutover.allowlist.templates import Templates
from sfcutover.cli.context import (
    Invocation,
    baseline_option,
    pass_invocation,
    templates_option,
    templates_words,
)
from sfcutover.cli.options import FILE
from sfcutover.cli.treewarnings import warn_of_tree
from sfcutover.config.cutover import Cutover
from sfcutover.cutover.announcement import (
    PHASES,
    Announcement,
    announced_phase,
    shown_digest,
)
from sfcutover.output import cistep
from sfcutover.output.diffs import phase_text
from sfcutover.output.json import print_document


@click.command("plan")
@baseline_option
@click.option("--out", type=FILE, help="Write the plan here, for deploy --plan.")
@templates_option
@pass_invocation
def command(
    run: Invocation, baseline_files: tuple[Path, ...], out: Path | None, templates: Templates
) -> None:
    """Capture the baseline and show every phase with its diff and capacity. Changes nothing.

    The plan file binds the baseline and the packages: deploy --plan refuses if the org,
    cutover.yaml or a template has changed since. It is for the org that was reached; one that is
    made from --baseline files, which asks no org, is bound to an org by its first deployment. The
    digests are those that a run announces, for approve --expect.
    """
    planner = run.cutover.planner(templates)
    found = list(_found(run, baseline_files))
    if not baseline_files:
        warn_of_tree(run, [(each.target, each.live) for each in found])
    targets = [_plan_target(run, planner, each) for each in found]
    is_announced = run.cutover.carriers and not baseline_files
    digests = _digests(run.cutover, planner, found) if is_announced else {}
    plan = make_plan(planner, targets, digests)
    if out is not None:
        write_plan(plan, out)
        cistep.step().plan = out
        words = ["deploy", "add-new", "--plan", str(out)]
        words += templates_words()
        run.console.note(f"plan written to {out}; next: {run.command_line(*words)}")
    if run.settings.json:
        print_document(plan)
        return
    for phase, digest in plan.digests.items():
        run.console.data(f"{phase}: digest {shown_digest(digest)}")


@dataclass(frozen=True)
class _Found:
    """A target's components, and the org they come from; of files, none."""

    target: str
    live: Snapshot
    instance_url: str | None = None
    organization_id: str | None = None


def _found(run: Invocation, files: tuple[Path, ...]) -> Iterator[_Found]:
    if files and len(run.targets) > 1:
        raise click.UsageError("--baseline is of one org: name its target with --target.")
    if files:
        yield from (_Found(run.targets[0].name, live) for _, _, live in run.components(files))
        return
    for target in run.targets:
        with run.connection(target) as connection:
            live, url = connection.read(), connection.org.instance_url
            yield _Found(target.name, live, url, connection.organization_id)


def _plan_target(run: Invocation, planner: Planner, found: _Found) -> PlanTargetDocument:
    target, live = found.target, found.live
    check_order(Phase.ADD_NEW, live, run.cutover.change)
    phases = planner.plan_all(live)
    for each in PHASES:
        cistep.step().planned(target, phases[Phase(each)])
    if not run.settings.json:
        run.console.data(f"{target} ({found.instance_url or 'from files'})")
        phase = live_phase(live, run.cutover.change, may_be_swapped=True)
        run.console.data(f"  live now: {phase}\n")
        for planned in phases.values():
            run.console.data(phase_text(target, planned) + "\n")
    return make_target_plan(
        target,
        live,
        planner,
        instance_url=found.instance_url,
        organization_id=found.organization_id,
    )


def _digests(cutover: Cutover, planner: Planner, found: Sequence[_Found]) -> dict[PhaseName, str]:
    """What the announcement of each step shows, which an approval covers."""
    phases = {each.target: planner.plan_all(each.live, list(map(Phase, PHASES))) for each in found}
    return {
        step: Announcement(
            step=step,
            parts={
                each.target: announced_phase(
                    cutover, planner, each.organization_id, phases[each.target][Phase(step)]
                )
                for each in found
            },
        ).digest
        for step in PHASES
    }
