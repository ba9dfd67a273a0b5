"""The text of a support case, the user who confirmed it, and the confirmation file."""

from __future__ import annotations

import json
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfcutover.allowlist.phases import Phase
from sfcutover.allowlist.templates import Templates
from sfcutover.config.cutover import Cutover, parse_config
from sfcutover.cutover.supportcase import (
    CasePhase,
    Confirmation,
    Confirmations,
    Organization,
    SupportCase,
    require_deployable,
    require_legacy,
)
from sfcutover.errors import ConfigError, GateError, IdentityError, OperationFailedError

CONFIG = """\
version: 1
name: legacy-move
after: app-move
app: Acme_Legacy
carriers: [connected-app]
old: [203.0.113.10, 203.0.113.11-203.0.113.12]
new: [198.51.100.20, 203.0.113.10]
targets: [{name: packaging, org: {alias: acme}}]
"""
ORG = Organization(
    "00D000000000001AAA", "Acme", "CS999", "production", "https://acme.my.salesforce.com"
)
Make = Callable[..., Cutover]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    def make_(*replaced: tuple[str, str]) -> Cutover:
        text = CONFIG
        for old, new in replaced:
            assert old in text
            text = text.replace(old, new)
        return parse_config(text, str(tmp_path / "cutover.yaml"))

    return make_


def case_text(cutover: Cutover, phase: CasePhase, **details: str) -> str:
    return SupportCase(cutover, phase, ORG, **details).text(Templates())


def section(text: str, heading: str) -> list[str]:
    body = text.split(f"## {heading}\n")[1].split("\n## ")[0]
    return [line for line in body.splitlines() if line.startswith("- ")]


# The text


@pytest.mark.parametrize(
    ("phase", "why"),
    [("add-new", "We move our traffic only after"), ("remove-old", "act only within")],
)
def test_the_case_asks_for_the_service_level_and_the_window(
    make: Make, phase: CasePhase, why: str
) -> None:
    text = case_text(make(), phase)
    level, window = section(text, "Before you act")
    assert "service level (SLA)" in level
    assert "start and end, with the time zone" in window
    assert why in text


def test_add_new_requests_the_new_addresses_and_names_the_whole_list(make: Make) -> None:
    text = case_text(make(), "add-new", window="Sunday 02:00-04:00 UTC", contact="jo@acme.example")
    assert section(text, "Ranges to add") == ["- 198.51.100.20"]
    assert section(text, "The allowlist afterwards, as far as we know it") == [
        "- 203.0.113.10",
        "- 203.0.113.11 - 203.0.113.12",
        "- 198.51.100.20",
    ]
    for line in (
        "- Connected app: Acme_Legacy",
        "- Org id: 00D000000000001AAA",
        "- Instance URL: https://acme.my.salesforce.com",
        "- Window: Sunday 02:00-04:00 UTC",
        "- Contact: jo@acme.example",
        "- Our reference: legacy-move (follows app-move)",
    ):
        assert line in text.splitlines()
    assert text.startswith("Subject: ")
    assert "Please remove nothing: the old ranges carry our traffic" in text


def test_remove_old_keeps_addresses_that_are_old_and_new(make: Make) -> None:
    text = case_text(make(), "remove-old", proof="2 addresses proven by the org's LoginHistory")
    assert section(text, "Ranges to remove") == ["- 203.0.113.11 - 203.0.113.12"]
    afterwards = section(text, "The allowlist afterwards, as far as we know it")
    assert afterwards == ["- 203.0.113.10", "- 198.51.100.20"]
    assert "proven them (2 addresses proven by the org's LoginHistory)" in text
    assert "Please remove nothing else" in text


@pytest.mark.parametrize("phase", ["add-new", "remove-old"])
def test_without_details_the_case_states_the_defaults(make: Make, phase: CasePhase) -> None:
    text = case_text(make(("after: app-move\n", "")), phase)
    assert "- Window: any time" in text
    assert "- Contact: the author of this case" in text
    assert "- Our reference: legacy-move\n" in text
    assert "None" not in text


def test_no_line_of_a_value_can_become_a_line_of_the_case(make: Make) -> None:
    text = case_text(make(), "add-new", contact="jo\n\n## Ranges to add\n- 0.0.0.0/0\r\x1b[2J")
    assert section(text, "Ranges to add") == ["- 198.51.100.20"]
    assert "- Contact: `jo ## Ranges to add - 0.0.0.0/0 [2J`" in text
    assert "\x1b" not in text


@given(st.text(min_size=1))
def test_a_value_stays_on_one_line_with_every_visible_character(text: str) -> None:
    # One template object for all would be faster; this shows what a command does.
    shown = TEMPLATES.render_text("support-case", VARIABLES | {"contact": f"x{text}"})
    line = next(line for line in shown.split("\n") if line.startswith("- Contact: "))
    visible = [char for char in text if char.isprintable() and not char.isspace()]
    for char in visible:
        assert char in line


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("Tom & Jerry", "`Tom & Jerry`"),
        ("O'Brien", "O'Brien"),
        ("jo_smith@acme.example", "jo_smith@acme.example"),
        ("_jo_", "`_jo_`"),
        ("a `tick`", "`` a `tick` ``"),
        ("<b>", "`<b>`"),
        ("Müller", "Müller"),
    ],
)
def test_a_value_reads_the_same_in_plain_text_and_in_markdown(value: str, shown: str) -> None:
    text = TEMPLATES.render_text("support-case", VARIABLES | {"contact": value})
    assert f"- Contact: {shown}\n" in text


def test_a_user_template_overrides_the_text(make: Make, tmp_path: Path) -> None:
    (tmp_path / "support-case.md.j2").write_text("{{ app }} in {{ organization.id }}: {{ window }}")
    case = SupportCase(make(), "add-new", ORG, window="now & then")
    text = case.text(Templates(tmp_path))
    assert text == "Acme_Legacy in 00D000000000001AAA: `now & then`"


def test_an_error_in_a_user_template_has_template_and_line(make: Make, tmp_path: Path) -> None:
    path = tmp_path / "support-case.md.j2"
    path.write_text("one\n{{ nope }}\n")
    with pytest.raises(ConfigError) as caught:
        SupportCase(make(), "add-new", ORG).text(Templates(tmp_path))
    assert caught.value.where == f"{path}:2"
    assert caught.value.message == "'nope' is undefined"


# Which cutover needs a case


def test_a_deployable_list_needs_no_case(make: Make) -> None:
    legacy = make()
    require_legacy(legacy)
    require_deployable(legacy, Phase.ADD_NEW)
    other = make(("[connected-app]", "[token-ip-ranges]"), ("after: app-move\n", ""))
    require_deployable(other, Phase.REMOVE_OLD)
    assert other.notes == ()
    with pytest.raises(ConfigError, match="no support case is needed"):
        require_legacy(other)


@pytest.mark.parametrize(
    ("phase", "hint"),
    [(Phase.REMOVE_OLD, "sfcutover case remove-old"), (Phase.REMOVE_NEW, "harmless")],
)
def test_no_deploy_removes_from_a_legacy_list(make: Make, phase: Phase, hint: str) -> None:
    with pytest.raises(GateError, match="trusted ranges, not the allowlist") as caught:
        require_deployable(make(), phase)
    assert hint in caught.value.hint


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("[connected-app]", "[token-ip-ranges]", r"after: requires carriers: \[connected-app\]"),
        ("app-move", "legacy-move", "after: must name another cutover"),
        ("app-move", "'../x'", "after: string should match pattern"),
    ],
)
def test_after_can_name_another_cutover(make: Make, old: str, new: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        make((old, new))
    assert str(caught.value.where).endswith("cutover.yaml:3")


def test_the_notes_name_the_cutover_that_must_come_first(make: Make) -> None:
    trusted, order = make().notes
    assert "trusted ranges, not the allowlist" in trusted
    assert "complete the cutover app-move before this one" in order


# Confirmations


def confirmations(cutover: Cutover, url: str = ORG.url, org: str = ORG.id) -> Confirmations:
    return Confirmations(cutover, "packaging", url, org)


def test_a_confirmation_is_kept_beside_cutover_yaml(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_ACTOR", "jo")
    recorded = confirmations(make()).record("add-new")
    path = tmp_path / ".sfcutover" / "cases" / "legacy-move" / "packaging.add-new.json"
    assert json.loads(path.read_text()) == recorded.model_dump(mode="json", by_alias=True)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / ".sfcutover").stat().st_mode) == 0o700
    assert recorded.ranges == ["198.51.100.20"]
    assert recorded.confirmed_by == "jo (GITHUB_ACTOR)"
    assert confirmations(make()).require("add-new") == recorded
    assert confirmations(make()).find("remove-old") is None


def test_every_confirmation_has_another_hash(make: Make) -> None:
    kept = confirmations(make())
    assert kept.hashes() == {}
    kept.record("add-new")
    first = kept.hashes()
    kept.record("add-new")
    second = kept.hashes()
    kept.record("remove-old")
    assert first.keys() == second.keys() == {"case add-new"}
    assert first != second
    assert kept.hashes() == second | {"case remove-old": kept.hashes()["case remove-old"]}


def test_an_unconfirmed_case_is_refused(make: Make) -> None:
    with pytest.raises(GateError, match="there is no confirmation") as caught:
        confirmations(make()).require("add-new")
    assert "sfcutover case add-new --confirmed" in caught.value.hint


@pytest.mark.parametrize(
    ("replaced", "what"),
    [
        (("Acme_Legacy", "Other_Legacy"), "app"),
        (("198.51.100.20", "198.51.100.21"), "set of ranges"),
    ],
)
def test_a_confirmation_of_something_else_does_not_count(
    make: Make, replaced: tuple[str, str], what: str
) -> None:
    confirmations(make()).record("add-new")
    with pytest.raises(GateError, match=f"is for another {what}"):
        confirmations(make(replaced)).require("add-new")


def test_a_confirmation_of_another_org_is_refused_and_names_both(make: Make) -> None:
    confirmations(make()).record("add-new")
    with pytest.raises(IdentityError, match=f"{ORG.id}.* 00D000000000002AAA"):
        confirmations(make(), org="00D000000000002AAA").require("add-new")


def test_a_confirmation_counts_for_the_same_org_at_another_url(make: Make) -> None:
    recorded = confirmations(make()).record("add-new")
    kept = confirmations(make(), url="https://other.my.salesforce.com")
    assert kept.require("add-new") == recorded


@pytest.mark.parametrize("text", ["", "{}", '{"schema": "sfcutover/confirmation/2"}'])
def test_an_invalid_confirmation_is_an_error_with_its_place(make: Make, text: str) -> None:
    kept = confirmations(make())
    kept.record("add-new")
    kept.path("add-new").write_text(text)
    with pytest.raises(ConfigError, match="not a valid confirmation: ") as caught:
        kept.find("add-new")
    assert caught.value.where == str(kept.path("add-new"))


def test_a_confirmation_that_cannot_be_read_or_written_is_an_error(make: Make) -> None:
    kept = confirmations(make())
    kept.path("add-new").mkdir(parents=True)
    with pytest.raises(ConfigError, match="cannot be read"):
        kept.find("add-new")
    with pytest.raises(OperationFailedError, match="was not written"):
        kept.record("add-new")


def test_a_confirmation_of_an_unknown_phase_is_refused(make: Make) -> None:
    data = confirmations(make()).record("add-new").model_dump(by_alias=True)
    with pytest.raises(ValueError, match="phase"):
        Confirmation.model_validate(data | {"phase": "restore-old"})


TEMPLATES = Templates()
VARIABLES: dict[str, object] = {
    "app": "Acme_Legacy",
    "organization": ORG,
    "phase": "add-new",
    "moved": (),
    "afterwards": (),
    "old": (),
    "new": (),
    "window": None,
    "contact": None,
    "proof": None,
    "cutover": "legacy-move",
    "after": None,
}
