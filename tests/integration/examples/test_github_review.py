"""examples/github: what a reviewer sees on a pull request, and the issue about drift."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

import pytest

from sfcutover.emulator.emulator import Emulator
from tests.integration.examples import gh
from tests.integration.examples.artifacts import Artifacts
from tests.integration.examples.github import WorkflowRun
from tests.integration.examples.machine import EXAMPLES, Machine
from tests.integration.examples.outcome import put_entry
from tests.integration.examples.workflow import read_workflow
from tests.support import SECURITY, SECURITY_NAME

pytestmark = pytest.mark.slow  # whole pipelines, whose commands are processes

_SHA = "5b2c9b1d0f3e4a6b8c7d9e0f1a2b3c4d5e6f7081"
_COMPONENT = f"{SECURITY_NAME}.ecaOauthSecurity"


@pytest.fixture
def github(machine: Machine) -> Path:
    """What GitHub keeps, behind the ``gh`` of every job."""
    path = machine.folder / "github.json"
    gh.write(path, gh.empty() | {"heads": {"12": _SHA}})
    root = shlex.quote(str(EXAMPLES.parent))
    machine.program(
        "gh",
        f"export GH_STAND_IN={shlex.quote(str(path))} PYTHONPATH={root}\n"
        f'exec {shlex.quote(sys.executable)} -m tests.integration.examples.gh "$@"\n',
    )
    return path


def run(machine: Machine, name: str, **context: object) -> WorkflowRun:
    """Run an example to its end; its artifacts are those of the test."""
    workflow = read_workflow(EXAMPLES / "github" / name)
    event = WorkflowRun(machine, workflow, Artifacts(machine.folder / "artifacts"))
    event.github = {"event": context}  # type: ignore[dict-item]  # a payload, as GitHub sends it
    event.run()
    return event


def results(event: WorkflowRun) -> dict[str, str]:
    return {name: job.result for name, job in event.jobs.items()}


def baseline(emulator: Emulator) -> str:
    return emulator.component_xml(SECURITY, SECURITY_NAME).decode()


def plan(machine: Machine) -> None:
    """The plan workflow of a fork's pull request: without secrets."""
    machine.commit({f"baseline/{_COMPONENT}": baseline(machine.emulator)})
    secrets, machine.secrets = machine.secrets, {}
    event = run(machine, "pull-request.yml", pull_request={"number": "12"})
    machine.secrets = secrets
    assert results(event) == {"plan": "success"}, machine.output
    assert "<!-- sfcutover:plan:emulated-cutover -->" in event.jobs["plan"].summary


def comment(machine: Machine, sha: str = _SHA) -> str:
    payload = {"id": "4711", "conclusion": "success", "head_sha": sha}
    return results(run(machine, "pull-request-comment.yml", workflow_run=payload))["comment"]


def test_a_pull_request_gets_one_comment_that_is_updated(machine: Machine, github: Path) -> None:
    plan(machine)
    assert comment(machine) == "success", machine.output
    machine.configure(new=["127.0.0.21", "127.0.0.22", "127.0.0.23"])
    machine.artifacts_gone()
    plan(machine)
    assert comment(machine) == "success", machine.output
    (only,) = gh.read(github)["comments"]["12"]
    assert only["body"].startswith("<!-- sfcutover:plan:emulated-cutover -->\n")
    assert "127.0.0.23" in only["body"]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("number", "99"),
        ("number", "12/../../issues/1"),
        ("number", "$(touch /tmp/x)"),
        ("plan.md", "no plan\n"),
        ("plan.md", "<!-- sfcutover:plan:x -->\n" + "x" * 65536),
        ("plan.md", '<!-- sfcutover:plan:") | .id, "a -->\n'),
    ],
)
def test_an_invalid_artifact_of_a_fork_is_refused(
    machine: Machine, github: Path, name: str, text: str
) -> None:
    kept = machine.folder / "artifacts" / "cutover-comment"
    kept.mkdir(parents=True)
    (kept / "number").write_text("12\n", encoding="utf-8")
    (kept / "plan.md").write_text("<!-- sfcutover:plan:x -->\n", encoding="utf-8")
    (kept / name).write_text(text, encoding="utf-8")
    assert comment(machine) == "failure"
    assert gh.read(github)["comments"] == {}


def test_a_commit_other_than_that_of_the_event_gets_no_comment(
    machine: Machine, github: Path
) -> None:
    plan(machine)
    assert comment(machine, "0" * 40) == "failure"
    assert gh.read(github)["comments"] == {}


def test_drift_opens_updates_and_closes_one_issue(machine: Machine, github: Path) -> None:
    committed = baseline(machine.emulator)
    machine.commit({f"expected/{_COMPONENT}": committed})
    for change in (None, "192.0.2.1", "192.0.2.2"):
        if change:
            put_entry(machine.emulator, change)
        event = run(machine, "drift.yml")
        assert set(results(event).values()) == {"success"}, machine.output
        machine.artifacts_gone()
    (issue,) = gh.read(github)["issues"]
    assert issue["state"] == "open"
    assert "192.0.2.1" in issue["body"]
    assert "192.0.2.2" in issue["body"]
    machine.emulator.put_component(SECURITY, SECURITY_NAME, committed.encode())
    run(machine, "drift.yml")
    (issue,) = gh.read(github)["issues"]
    assert issue["state"] == "closed", machine.output


def test_an_unreachable_org_is_not_drift(machine: Machine, github: Path) -> None:
    machine.commit({f"expected/{_COMPONENT}": baseline(machine.emulator)})
    machine.secrets["SFDX_AUTH_URL"] = "force://PlatformCLI::expired@127.0.0.1:1"
    assert results(run(machine, "drift.yml")) == {"compare": "failure", "issue": "skipped"}
    assert gh.read(github)["issues"] == []
