"""doctor: one line for each check, with the fix for a failure."""

from __future__ import annotations

import socket

import pytest
import yaml

from sfcutover.config.state import State
from sfcutover.config.values import Text
from sfcutover.runs.database import Database
from sfcutover.runs.store import RunOptions, RunStore
from tests.integration.cli.conftest import OpenDesk, StartOrg
from tests.integration.cli.harness import Desk
from tests.integration.cli.traffic import NEW, OLD, keep_token
from tests.integration.cutover.verifying import set_list
from tests.integration.runs.working import config_of

CHECKS = ["credentials", "API version", "permission", "components", "allowlist", "capacity"]
POLICY = "ipRelaxationPolicyType"
EXPLAINED = ["SOQL cross-check", POLICY]  # what is not a requirement of a cutover


@pytest.fixture
def desk(desk: Desk) -> Desk:
    """A desk whose canary has its token."""
    keep_token(desk)
    return desk


def test_every_check_passes(desk: Desk) -> None:
    result = desk.run("doctor")
    assert result.code == 0
    assert "skipped  packaging: credentials: not tried: an access token for " in result.out
    for check in CHECKS[1:]:
        assert f"ok       packaging: {check}: " in result.out
    assert "FAILED" not in result.out
    assert result.err == "next: sfcutover diff add-new\n"
    assert desk.asked("deploy") == 0


def test_every_check_passes_in_json(desk: Desk) -> None:
    document = desk.run("doctor", "--json").json("doctor")
    assert document["ok"] is True
    named = [each["check"] for each in document["checks"] if each["target"] == "packaging"]
    assert named == [*CHECKS, *EXPLAINED]


@pytest.mark.parametrize(
    ("settings", "failed", "code"),
    [
        ({"max_api_version": 66.0}, "API version", 2),
        ({"can_modify_metadata": False}, "permission", 6),
        ({"leave_out": ["ExtlClntAppOauthSecuritySettings"]}, "components", 4),
        ({"unrelated": [{"range": "192.0.2.0-192.0.2.252"}]}, "capacity", 8),
    ],
)
def test_the_first_failure_skips_later_checks_and_decides_the_exit_code(
    open_desk: OpenDesk, settings: dict[str, object], failed: str, code: int
) -> None:
    desk = open_desk(**settings)
    desk.configure(api_version="67.0")
    result = desk.run("doctor", "--json")
    assert result.code == code
    document = result.json("doctor")
    checks = {each["check"]: each for each in document["checks"]}
    assert document["ok"] is False
    assert checks[failed]["status"] == "failed"
    assert checks[failed]["fix"]
    for later in CHECKS[CHECKS.index(failed) + 1 :]:
        assert checks[later]["status"] == "skipped"


def test_a_failure_shows_its_fix_on_the_next_line(desk: Desk) -> None:
    desk.monkeypatch.delenv("SF_ACCESS_TOKEN")
    lines = desk.run("doctor").out.splitlines()
    failed = next(number for number, line in enumerate(lines) if line.startswith("FAILED"))
    assert "credentials: cutover.yaml:" in lines[failed]
    assert lines[failed + 1].strip().startswith("fix: export SF_ACCESS_TOKEN=")


@pytest.mark.parametrize(
    ("on_the_list", "phase"), [((*OLD, NEW[0]), "add-new"), ((*OLD, *NEW), "remove-old")]
)
def test_the_next_phase_is_the_one_that_is_not_live(
    on_the_list: tuple[str, ...], phase: str, desk: Desk
) -> None:
    set_list(desk.emulator, *on_the_list)
    assert desk.run("doctor").err == f"next: sfcutover diff {phase}\n"


def test_a_missing_old_address_is_a_failure(desk: Desk) -> None:
    desk.configure(old=["127.0.0.99"])
    result = desk.run("doctor")
    assert result.code == 4
    assert "the old address 127.0.0.99 is not on the live allowlist" in result.out


def test_an_unreachable_org_is_a_failure(desk: Desk) -> None:
    desk.emulator.stop()
    result = desk.run("doctor")
    assert result.code == 7
    assert "FAILED   packaging: API version:" in result.out


def test_a_failed_target_does_not_skip_the_next_target(desk: Desk, start_org: StartOrg) -> None:
    desk.add_target("second", start_org())
    desk.monkeypatch.setenv("SF_ACCESS_TOKEN", "00D000000000000!wrong")
    result = desk.run("doctor")
    assert result.code == 6
    assert "FAILED   packaging: permission" in result.out
    assert "ok       second: capacity" in result.out


def state_line(desk: Desk, **config: object) -> str:
    if config:
        desk.configure(**config)
    lines = desk.run("doctor").out.splitlines()
    number = next(number for number, line in enumerate(lines) if " state: " in line)
    return "\n".join(lines[number : number + 2])


def test_the_state_is_checked_and_not_created(desk: Desk) -> None:
    assert "ok       state: the first run creates .sfcutover/state.db" in state_line(desk)
    assert not (desk.folder / ".sfcutover").exists()


def test_an_unfinished_run_is_named(desk: Desk) -> None:
    place = desk.folder / "kept.db"
    database = Database.open(State(url=Text(literal=f"sqlite:///{place}")))
    store = RunStore(database)
    state = {"url": f"sqlite:///{place}"}
    name = yaml.safe_load(desk.config.read_text())["name"]
    assert "no run is in progress" in state_line(desk, state=state)
    assert store.begin(name, config_of("Acme"), RunOptions()).id == f"{name}.1"
    assert f"the run {name}.1 has not ended: sfcutover runs {name}.1" in state_line(desk)
    database.close()


def test_an_unusable_state_folder_is_a_failure(desk: Desk) -> None:
    (desk.folder / "file").write_text("")
    line = state_line(desk, state={"url": "sqlite:///file/state.db"})
    assert line.startswith("FAILED   state: ")
    assert "which a run needs, cannot be created" in line
    assert "fix: correct the permissions, or name another file in state.url" in line


def test_an_unreachable_state_database_is_a_failure(desk: Desk) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    desk.configure(state={"url": f"postgresql://127.0.0.1:{port}/runs"})
    result = desk.run("doctor")
    assert result.code == 7
    assert "FAILED   state: " in result.out
    assert "the state database does not answer" in result.out


@pytest.mark.parametrize("value", ["config", "config,org", " org , config "])
def test_only_option_limits_the_checks(desk: Desk, value: str) -> None:
    document = desk.run("doctor", "--only", value, "--json").json("doctor")
    assert {each["check"] for each in document["checks"]} == {
        "config",
        *([*CHECKS, *EXPLAINED] if "org" in value else []),
    }


def test_the_config_is_checked_without_any_secret(desk: Desk) -> None:
    for name in desk.emulator.environment:
        desk.monkeypatch.delenv(name)
    result = desk.run("doctor", "--only", "config")
    assert result.code == 0
    assert result.out.startswith("ok       config: emulated-cutover: 2 old, 2 new, 1 target")
    assert desk.run("doctor", "--only", "config,traffic").code == 2
    assert desk.emulator.log == []


def test_an_unknown_part_lists_the_known_ones(desk: Desk) -> None:
    result = desk.run("doctor", "--only", "config,orgs")
    result.refused(2, "'orgs' is not one of config, org, traffic, state")


def test_strict_fails_on_warnings_only(desk: Desk) -> None:
    assert desk.run("doctor", "--only", "config", "--strict").code == 0
    desk.configure(switch=None)
    assert desk.run("doctor", "--only", "config").code == 0
    result = desk.run("doctor", "--only", "config", "--strict")
    assert result.code == 1
    assert "warning  run: not configured: switch" in result.out
    assert result.err == "1 check ended with a warning; exit 1\n"
    desk.monkeypatch.delenv("SF_ACCESS_TOKEN")
    assert desk.run("doctor", "--only", "config,org", "--strict").code == 2


def test_a_token_is_not_reported_as_tried_if_nothing_redeemed_it(desk: Desk) -> None:
    desk.monkeypatch.setenv("SF_ACCESS_TOKEN", "00D000000000000!wrong")
    result = desk.run("doctor")
    assert "was read; the permission check uses it" in result.out
    assert "FAILED   packaging: permission" in result.out
    assert "skipped  packaging: allowlist: not tried: it requires permission" in result.out


def test_missing_settings_of_a_run_are_a_warning(desk: Desk) -> None:
    assert "not configured" not in "".join(
        line for line in desk.run("doctor").out.splitlines() if " run: " in line
    )
    desk.configure(switch=None, egress=None)
    result = desk.run("doctor")
    assert result.code == 0
    assert (
        "warning  run: not configured: egress.new, switch; the run command is refused" in result.out
    )


# Other settings of the org's components


def line_of(desk: Desk, check: str) -> str:
    (line,) = [
        line
        for line in desk.run("doctor", "--only", "org").out.splitlines()
        if f": {check}: " in line
    ]
    return line


def test_ip_relaxation_is_explained_for_now_and_for_each_phase(desk: Desk) -> None:
    assert "Enforce: users are subject to their own org's IP rules" in line_of(desk, POLICY)
    desk.configure(policies={"add-new": {POLICY: "Bypass"}, "remove-old": {POLICY: "Newer"}})
    line = line_of(desk, POLICY)
    assert line.startswith("ok ")
    assert "; add-new sets Bypass: users are not subject" in line
    assert "; remove-old sets Newer: its meaning is unknown" in line
    assert "customers' orgs have their own policies" in line


def test_an_app_without_policies_shows_no_explanation(open_desk: OpenDesk) -> None:
    desk = open_desk(leave_out=["ExtlClntAppOauthConfigurablePolicies"])
    assert line_of(desk, POLICY) == (
        "skipped  packaging: ipRelaxationPolicyType: not tried: the policies cannot be read (the "
        "app Acme_Connector has no ExtlClntAppOauthConfigurablePolicies)"
    )
    desk.configure(policies={POLICY: "Bypass"})
    assert desk.run("doctor", "--only", "org").code == 4


def test_policies_alone_need_no_list_check(desk: Desk) -> None:
    desk.configure(carriers=[], old=None, new=None, policies={POLICY: "Bypass"})
    result = desk.run("doctor")
    assert result.code == 0
    assert "config: emulated-cutover: policies only, 1 target" in result.out
    assert "capacity" not in result.out
    assert "traffic: not tried: the cutover changes only policies" in result.out


@pytest.mark.parametrize(
    ("field", "said"),
    [
        ("", "skipped  packaging: isIpBindingEnabled: the org does not report it"),
        (
            "<isIpBindingEnabled>true</isIpBindingEnabled>",
            "ok       packaging: isIpBindingEnabled: t",
        ),
    ],
)
def test_the_ip_setting_of_a_connected_app_is_shown(desk: Desk, field: str, said: str) -> None:
    xml = desk.emulator.component_xml("ConnectedApp", "Acme_Legacy").decode()
    changed = xml.replace("<oauthConfig>", f"<oauthConfig>{field}")
    desk.emulator.put_component("ConnectedApp", "Acme_Legacy", changed.encode())
    desk.configure(carriers=["connected-app"], app="Acme_Legacy")
    line = line_of(desk, "isIpBindingEnabled")
    assert line.startswith(said)
    assert "probably switches" in line
