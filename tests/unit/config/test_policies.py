"""policies: of cutover.yaml, by phase or not, compared with the schema of OAuth policies."""

from __future__ import annotations

import jsonschema
import pytest
import yaml

from sfcutover.allowlist.phases import Phase
from sfcutover.allowlist.policies import Policies
from sfcutover.allowlist.templates import Templates
from sfcutover.config.cutover import Cutover, parse_config
from sfcutover.errors import ConfigError
from sfcutover.runs.store import config_text, cutover_of, differences

HEAD = """\
version: 1
name: move
app: Acme_Connector
targets: [{name: packaging, org: {alias: acme}}]
"""
LISTS = "old: [203.0.113.10]\nnew: [198.51.100.20]\n"


def load(text: str) -> Cutover:
    return parse_config(text, "cutover.yaml")


def refuse(text: str) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        load(text)
    return caught.value


def policies_of(text: str) -> Policies:
    return load(f"{HEAD}{LISTS}policies: {text}\n").policies


def test_one_map_applies_to_both_phases() -> None:
    policies = policies_of("{ipRelaxationPolicyType: Bypass, sessionTimeoutInMinutes: 30}")
    values = {"ipRelaxationPolicyType": "Bypass", "sessionTimeoutInMinutes": "30"}
    assert policies == Policies(values, values)


def test_a_map_by_phase_sets_each_phase_separately() -> None:
    policies = policies_of(
        "{add-new: {policyAction: Block}, remove-old: {policyAction: StepUpMFA}}"
    )
    assert policies.of(Phase.ADD_NEW) == {"policyAction": "Block"}
    assert policies.of(Phase.REMOVE_OLD) == {"policyAction": "StepUpMFA"}
    assert policies.of(Phase.RESTORE_OLD) == {}
    assert policies_of("{remove-old: {policyAction: Block}}").add_new == {}


def test_booleans_are_written_in_lower_case() -> None:
    name = "isTokenExchangeFlowEnabled"
    assert policies_of(f"{{{name}: true}}").add_new == {name: "true"}
    assert policies_of(f"{{{name}: 'false'}}").add_new == {name: "false"}


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[a]", "policies: must be a mapping"),
        ("{add-new: 4}", "policies.add-new: must be a mapping"),
        (
            "{ipRelaxationPolicy: Bypass}",
            "policies.ipRelaxationPolicy: unknown OAuth policy; did you mean "
            "ipRelaxationPolicyType?",
        ),
        ("{IPRELAXATIONPOLICYTYPE: x}", "did you mean ipRelaxationPolicyType?"),
        ("{isPkceRequired: true}", "unknown OAuth policy; known: apexHandler"),
        ("{externalClientApplication: Other}", "unknown OAuth policy"),
        ("{add_new: {policyAction: Block}}", "policies.add_new: unknown phase; did you"),
        ("{before: {policyAction: Block}}", "unknown phase; the phases are add-new, remove-old"),
        ("{restore-old: {policyAction: Block}}", "a rollback sets no policies of its own"),
        ("{policyAction: block}", "policies.policyAction: write one of Block, RaiseSessionLevel"),
        ("{add-new: {policyAction: block}}", "policies.add-new.policyAction: write one of Block"),
        ("{guestJwtSessionTimeoutType: None}", "write one of UserSession, Custom"),
        ("{isTokenExchangeFlowEnabled: 'yes'}", "write true or false"),
        ("{sessionTimeoutInMinutes: soon}", "write a whole number"),
        ("{sessionTimeoutInMinutes: -1}", "write a whole number"),
        ("{startUrl: 1.5}", "policies.startUrl: must be a string; put it in quotes"),
        ("{startUrl: ~}", "policies.startUrl: must be a string; put it in quotes"),
        ("{startUrl: ''}", "policies.startUrl: must not be empty"),
        (r'{startUrl: "x\0"}', "policies.startUrl: must not contain a control character"),
        (r'{startUrl: "\ud800"}', "policies.startUrl: must not contain a control character"),
    ],
)
def test_an_unknown_policy_is_refused(text: str, complaint: str) -> None:
    error = refuse(f"{HEAD}{LISTS}policies: {text}\n")
    assert complaint in error.message
    assert error.where == "cutover.yaml:7"


def test_the_error_has_the_line_of_the_entry() -> None:
    error = refuse(f"{HEAD}{LISTS}policies:\n  add-new:\n    startUrl: x\n    policyAction: y\n")
    assert error.where == "cutover.yaml:10"


def test_a_mixture_is_refused_at_the_policy() -> None:
    error = refuse(f"{HEAD}{LISTS}policies:\n  add-new: {{}}\n  policyAction: Block\n")
    assert "a policy next to the phase add-new" in error.message
    assert error.where == "cutover.yaml:9"


@pytest.mark.parametrize("name", ["ipRelaxationPolicyType", "refreshTokenValidityUnit"])
def test_a_string_field_accepts_unlisted_values(name: str) -> None:
    policies = policies_of(f"{{{name}: Newer}}")
    assert policies.of(Phase.ADD_NEW) == {name: "Newer"}
    (note,) = policies.notes(Phase.ADD_NEW)
    assert note.startswith(f"{name}: 'Newer' is not one of the known values")
    assert policies.notes(Phase.REMOVE_NEW) == []
    assert policies_of("{ipRelaxationPolicyType: Bypass}").notes(Phase.ADD_NEW) == []


def test_policies_alone_need_no_addresses() -> None:
    cutover = load(f"{HEAD}carriers: []\npolicies: {{policyAction: Block}}\n")
    assert cutover.carrier_rows == ()
    assert (cutover.change.old, cutover.change.new) == ((), ())


def test_a_config_without_lists_and_policies_is_refused() -> None:
    error = refuse(f"{HEAD}carriers: []\n")
    assert error.message == "carriers: must not be empty unless policies: sets some"
    assert error.where == "cutover.yaml:5"


def test_a_list_requires_addresses() -> None:
    error = refuse(f"{HEAD}policies: {{policyAction: Block}}\n")
    assert error.message == "old is missing"
    assert error.also == ("cutover.yaml:1: new is missing",)


@pytest.mark.parametrize(
    ("text", "is_right"),
    [
        ("{ipRelaxationPolicyType: Bypass, isTokenExchangeFlowEnabled: true}", True),
        ("{add-new: {policyAction: Block}}", True),
        ("{policyAction: block}", False),
        ("{policyActions: Block}", False),
        ("{add-new: {}, policyAction: Block}", False),
    ],
)
def test_the_schema_accepts_the_same_policies(text: str, is_right: bool) -> None:
    data = yaml.safe_load(f"{HEAD}{LISTS}policies: {text}\n")
    validator = jsonschema.Draft202012Validator(Cutover.model_json_schema(by_alias=True))
    assert validator.is_valid(data) is is_right


def test_a_run_keeps_policies_by_phase() -> None:
    one = load(f"{HEAD}{LISTS}policies: {{policyAction: Block}}\n")
    other = load(f"{HEAD}{LISTS}policies: {{add-new: {{policyAction: Block}}}}\n")
    before, after = config_text(one, Templates()), config_text(other, Templates())
    assert cutover_of(before).policies == one.policies
    assert differences(before, after) == ['policies.remove-old.policyAction: "Block" -> unset']
