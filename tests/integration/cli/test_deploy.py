"""Deploying a phase: requests, refusals, messages and exit codes."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from sfcutover.emulator.faults import Fault
from tests.integration.cli.conftest import OpenDesk, StartOrg
from tests.integration.cli.harness import SECURITY_NAME, Desk, Result, range_xml, with_entry

YES = ("deploy", "add-new", "--yes")
OVERLAP = [
    "127.0.0.11 127.0.0.11",
    "127.0.0.12 127.0.0.12",
    "192.0.2.64 192.0.2.71 office VPN",
    "127.0.0.21 127.0.0.21",
    "127.0.0.22 127.0.0.22",
]


def follow_up(text: str) -> list[str]:
    """The words of the command that a message names, without ``sfcutover``."""
    command = text[text.index("sfcutover ") :].splitlines()[0]
    return shlex.split(command)[1:]


def test_add_new_keeps_every_existing_entry(open_desk: OpenDesk) -> None:
    desk = open_desk(unknown_fields={"futureSetting": "kept &amp; safe"})
    result = desk.run(*YES)
    assert result.code == 0
    assert desk.live() == OVERLAP
    xml = desk.emulator.component_xml("ExtlClntAppOauthSecuritySettings", SECURITY_NAME)
    assert b"<futureSetting>kept &amp; safe</futureSetting>" in xml
    assert desk.asked("deploy") == 1


def test_deploy_reports_the_read_back_and_the_next_step(desk: Desk) -> None:
    result = desk.run(*YES)
    identifier = desk.emulator.deployments[0].id
    assert f"done: add-new is live on packaging, read back from the org ({identifier})" in (
        result.out
    )
    assert "token-ip-ranges: 127.0.0.11, 127.0.0.12, 192.0.2.64-192.0.2.71, 127.0.0.21" in (
        result.out
    )
    assert "next: move your traffic" in result.out
    assert "Reading back" in result.err
    assert "Reading back" not in result.out


def test_json_holds_the_diff_the_deployment_and_the_live_list(desk: Desk) -> None:
    target = desk.run(*YES, "--json").json("deploy")["targets"][0]
    assert target["outcome"] == "deployed"
    assert target["deployment_ids"] == [desk.emulator.deployments[0].id]
    assert target["deployments"][0]["state"] == "succeeded"
    assert len(target["live"][0]["ranges"]) == 5
    assert len(target["phase"]["components"][0]["added"]) == 2


def test_a_phase_that_is_live_sends_no_deployment(desk: Desk) -> None:
    desk.run(*YES)
    again = desk.run("deploy", "add-new")
    assert again.code == 0
    assert "is already live on packaging; nothing was deployed" in again.out
    assert desk.run(*YES, "--json").json("deploy")["targets"][0]["outcome"] == "no-change"
    assert desk.asked("deploy") == 1


def test_deploy_without_a_terminal_requires_yes(desk: Desk) -> None:
    result = desk.call("deploy", "add-new")
    result.refused(2, "confirmation is required")
    assert "--yes" in result.hint
    assert "+ 127.0.0.21" in result.out
    assert desk.asked("deploy") == 0


def test_a_dry_run_validates_and_changes_nothing(desk: Desk) -> None:
    before = desk.live()
    result = desk.run("deploy", "add-new", "--dry-run")
    assert result.code == 0
    assert "would accept add-new" in result.out
    assert [each.check_only for each in desk.emulator.deployments] == [True]
    assert desk.live() == before
    document = desk.run("deploy", "add-new", "--dry-run", "--json").json("deploy")
    assert document["targets"][0]["outcome"] == "validated"
    assert document["targets"][0]["live"] == []


def test_a_dry_run_that_the_org_refuses_fails(desk: Desk) -> None:
    desk.emulator.set_fault(Fault(kind="failed", operation="deploy"))
    desk.run("deploy", "add-new", "--dry-run").refused(1, "ended as Failed")


@pytest.mark.parametrize("as_json", [False, True])
def test_async_names_a_working_command_that_continues(desk: Desk, as_json: bool) -> None:
    desk.config.rename(desk.folder / "my cutover.yaml")
    config = ("--config", "my cutover.yaml")
    result = desk.run(*YES, "--async", *config, *(["--json"] if as_json else []))
    assert result.code == 0
    identifier = desk.emulator.deployments[0].id
    if as_json:
        target = result.json("deploy")["targets"][0]
        assert (target["outcome"], target["deployment_ids"]) == ("started", [identifier])
        words = follow_up(target["follow_up"])
    else:
        assert (
            f"started {identifier} on packaging\nnext: sfcutover --config 'my cutover.yaml' deploy"
            in result.out
        )
        words = follow_up(result.out)
    continued = desk.run(*words)
    assert continued.code == 0
    assert f"deployment {identifier}: Succeeded" in continued.out
    assert "live now: old and new addresses" in continued.out


def test_a_wait_timeout_names_the_command_that_continues(open_desk: OpenDesk) -> None:
    desk = open_desk(deploy_seconds=20)
    result = desk.run(*YES, "--wait", "0")
    result.refused(69, "is not done after 0 s; its status is Pending")
    assert "may still take effect" in result.impact
    desk.clock.seconds = 30
    assert desk.run(*follow_up(result.hint)).code == 0
    assert desk.live() == OVERLAP
    assert desk.asked("deploy") == 1


def test_a_wait_timeout_is_reported_as_json(open_desk: OpenDesk) -> None:
    result = open_desk(deploy_seconds=20).run(*YES, "--wait", "0", "--json")
    assert result.json("error")["exit_code"] == result.code == 69


def test_remove_old_is_refused_without_proof(desk: Desk) -> None:
    desk.configure(verify=None, egress=None)
    desk.run(*YES)
    result = desk.run("deploy", "remove-old", "--yes")
    result.refused(5, "remove-old is refused: no redemption has proven each new address")
    assert "nothing was changed" in result.impact
    assert desk.live() == OVERLAP
    assert desk.asked("deploy") == 1
    assert desk.run("deploy", "remove-old", "--yes", "--json").json("error")["exit_code"] == 5


def test_remove_new_is_refused_without_proof(desk: Desk) -> None:
    desk.configure(verify=None, egress=None)
    desk.run(*YES)
    desk.run("deploy", "remove-new", "--yes").refused(5, "remove-new is refused")
    assert desk.live() == OVERLAP
    assert desk.asked("deploy") == 1


def test_an_unreadable_canary_token_prevents_the_removal(desk: Desk) -> None:
    desk.run(*YES)
    desk.run("deploy", "remove-old", "--yes").refused(2, "cutover.yaml:", "canary.token")
    assert desk.live() == OVERLAP
    assert desk.asked("deploy") == 1


def test_remove_old_before_add_new_is_drift(desk: Desk) -> None:
    result = desk.run("deploy", "remove-old", "--yes")
    result.refused(4, "the new addresses 127.0.0.21, 127.0.0.22 are not on the live allowlist")
    assert "sfcutover deploy add-new" in result.hint


def test_restore_old_adds_missing_old_addresses(desk: Desk) -> None:
    gone = range_xml("127.0.0.12", "127.0.0.12")
    desk.put_live(lambda xml: xml.replace(gone, b""))
    assert desk.run("deploy", "restore-old", "--yes").code == 0
    assert "127.0.0.12 127.0.0.12" in desk.live()


def _edit_the_live_list(desk: Desk) -> None:
    desk.put_live(with_entry(range_xml("192.0.2.200", "192.0.2.200", "added in Setup")))


def _edit_the_config(desk: Desk) -> None:
    desk.configure(new=["127.0.0.21", "127.0.0.23"])


def _edit_a_template(desk: Desk) -> None:
    built_in = Path(__file__).parents[3] / "templates" / "package.xml.j2"
    desk.write("own/package.xml.j2", built_in.read_text().replace("<Package", "<!-- x --><Package"))


def _rename_the_cutover(desk: Desk) -> None:
    desk.configure(name="another-one")


def _rename_the_target(desk: Desk) -> None:
    targets = yaml.safe_load(desk.config.read_text())["targets"]
    desk.configure(targets=[{**targets[0], "name": "production"}])


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (_edit_the_live_list, "the org has changed since the plan was made: extlClntApp"),
        (_edit_the_config, "the package of add-new is no longer the one that was planned"),
        (_edit_a_template, "the package of add-new is no longer the one that was planned"),
        (_rename_the_cutover, "the plan is for emulated-cutover of Acme_Connector"),
        (_rename_the_target, "the plan has no target 'production'"),
    ],
)
def test_a_plan_is_refused_after_any_change_of_its_inputs(
    desk: Desk, change: Callable[[Desk], None], error: str
) -> None:
    assert desk.run("plan", "--out", "plan.json").code == 0
    change(desk)
    own = ("--templates", "own") if (desk.folder / "own").exists() else ()
    result = desk.run(*YES, "--plan", "plan.json", *own)
    result.refused(4, "plan.json: ", error)
    assert "sfcutover plan --out plan.json" in result.hint
    assert desk.asked("deploy") == 0


def test_a_plan_of_another_org_is_refused(desk: Desk, start_org: StartOrg) -> None:
    desk.run("plan", "--out", "plan.json")
    other = start_org(pod=1)
    desk.replace(desk.emulator.url, other.url)
    desk.monkeypatch.setenv("SF_ACCESS_TOKEN", other.environment["SF_ACCESS_TOKEN"])
    result = desk.run(*YES, "--plan", "plan.json")
    result.refused(4, desk.emulator.organization_id)
    result.refused(4, other.organization_id)
    assert len(other.deployments) == 0


def test_a_plan_is_deployed_as_it_was_planned(desk: Desk) -> None:
    planned = desk.run("plan", "--out", "plan.json", "--json").json("plan")
    deployed = desk.run(*YES, "--plan", "plan.json", "--json").json("deploy")
    phases = planned["targets"][0]["phases"]
    assert deployed["targets"][0]["phase"]["package_sha256"] == phases[0]["package_sha256"]
    assert desk.run(*YES, "--plan", "plan.json").code == 0
    assert desk.asked("deploy") == 1


@pytest.mark.parametrize(
    ("text", "error"),
    [(None, "cannot be read"), ("", "not a plan"), ("{}", "not a plan"), ("[1]", "not a plan")],
)
def test_a_file_that_is_not_a_plan_is_refused(desk: Desk, text: str | None, error: str) -> None:
    if text is not None:
        desk.write("plan.json", text)
    desk.run(*YES, "--plan", "plan.json").refused(2, "plan.json", error)


def test_a_plan_with_an_edited_baseline_is_refused(desk: Desk) -> None:
    desk.run("plan", "--out", "plan.json")
    plan = desk.folder / "plan.json"
    plan.write_text(plan.read_text().replace("office VPN", "home VPN"))
    result = desk.run(*YES, "--plan", "plan.json")
    assert result.code in (2, 4)
    result.refused(result.code, "plan.json")
    assert desk.asked("deploy") == 0


def test_a_failed_deployment_names_the_component_problem(desk: Desk) -> None:
    desk.emulator.set_fault(Fault(kind="failed", operation="deploy"))
    result = desk.run(*YES)
    result.refused(1, "ended as Failed", "FIELD_INTEGRITY_EXCEPTION")
    assert "still on it; do not move traffic to the new ones yet" in result.impact


def test_a_partial_success_is_a_failure(desk: Desk) -> None:
    desk.configure(carriers=["token-ip-ranges", "trusted-ip-ranges"])
    desk.emulator.set_fault(Fault(kind="succeeded_partial", operation="deploy"))
    desk.run(*YES).refused(68, "took effect only in part")


def test_a_canceled_deployment_is_a_failure(desk: Desk) -> None:
    desk.emulator.set_fault(Fault(kind="canceling", operation="deploy"))
    desk.run(*YES).refused(1, "ended as Canceled")


def test_an_answer_lost_after_the_effect_succeeds_without_a_second_deployment(desk: Desk) -> None:
    desk.emulator.set_fault(Fault(kind="drop_after", operation="deploy"))
    result = desk.run(*YES)
    assert result.code == 0
    assert "nothing is sent again" in result.err
    assert desk.asked("deploy") == 1
    assert desk.live() == OVERLAP


def test_a_save_without_effect_is_deployed_once_more(desk: Desk) -> None:
    desk.emulator.set_fault(Fault(kind="save_does_not_take", operation="deploy"))
    result = desk.run(*YES)
    assert result.code == 0
    assert "the change did not take effect" in result.err
    assert desk.asked("deploy") == 2


def test_a_save_that_never_has_an_effect_names_the_missing_addresses(desk: Desk) -> None:
    desk.emulator.set_fault(Fault(kind="save_does_not_take", operation="deploy", count=None))
    desk.run(*YES).refused(1, "the change did not take effect", "missing 127.0.0.21, 127.0.0.22")
    assert desk.asked("deploy") == 2


def test_two_targets_are_deployed_in_order(desk: Desk, start_org: StartOrg) -> None:
    second = start_org()
    desk.add_target("second", second)
    document = desk.run(*YES, "--json").json("deploy")
    assert [each["outcome"] for each in document["targets"]] == ["deployed", "deployed"]
    assert len(second.deployments) == desk.asked("deploy") == 1


def _fail_on_the_second(desk: Desk, start_org: StartOrg) -> Result:
    second = start_org()
    second.set_fault(Fault(kind="failed", operation="deploy"))
    desk.add_target("second", second)
    return desk.run(*YES)


def test_a_failure_of_the_second_target_names_the_first_as_done(
    desk: Desk, start_org: StartOrg
) -> None:
    result = _fail_on_the_second(desk, start_org)
    result.refused(1, "second: ", "ended as Failed")
    assert result.impact.endswith("; before second: packaging holds the phase")
    assert "done: add-new is live on packaging" in result.out
    assert desk.live() == OVERLAP


def test_the_same_command_continues_after_a_failure(desk: Desk, start_org: StartOrg) -> None:
    assert _fail_on_the_second(desk, start_org).code == 1
    document = desk.run(*YES, "--json").json("deploy")
    assert [each["outcome"] for each in document["targets"]] == ["no-change", "deployed"]


def test_a_failure_of_the_first_target_leaves_the_second_unchanged(
    desk: Desk, start_org: StartOrg
) -> None:
    second = start_org()
    desk.add_target("second", second)
    desk.emulator.set_fault(Fault(kind="failed", operation="deploy"))
    result = desk.run(*YES)
    result.refused(1, "packaging: ")
    assert result.impact.startswith(
        "packaging: the allowlist was read back: every address that traffic uses now is still on it"
    )
    assert "before packaging" not in result.impact
    assert len(second.log) == 0


def test_the_next_command_names_the_target_of_several(desk: Desk, start_org: StartOrg) -> None:
    desk.add_target("second", start_org())
    result = desk.run(*YES, "--async", "--target", "second")
    assert follow_up(result.out)[-2:] == ["--target", "second"]
    assert desk.run(*follow_up(result.out)).code == 0


def test_policies_are_deployed_with_the_list(desk: Desk) -> None:
    desk.configure(policies={"ipRelaxationPolicyType": "Bypass"})
    assert desk.run(*YES).code == 0
    xml = desk.emulator.component_xml(
        "ExtlClntAppOauthConfigurablePolicies", "Acme_Connector_oauthPlcy"
    )
    assert b"<ipRelaxationPolicyType>Bypass<" in xml
    assert b"<refreshTokenValidityPeriod>30<" in xml
