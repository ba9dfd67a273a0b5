"""Errors for bad input: one line that names the place, a hint, the exit code, no deployment."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.cli.conftest import OpenDesk, StartOrg
from tests.integration.cli.harness import SECURITY_NAME, Desk, range_xml, with_entry

DEPLOY = ("deploy", "add-new", "--yes")


def refused(desk: Desk, code: int, *parts: str, words: tuple[str, ...] = DEPLOY) -> None:
    """Run the command; assert its error, and that the org received no deployment."""
    before = desk.live()
    desk.run(*words).refused(code, *parts)
    assert desk.asked("deploy") == 0
    assert desk.live() == before


@pytest.mark.parametrize(
    ("old", "new", "code", "error"),
    [
        ('["127.0.0.21", "127.0.0.22"]', '["127.0.0.21"', 2, "not valid YAML"),
        ("old: [", "\told: [", 2, "not valid YAML"),
        ("carriers:", "carrier:", 2, "carrier: unknown key"),
        ("127.0.0.21", "300.1.1.1", 2, "new[0]: '300.1.1.1' is not an IP address"),
        ("127.0.0.21", "127.0.0.30-127.0.0.21", 2, "127.0.0.30-127.0.0.21 is reversed"),
        ("127.0.0.21", "127.0.0.21-2001:db8::1", 2, "mixes IPv4 and IPv6"),
        ("127.0.0.21", "127.1.0.0/23", 8, "127.1.0.0/23 contains 512 addresses"),
        ("127.0.0.21", "0.0.0.0/0", 2, "0.0.0.0/0 would allow half of all addresses"),
        ("127.0.0.21", "::/0", 2, "::/0 would allow half of all addresses"),
        ("127.0.0.22", "127.0.0.21", 2, "127.0.0.21 overlaps an earlier entry"),
        ("version: 1", "version: 2", 2, "version: "),
        (
            '"67.0"',
            '"66.0"',
            2,
            "must be 67.0 or later for ExtlClntAppOauthSecuritySettings, not 66.0",
        ),
        ("{env: SF_ACCESS_TOKEN}", "00D000000000000!abc", 2, "must not be the secret itself"),
    ],
    ids=lambda value: None if isinstance(value, int) else str(value)[:24],
)
def test_config_error_names_file_and_line(
    desk: Desk, old: str, new: str, code: int, error: str
) -> None:
    line = desk.replace(old, new)
    desk.run(*DEPLOY).refused(code, "cutover.yaml:", error)
    named = int(desk.run(*DEPLOY).error.split(":")[1])
    assert named in range(line, line + 3) if "YAML" in error else named == line
    assert len(desk.emulator.log) == 0


def test_an_unknown_key_suggests_the_known_one(desk: Desk) -> None:
    desk.replace("carriers:", "carrier:")
    assert desk.run(*DEPLOY).hint == "did you mean carriers?"


def test_a_literal_secret_in_the_file_is_not_repeated(desk: Desk) -> None:
    desk.replace("{env: SF_ACCESS_TOKEN}", "00DS3cret0000!abcdef")
    result = desk.run("-vv", *DEPLOY)
    assert result.code == 2
    assert "S3cret" not in result.out + result.err


@pytest.mark.parametrize("content", ["", "- a\n", "just text\n", "\x00\x01", "a: " * 3000])
def test_a_file_that_is_not_a_cutover_is_refused(desk: Desk, content: str) -> None:
    desk.config.write_text(content, encoding="utf-8")
    refused(desk, 2, "cutover.yaml")


def test_a_binary_config_file_is_refused(desk: Desk) -> None:
    desk.config.write_bytes(b"\xff\xfe\x80name")
    refused(desk, 2, "cutover.yaml")


def test_a_missing_config_file_is_refused(desk: Desk) -> None:
    desk.config.unlink()
    desk.run(*DEPLOY).refused(2, "no cutover.yaml in /")
    assert "sfcutover init" in desk.run(*DEPLOY).hint


def test_a_private_address_is_refused_for_a_real_org_before_any_request(desk: Desk) -> None:
    line = desk.replace('old: ["127.0.0.11"', 'old: ["10.1.2.3"')
    desk.replace(desk.emulator.url, "https://acme.example.com")
    desk.run(*DEPLOY).refused(2, f"cutover.yaml:{line}: old[0]: 10.1.2.3 is a private")
    assert "allow_private" in desk.run(*DEPLOY).error


def test_identical_old_and_new_addresses_are_refused(desk: Desk) -> None:
    desk.configure(new=["127.0.0.11", "127.0.0.12"])
    refused(desk, 2, "cutover.yaml:", "must differ from old")


@pytest.mark.parametrize("words", [DEPLOY, ("plan",)], ids=" ".join)
def test_an_old_address_that_is_not_live_is_refused(desk: Desk, words: tuple[str, ...]) -> None:
    desk.configure(old=["127.0.0.11", "127.0.0.99"])
    refused(desk, 4, "the old address 127.0.0.99 is not on the live allowlist", words=words)


def test_a_new_address_that_is_already_live_is_accepted_with_a_note(desk: Desk) -> None:
    desk.configure(new=["192.0.2.65", "127.0.0.21"])
    result = desk.run(*DEPLOY)
    assert result.code == 0
    assert "note: 192.0.2.65 is already on the allowlist" in result.out
    assert desk.live()[-1] == "127.0.0.21 127.0.0.21"


def test_two_new_ranges_do_not_fit_beside_127_live_ranges(open_desk: OpenDesk) -> None:
    unrelated = [{"range": f"192.0.2.{2 * number}"} for number in range(125)]
    desk = open_desk(unrelated=unrelated)
    assert len(desk.live()) == 127
    refused(desk, 8, "129 ranges", "old and new together")


def test_two_new_addresses_do_not_fit_beside_255_live_addresses(open_desk: OpenDesk) -> None:
    desk = open_desk(unrelated=[{"range": "192.0.2.0-192.0.2.252"}])
    refused(desk, 8, "257 addresses", "old and new together")


def test_two_new_ranges_fit_beside_126_live_ranges(open_desk: OpenDesk) -> None:
    desk = open_desk(unrelated=[{"range": f"192.0.2.{2 * number}"} for number in range(124)])
    assert desk.run(*DEPLOY).code == 0
    assert len(desk.live()) == 128


@pytest.mark.parametrize(
    ("words", "code", "error"),
    [
        (("diff", "remove-new"), 8, "an empty allowlist is never deployed"),
        (("deploy", "remove-new", "--yes"), 4, "without the new addresses, none would remain"),
    ],
    ids=["diff", "deploy"],
)
def test_remove_old_never_empties_the_allowlist(
    open_desk: OpenDesk, words: tuple[str, ...], code: int, error: str
) -> None:
    desk = open_desk(old=["127.0.0.21", "127.0.0.22"], unrelated=[])
    desk.configure(old=["127.0.0.11"], new=["127.0.0.21-127.0.0.22"])
    refused(desk, code, error, words=words)


def test_remove_new_never_empties_the_allowlist(desk: Desk) -> None:
    path = desk.baseline()
    head, _, rest = path.read_text().partition("<tokenIpRanges>")
    tail = rest[rest.rindex("</tokenIpRanges>") + len("</tokenIpRanges>") :]
    path.write_text(f"{head}{range_xml('127.0.0.21', '127.0.0.22').decode()}{tail}")
    words = ("diff", "remove-new", "--baseline", str(path))
    refused(desk, 8, "an empty allowlist is never deployed", words=words)


@pytest.mark.parametrize("command", ["diff", "render"])
def test_a_baseline_of_another_type_is_refused(desk: Desk, command: str) -> None:
    name = f"{SECURITY_NAME}.ecaOauthSecurity"
    xml = desk.baseline(name).read_text()
    desk.write(name, xml.replace("ExtlClntAppOauthSecuritySettings", "ConnectedApp"))
    words = {"diff": ("diff", "add-new"), "render": ("render", "--out", "out")}[command]
    refused(desk, 2, name, "ConnectedApp", words=(*words, "--baseline", name))
    assert not (desk.folder / "out").exists()


def test_a_baseline_whose_type_is_unrecognizable_is_refused(desk: Desk) -> None:
    desk.write("list.xml", '<Profile xmlns="http://soap.sforce.com/2006/04/metadata"/>')
    words = ("diff", "add-new", "--baseline", "list.xml")
    refused(desk, 2, "list.xml: <Profile> is not one of the cutover's components", words=words)


def test_a_baseline_of_100_megabytes_is_not_read(desk: Desk) -> None:
    path = desk.folder / "huge.ecaOauthSecurity"
    with path.open("wb") as file:
        file.truncate(100 * 1024 * 1024)
    refused(desk, 8, str(path.name), "bytes", words=("diff", "add-new", "--baseline", path.name))


def test_a_baseline_with_a_dtd_is_refused(desk: Desk) -> None:
    path = desk.baseline()
    xml = path.read_bytes()
    start = xml.index(b"<Ext")
    path.write_bytes(xml[:start] + b'<!DOCTYPE x [<!ENTITY a "b">]>' + xml[start:])
    refused(desk, 2, path.name, "DTD", words=("diff", "add-new", "--baseline", path.name))


@pytest.mark.parametrize("text", ["", "no xml", "<a>", '<?xml version="1.0"?><a'])
def test_a_baseline_that_is_not_xml_is_refused(desk: Desk, text: str) -> None:
    desk.write("x.ecaOauthSecurity", text)
    words = ("diff", "add-new", "--baseline", "x.ecaOauthSecurity")
    refused(desk, 2, "x.ecaOauthSecurity", words=words)


@pytest.mark.parametrize("path", ["missing.ecaOauthSecurity", "/dev/null"])
def test_an_unreadable_baseline_is_refused(desk: Desk, path: str) -> None:
    refused(desk, 2, path, "cannot be read", words=("diff", "add-new", "--baseline", path))


def test_a_baseline_of_another_app_is_refused(desk: Desk) -> None:
    path = desk.baseline()
    path.write_text(path.read_text().replace(">Acme_Connector<", ">Other<"))
    words = ("diff", "add-new", "--baseline", path.name)
    refused(desk, 2, "belongs to the app 'Other', not 'Acme_Connector'", words=words)


@pytest.mark.parametrize("value", [None, "", "  "])
def test_an_unset_variable_is_named(desk: Desk, value: str | None) -> None:
    desk.monkeypatch.delenv("SF_ACCESS_TOKEN")
    if value is not None:
        desk.monkeypatch.setenv("SF_ACCESS_TOKEN", value)
    refused(desk, 2, "cutover.yaml:", "the environment variable SF_ACCESS_TOKEN is")
    assert "export SF_ACCESS_TOKEN" in desk.run(*DEPLOY).hint


@pytest.mark.parametrize(
    ("app", "hint"),
    [("Acme_Conector", "did you mean Acme_Connector?"), ("Zoo", "check app: in cutover.yaml")],
)
def test_an_unknown_app_is_refused(desk: Desk, app: str, hint: str) -> None:
    desk.configure(app=app)
    refused(desk, 2, f"the org has no app '{app}'")
    assert desk.run(*DEPLOY).hint.startswith(hint)


def test_a_user_without_the_permission_is_refused(open_desk: OpenDesk) -> None:
    desk = open_desk(can_modify_metadata=False)
    refused(desk, 6, "INSUFFICIENT_ACCESS")
    assert "Modify Metadata Through Metadata API Functions" in desk.run(*DEPLOY).hint


def test_an_invalid_session_is_refused(desk: Desk) -> None:
    desk.monkeypatch.setenv("SF_ACCESS_TOKEN", "00D000000000000!wrong")
    refused(desk, 6, "the session is expired or invalid")


def test_an_org_below_api_version_67_is_refused(open_desk: OpenDesk) -> None:
    desk = open_desk(max_api_version=66.0)
    desk.replace('"66.0"', '"67.0"')
    refused(desk, 2, "UNSUPPORTED_API_VERSION")
    assert "api_version" in desk.run(*DEPLOY).hint


def test_an_org_that_refuses_connections_is_a_network_error(desk: Desk) -> None:
    desk.emulator.stop()
    result = desk.run(*DEPLOY)
    result.refused(7, "the connection failed")
    assert "network" in result.hint


def test_an_untrusted_certificate_is_refused(
    desk: Desk, start_org: StartOrg, monkeypatch: pytest.MonkeyPatch
) -> None:
    strange = start_org(tls=True)
    desk.replace(desk.emulator.url, strange.url)
    monkeypatch.delenv("REQUESTS_CA_BUNDLE", raising=False)
    result = desk.run(*DEPLOY)
    result.refused(7, "its TLS certificate could not be verified")
    assert "REQUESTS_CA_BUNDLE" in result.hint
    assert len(strange.log) == 0


def test_plain_http_to_another_machine_is_refused(desk: Desk) -> None:
    desk.configure(old=["203.0.113.1"], new=["203.0.113.2"])
    line = desk.replace(desk.emulator.url, "http://acme.example.com")
    desk.run(*DEPLOY).refused(2, "cutover.yaml:", "http://acme.example.com is not an https URL")
    assert f"cutover.yaml:{line}" in desk.run(*DEPLOY).error


def test_an_entry_that_would_have_to_be_split_is_refused(desk: Desk) -> None:
    desk.put_live(with_entry(range_xml("127.0.0.40", "127.0.0.49", "the lab")))
    desk.configure(old=["127.0.0.41"])
    words = ("diff", "remove-old")
    refused(desk, 2, "127.0.0.40-127.0.0.49 (the lab) would be removed", words=words)
    assert "split_ranges" in desk.run(*words).hint


def test_a_template_that_overrides_nothing_is_refused(desk: Desk) -> None:
    desk.write("own/token-ip-range.xml.j2", "")
    words = ("diff", "add-new", "--templates", "own")
    refused(desk, 2, "token-ip-range", words=words)


def test_a_missing_output_folder_of_the_plan_is_refused(desk: Desk) -> None:
    result = desk.run("plan", "--out", str(Path("nowhere") / "plan.json"))
    result.refused(1, "nowhere/plan.json: the plan was not written: No such file or directory")
