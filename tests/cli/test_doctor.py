"""One line a check, each with its fix."""

from __future__ import annotations

import pytest

from .conftest import OpenDesk, StartOrg
from .harness import Desk

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
