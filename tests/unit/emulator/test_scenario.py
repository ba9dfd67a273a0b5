from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from sfcutover.emulator.scenario import Scenario, ScenarioError


def test_a_file_sets_what_it_names(tmp_path: Path) -> None:
    path = tmp_path / "scenario.yaml"
    path.write_text(
        "app: Other\ndeploy_seconds: 3\nunrelated: [{range: 10.0.0.0/30}]\n"
        "faults: [{kind: failed, operation: deploy}]\n"
    )
    scenario = Scenario.from_file(path)
    assert (scenario.app, scenario.deploy_seconds) == ("Other", 3)
    assert str(scenario.unrelated[0].parsed()) == "10.0.0.0-10.0.0.3"
    assert scenario.faults[0].kind == "failed"
    assert scenario.new == Scenario().new


def test_an_empty_file_is_the_default_scenario(tmp_path: Path) -> None:
    path = tmp_path / "scenario.yaml"
    path.write_text("# nothing\n")
    assert Scenario.from_file(path) == Scenario()


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("colour: red\n", "colour: Extra inputs are not permitted"),
        ("app: [\n", "is not YAML"),
        ("old: [300.1.1.1]\n", "'300.1.1.1' is not an IP address"),
        ("unrelated: [{range: 1.1.1.2-1.1.1.1}]\n", "reversed"),
        ("deploy_seconds: -1\n", "deploy_seconds: Input should be greater"),
        ("leave_out: [Nonsense]\n", "unknown metadata type 'Nonsense'"),
        ("extra_components: [{type: X, full_name: a, xml: b}]\n", "unknown metadata type 'X'"),
        ("faults: [{kind: gremlins}]\n", "faults.0.kind"),
        ("unknown_fields: {a: '<b>'}\n", "unknown_fields: Value error"),
        ("min_api_version: 69\n", "min_api_version must not be above max_api_version"),
        ("old_egress: []\n", "old_egress: Tuple should have at least 1 item"),
        ("new_egress: [here]\n", "'here' does not appear to be an IPv4 or IPv6 address"),
        ("enforcement: maybe\n", "enforcement: Input should be a valid boolean"),
        ("login_history: never\n", "login_history: Input should be 'available'"),
        ("just text\n", "the file: Input should be"),
    ],
)
def test_an_invalid_file_is_named_with_its_problem(tmp_path: Path, text: str, problem: str) -> None:
    path = tmp_path / "scenario.yaml"
    path.write_text(text)
    with pytest.raises(ScenarioError) as caught:
        Scenario.from_file(path)
    assert str(path) in str(caught.value)
    assert problem in str(caught.value)


def test_an_endless_file_is_not_read() -> None:
    with pytest.raises(ScenarioError, match="/dev/zero is not a regular file"):
        Scenario.from_file("/dev/zero")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError, match="No such file"):
        Scenario.from_file(tmp_path / "none.yaml")


def test_a_scenario_is_immutable() -> None:
    with pytest.raises(ValidationError):
        Scenario().app = "Other"  # type: ignore[misc]


def test_faults_edits_and_a_second_org_are_read(tmp_path: Path) -> None:
    path = tmp_path / "scenario.yaml"
    path.write_text(
        "clock_offset_seconds: -120\n"
        "faults:\n"
        "  - {kind: refuse, operation: checkDeployStatus, code: REQUEST_LIMIT_EXCEEDED, count: 2}\n"
        "edits: [{of: deployment, when: before, add: [{range: 192.0.2.1}]}]\n"
        "second_org: {org_name: Other, deploy_seconds: 3}\n"
    )
    scenario = Scenario.from_file(path)
    assert scenario.faults[0].code == "REQUEST_LIMIT_EXCEEDED"
    assert scenario.edits[0].add[0].range == "192.0.2.1"
    second = scenario.second()
    assert (second.org_name, second.deploy_seconds, second.clock_offset_seconds) == (
        *("Other", 3, -120),
    )
    assert (second.faults, second.edits) == ((), ())


def test_the_settings_of_a_second_org_are_checked() -> None:
    with pytest.raises(ValidationError, match=r"second_org\.colour|second_org"):
        Scenario(second_org={"colour": "red"})
