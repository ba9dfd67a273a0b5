"""Support cases for a legacy connected app: cases, confirmations, and the gate between them."""

from __future__ import annotations

import json

import pytest
import yaml

from tests.integration.cli.harness import Desk

OLD = ["127.0.0.11", "127.0.0.12"]
NEW = ["127.0.0.21", "127.0.0.22"]
OTHERS = ["192.0.2.64/29"]


@pytest.fixture
def legacy(desk: Desk) -> Desk:
    """A desk for the legacy app, whose list holds only the old addresses and an unrelated entry."""
    return set_up(desk)


def set_up(desk: Desk) -> Desk:
    token = desk.write("canary.token", desk.emulator.environment["SF_LEGACY_REFRESH_TOKEN"])
    token.chmod(0o600)
    verify = yaml.safe_load(desk.config.read_text(encoding="utf-8"))["verify"] | {
        "client_id": {"env": "SF_LEGACY_CLIENT_ID"},
        "client_secret": {"env": "SF_LEGACY_CLIENT_SECRET"},
        "settle": "0s",
    }
    desk.configure(
        app="Acme_Legacy", carriers=["connected-app"], after="emulated-app", verify=verify
    )
    desk.emulator.support_sets_allowlist([*OLD, *OTHERS])
    return desk


def confirm_add_new(desk: Desk) -> None:
    desk.emulator.support_sets_allowlist([*OLD, *NEW, *OTHERS])
    assert desk.run("case", "add-new", "--confirmed").code == 0


def test_cutover_of_a_legacy_app_from_first_case_to_last_confirmation(legacy: Desk) -> None:
    asked = legacy.run("case", "add-new", "--window", "Sunday", "--contact", "jo@acme.example")
    assert asked.code == 0, asked.err
    assert "## Ranges to add\n\n- 127.0.0.21\n- 127.0.0.22\n" in asked.out
    assert "- Contact: jo@acme.example" in asked.out
    assert "case add-new --confirmed" in asked.err

    legacy.emulator.support_sets_allowlist([*OLD, *NEW, *OTHERS])
    confirmed = legacy.run("case", "add-new", "--confirmed")
    assert confirmed.code == 0
    assert "recorded: Support has made the change add-new for packaging" in confirmed.out
    assert (
        "next: prove the change by redemptions: sfcutover verify --out evidence.json"
        in confirmed.err
    )

    verified = legacy.run("verify", "--out", "evidence.json")
    assert verified.code == 0, verified.err
    assert "sfcutover case remove-old --evidence evidence.json" in verified.err

    removal = legacy.run("case", "remove-old", "--evidence", "evidence.json")
    assert removal.code == 0, removal.err
    assert "## Ranges to remove\n\n- 127.0.0.11\n- 127.0.0.12\n" in removal.out
    assert "proven them (`" not in removal.out
    assert "2 addresses proven by" in removal.out

    legacy.emulator.support_sets_allowlist([*NEW, *OTHERS])
    assert legacy.run("case", "remove-old", "--confirmed").code == 0
    assert legacy.run("verify").code == 0
    assert not legacy.asked("deploy")
    assert {one.result for one in legacy.emulator.redemptions} == {"redeemed"}


def test_remove_old_case_verifies_by_itself_without_evidence(legacy: Desk) -> None:
    confirm_add_new(legacy)
    before = len(legacy.emulator.redemptions)
    result = legacy.run("case", "remove-old")
    assert result.code == 0, result.err
    assert "verifying the addresses that stay" in result.err
    assert len(legacy.emulator.redemptions) > before


def test_case_names_the_org(legacy: Desk) -> None:
    document = legacy.run("case", "add-new", "--json").json("case")
    target = document["targets"][0]
    assert target["organization_id"].startswith("00D")
    for part in (target["organization_id"], "Acme Packaging", "CS999", legacy.emulator.url):
        assert part in target["text"]
    assert target["ranges"] == NEW
    assert target["afterwards"] == [*OLD, *NEW]
    assert target["next"] == "sfcutover case add-new --confirmed"
    assert (target["confirmed"], target["proof"]) == (None, None)


def test_confirmation_is_printed_as_json_and_kept_as_a_file(legacy: Desk) -> None:
    legacy.monkeypatch.setenv("GITHUB_ACTOR", "jo")
    document = legacy.run("case", "add-new", "--confirmed", "--json").json("case")
    target = document["targets"][0]
    assert target["confirmed_by"] == "jo (GITHUB_ACTOR)"
    assert target["text"] is None
    path = legacy.folder / ".sfcutover/cases/emulated-cutover/packaging.add-new.json"
    assert json.loads(path.read_text(encoding="utf-8"))["ranges"] == NEW


def test_case_text_is_written_to_a_file_by_an_overriding_template(legacy: Desk) -> None:
    legacy.write("mine/support-case.md.j2", "please: {{ moved | join(' ') }}\n")
    result = legacy.run("case", "add-new", "--templates", "mine", "--out", "case.md")
    assert (result.code, result.out) == (0, "")
    text = (legacy.folder / "case.md").read_text(encoding="utf-8")
    assert text == "please: 127.0.0.21 127.0.0.22\n"


def test_verify_requires_no_confirmation_for_trusted_ranges(legacy: Desk) -> None:
    xml = legacy.emulator.component_xml("ConnectedApp", "Acme_Legacy")
    assert b"127.0.0.21" not in xml
    confirm_add_new(legacy)
    document = legacy.run("verify", "--json").json("evidence")
    lists = document["targets"][0]["lists"]
    assert list(lists) == ["case add-new"]


# Refusals


def test_verify_requires_the_confirmation(legacy: Desk) -> None:
    legacy.emulator.support_sets_allowlist([*OLD, *NEW])
    result = legacy.run("verify")
    result.refused(5, "there is no confirmation that Salesforce Support has completed add-new")
    assert "sfcutover case add-new --confirmed" in result.hint
    assert legacy.emulator.redemptions == []


def test_verify_fails_if_a_confirmed_change_was_not_made(legacy: Desk) -> None:
    assert legacy.run("case", "add-new", "--confirmed").code == 0
    result = legacy.run("verify")
    result.refused(5, "was blocked")
    assert (
        "ask Support whether the allowlist contains this address: sfcutover case add-new"
        in result.hint
    )
    legacy.run("case", "remove-old").refused(5, "was blocked")


def test_remove_old_case_requires_proof(legacy: Desk) -> None:
    result = legacy.run("case", "remove-old", "--out", "case.md")
    result.refused(5, "there is no confirmation")
    confirm_add_new(legacy)
    legacy.configure(verify=None)
    legacy.run("case", "remove-old", "--out", "case.md").refused(5, "no redemption has proven")
    assert not (legacy.folder / "case.md").exists()


def test_evidence_older_than_a_confirmation_is_stale(legacy: Desk) -> None:
    confirm_add_new(legacy)
    assert legacy.run("verify", "--out", "evidence.json").code == 0
    assert legacy.run("case", "add-new", "--confirmed").code == 0
    result = legacy.run("case", "remove-old", "--evidence", "evidence.json")
    result.refused(5, "a support case was confirmed since")
    assert "Ranges to remove" not in result.out


def test_a_confirmation_of_other_ranges_does_not_count(legacy: Desk) -> None:
    confirm_add_new(legacy)
    legacy.configure(new=[*NEW, "127.0.0.23"])
    legacy.run("verify").refused(5, "is for another set of ranges")


def test_confirming_remove_old_without_add_new_warns(legacy: Desk) -> None:
    result = legacy.run("case", "remove-old", "--confirmed")
    assert result.code == 0
    assert "warning: packaging: add-new is not confirmed" in result.err


def test_a_deployable_list_needs_no_case(desk: Desk) -> None:
    for words in (("add-new",), ("remove-old", "--confirmed")):
        result = desk.run("case", *words)
        result.refused(2, "no support case is needed")
        assert "sfcutover deploy add-new" in result.hint


@pytest.mark.parametrize(
    "words",
    [
        ("restore-old",),
        ("add-new", "--confirmed", "--window", "Sunday"),
        ("add-new", "--confirmed", "--out", "case.md"),
    ],
)
def test_conflicting_options_are_refused(legacy: Desk, words: tuple[str, ...]) -> None:
    legacy.run("case", *words).refused(2)


def test_a_case_file_is_refused_for_several_orgs(legacy: Desk) -> None:
    legacy.add_target("second", legacy.emulator)
    result = legacy.run("case", "add-new", "--out", "case.md")
    result.refused(2, "--out writes the case of one org")
    chosen = legacy.run("case", "add-new", "--out", "case.md", "--target", "second")
    assert chosen.code == 0
    assert "case add-new --confirmed --target second" in chosen.err


def test_an_unwritable_case_file_is_an_error(legacy: Desk) -> None:
    legacy.run("case", "add-new", "--out", "nowhere/case.md").refused(1, "was not written")


# Moving traffic


def test_switch_requires_that_support_has_added_the_addresses(legacy: Desk) -> None:
    legacy.configure(switch={"apply": ["true"], "revert": ["true"]})
    result = legacy.run("switch")
    result.refused(5, "there is no confirmation that Salesforce Support has completed add-new")
    confirm_add_new(legacy)
    moved = legacy.run("switch")
    assert moved.code == 0, moved.err
    back = legacy.run("switch", "--revert")
    assert back.code == 0, back.err


def test_switch_refuses_to_return_to_removed_addresses(legacy: Desk) -> None:
    legacy.configure(switch={"apply": ["true"], "revert": ["true"]})
    assert legacy.run("case", "remove-old", "--confirmed").code == 0
    result = legacy.run("switch", "--revert")
    result.refused(5, "Support has removed the old addresses")
    assert "delete this file" in result.hint


# Other commands and trusted ranges


def test_deploy_adds_trusted_ranges_with_a_warning(legacy: Desk) -> None:
    result = legacy.run("deploy", "add-new", "--yes", "--quiet")
    assert result.code == 0, result.err
    assert "warning: ConnectedApp.ipRanges are trusted ranges, not the allowlist" in result.err
    assert "warning: complete the cutover emulated-app before this one" in result.err
    assert b"127.0.0.21" in legacy.emulator.component_xml("ConnectedApp", "Acme_Legacy")


def test_deploy_removes_no_trusted_ranges(legacy: Desk) -> None:
    result = legacy.run("deploy", "remove-old", "--yes")
    result.refused(5, "trusted ranges, not the allowlist")
    assert "sfcutover case remove-old" in result.hint
    assert not legacy.asked("deploy")


def test_doctor_and_plan_name_the_cutover_that_must_come_first(legacy: Desk) -> None:
    for command in ("doctor", "plan"):
        result = legacy.run(command)
        assert "complete the cutover emulated-app before this one" in result.out
        assert "trusted ranges, not the allowlist" in result.out


def test_no_case_contains_a_secret(legacy: Desk) -> None:
    confirm_add_new(legacy)
    secrets = [
        value
        for name, value in legacy.emulator.environment.items()
        if name in ("SF_ACCESS_TOKEN", "SF_LEGACY_CLIENT_SECRET", "SF_LEGACY_REFRESH_TOKEN")
    ]
    words = [("add-new", "--contact", secrets[0]), ("remove-old",), ("remove-old", "--confirmed")]
    for each in words:
        for option in ((), ("--json",)):
            result = legacy.run("-vv", "case", *each, *option)
            assert not [secret for secret in secrets if secret in result.out + result.err]
    for path in (legacy.folder / ".sfcutover").rglob("*.json"):
        assert not [secret for secret in secrets if secret in path.read_text(encoding="utf-8")]


@pytest.mark.parametrize("words", [("rollback", "--yes"), ("watch",)])
def test_rollback_and_watch_refuse_a_list_that_only_support_changes(
    legacy: Desk, words: tuple[str, ...]
) -> None:
    legacy.run(*words).refused(
        2, "legacy connected app", "only Salesforce Support changes its allowlist", impact=True
    )
    assert not legacy.asked("deploy")
