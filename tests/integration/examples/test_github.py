"""examples/github: the cutover with its approval, and canceled and failed ones."""

from __future__ import annotations

import pytest

from tests.integration.examples.artifacts import Artifacts
from tests.integration.examples.github import WorkflowRun
from tests.integration.examples.machine import EXAMPLES, Machine
from tests.integration.examples.outcome import LONG_WATCH, NEW, OLD, WATCHING, live
from tests.integration.examples.workflow import read_workflow

pytestmark = pytest.mark.slow  # whole pipelines, whose commands are processes


def started(machine: Machine, name: str, **inputs: str) -> WorkflowRun:
    """A run of an example, whose artifacts are its own."""
    workflow = read_workflow(EXAMPLES / "github" / name)
    return WorkflowRun(machine, workflow, Artifacts(machine.folder / "artifacts"), inputs=inputs)


def results(run: WorkflowRun) -> dict[str, str]:
    return {name: job.result for name, job in run.jobs.items()}


@pytest.fixture
def cutover(machine: Machine) -> WorkflowRun:
    return started(machine, "cutover.yml")


def test_workflow_completes_the_cutover(machine: Machine, cutover: WorkflowRun) -> None:
    cutover.run(until="removal")
    assert set(results(cutover).values()) == {"success"}, machine.output
    assert live(machine) == OLD | NEW
    assert cutover.workflow.jobs["removal"].environment == "production"
    cutover.run()
    assert set(results(cutover).values()) == {"success"}, machine.output
    assert live(machine) == NEW
    assert "<html" in cutover.artifacts.read("report", "report.html")


def test_a_canceled_removal_restores_the_old_addresses(
    machine: Machine, cutover: WorkflowRun
) -> None:
    machine.configure(watch=LONG_WATCH)
    cutover.run(cancel_at={"removal": WATCHING})
    assert results(cutover)["removal"] == "cancelled", machine.output
    assert live(machine) == OLD | NEW
    assert "no process watches" in machine.output
