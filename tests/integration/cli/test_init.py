"""init: a cutover.yaml filled in from the org."""

from __future__ import annotations

import os
import re

import pytest
import yaml

from sfcutover.config.cutover import load_config
from tests.integration.cli.conftest import OpenDesk
from tests.integration.cli.harness import Desk
from tests.integration.cli.test_deploy import follow_up

RANGES = ("--old", "127.0.0.11", "--old", "127.0.0.12", "--new", "127.0.0.21")

WAYS_IN = ("sf org login web --alias", "--instance-url", "SF_ACCESS_TOKEN", "jwt:", "auth_url:")


@pytest.fixture
def empty_desk(desk: Desk) -> Desk:
    desk.config.unlink()
    return desk


def test_init_writes_a_file_that_can_be_planned_immediately(empty_desk: Desk) -> None:
    result = empty_desk.run("init", *RANGES)
    assert result.code == 0
    assert "wrote cutover.yaml for Acme_Connector" in result.out
    assert "its allowlist has 3 entries" in result.out
    assert empty_desk.run(*follow_up(result.err)).code == 0
    assert empty_desk.run("plan").code == 0


def test_without_addresses_the_file_lists_the_live_entries_to_choose_from(empty_desk: Desk) -> None:
    result = empty_desk.run("init")
    assert result.err == "next: fill in old: and new:, then sfcutover doctor\n"
    text = empty_desk.config.read_text()
    assert '# - {range: "192.0.2.64-192.0.2.71", description: "office VPN"}' in text
    empty_desk.run("plan").refused(2, "cutover.yaml:")
    assert yaml.safe_load(text)["app"] == "Acme_Connector"


def test_the_file_names_the_token_variable_and_not_the_token(empty_desk: Desk) -> None:
    empty_desk.run("init", *RANGES)
    text = empty_desk.config.read_text()
    assert '{"env": "SF_ACCESS_TOKEN"}' in text
    assert empty_desk.emulator.environment["SF_ACCESS_TOKEN"] not in text


def test_json_names_the_file_and_the_list(empty_desk: Desk) -> None:
    document = empty_desk.run("init", *RANGES, "--json").json("init")
    assert (document["path"], document["app"]) == ("cutover.yaml", "Acme_Connector")
    assert [each["range"] for each in document["live"]][-1] == "192.0.2.64-192.0.2.71"


def test_a_custom_file_is_named_in_the_next_command(empty_desk: Desk) -> None:
    result = empty_desk.run("init", *RANGES, "--config", "mine.yaml")
    assert follow_up(result.err) == ["--config", "mine.yaml", "doctor"]
    assert not empty_desk.config.exists()


def test_an_existing_file_is_kept(desk: Desk) -> None:
    before = desk.config.read_text()
    desk.run("init", *RANGES).refused(2, "cutover.yaml: the file exists")
    assert desk.config.read_text() == before
    assert len(desk.emulator.log) == 0
    assert desk.run("init", *RANGES, "--force").code == 0
    assert desk.config.read_text() != before


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (("--new", "300.1.1.1"), "--new: '300.1.1.1' is not an IP address"),
        (("--old", "127.0.0.9-127.0.0.1"), "--old: 127.0.0.9-127.0.0.1 is reversed"),
        (("--name", "a: b"), "'--name': only letters, digits, dots"),
    ],
)
def test_a_config_that_would_not_load_is_not_written(
    empty_desk: Desk, words: tuple[str, ...], error: str
) -> None:
    empty_desk.run("init", *words).refused(2, error)
    assert not empty_desk.config.exists()


def test_init_requires_an_org(empty_desk: Desk) -> None:
    empty_desk.monkeypatch.delenv("SFCUTOVER_INSTANCE_URL")
    result = empty_desk.run("init")
    result.refused(2, "no org is given")
    assert all(way in result.hint for way in WAYS_IN)


def test_an_unknown_alias_names_the_other_ways_to_log_in(empty_desk: Desk) -> None:
    sf = empty_desk.write("bin/sf", "#!/bin/sh\necho '{}'; exit 1\n")
    sf.chmod(0o755)
    empty_desk.monkeypatch.setenv("PATH", str(sf.parent), prepend=os.pathsep)
    result = empty_desk.run("init", "--alias", "nowhere")
    result.refused(6, "nowhere")
    assert all(way in result.hint for way in WAYS_IN[1:])


def test_a_missing_token_is_an_error(empty_desk: Desk) -> None:
    empty_desk.monkeypatch.delenv("SF_ACCESS_TOKEN")
    empty_desk.run("init").refused(2, "the environment variable SF_ACCESS_TOKEN is not set")


def test_a_wrong_app_suggests_the_right_one(empty_desk: Desk) -> None:
    result = empty_desk.run("init", "--app", "Acme_Conector")
    result.refused(2, "no app 'Acme_Conector'")
    assert "Acme_Connector" in result.hint


def test_an_org_with_two_apps_requires_a_choice(open_desk: OpenDesk) -> None:
    xml = (
        '<ExternalClientApplication xmlns="http://soap.sforce.com/2006/04/metadata">'
        "<contactEmail>a@acme.example</contactEmail><distributionState>Local</distributionState>"
        "<isProtected>false</isProtected><label>Other</label></ExternalClientApplication>"
    )
    extra = {"type": "ExternalClientApplication", "full_name": "Other_App", "xml": xml}
    desk = open_desk(extra_components=[extra])
    desk.config.unlink()
    result = desk.run("init", *RANGES)
    result.refused(2, "the org has 2 External Client Apps: Acme_Connector, Other_App")
    assert "--app" in result.hint
    assert desk.run("init", *RANGES, "--app", "Acme_Connector").code == 0


def test_an_unwritable_place_is_an_error(empty_desk: Desk) -> None:
    result = empty_desk.run("init", *RANGES, "--config", "nowhere/cutover.yaml")
    result.refused(1, "nowhere/cutover.yaml: the file was not written: No such file")


def test_the_commented_out_settings_are_a_valid_config(empty_desk: Desk) -> None:
    """With every comment mark removed, the file is a cutover that ``run`` accepts."""
    empty_desk.run("init", *RANGES)
    lines = empty_desk.config.read_text().splitlines()
    start = next(n for n, line in enumerate(lines) if line.startswith("# The commands probe"))
    keys = re.compile(r"# ((\w+:|  +(- )?\w+:).*)")
    opened = [keys.sub(r"\1", line) for line in lines[start + 2 :]]
    empty_desk.config.write_text("\n".join([*lines[:start], *opened, ""]))
    cutover = load_config(empty_desk.config)
    assert cutover.missing_for_run == ()
    assert cutover.watch is not None


def policies_opened(desk: Desk) -> str:
    """The file with the comment marks of its policies removed."""
    text = desk.config.read_text()
    start = text.index("# policies:\n")
    end = text.index("\n\n", start)
    opened = text[start:end].replace("# ", "")
    return text[:start] + opened + text[end:]


def test_the_current_policies_are_commented_out_and_change_nothing(empty_desk: Desk) -> None:
    empty_desk.run("init", *RANGES)
    empty_desk.config.write_text(policies_opened(empty_desk))
    policies = load_config(empty_desk.config).policies
    assert policies.add_new["refreshTokenPolicyType"] == "SpecificInactivity"
    assert policies.add_new["sessionTimeoutInMinutes"] == "120"
    assert policies.add_new["isClientCredentialsFlowEnabled"] == "true"
    document = empty_desk.run("diff", "add-new", "--json").json("diff")
    (target,) = document["targets"]
    assert [each["fields"] for each in target["phase"]["components"]] == [[], []]


def test_an_app_without_policies_gets_the_same_config(open_desk: OpenDesk) -> None:
    desk = open_desk(leave_out=["ExtlClntAppOauthConfigurablePolicies"])
    desk.config.unlink()
    assert desk.run("init", *RANGES).code == 0
    assert "#   ipRelaxationPolicyType: Enforce\n" in desk.config.read_text()
