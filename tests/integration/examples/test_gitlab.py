"""examples/gitlab: the whole cutover, its approval, and the state after a canceled or failed
job."""

from __future__ import annotations

import pytest
import yaml

from tests.integration.examples.artifacts import Artifacts
from tests.integration.examples.gitlab import GitlabFile, Pipeline
from tests.integration.examples.machine import EXAMPLES, Machine
from tests.integration.examples.outcome import LONG_WATCH, NEW, OLD, WATCHING, live

pytestmark = pytest.mark.slow  # whole pipelines, whose commands are processes

FILE = EXAMPLES / "gitlab" / ".gitlab-ci.yml"


@pytest.fixture
def pipeline(machine: Machine) -> Pipeline:
    file = GitlabFile.model_validate(yaml.safe_load(FILE.read_text(encoding="utf-8")))
    return Pipeline(machine, file, Artifacts(machine.folder / "artifacts"))


def test_pipeline_completes_the_cutover(pipeline: Pipeline) -> None:
    pipeline.run()
    assert set(pipeline.status.values()) == {"success"}, pipeline.machine.output
    assert live(pipeline.machine) == NEW
    assert pipeline.machine.switches == ["apply"]


def test_a_canceled_removal_restores_the_old_addresses(pipeline: Pipeline) -> None:
    pipeline.machine.configure(watch=LONG_WATCH)
    pipeline.run(until="remove-old")
    assert set(pipeline.status.values()) == {"success"}, pipeline.machine.output
    assert live(pipeline.machine) == OLD | NEW
    pipeline.cancel("remove-old", at=WATCHING)
    assert pipeline.machine.log[-1].code == 0, pipeline.machine.output
    assert live(pipeline.machine) == OLD | NEW


def test_jobs_that_change_the_org_run_one_at_a_time_and_are_never_superseded(
    pipeline: Pipeline,
) -> None:
    jobs = pipeline.jobs
    groups = {jobs[name].resource_group for name in ("add-new", "switch", "verify", "remove-old")}
    assert len(groups) == 1
    assert "" not in groups
    assert not pipeline.file.default.interruptible
    assert jobs["remove-old"].when == "manual"
