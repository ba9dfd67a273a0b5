"""examples/cumulusci: its flows, run by a real CumulusCI, with sfcutover in another environment."""

from __future__ import annotations

import json
import shlex
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from sfcutover.emulator.emulator import Emulator
from sfcutover.emulator.grants import CLI_CLIENT_ID
from sfcutover.emulator.scenario import Scenario
from tests.integration.examples.machine import EXAMPLES, Job, Machine, open_machine
from tests.integration.examples.outcome import NEW, OLD, live
from tests.interop import install
from tests.interop.test_cumulusci import identity_of

pytestmark = pytest.mark.interop


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    """A machine with the recipe in the repository, and the org's session from CumulusCI."""
    with Emulator(Scenario()) as emulator:
        machine = open_machine(tmp_path, emulator)
        org = {"access_token": {"env": "SF_ACCESS_TOKEN"}, "instance_url": emulator.url}
        machine.configure(targets=[{"name": "packaging", "org": org}])
        recipe = (EXAMPLES / "cumulusci" / "cumulusci.yml").read_text(encoding="utf-8")
        machine.commit({"cumulusci.yml": recipe})
        python = shlex.quote(str(install.cumulusci_python()))
        machine.program("cci", f'exec {python} -m cumulusci "$@"\n')
        yield machine


@pytest.fixture
def job(installed_cumulusci: None, machine: Machine) -> Job:
    """A clone in which CumulusCI knows the org ``packaging``."""
    job, emulator = machine.job(), machine.emulator
    home = job.place / "home" / ".cumulusci"
    home.mkdir()
    # or it asks its registry for a newer version
    (home / "cumulus_timestamp").write_text(str(time.time()), encoding="utf-8")
    org = {
        "access_token": "stale: CumulusCI renews it",
        "instance_url": emulator.url,
        "id": identity_of(emulator),
        "client_id": CLI_CLIENT_ID,
        "client_secret": "",
        "refresh_token": emulator.auth_url.partition("::")[2].partition("@")[0],
    }
    job.environment |= machine.secrets | {
        "COLUMNS": "200",
        "CUMULUSCI_KEY": "0123456789abcdef",  # encrypts the org's file in that home
        "CUMULUSCI_ORG_packaging": json.dumps(org),
    }
    del job.environment["SFDX_AUTH_URL"]
    remote = "git remote set-url origin https://github.com/Acme/Acme.git"  # never reached
    assert job.run(("bash", "-e", "{0}"), remote).code == 0
    return job


def test_the_flows_complete_the_cutover(job: Job) -> None:
    machine = job.machine
    ended = job.run(("bash", "-e", "{0}"), "cci flow run cutover_add_new --org packaging")
    assert ended.code == 0, ended.output
    assert live(machine) == OLD | NEW
    ended = job.run(("bash", "-e", "{0}"), "cci flow run cutover_remove_old --org packaging")
    assert ended.code == 0, ended.output
    assert live(machine) == NEW
    assert machine.switches == ["apply"]


def test_every_task_is_a_step_of_a_flow() -> None:
    recipe = yaml.safe_load((EXAMPLES / "cumulusci" / "cumulusci.yml").read_text(encoding="utf-8"))
    flows = recipe["flows"].values()
    steps = {step["task"] for flow in flows for step in flow["steps"].values()}
    assert steps == set(recipe["tasks"])
