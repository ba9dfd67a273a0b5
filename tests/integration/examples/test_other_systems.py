"""examples/ for Bitbucket, Azure DevOps and Jenkins: the cutover, and an interrupted job."""

from __future__ import annotations

import pytest
import yaml

from tests.integration.examples import azure, bitbucket, groovy, jenkins
from tests.integration.examples.artifacts import Artifacts
from tests.integration.examples.machine import EXAMPLES, Machine
from tests.integration.examples.outcome import LONG_WATCH, NEW, OLD, WATCHING, live

pytestmark = pytest.mark.slow  # whole pipelines, whose commands are processes


def _bitbucket(machine: Machine, name: str) -> bitbucket.Pipeline:
    path = EXAMPLES / "bitbucket" / "bitbucket-pipelines.yml"
    file = bitbucket.BitbucketFile.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    steps = [item.step for item in file.pipelines.custom[name]]
    return bitbucket.Pipeline(machine, steps, Artifacts(machine.folder / f"artifacts-{name}"))


@pytest.fixture
def azure_pipeline(machine: Machine) -> azure.Pipeline:
    path = EXAMPLES / "azure" / "azure-pipelines.yml"
    file = azure.AzureFile.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    return azure.Pipeline(machine, file, Artifacts(machine.folder / "artifacts"))


@pytest.fixture
def build(machine: Machine) -> jenkins.Pipeline:
    path = EXAMPLES / "jenkins" / "Jenkinsfile"
    file = groovy.parse(path.read_text(encoding="utf-8"))
    return jenkins.Pipeline(machine, file, Artifacts(machine.folder / "artifacts"))


def _done(machine: Machine, status: dict[str, str], report: str) -> None:
    assert set(status.values()) == {"success"}, machine.output
    assert "<html" in report, machine.output
    assert live(machine) == NEW
    assert machine.switches == ["apply"]


def test_bitbucket_completes_the_cutover(machine: Machine) -> None:
    pipeline = _bitbucket(machine, "cutover")
    pipeline.run()
    report = pipeline.artifacts.read("Remove the old addresses", "cutover/report.html")
    _done(machine, pipeline.status, report)


def test_bitbucket_restores_the_old_addresses_after_a_stopped_step(machine: Machine) -> None:
    machine.configure(watch=LONG_WATCH)
    pipeline, name = _bitbucket(machine, "cutover"), "Remove the old addresses"
    pipeline.run(until=name)
    assert live(machine) == OLD | NEW, machine.output
    pipeline.kill(name, at=WATCHING)
    assert live(machine) == NEW
    restored = _bitbucket(machine, "restore-old")
    restored.run()
    assert set(restored.status.values()) == {"success"}, machine.output
    assert live(machine) == OLD | NEW


def test_azure_completes_the_cutover(machine: Machine, azure_pipeline: azure.Pipeline) -> None:
    azure_pipeline.run()
    report = azure_pipeline.artifacts.read("report", "report.html")
    _done(machine, azure_pipeline.status, report)


def test_azure_restores_the_old_addresses_after_a_canceled_run(
    machine: Machine, azure_pipeline: azure.Pipeline
) -> None:
    machine.configure(watch=LONG_WATCH)
    azure_pipeline.run(until="removal")
    assert live(machine) == OLD | NEW, machine.output
    azure_pipeline.cancel("removal", at=WATCHING)
    assert machine.log[-1].code == 0, machine.output
    assert live(machine) == OLD | NEW


def test_jenkins_completes_the_cutover(machine: Machine, build: jenkins.Pipeline) -> None:
    build.run()
    _done(machine, build.status, build.artifacts.read("archive", "cutover/report.html"))


def test_jenkins_restores_the_old_addresses_after_an_aborted_build(
    machine: Machine, build: jenkins.Pipeline
) -> None:
    machine.configure(watch=LONG_WATCH)
    build.run(until="Remove, watch")
    assert live(machine) == OLD | NEW, machine.output
    build.abort("Remove, watch", at=WATCHING)
    assert machine.log[-1].code == 0, machine.output
    assert live(machine) == OLD | NEW
