"""One allowlist read twice, by retrieve and by SOQL: differences, and who saved which entry
when."""

from __future__ import annotations

import pytest

from sfcutover.emulator import Edit
from tests.integration.cli.conftest import OpenDesk
from tests.integration.cli.harness import Desk, Result

ADD = {"range": "192.0.2.200", "description": "billing system"}
OFFICE = "192.0.2.64-192.0.2.71"
WHO = "192.0.2.200 (billing system) was saved by Casey Colleague at 2026-11-23 12:00:00Z"


def edit(desk: Desk, **keys: object) -> None:
    desk.emulator.set_edit(Edit.model_validate(keys))


def second_reading(result: Result) -> str:
    (line,) = [line for line in result.out.splitlines() if ": SOQL cross-check: " in line]
    return line


def test_doctor_reports_equal_readings(desk: Desk) -> None:
    line = second_reading(desk.run("doctor", "--only", "org"))
    assert line.startswith("ok ")
    assert "ExtlClntAppOauthSecurityTokenIpRange has the same entries" in line


def test_doctor_reports_how_the_readings_differ(desk: Desk) -> None:
    edit(desk, of="retrieve", when="after", add=[ADD], remove=[OFFICE])
    line = second_reading(desk.run("doctor", "--only", "org"))
    assert line.startswith("warning ")
    assert "two reads of extlClntAppOauthSecuritySettings/" in line
    assert f"only the retrieved file has {OFFICE} (office VPN)" in line
    assert "IpRange has 192.0.2.200 (billing system)" in line


def test_only_doctor_reports_that_the_org_does_not_show_the_records(open_desk: OpenDesk) -> None:
    desk = open_desk(allowlist_query=False)
    line = second_reading(desk.run("doctor", "--only", "org", "--strict"))
    assert line.startswith("skipped ")
    assert "the org does not expose ExtlClntAppOauthSecurityTokenIpRange" in line
    result = desk.run("deploy", "add-new", "--yes")
    assert result.code == 0
    assert "reading" not in result.err.replace("Reading back", "")
    assert "TokenIpRange" not in result.out + result.err


def test_a_read_back_reports_a_difference_and_accepts_the_phase(open_desk: OpenDesk) -> None:
    desk = open_desk(setup_audit_trail=False)  # with a stopped clock would be misread
    edit(desk, of="retrieve", when="after", nth=2, add=[ADD])
    result = desk.run("deploy", "add-new", "--yes")
    assert result.code == 0
    assert "two reads of extlClntAppOauthSecuritySettings/" in result.err
    assert "IpRange has 192.0.2.200 (billing system)" in result.err
    assert "only the retrieved file" not in result.err
    assert "done: add-new is live" in result.out


def test_both_readings_agree_after_a_deployment(desk: Desk) -> None:
    result = desk.run("deploy", "add-new", "--yes")
    assert "two reads" not in result.err
    assert desk.asked("query")


@pytest.mark.parametrize("shows", [True, False])
def test_drift_from_a_plan_names_who_changed_which_entry(open_desk: OpenDesk, shows: bool) -> None:
    desk = open_desk(allowlist_query=shows)
    assert desk.run("plan", "--out", "plan.json").code == 0
    edit(desk, add=[ADD], remove=[OFFICE])
    result = desk.run("deploy", "add-new", "--plan", "plan.json", "--yes")
    result.refused(4, "the org has changed since the plan was made")
    gone = f"; {OFFICE} (office VPN) was removed; the allowlist was last saved by Casey Colleague"
    assert (WHO in result.error) is shows
    assert (gone in result.error) is shows
