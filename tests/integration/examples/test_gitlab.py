"""examples/gitlab: the whole cutover, its approval, and what a canceled or failed job leaves."""

from __future__ import annotations

import pytest
import yaml

from tests.integration.examples.gitlab import GitlabFile, Pipeline
from tests.integration.examples.machine import EXAMPLES, Artifacts, Machine
from tests.integration.examples.outcome import NEW, OLD, live

FILE = EXAMPLES / "gitlab" / ".gitlab-ci.yml"


@pytest.fixture
def pipeline(machine: Machine) -> Pipeline:
    file = GitlabFile.model_validate(yaml.safe_load(FILE.read_text(encoding="utf-8")))
    return Pipeline(machine, file, Artifacts(machine.folder / "artifacts"))


def test_the_cutover_is_done(pipeline: Pipeline) -> None:
    pipeline.run()
    assert set(pipeline.status.values()) == {"success"}, pipeline.machine.output
    assert live(pipeline.machine) == NEW
    assert pipeline.machine.switches == ["apply"]


def test_nothing_is_removed_before_a_person_starts_the_job(pipeline: Pipeline) -> None:
    pipeline.run(until="remove-old")
    assert set(pipeline.status.values()) == {"success"}, pipeline.machine.output
    assert pipeline.jobs["remove-old"].when == "manual"
    assert live(pipeline.machine) == OLD | NEW


def test_a_canceled_removal_has_the_old_addresses_return(pipeline: Pipeline) -> None:
    pipeline.machine.configure(watch={"duration": "10m", "interval": "1s", "failures": 2})
    pipeline.run(until="remove-old")
    pipeline.cancel("remove-old", at="canary redemption passed")
    assert pipeline.machine.log[-1].code == 0, pipeline.machine.output
    assert live(pipeline.machine) == OLD | NEW


def test_what_changes_the_org_runs_one_job_at_a_time_and_is_never_superseded(
    pipeline: Pipeline,
) -> None:
    jobs = pipeline.jobs
    groups = {jobs[name].resource_group for name in ("add-new", "switch", "verify", "remove-old")}
    assert len(groups) == 1
    assert "" not in groups
    assert not pipeline.file.default.interruptible
