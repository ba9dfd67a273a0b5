"""examples/gitlab: the whole cutover, its approval, and what a canceled or failed job leaves."""

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


def test_the_cutover_is_done(pipeline: Pipeline) -> None:
    pipeline.run()
    assert set(pipeline.status.values()) == {"success"}, pipeline.machine.output
    assert live(pipeline.machine) == NEW
    assert pipeline.machine.switches == ["apply"]


def test_a_canceled_removal_has_the_old_addresses_return(pipeline: Pipeline) -> None:
    pipeline.machine.configure(watch=LONG_WATCH)
    pipeline.run(until="remove-old")
    assert set(pipeline.status.values()) == {"success"}, pipeline.machine.output
    assert live(pipeline.machine) == OLD | NEW
    pipeline.cancel("remove-old", at=WATCHING)
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
    assert jobs["remove-old"].when == "manual"
