"""run, approve, runs and cancel: a whole cutover, and the operator's decisions."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator
from lxml import etree

from sfcutover.emulator.faults import Fault
from sfcutover.emulator.scenario import Scenario
from tests.chaos.world import NEW, OLD, ROOT, Customers, World, fleet, world
from tests.integration.cli.harness import SCHEMAS

Json = dict[str, object]


@pytest.fixture
def here(tmp_path: Path) -> Iterator[World]:
    with world(tmp_path / "world") as one:
        yield one


def configure(here: World, **keys: object) -> None:
    (file,) = here.folder.glob("*.yaml")
    config = yaml.safe_load(file.read_text(encoding="utf-8")) | keys
    kept = {key: value for key, value in config.items() if value is not None}
    file.write_text(yaml.safe_dump(kept), encoding="utf-8")


def error_of(out: str, *, impact: bool | None = None) -> str:
    """The first line of the error, or of a pause or an end without one; all other lines must be
    present.

    impact: whether it states an impact; None: unless it is a usage or configuration error.
    """
    for part in ("  next:", "  exit:"):
        assert part in out, out
    stated = impact if impact is not None else "  exit:   2\n" not in out
    assert ("  impact:" in out) == stated, out
    return next(
        line for line in out.splitlines() if line.startswith(("error: ", "paused: ", "ended: "))
    )


def test_a_run_completes_the_cutover_under_live_traffic(here: World) -> None:
    customers = Customers(here.emulator, here.folder)
    with customers.at_work():
        code, out = here.call("run", "--yes")
    assert code == 0, out
    assert "done: run emulated-cutover.1" in out
    assert here.live == set(NEW)
    assert here.switches == ["apply"]
    assert customers.failures == []
    assert {one.source for one in here.emulator.redemptions} >= {*OLD, *NEW}
    assert here.canary_redeems()


@pytest.mark.slow
def test_every_line_of_json_is_a_document_of_the_schema(here: World) -> None:
    del here.environment["CI"]  # otherwise it warns that a CI job may lose the state
    process = here.start("run", "--yes", "--json", "-q")
    out, _ = process.communicate(timeout=120)
    schema = json.loads((SCHEMAS / "event.schema.json").read_text(encoding="utf-8"))
    documents = [json.loads(line) for line in out.splitlines()]
    for document in documents:
        Draft202012Validator(schema).validate(document)
    assert documents[0]["kind"] == "run-started"
    assert documents[-1]["kind"] == "run-ended"
    assert documents[-1]["data"]["exit_code"] == process.returncode == 0
    assert [one["seq"] for one in documents] == sorted({one["seq"] for one in documents})


@pytest.mark.slow
def test_a_completed_cutover_is_not_run_again(here: World) -> None:
    here.call("run", "--yes")
    sent = len(here.emulator.deployments)
    code, out = here.call("run", "--yes")
    assert code == 0, out
    assert "has already completed this cutover" in out
    assert len(here.runs()) == 1
    code, out = here.call("run", "--yes", "--again")
    assert code == 0, out
    assert [run["id"] for run in here.runs()] == ["emulated-cutover.2", "emulated-cutover.1"]
    assert len(here.emulator.deployments) == sent


@pytest.mark.parametrize(
    ("state", "warned"),
    [
        ("sqlite:///state.db", True),
        pytest.param("postgresql://127.0.0.1:1/state", False, marks=pytest.mark.slow),
    ],
)
def test_a_ci_job_without_a_durable_state_is_warned(here: World, state: str, warned: bool) -> None:
    configure(here, state={"url": state})
    _, out = here.call("run")
    assert ("warning: " in out and "switch command again" in out) == warned


def test_a_run_without_a_terminal_requires_yes(here: World) -> None:
    code, out = here.call("run")
    assert code == 2
    assert "standard input is not a terminal" in error_of(out)
    assert here.emulator.deployments == []


@pytest.mark.parametrize("missing", ["egress", "switch", "verify"])
def test_a_run_checks_its_requirements_before_the_first_step(here: World, missing: str) -> None:
    configure(here, **{missing: None})
    code, out = here.call("run", "--yes")
    assert code == 2
    assert re.search(rf"a run needs {missing}\S*, which is missing", error_of(out))
    assert here.emulator.redemptions == []


def test_a_run_requires_a_rollback_before_it_starts(here: World) -> None:
    configure(here, switch={"apply": ["true"]})
    code, out = here.call("run", "--yes")
    assert code == 2
    assert "there is no command for switch.revert" in error_of(out)
    assert here.emulator.redemptions == []


def test_a_run_refuses_a_target_option(here: World) -> None:
    code, out = here.call("run", "--yes", "--target", "packaging")
    assert code == 2
    assert "covers all targets" in error_of(out)


def test_a_paused_run_is_approved_and_resumed_by_other_processes(here: World) -> None:
    code, out = here.call("run", "--yes", "--pause-before", "remove-old")
    assert code == 75
    assert "AWAITING APPROVAL: remove-old removes" in error_of(out)
    assert "sfcutover approve emulated-cutover.1" in out
    (run,) = here.runs()
    assert run["state"] == "waiting"
    assert here.live == {*OLD, *NEW}
    here.environment["GITHUB_ACTOR"] = "octocat"
    code, out = here.call("approve", "--note", "change 4711")
    assert code == 0, out
    assert "approved by octocat (GITHUB_ACTOR): change 4711" in out
    assert here.live == set(NEW)
    assert here.switches == ["apply"]
    assert here.phases == ["Succeeded", "Succeeded"]


@pytest.mark.slow
def test_an_approval_reaches_the_waiting_process(here: World) -> None:
    process = here.start("run", "--yes", "--pause-before", "switch", "--stay")
    here.wait_for("paused")
    code, out = here.call("approve")
    assert code == 0
    assert "the run resumes" in out
    out, _ = process.communicate(timeout=120)
    assert process.returncode == 0, out


@pytest.mark.slow
def test_a_run_that_is_not_paused_cannot_be_approved(here: World) -> None:
    here.call("run", "--yes")
    code, out = here.call("approve")
    assert code == 2
    assert "emulated-cutover.1: the run is not paused, so there is nothing to approve" in error_of(
        out
    )


@pytest.mark.slow
def test_the_operator_can_move_traffic_and_approve(here: World) -> None:
    configure(here, switch={"manual": True})
    code, out = here.call("run", "--yes")
    assert code == 75
    assert "move the traffic of Acme_Connector to 127.0.0.21, 127.0.0.22" in error_of(out)
    code, out = here.call("approve")
    assert code == 0, out


@pytest.mark.slow
def test_a_paused_run_is_canceled_and_reports_the_allowlists(here: World) -> None:
    here.call("run", "--yes", "--pause-before", "switch")
    code, out = here.call("cancel", "--note", "not today")
    assert code == 0, out
    assert "no deployment is in flight; packaging: old and new addresses" in out
    assert "  next:   sfcutover run starts a new run from this state" in out
    assert here.runs()[0]["state"] == "canceled"
    assert here.live == {*OLD, *NEW}
    assert here.call("cancel")[0] == 2


@pytest.mark.slow
def test_a_run_in_progress_is_canceled(tmp_path: Path) -> None:
    with world(tmp_path / "world", Scenario(deploy_seconds=2.0)) as here:
        process = here.start("run", "--yes")
        here.wait_for("deployment-sent")
        code, out = here.call("cancel")
        assert code == 0, out
        process.communicate(timeout=60)
        assert process.returncode == 9
        assert here.switches == []
        assert here.phases == ["Succeeded"]  # a deployment is never abandoned


@pytest.mark.slow
def test_a_watch_finishes_before_the_run_is_canceled(here: World) -> None:
    configure(here, watch={"duration": "8s", "interval": "300ms", "failures": 2})
    process = here.start("run", "--yes")
    here.wait_for("watch-started")
    code, out = here.call("cancel")
    process.communicate(timeout=60)
    assert process.returncode == code == 0, out  # everything was done by then
    assert here.runs()[0]["state"] == "done"


@pytest.mark.slow
def test_cancel_resumes_an_interrupted_run_and_removes_nothing(tmp_path: Path) -> None:
    """The process is killed just before it sends the removal; ``cancel`` resumes the run."""
    with world(tmp_path / "world") as here:
        here.call("run", "--yes", point="write journal deployment-sending#2")
        code, out = here.call("cancel")
        assert code == 0, out
        assert "traffic leaves from the new addresses" in out
        assert here.live == {*OLD, *NEW}


@pytest.mark.slow
def test_old_addresses_are_restored_before_traffic_returns(here: World) -> None:
    """The allowlist has lost the old addresses, as by an earlier run, and the switch fails."""
    here.call("run", "--yes")
    assert here.live == set(NEW)
    (here.folder / "egress").write_text("old", encoding="utf-8")
    config = yaml.safe_load((here.folder / "cutover.yaml").read_text(encoding="utf-8"))
    configure(here, switch=config["switch"] | {"apply": ["false"]})
    code, out = here.call("run", "--yes")
    assert code == 1, out
    assert here.live == {*OLD, *NEW}
    assert "traffic is back on the old addresses" in out


@pytest.mark.slow
def test_ctrl_c_leaves_a_run_that_can_be_resumed(tmp_path: Path) -> None:
    with world(tmp_path / "world", Scenario(deploy_seconds=2.0)) as here:
        process = here.start("run", "--yes")
        here.wait_for("deployment-sent")
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=60)
        assert process.returncode == 9
        assert "interrupted by SIGINT; the run emulated-cutover.1 can be resumed" in error_of(out)
        assert here.runs()[0]["state"] == "interrupted"
        code, out = here.call("run", "--yes")
        assert code == 0, out
        assert here.phases == ["Succeeded", "Succeeded"]


@pytest.mark.slow
def test_a_changed_cutover_yaml_is_refused_until_it_is_accepted(here: World) -> None:
    here.call("run", "--yes", "--pause-before", "switch")
    config = yaml.safe_load((here.folder / "cutover.yaml").read_text(encoding="utf-8"))
    configure(here, watch=config["watch"] | {"failures": 3})
    for command in (("run", "--yes"), ("approve",)):
        code, out = here.call(*command)
        assert code == 2
        assert "watch.failures: unset -> 3" in error_of(out, impact=True)
    code, out = here.call("run", "--yes", "--accept-changes")
    assert code == 75, out  # what was refused was not recorded either
    code, out = here.call("approve")
    assert code == 0, out
    assert here.switches == ["apply"]


@pytest.mark.slow
def test_a_run_that_was_rolled_back_since_is_not_reported_as_done(here: World) -> None:
    here.call("run", "--yes")
    code, out = here.call("rollback", "--yes")
    assert code == 0, out
    code, out = here.call("run", "--yes")
    assert code == 4
    assert "the allowlist of packaging has changed since; now: old and new" in error_of(out)
    assert len(here.runs()) == 1


@pytest.mark.slow
def test_commands_refuse_to_remove_or_switch_beside_an_unfinished_run(here: World) -> None:
    here.call("run", "--yes", "--pause-before", "remove-old")
    sent = len(here.phases)
    for words in (("deploy", "remove-old", "--yes"), ("switch",)):
        code, out = here.call(*words)
        assert code == 69
        assert "emulated-cutover.1: this run of the cutover has not ended" in error_of(out)
    code, out = here.call("deploy", "add-new", "--yes")  # adding is always safe
    assert code == 0, out
    assert (len(here.phases), here.switches) == (sent, ["apply"])
    code, out = here.call("deploy", "remove-old", "--yes", "--outside-run")
    assert code == 0, out
    assert here.live == set(NEW)


def test_a_run_does_not_start_without_its_secrets(here: World) -> None:
    del here.environment["SF_CLIENT_SECRET"]
    code, out = here.call("run", "--yes")
    assert code == 2
    assert "SF_CLIENT_SECRET is not set" in error_of(out)
    assert not (here.folder / ".sfcutover/state.db").exists() or here.runs() == []


@pytest.mark.slow
def test_approve_is_refused_while_a_process_without_a_variable_executes_the_run(
    here: World,
) -> None:
    here.call("run", "--yes", "--pause-before", "switch")
    secret = here.environment.pop("SF_CLIENT_SECRET")
    code, out = here.call("approve")
    assert code == 69
    assert "ACTION REQUIRED (" in error_of(out)
    assert "SF_CLIENT_SECRET is not set" in error_of(out)
    assert "cannot receive the variable: stop it, set the variable" in out
    process = here.start("run", "--stay")
    here.wait_for("run-resumed", 2)
    code, out = here.call("approve")
    assert code == 69
    assert "cannot receive the variable" in error_of(out)
    assert "nothing was approved" in out
    process.send_signal(signal.SIGINT)
    assert process.wait(20) == 9
    here.environment["SF_CLIENT_SECRET"] = secret
    code, out = here.call("approve")
    assert code == 0, out
    assert here.live == set(NEW)


@pytest.mark.slow
def test_a_signal_during_a_pause_names_the_next_commands_and_is_in_the_report(here: World) -> None:
    process = here.start("run", "--yes", "--pause-before", "add-new", "--stay")
    here.wait_for("paused")
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 9
    ways = "sfcutover run; approve, and resume: sfcutover approve; cancel: sfcutover cancel"
    assert f"resume: {ways}" in out
    code, out = here.call("run")
    assert code == 75, out
    assert out.count("AWAITING APPROVAL") == 1
    _, out = here.call("report", "--format", "md")
    events = out.partition("Events:")[2].partition("## Approvals")[0]
    assert re.search(
        r"started: .*\n- .*interrupted by SIGINT; .*\n- .*the run resumes on host", events
    )
    assert "the process that executed the run has ended" not in events


@pytest.mark.slow
def test_an_approval_can_be_limited_to_one_step(here: World) -> None:
    here.call("run", "--yes", "--pause-before", "switch")
    code, out = here.call("approve", "--step", "remove-old")
    assert code == 5
    assert "emulated-cutover.1: the run is paused at switch, not at remove-old" in error_of(out)
    assert here.switches == []
    code, out = here.call("approve", "--step", "switch")
    assert code == 0, out


@pytest.mark.slow
def test_approve_shows_what_the_step_does(here: World) -> None:
    _, out = here.call("run", "--yes", "--pause-before", "remove-old")
    takes = (
        f"AWAITING APPROVAL: remove-old removes {', '.join(OLD)} from the allowlist of packaging"
    )
    assert takes in error_of(out)


@pytest.mark.slow
def test_a_log_holds_each_event_once(here: World) -> None:
    _, before = here.call("run", "--yes", "--pause-before", "switch")
    assert "snapshot" in before
    _, after = here.call("approve")
    assert "the run resumes on host" in after
    assert "snapshot" not in after
    assert "AWAITING APPROVAL" not in after


@pytest.mark.slow
def test_the_state_is_kept_beside_its_cutover_yaml(here: World) -> None:
    configure(here, state=None)
    elsewhere = here.folder / "elsewhere"
    elsewhere.mkdir()
    process = here.start("run", "--yes", "--pause-before", "add-new")
    process.communicate(timeout=60)
    assert (here.folder / ".sfcutover/state.db").exists()
    here.folder = elsewhere
    _, out = here.call("--config", "../cutover.yaml", "runs")
    assert "emulated-cutover.1" in out
    _, out = here.call("--config", "../cutover.yaml", "doctor")
    assert "the run emulated-cutover.1 has not ended" in out
    assert not (elsewhere / ".sfcutover").exists()


@pytest.mark.slow
def test_changed_templates_are_refused_until_they_are_accepted(here: World) -> None:
    text = (ROOT / "templates/package.xml.j2").read_text(encoding="utf-8")
    (here.folder / "own").mkdir()
    (here.folder / "own/package.xml.j2").write_text(text + "<!-- own -->\n", encoding="utf-8")
    own = ("--templates", "own")
    here.call("run", "--yes", "--pause-before", "switch", *own)
    for command in (("run", "--yes"), ("approve",), ("approve", "--templates", "own2")):
        (here.folder / "own2").mkdir(exist_ok=True)
        code, out = here.call(*command)
        assert code == 2
        error = error_of(out, impact=True)
        assert "was started with another --templates folder: templates.package.xml.j2" in error
    code, out = here.call("approve", *own)
    assert code == 0, out
    assert here.phases == ["Succeeded", "Succeeded"]


@pytest.mark.slow
def test_the_next_command_names_the_given_file(here: World) -> None:
    (here.folder / "cutover.yaml").rename(here.folder / "eu move.yaml")
    configure(here, notify=[{"command": ["sh", "-c", 'echo "$SFCUTOVER_NEXT" > called']}])
    given = ("--config", "eu move.yaml")
    code, out = here.call("run", "--yes", "--pause-before", "switch", *given)
    assert code == 75
    command = "sfcutover --config 'eu move.yaml' approve emulated-cutover.1"
    assert f"approve: {command}; cancel: " in out
    assert (here.folder / "called").read_text(encoding="utf-8") == f"{command}\n"
    code, out = here.call(*shlex.split(command)[1:])
    assert code == 0, out


@pytest.mark.slow
def test_targets_of_an_unfinished_run_cannot_change(here: World) -> None:
    here.call("run", "--yes", "--pause-before", "switch")
    config = yaml.safe_load((here.folder / "cutover.yaml").read_text(encoding="utf-8"))
    configure(here, targets=[*config["targets"], config["targets"][0] | {"name": "another"}])
    code, out = here.call("run", "--yes", "--accept-changes")
    assert code == 2
    assert "a run cannot resume with other ones" in out
    configure(here, targets=config["targets"])
    code, out = here.call("approve")
    assert code == 0, out


@pytest.mark.slow
def test_a_pause_can_be_requested_for_a_started_run(here: World) -> None:
    here.call("run", "--yes", "--pause-before", "switch")
    here.call("approve", "--record-only")
    code, out = here.call("run", "--yes", "--pause-before", "remove-old")
    assert code == 75
    assert "AWAITING APPROVAL: remove-old removes" in error_of(out)
    assert here.live == {*OLD, *NEW}


@pytest.mark.slow
def test_commands_leave_the_run_of_another_cutover_alone(here: World) -> None:
    here.call("run", "--yes", "--pause-before", "switch")
    configure(here, name="next-month")
    for command in ("approve", "cancel"):
        code, out = here.call(command, "emulated-cutover.1")
        assert code == 2
        assert "belongs to the cutover emulated-cutover" in error_of(out)
    assert len(here.runs()) == 1
    assert here.runs()[0]["state"] == "waiting"


@pytest.mark.slow
def test_two_cutovers_of_one_allowlist_do_not_run_together(here: World) -> None:
    here.call("run", "--yes", "--pause-before", "remove-old")
    configure(here, name="next-month")
    code, out = here.call("run", "--yes")
    assert code == 69
    assert "emulated-cutover.1: this run of emulated-cutover has not ended" in error_of(out)
    assert here.live == {*OLD, *NEW}


@pytest.mark.slow
def test_rollback_to_the_baseline_is_refused_beside_an_unfinished_run(here: World) -> None:
    here.call("run", "--yes", "--pause-before", "switch")
    code, out = here.call("rollback", "--to", "baseline", "--yes", "--traffic-moved")
    assert code == 69
    assert "has not ended, so nothing was rolled back" in error_of(out)
    code, out = here.call("rollback", "--yes")
    assert code == 0, out


@pytest.mark.slow
def test_traffic_moves_only_to_addresses_that_are_still_on_the_allowlist(here: World) -> None:
    """Another user removes a new address while the run waits."""
    here.call("run", "--yes", "--pause-before", "switch")
    drop_from_list(here, NEW[0])
    customers = Customers(here.emulator, here.folder)
    with customers.at_work():
        code, out = here.call("approve")
    assert code == 0, out
    assert customers.failures == []


@pytest.mark.slow
def test_a_run_with_a_changed_file_can_be_canceled(here: World) -> None:
    here.call("run", "--yes", "--pause-before", "switch")
    configure(here, max_rollbacks=7)
    code, out = here.call("cancel")
    assert code == 0, out
    assert here.runs()[0]["state"] == "canceled"


@pytest.mark.slow
def test_a_failed_gate_rolls_back_once_automatically(tmp_path: Path) -> None:
    """After the removal the org refuses the new addresses; the old ones are restored
    immediately."""
    with world(tmp_path / "world") as here:
        process = here.start("run", "--yes")
        here.wait_for("watch-started")
        here.emulator.set_fault(Fault(kind="ip_restricted", operation="redeem", count=3))
        out, _ = process.communicate(timeout=120)
        assert process.returncode == 5, out
        assert "ROLLING BACK" in out
        assert here.live == {*OLD, *NEW}
        assert here.runs()[0]["state"] == "rolled-back"
        assert here.phases == ["Succeeded"] * 3
        assert here.canary_redeems()


@pytest.mark.slow
def test_a_failed_deployment_before_the_switch_restores_everything(tmp_path: Path) -> None:
    with fleet(tmp_path / "world", 2) as whole:
        whole.emulators[1].set_fault(Fault(kind="failed", operation="deploy"))
        code, out = whole.first.call("run", "--yes")
        assert code == 1, out
        assert "org-01" in error_of(out)
        for emulator in whole.emulators:
            assert whole.live(emulator) == set(OLD)
        assert whole.first.switches == []


@pytest.mark.slow
def test_one_refused_address_of_a_pair_triggers_the_rollback(here: World) -> None:
    """A single redemption by chance would not show it. A lost address is restored, too."""
    process = here.start("run", "--yes")
    here.wait_for("watch-started")
    drop_from_list(here, NEW[0])
    out, _ = process.communicate(timeout=120)
    assert process.returncode == 5, out
    assert here.live == {*OLD, *NEW}
    assert here.switches == ["apply"]
    assert "redemptions through each new address still succeed, so this run moves no traffic" in out


def drop_from_list(here: World, address: str) -> None:
    """Remove the entry as another user could in Setup."""
    kind, name = "ExtlClntAppOauthSecuritySettings", "Acme_Connector_oauthSecurity"
    root = etree.fromstring(here.emulator.component_xml(kind, name))
    for entry in list(root):
        if any(child.text == address for child in entry):
            root.remove(entry)
    here.emulator.put_component(kind, name, etree.tostring(root))


@pytest.mark.slow
def test_only_the_failed_target_is_restored_and_no_later_wave_starts(tmp_path: Path) -> None:
    with fleet(tmp_path / "world", 3, waves=[1, 1]) as whole:
        process = whole.first.start("run", "--yes")
        whole.first.wait_for("wave", 2)
        whole.emulators[1].set_fault(Fault(kind="ip_restricted", operation="redeem", count=3))
        out, _ = process.communicate(timeout=120)
        assert process.returncode == 5, out
        lists = [whole.live(emulator) for emulator in whole.emulators]
        assert lists == [set(NEW), {*OLD, *NEW}, {*OLD, *NEW}]


@pytest.mark.slow
def test_an_inconclusive_gate_waits_for_the_operator_and_rolls_nothing_back(here: World) -> None:
    here.emulator.set_fault(Fault(kind="rate_limit", operation="redeem", count=None))
    code, out = here.call("run", "--yes")
    assert code == 69, out
    assert "rate" in error_of(out)
    assert here.live == {*OLD, *NEW}
    here.emulator.clear_faults()
    code, out = here.call("approve")
    assert code == 0, out
    assert here.live == set(NEW)


@pytest.mark.slow
def test_a_failing_rollback_alerts_the_operator_and_is_retried(here: World) -> None:
    configure(
        here,
        notify=[{"command": ["sh", "-c", 'echo "$SFCUTOVER_EVENT $SFCUTOVER_NEXT" >> notified']}],
    )
    process = here.start("run", "--yes")
    here.wait_for("watch-started")
    here.emulator.set_fault(Fault(kind="org_locked", operation="deploy", count=5))
    here.emulator.set_fault(Fault(kind="ip_restricted", operation="redeem", count=4))
    out, _ = process.communicate(timeout=120)
    assert process.returncode == 5, out
    assert "ACTION REQUIRED" in out
    assert "sfcutover rollback --yes" in out
    assert here.live == {*OLD, *NEW}
    notified = (here.folder / "notified").read_text(encoding="utf-8")
    assert "page sfcutover rollback --yes; sfcutover switch --revert" in notified
    assert "rolled-back" in notified


@pytest.mark.slow
def test_automatic_rollbacks_are_limited(tmp_path: Path) -> None:
    with world(tmp_path / "world", max_rollbacks=1) as here:
        here.emulator.set_fault(Fault(kind="failed", operation="deploy"))
        assert here.call("run", "--yes")[0] == 1
        code, out = here.call("run", "--yes")
        assert code == 5
        assert "the last 1 runs" in error_of(out)
        assert here.call("run", "--yes", "--again")[0] == 0


def test_a_worker_requires_a_shared_database(here: World) -> None:
    code, out = here.call("worker")
    assert code == 2
    assert "which SQLite can't" in error_of(out)


def test_runs_reports_that_there_are_none(here: World) -> None:
    code, out = here.call("runs")
    assert code == 2
    assert "there is no run yet" in error_of(out)


@pytest.mark.slow
def test_a_run_stopped_by_a_full_disk_can_be_resumed(here: World) -> None:
    """No file may grow: as on a full disk, the state cannot be written."""
    here.call("run", "--yes", "--pause-before", "switch")
    code, out = here.call_with_file_limit(200_000, "approve")
    assert code in (1, 69), out
    assert "Traceback" not in out
    code, out = here.call("run", "--yes")
    if code == 75:
        code, out = here.call("approve")
    assert code == 0, out
    assert here.live == set(NEW)


@pytest.mark.slow
def test_no_secret_is_kept_or_shown(here: World) -> None:
    secrets = {
        here.emulator.environment[name] for name in ("SF_CLIENT_SECRET", "SF_REFRESH_TOKEN")
    } | {here.emulator.scenario.proxy_password}
    configure(here, switch={"apply": ["env"], "revert": ["env"]})
    _, out = here.call("run", "--yes", "-vv")
    secrets.add((here.folder / "canary.token").read_text(encoding="utf-8").strip())
    said = out + here.call("runs", "emulated-cutover", "--json")[1]
    kept = b"".join(
        path.read_bytes()
        for path in here.folder.rglob("*")
        if path.is_file() and path.name != "canary.token"
    )
    for secret in secrets:
        assert secret not in said
        assert secret.encode() not in kept


@pytest.mark.slow
def test_a_run_needs_no_home_and_writes_only_its_state(here: World) -> None:
    home = here.folder / "home"
    home.mkdir()
    here.environment["HOME"] = str(home)
    assert here.call("run", "--yes")[0] == 0
    assert os.listdir(home) == []  # noqa: PTH208
    kept = {path.suffix for path in (here.folder / "xdg" / "sfcutover").iterdir()}
    assert kept <= {".lock"}  # of the canary's token
    assert not list((here.folder / "xdg" / "sfcutover").glob("executor-*"))
