"""One line a check, each with its fix."""

from __future__ import annotations

import socket

import pytest
import yaml

from sfcutover.config.traffic import State
from sfcutover.config.values import Text
from sfcutover.runs.database import Database
from sfcutover.runs.store import RunOptions, RunStore
from tests.integration.cli.conftest import OpenDesk, StartOrg
from tests.integration.cli.harness import Desk
from tests.integration.cli.traffic import keep_token

CHECKS = ["credentials", "API version", "permission", "components", "list", "capacity"]


def test_all_is_well(desk: Desk) -> None:
    result = desk.run("doctor")
    assert result.code == 0
    for check in CHECKS:
        assert f"ok       packaging: {check}: " in result.out
    assert "FAILED" not in result.out
    assert result.err == "next: sfcutover plan --out plan.json\n"
    assert desk.asked("deploy") == 0


def test_all_is_well_as_json(desk: Desk) -> None:
    document = desk.run("doctor", "--json").json("doctor")
    assert document["ok"] is True
    named = [each["check"] for each in document["checks"] if each["target"] == "packaging"]
    assert named == CHECKS


@pytest.mark.parametrize(
    ("settings", "failed", "code"),
    [
        ({"max_api_version": 66.0}, "API version", 2),
        ({"can_modify_metadata": False}, "permission", 6),
        ({"leave_out": ["ExtlClntAppOauthSecuritySettings"]}, "components", 4),
        ({"unrelated": [{"range": "192.0.2.0-192.0.2.252"}]}, "capacity", 8),
    ],
)
def test_the_first_failure_skips_the_rest_and_is_the_exit_code(
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


def test_a_list_without_the_old_address(desk: Desk) -> None:
    desk.configure(old=["127.0.0.99"])
    result = desk.run("doctor")
    assert result.code == 4
    assert "the old address 127.0.0.99 is not on the live list" in result.out


def test_an_org_that_does_not_answer(desk: Desk) -> None:
    desk.emulator.stop()
    result = desk.run("doctor")
    assert result.code == 7
    assert "FAILED   packaging: API version:" in result.out


def test_a_second_target_is_looked_at_although_the_first_failed(
    desk: Desk, start_org: StartOrg
) -> None:
    desk.add_target("second", start_org())
    desk.monkeypatch.setenv("SF_ACCESS_TOKEN", "00D000000000000!wrong")
    result = desk.run("doctor")
    assert result.code == 6
    assert "FAILED   packaging: permission" in result.out
    assert "ok       second: capacity" in result.out


def test_secrets_of_later_steps_are_only_warned_about(desk: Desk) -> None:
    desk.configure(
        verify={
            "token_url": f"{desk.emulator.url}/services/oauth2/token",
            "client_id": "3MVG9",
            "client_secret": {"env": "NOT_SET_YET"},
            "refresh_token": {"file": "canary"},
        }
    )
    result = desk.run("doctor")
    assert result.code == 0
    assert "warning  verify.client_secret" in result.out
    assert "NOT_SET_YET is not set" in result.out


def state_line(desk: Desk, **config: object) -> str:
    if config:
        desk.configure(**config)
    lines = desk.run("doctor").out.splitlines()
    number = next(number for number, line in enumerate(lines) if " state: " in line)
    return "\n".join(lines[number : number + 2])


def test_where_runs_are_kept_is_looked_at_and_not_made(desk: Desk) -> None:
    assert "ok       state: .sfcutover/state.db is made by the first run" in state_line(desk)
    assert not (desk.folder / ".sfcutover").exists()


def test_a_run_that_has_not_ended_is_named(desk: Desk) -> None:
    place = desk.folder / "kept.db"
    database = Database.open(State(url=Text(literal=f"sqlite:///{place}")))
    store = RunStore(database)
    state = {"url": f"sqlite:///{place}"}
    name = yaml.safe_load(desk.config.read_text())["name"]
    assert "no run is under way" in state_line(desk, state=state)
    assert store.begin(name, "{}", RunOptions(), "an executor") is not None
    assert f"the run {name}.1 has not ended: sfcutover runs {name}.1" in state_line(desk)
    database.close()


def test_a_place_where_nothing_can_be_kept_is_told(desk: Desk) -> None:
    (desk.folder / "file").write_text("")
    line = state_line(desk, state={"url": "sqlite:///file/state.db"})
    assert line.startswith("warning  state: ")
    assert "no run could be kept" in line
    assert "fix: correct the permissions, or name another file in state.url" in line


def test_a_state_that_does_not_answer_is_a_failure(desk: Desk) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    desk.configure(state={"url": f"postgresql://127.0.0.1:{port}/runs"})
    result = desk.run("doctor")
    assert result.code == 7
    assert "FAILED   state: " in result.out
    assert "the state database does not answer" in result.out


def test_what_a_run_lacks_is_a_warning(desk: Desk) -> None:
    assert "not configured" not in "".join(
        line for line in desk.run("doctor").out.splitlines() if " run: " in line
    )
    desk.configure(switch=None, egress=None)
    result = desk.run("doctor")
    assert result.code == 0
    assert "warning  run: not configured: egress, switch; a run is refused" in result.out


# The traffic side


@pytest.fixture
def canary(desk: Desk) -> Desk:
    """A desk whose canary has its token."""
    keep_token(desk)
    return desk


def test_a_healthy_traffic_side_is_all_ok_and_redeems_nothing(canary: Desk) -> None:
    result = canary.run("doctor")
    assert result.code == 0, result.out
    assert "old egress: http://127.0.0.1" in result.out
    assert "leaves from 127.0.0.2" in result.out
    assert "canary: its refresh token can be read and replaced" in result.out
    assert canary.emulator.redemptions == []


def test_an_egress_that_leaves_by_other_addresses_is_drift(canary: Desk) -> None:
    old = canary.emulator.environment["SFCUTOVER_OLD_PROXY_URL"]
    canary.monkeypatch.setenv("SFCUTOVER_NEW_PROXY_URL", old)
    result = canary.run("doctor")
    assert result.code == 4
    assert "which is none of the new addresses" in result.out


def test_a_proxy_secret_that_is_not_here_is_a_warning(canary: Desk) -> None:
    canary.monkeypatch.delenv("SFCUTOVER_NEW_PROXY_URL")
    result = canary.run("doctor")
    assert result.code == 0
    assert "SFCUTOVER_NEW_PROXY_URL is not set" in result.out


def test_a_token_file_that_others_can_read_is_named(canary: Desk) -> None:
    (canary.folder / "canary.token").chmod(0o644)
    result = canary.run("doctor")
    assert "canary.token" in result.out
    assert "fix:" in result.out


def test_nothing_configured_is_skipped(canary: Desk) -> None:
    canary.configure(egress=None, switch=None, verify=None)
    result = canary.run("doctor")
    assert result.code == 0
    assert "old egress: not configured" in result.out
    assert "nothing can be removed" in result.out
