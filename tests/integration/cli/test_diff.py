"""diff: what it shows, in which format, and its exit codes."""

from __future__ import annotations

import pytest

from sfcutover.allowlist.carriers import CARRIERS
from tests.integration.cli.conftest import OpenDesk, StartOrg
from tests.integration.cli.harness import SECURITY_NAME, SECURITY_PATH, Desk, range_xml, with_entry


def _signed(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip()[:2] in ("+ ", "- ")]


def test_diff_shows_exactly_the_new_lines_as_added(desk: Desk) -> None:
    result = desk.run("diff", "add-new")
    assert result.code == 0
    assert _signed(result.out) == ["+ 127.0.0.21", "+ 127.0.0.22"]
    assert "192.0.2.64-192.0.2.71  office VPN" in result.out
    assert "= 2 added, 0 removed, 3 unchanged; 5 of 128 ranges, 12 of 256 addresses" in result.out
    assert desk.asked("deploy") == 0


def test_diff_names_the_org(desk: Desk) -> None:
    head = desk.run("diff", "add-new").out.splitlines()[0]
    assert head == f"packaging ({desk.emulator.url}): add-new"


def test_exit_code_option_reports_whether_anything_would_change(desk: Desk) -> None:
    assert desk.run("diff", "add-new", "--exit-code").code == 3
    assert desk.run("diff", "restore-old", "--exit-code").code == 0
    assert desk.run("deploy", "add-new", "--yes").code == 0
    assert desk.run("diff", "add-new", "--exit-code").code == 0


def test_exit_code_option_works_with_json(desk: Desk) -> None:
    result = desk.run("diff", "add-new", "--exit-code", "--json")
    assert result.code == 3
    assert result.json("diff")["changed"] is True


def test_json_holds_the_change_and_the_capacity(desk: Desk) -> None:
    document = desk.run("diff", "add-new", "--json").json("diff")
    component = document["targets"][0]["phase"]["components"][0]
    assert component["path"] == SECURITY_PATH
    assert [each["range"] for each in component["added"]] == ["127.0.0.21", "127.0.0.22"]
    assert (component["removed"], component["unchanged"]) == ([], 3)
    assert component["capacity"] == {
        "ranges": 5,
        "addresses": 12,
        "max_ranges": 128,
        "max_addresses": 256,
    }


def test_markdown_fits_a_pull_request(desk: Desk) -> None:
    text = desk.run("diff", "add-new", "--format", "markdown").out
    assert text.startswith("<!-- sfcutover:diff:emulated-cutover:add-new -->\n")
    assert "```diff\n" in text
    assert _signed(text) == ["+ 127.0.0.21", "+ 127.0.0.22"]


def test_xml_is_a_unified_diff_of_the_files(desk: Desk) -> None:
    text = desk.run("diff", "add-new", "--format", "xml").out
    assert f"--- live/{SECURITY_PATH}" in text
    added = [line for line in text.splitlines() if line[:1] == "+" and "IpAddress" in line]
    assert len(added) == 4
    assert not [line for line in text.splitlines() if line[:1] == "-" and line[:3] != "---"]


def test_xml_reports_that_nothing_changes(desk: Desk) -> None:
    assert desk.run("diff", "restore-old", "--format", "xml").out == "no change\n"


def test_a_baseline_file_is_compared_without_an_org(desk: Desk) -> None:
    path = desk.baseline()
    desk.emulator.stop()
    desk.monkeypatch.delenv("SF_ACCESS_TOKEN")
    result = desk.run("diff", "add-new", "--baseline", path.name)
    assert result.code == 0
    assert _signed(result.out) == ["+ 127.0.0.21", "+ 127.0.0.22"]
    assert result.out.startswith("baseline: add-new\n")


def test_a_long_list_is_shortened_without_omitting_a_change(open_desk: OpenDesk) -> None:
    desk = open_desk(unrelated=[{"range": f"192.0.2.{2 * number}"} for number in range(60)])
    text = desk.run("diff", "add-new").out
    assert "… 56 more, unchanged" in text
    assert len(text.splitlines()) < 20
    assert _signed(text) == ["+ 127.0.0.21", "+ 127.0.0.22"]


@pytest.mark.parametrize(
    "words",
    [
        ("diff", "add-new"),
        ("plan", "--format", "markdown"),
        ("diff", "add-new", "--format", "xml"),
        ("plan", "--json"),
        ("deploy", "add-new", "--yes", "--json"),
    ],
    ids=" ".join,
)
def test_org_text_cannot_send_terminal_sequences(desk: Desk, words: tuple[str, ...]) -> None:
    hostile = "\x9b31mred \x85next \u202erev\u2066 \x7f"
    desk.put_live(with_entry(range_xml("192.0.2.9", "192.0.2.9", hostile)))
    result = desk.run(*words)
    assert result.code == 0
    assert "192.0.2.9" in result.out
    for char in "\x1b\x9b\x85\x7f\u202e\u2066":
        assert char not in result.out + result.err


def test_a_description_stays_on_its_line(desk: Desk) -> None:
    desk.put_live(with_entry(range_xml("192.0.2.9", "192.0.2.9", "one\n    + 6.6.6.6")))
    for form in ("text", "markdown"):
        text = desk.run("diff", "add-new", "--format", form).out
        assert _signed(text) == ["+ 127.0.0.21", "+ 127.0.0.22"]


def test_a_description_cannot_end_the_markdown_block(desk: Desk) -> None:
    desk.put_live(with_entry(range_xml("192.0.2.9", "192.0.2.9", "``` # heading")))
    lines = desk.run("plan", "--format", "markdown").out.splitlines()
    assert lines.count("````") == 2


def test_policies_are_shown_field_by_field(desk: Desk) -> None:
    desk.configure(policies={"ipRelaxationPolicyType": "Bypass", "sessionTimeoutInMinutes": 120})
    text = desk.run("diff", "add-new").out
    assert "- ipRelaxationPolicyType: Enforce" in text
    assert "+ ipRelaxationPolicyType: Bypass" in text
    assert "sessionTimeoutInMinutes" not in text


@pytest.mark.parametrize("carrier", CARRIERS.values(), ids=str)
def test_every_carrier_can_be_compared(desk: Desk, carrier: object) -> None:
    name = getattr(carrier, "name", "")
    legacy = name == "connected-app"
    desk.configure(carriers=[name], app="Acme_Legacy" if legacy else "Acme_Connector")
    result = desk.run("diff", "add-new")
    assert result.code == 0
    assert _signed(result.out) == ["+ 127.0.0.21", "+ 127.0.0.22"]


def test_two_targets_are_shown_one_after_the_other(desk: Desk, start_org: StartOrg) -> None:
    desk.add_target("second", start_org())
    document = desk.run("diff", "add-new", "--json").json("diff")
    assert [each["target"] for each in document["targets"]] == ["packaging", "second"]
    only = desk.run("diff", "add-new", "--json", "--target", "second").json("diff")
    assert [each["target"] for each in only["targets"]] == ["second"]


def test_remove_old_before_add_new_is_live_shows_only_the_removal(desk: Desk) -> None:
    result = desk.run("diff", "remove-old", "--exit-code")
    assert result.code == 3
    assert result.out.startswith(
        f"packaging ({desk.emulator.url}): remove-old, on top of add-new\n"
    )
    assert _signed(result.out) == ["- 127.0.0.11", "- 127.0.0.12"]
    assert "deploying remove-old now would be refused" in result.out


def test_remove_old_states_its_starting_list_in_every_format(desk: Desk) -> None:
    target = desk.run("diff", "remove-old", "--json").json("diff")["targets"][0]
    assert target["on_top_of"] == "add-new"
    assert (target["phase"]["changed"], target["phase"]["components"][0]["added"]) == (True, [])
    markdown = desk.run("diff", "remove-old", "--format", "markdown").out
    assert "Computed on top of add-new, which is not live yet on `packaging`." in markdown
    assert _signed(markdown) == ["- 127.0.0.11", "- 127.0.0.12"]
    assert f"--- add-new/{SECURITY_PATH}" in desk.run("diff", "remove-old", "--format", "xml").out


def test_remove_old_is_compared_with_the_live_list_after_add_new(desk: Desk) -> None:
    assert desk.run("deploy", "add-new", "--yes").code == 0
    result = desk.run("diff", "remove-old", "--json").json("diff")["targets"][0]
    assert (result["on_top_of"], result["phase"]["notes"]) == (None, [])


def test_the_component_may_have_any_name(open_desk: OpenDesk) -> None:
    desk = open_desk(security_settings_name="{app}")
    assert "/Acme_Connector.ecaOauthSecurity" in desk.run("diff", "add-new").out
    assert SECURITY_NAME not in desk.run("diff", "add-new").out
