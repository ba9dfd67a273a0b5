"""OAuth policies by phase, and alone: shown, rendered, deployed and restored."""

from __future__ import annotations

from pathlib import Path

import pytest
from lxml import etree

from sfcutover.allowlist.carriers import OAUTH_POLICIES
from tests.integration.cli.harness import NAMESPACE, Desk

NAME = "Acme_Connector_oauthPlcy"
FILE = f"{NAME}.ecaOauthPlcy"
BY_PHASE = {
    "add-new": {"ipRelaxationPolicyType": "Bypass"},
    "remove-old": {"ipRelaxationPolicyType": "Enforce_RelaxRefresh", "sessionTimeoutInMinutes": 30},
}


@pytest.fixture
def alone(desk: Desk) -> Desk:
    """A cutover that names no list and no addresses."""
    desk.configure(carriers=[], old=None, new=None, policies=BY_PHASE)
    return desk


def live(desk: Desk) -> dict[str, str | None]:
    root = etree.fromstring(desk.emulator.component_xml(OAUTH_POLICIES.metadata_type, NAME))
    names = ("ipRelaxationPolicyType", "sessionTimeoutInMinutes")
    return {name: root.findtext(f"{{{NAMESPACE}}}{name}") for name in names}


def policies_file(desk: Desk) -> str:
    """The live policies in a file, for --baseline."""
    xml = desk.emulator.component_xml(OAUTH_POLICIES.metadata_type, NAME)
    (desk.folder / FILE).write_bytes(xml)
    return FILE


def files_of(folder: Path) -> set[str]:
    return {path.name for path in folder.rglob("*") if path.is_file()}


def test_ranges_and_policies_of_a_phase_are_one_package(desk: Desk) -> None:
    desk.configure(policies={"add-new": {"ipRelaxationPolicyType": "Bypass"}})
    assert desk.run("render", "--out", "out").code == 0
    assert FILE in files_of(desk.folder / "out" / "add-new")
    for phase in ("remove-old", "restore-old", "remove-new"):
        assert FILE not in files_of(desk.folder / "out" / phase)
    assert desk.run("deploy", "add-new", "--yes").code == 0
    assert len(desk.emulator.deployments) == 1
    assert live(desk)["ipRelaxationPolicyType"] == "Bypass"
    assert "127.0.0.21 127.0.0.21" in " ".join(desk.live())


def test_each_phase_is_shown_in_the_state_that_it_is_for(desk: Desk) -> None:
    desk.configure(policies=BY_PHASE)
    out = desk.run("plan").out
    assert "- ipRelaxationPolicyType: Enforce\n    + ipRelaxationPolicyType: Bypass\n" in out
    assert (
        "- ipRelaxationPolicyType: Bypass\n    + ipRelaxationPolicyType: Enforce_RelaxRefresh"
        in out
    )


def test_a_typing_error_is_refused_with_its_line_before_an_org_is_asked(desk: Desk) -> None:
    desk.configure(policies={"add-new": {"ipRelaxationPolicy": "Bypass"}})
    line = desk.replace("ipRelaxationPolicy:", "ipRelaxationPolicy:")
    result = desk.run("render", "--out", "out")
    result.refused(2, f"cutover.yaml:{line}: policies.add-new.ipRelaxationPolicy", "did you mean")
    assert desk.emulator.log == []


def test_a_value_that_is_not_known_is_noted(desk: Desk) -> None:
    desk.configure(policies={"ipRelaxationPolicyType": "Newer"})
    out = desk.run("diff", "add-new").out
    assert "note: ipRelaxationPolicyType: 'Newer' is not one of the known values" in out


def test_policies_alone_are_planned_and_deployed(alone: Desk) -> None:
    before = live(alone), alone.live()
    out = alone.run("plan", "--out", "plan.json").out
    assert "live now: this cutover changes no allowlist" in out
    assert "restore-old" not in out
    assert "digest" not in out
    assert alone.run("deploy", "add-new", "--plan", "plan.json", "--yes").code == 0
    assert live(alone)["ipRelaxationPolicyType"] == "Bypass"
    removal = alone.run("deploy", "remove-old", "--yes")
    assert removal.code == 0
    assert (
        "next: the policies are as shown; restore the earlier ones: "
        "sfcutover rollback --to baseline"
    ) in removal.out
    assert live(alone) == {
        "ipRelaxationPolicyType": "Enforce_RelaxRefresh",
        "sessionTimeoutInMinutes": "30",
    }
    assert alone.run("rollback", "--yes").code == 0
    assert live(alone) == before[0] | {"ipRelaxationPolicyType": "Bypass"}
    result = alone.run("rollback", "--to", "baseline", "--yes")
    assert result.code == 0
    assert "ipRelaxationPolicyType is restored from 'Bypass' to 'Enforce'" in result.out
    assert "is restored; the baseline record is removed" in result.err
    assert (live(alone), alone.live()) == before
    assert len(alone.emulator.deployments) == 4


def test_policies_alone_offline(alone: Desk) -> None:
    file = policies_file(alone)
    alone.emulator.stop()
    assert alone.run("render", "--out", "out", "--baseline", file).code == 0
    assert files_of(alone.folder / "out") == {FILE, "package.xml"}
    assert {each.name for each in (alone.folder / "out").iterdir()} == {"add-new", "remove-old"}
    out = alone.run("diff", "add-new", "--baseline", file).out
    assert "+ ipRelaxationPolicyType: Bypass" in out
    assert "+ ipRelaxationPolicyType: Bypass" in alone.run("plan", "--baseline", file).out


def test_a_plan_of_policies_from_a_file_is_deployed(alone: Desk) -> None:
    assert alone.run("plan", "--baseline", policies_file(alone), "--out", "plan.json").code == 0
    assert alone.run("deploy", "add-new", "--plan", "plan.json", "--yes").code == 0
    assert live(alone)["ipRelaxationPolicyType"] == "Bypass"


@pytest.mark.parametrize("phase", ["restore-old", "remove-new"])
def test_without_lists_there_is_no_list_to_go_back_to(alone: Desk, phase: str) -> None:
    for words in (("diff", phase), ("render", phase, "--out", "out"), ("deploy", phase, "--yes")):
        result = alone.run(*words)
        result.refused(2, f"{phase} changes nothing: carriers: [] names no allowlist")
        assert "rollback --to baseline" in result.hint


def test_a_phase_that_sets_none_changes_nothing(alone: Desk) -> None:
    alone.configure(policies={"add-new": {"policyAction": "Block"}})
    alone.run("diff", "remove-old").refused(2, "remove-old changes nothing")
    assert alone.run("render", "--out", "out").code == 0
    assert {each.name for each in (alone.folder / "out").iterdir()} == {"add-new"}


@pytest.mark.parametrize("command", ["run", "probe", "verify", "switch", "watch"])
def test_what_proves_addresses_is_refused_for_policies_alone(alone: Desk, command: str) -> None:
    result = alone.run(command)
    result.refused(2, f"{command} needs addresses, but this cutover only sets policies")
    assert alone.emulator.log == []


def test_deploy_restore_old_restores_what_remove_old_has_set(desk: Desk) -> None:
    """The list holds the old addresses still, so that nothing but policies is to be restored."""
    desk.configure(policies={"remove-old": {"sessionTimeoutInMinutes": 30}}, carriers=[])
    assert desk.run("deploy", "remove-old", "--yes").code == 0
    desk.configure(carriers=["token-ip-ranges"])
    assert desk.run("deploy", "restore-old", "--yes", "--dry-run").code == 0
    assert live(desk)["sessionTimeoutInMinutes"] == "30"
    assert desk.run("deploy", "restore-old", "--yes").code == 0
    assert live(desk)["sessionTimeoutInMinutes"] == "120"
