"""OAuth policies by phase, and policies alone: shown, rendered, deployed and restored."""

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
def policies_alone(desk: Desk) -> Desk:
    """A cutover that names no list and no addresses: policies alone."""
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


def test_each_phase_is_compared_with_the_state_before_it(desk: Desk) -> None:
    desk.configure(policies=BY_PHASE)
    out = desk.run("plan").out
    assert "- ipRelaxationPolicyType: Enforce\n    + ipRelaxationPolicyType: Bypass\n" in out
    assert (
        "- ipRelaxationPolicyType: Bypass\n    + ipRelaxationPolicyType: Enforce_RelaxRefresh"
        in out
    )


def test_a_misspelled_policy_is_refused_with_its_line_before_any_request(desk: Desk) -> None:
    desk.configure(policies={"add-new": {"ipRelaxationPolicy": "Bypass"}})
    line = desk.replace("ipRelaxationPolicy:", "ipRelaxationPolicy:")
    result = desk.run("render", "--out", "out")
    result.refused(2, f"cutover.yaml:{line}: policies.add-new.ipRelaxationPolicy", "did you mean")
    assert desk.emulator.log == []


def test_an_unknown_value_is_noted(desk: Desk) -> None:
    desk.configure(policies={"ipRelaxationPolicyType": "Newer"})
    out = desk.run("diff", "add-new").out
    assert "note: ipRelaxationPolicyType: 'Newer' is not one of the known values" in out


def test_policies_alone_are_planned_and_deployed(policies_alone: Desk) -> None:
    before = live(policies_alone), policies_alone.live()
    out = policies_alone.run("plan", "--out", "plan.json").out
    assert "live now: this cutover changes no allowlist" in out
    assert "restore-old" not in out
    assert "digest" not in out
    assert policies_alone.run("deploy", "add-new", "--plan", "plan.json", "--yes").code == 0
    assert live(policies_alone)["ipRelaxationPolicyType"] == "Bypass"
    removal = policies_alone.run("deploy", "remove-old", "--yes")
    assert removal.code == 0
    assert removal.out.splitlines()[-1] == (
        "next: to restore the earlier policies: sfcutover rollback --to baseline"
    )
    assert live(policies_alone) == {
        "ipRelaxationPolicyType": "Enforce_RelaxRefresh",
        "sessionTimeoutInMinutes": "30",
    }
    assert policies_alone.run("rollback", "--yes").code == 0
    assert live(policies_alone) == before[0] | {"ipRelaxationPolicyType": "Bypass"}
    result = policies_alone.run("rollback", "--to", "baseline", "--yes")
    assert result.code == 0
    assert "ipRelaxationPolicyType is restored from 'Bypass' to 'Enforce'" in result.out
    assert "is restored; the baseline record is removed" in result.err
    assert (live(policies_alone), policies_alone.live()) == before
    assert len(policies_alone.emulator.deployments) == 4


def test_policies_alone_are_rendered_offline(policies_alone: Desk) -> None:
    file = policies_file(policies_alone)
    policies_alone.emulator.stop()
    assert policies_alone.run("render", "--out", "out", "--baseline", file).code == 0
    assert files_of(policies_alone.folder / "out") == {FILE, "package.xml"}
    assert {each.name for each in (policies_alone.folder / "out").iterdir()} == {
        "add-new",
        "remove-old",
    }
    out = policies_alone.run("diff", "add-new", "--baseline", file).out
    assert "+ ipRelaxationPolicyType: Bypass" in out
    assert "+ ipRelaxationPolicyType: Bypass" in policies_alone.run("plan", "--baseline", file).out


def test_a_plan_of_policies_from_a_file_is_deployed(policies_alone: Desk) -> None:
    assert (
        policies_alone.run(
            "plan", "--baseline", policies_file(policies_alone), "--out", "plan.json"
        ).code
        == 0
    )
    assert policies_alone.run("deploy", "add-new", "--plan", "plan.json", "--yes").code == 0
    assert live(policies_alone)["ipRelaxationPolicyType"] == "Bypass"


@pytest.mark.parametrize("phase", ["restore-old", "remove-new"])
def test_policies_alone_have_no_list_to_restore(policies_alone: Desk, phase: str) -> None:
    for words in (("diff", phase), ("render", phase, "--out", "out"), ("deploy", phase, "--yes")):
        result = policies_alone.run(*words)
        result.refused(2, f"{phase} changes nothing: carriers: [] names no allowlist")
        assert "rollback --to baseline" in result.hint


def test_a_phase_without_policies_changes_nothing(policies_alone: Desk) -> None:
    policies_alone.configure(policies={"add-new": {"policyAction": "Block"}})
    policies_alone.run("diff", "remove-old").refused(2, "remove-old changes nothing")
    assert policies_alone.run("render", "--out", "out").code == 0
    assert {each.name for each in (policies_alone.folder / "out").iterdir()} == {"add-new"}


@pytest.mark.parametrize("command", ["run", "probe", "verify", "switch", "watch"])
def test_commands_that_prove_addresses_refuse_policies_alone(
    policies_alone: Desk, command: str
) -> None:
    result = policies_alone.run(command)
    result.refused(2, f"{command} needs addresses, but this cutover only sets policies")
    assert policies_alone.emulator.log == []


def test_restore_old_restores_the_policies_that_remove_old_set(desk: Desk) -> None:
    """The list still holds the old addresses, so that only policies are restored."""
    desk.configure(policies={"remove-old": {"sessionTimeoutInMinutes": 30}}, carriers=[])
    assert desk.run("deploy", "remove-old", "--yes").code == 0
    desk.configure(carriers=["token-ip-ranges"])
    assert desk.run("deploy", "restore-old", "--yes", "--dry-run").code == 0
    assert live(desk)["sessionTimeoutInMinutes"] == "30"
    assert desk.run("deploy", "restore-old", "--yes").code == 0
    assert live(desk)["sessionTimeoutInMinutes"] == "120"
