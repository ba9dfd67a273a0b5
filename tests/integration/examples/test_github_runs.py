"""examples/github: a run across jobs, kept in PostgreSQL or in an artifact, and its approval."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.examples.machine import Machine
from tests.integration.examples.outcome import NEW, OLD, live
from tests.integration.examples.test_github import results, started
from tests.real import postgres

pytestmark = pytest.mark.slow  # whole pipelines, whose commands are processes


@pytest.fixture
def shared_state(machine: Machine, tmp_path: Path) -> Iterator[None]:
    """A PostgreSQL that all jobs reach."""
    postgres.require()
    with postgres.running() as server:
        machine.secrets["STATE_URL"] = server.url("cutover")
        machine.configure(state={"url": {"env": "STATE_URL"}})
        yield


def assert_run_is_approved_before_the_removal(machine: Machine, name: str) -> None:
    run = started(machine, name)
    run.run(until="approve")
    assert run.jobs["run"].outputs == {"run-id": "emulated-cutover.1", "waiting": "remove-old"}
    assert live(machine) == OLD | NEW
    assert run.workflow.jobs["approve"].environment == "production"
    run.run()
    assert set(results(run).values()) == {"success"}, machine.output
    assert live(machine) == NEW
    assert machine.switches == ["apply"]
    assert len(machine.emulator.deployments) == 2
    assert "octocat" in run.artifacts.read("report", "report.html")


@pytest.mark.usefixtures("shared_state")
def test_a_run_in_postgresql_is_approved_by_another_job(machine: Machine) -> None:
    assert_run_is_approved_before_the_removal(machine, "run-postgresql.yml")


def test_a_run_in_an_artifact_is_approved_by_another_job(machine: Machine) -> None:
    assert_run_is_approved_before_the_removal(machine, "run-state.yml")


@pytest.mark.usefixtures("shared_state")
def test_an_operator_approves_by_the_digest(machine: Machine) -> None:
    run = started(machine, "cutover-approve.yml", digest="")
    run.run()
    assert results(run) == {"start": "success", "approve": "skipped"}, machine.output
    digest = re.search(r"digest ([0-9a-f]{16})", machine.output)
    assert digest, machine.output
    for wrong in ("0" * 16, f"{digest[1]} --note x"):
        run = started(machine, "cutover-approve.yml", digest=wrong)
        run.run()
        assert results(run) == {"start": "skipped", "approve": "failure"}
        assert live(machine) == OLD | NEW
    run = started(machine, "cutover-approve.yml", digest=digest[1])
    run.run()
    assert results(run) == {"start": "skipped", "approve": "success"}, machine.output
    assert live(machine) == NEW
