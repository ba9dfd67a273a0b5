"""sfcutover plan: the baseline, every phase, and a file that binds them."""

from __future__ import annotations

from pathlib import Path

import click

from sfcutover.allowlist.phases import Phase, check_order
from sfcutover.allowlist.plan import Planner, live_phase
from sfcutover.allowlist.planfile import PlanTargetDocument, make_plan, make_target_plan, write_plan
from sfcutover.allowlist.snapshot import Snapshot
from sfcutover.allowlist.templates import Templates
from sfcutover.cli.context import Invocation, pass_invocation, templates_option, templates_words
from sfcutover.cli.options import FILE
from sfcutover.output.diffs import phase_text
from sfcutover.output.json import print_document


@click.command("plan")
@click.option("--out", type=FILE, help="Write the plan here, for deploy --plan.")
@templates_option
@pass_invocation
def command(run: Invocation, out: Path | None, templates: Templates) -> None:
    """Capture the baseline and show every phase with its diff and capacity. Changes nothing.

    The plan file binds the baseline and the packages: deploy --plan refuses if the org,
    cutover.yaml or a template has changed since.
    """
    planner = run.cutover.planner(templates)
    targets = [_plan_target(run, planner, *found) for found in run.components()]
    plan = make_plan(planner, targets)
    if out is not None:
        write_plan(plan, out)
        words = ["deploy", "add-new", "--plan", str(out)]
        words += templates_words()
        run.console.note(f"plan written to {out}; next: {run.command_line(*words)}")
    if run.settings.json:
        print_document(plan)


def _plan_target(
    run: Invocation, planner: Planner, target: str, url: str, live: Snapshot
) -> PlanTargetDocument:
    for component in live.carriers:
        check_order(Phase.ADD_NEW, component.allowlist, run.cutover.change)
    phases = planner.plan_all(live)
    if not run.settings.json:
        run.console.data(f"{target} ({url})")
        run.console.data(f"  live now: {live_phase(live, run.cutover.change)}\n")
        for planned in phases.values():
            run.console.data(phase_text(target, planned) + "\n")
    return make_target_plan(target, url, live, planner)
