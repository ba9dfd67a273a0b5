"""sfcutover demo: the main job against a local org."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from sfcutover.cli.options import global_options, settings_of
from sfcutover.documents.commands import DemoDocument, DemoStepDocument
from sfcutover.errors import ExitCode
from sfcutover.output.console import Console
from sfcutover.output.json import print_document

if TYPE_CHECKING:
    from sfcutover.demo import StepResult


@click.command("demo")
@global_options
@click.pass_context
def command(ctx: click.Context) -> int:
    """Watch a cutover on a local org: plan, add, prove, remove, roll back, and two refusals.

    Starts an emulated org on loopback, runs real commands against it, and stops it.
    """
    from sfcutover.demo import Demo

    settings = settings_of(ctx)
    console = Console(settings)
    console.data("A local org stands in for yours; nothing leaves this machine.\n")
    demo = Demo(
        lambda text: console.data(click.style(text, bold=True)),
        sys.stderr if settings.json else sys.stdout,
    )
    results: list[StepResult] = []
    for result in demo.run():
        results.append(result)
        console.data(f"(exit code {result.exit_code})\n")
    ok = all(result.as_expected for result in results)
    for result in results:
        mark = "ok " if result.as_expected else f"expected {int(result.step.expected)}"
        console.data(f"  {result.exit_code}  {mark}  sfcutover {' '.join(result.step.words)}")
    console.data(f"\n{demo.deployments} deployments reached the org; refused steps sent none.")
    if settings.json:
        print_document(_document(results, ok, demo.deployments))
    return ExitCode.DONE if ok else ExitCode.FAILED


def _document(results: list[StepResult], ok: bool, deployments: int) -> DemoDocument:
    return DemoDocument(
        ok=ok,
        deployments=deployments,
        steps=[
            DemoStepDocument(
                command=f"sfcutover {' '.join(each.step.words)}",
                exit_code=each.exit_code,
                expected_exit_code=int(each.step.expected),
                shows=each.step.shows,
            )
            for each in results
        ],
    )
