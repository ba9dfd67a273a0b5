"""plan: every phase for the reviewer, and the file that binds it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.integration.cli.conftest import StartOrg
from tests.integration.cli.harness import Desk
from tests.integration.cli.test_deploy import follow_up

PHASES = ["add-new", "remove-old", "restore-old", "remove-new"]


def test_plan_shows_every_phase_and_changes_nothing(desk: Desk) -> None:
    result = desk.run("plan")
    assert (result.code, result.err) == (0, "")
    assert "live now: the old addresses are on the allowlist" in result.out
    for phase in PHASES:
        assert f"packaging: {phase}\n" in result.out
    assert desk.asked("deploy") == 0


def test_json_is_the_content_of_the_plan_file(desk: Desk) -> None:
    printed = desk.run("plan", "--out", "plan.json", "--json").json("plan")
    assert json.loads((desk.folder / "plan.json").read_text()) == printed
    assert [each["phase"] for each in printed["targets"][0]["phases"]] == PHASES


def test_the_suggested_command_deploys_the_plan(desk: Desk) -> None:
    templates = Path(__file__).parents[3] / "templates"
    text = (templates / "package.xml.j2").read_text().replace("<Package", "<!-- x --><Package")
    desk.write("own/package.xml.j2", text)
    desk.config.rename(desk.folder / "other.yaml")
    result = desk.run("--config", "other.yaml", "plan", "--out", "p.json", "--templates", "own")
    assert result.err.startswith(
        "plan written to p.json; next: sfcutover --config other.yaml deploy"
    )
    assert desk.run(*follow_up(result.err), "--yes").code == 0


def test_the_suggested_command_keeps_the_target_option(desk: Desk, start_org: StartOrg) -> None:
    second = start_org()
    desk.add_target("second", second)
    result = desk.run("plan", "--out", "plan.json", "--target", "second")
    assert desk.run(*follow_up(result.err), "--yes").code == 0
    assert (len(second.deployments), desk.asked("deploy")) == (1, 0)


def test_an_earlier_plan_is_kept_if_the_new_one_fails(desk: Desk) -> None:
    desk.run("plan", "--out", "plan.json")
    before = (desk.folder / "plan.json").read_bytes()
    desk.configure(old=["127.0.0.99"])
    assert desk.run("plan", "--out", "plan.json").code == 4
    assert (desk.folder / "plan.json").read_bytes() == before


def test_an_unwritable_place_is_an_error(desk: Desk) -> None:
    desk.run("plan", "--out", "/proc/plan.json").refused(1, "/proc/plan.json: the plan was not")
    desk.run("plan", "--out", ".").refused(2, "'.' is a directory")


def test_two_targets_are_in_one_plan(desk: Desk, start_org: StartOrg) -> None:
    desk.add_target("second", start_org())
    document = desk.run("plan", "--json").json("plan")
    assert [each["name"] for each in document["targets"]] == ["packaging", "second"]


# Other formats


def test_markdown_is_one_comment_with_its_marker(desk: Desk) -> None:
    result = desk.run("plan", "--format", "markdown", "--out", "plan.json")
    lines = result.out.splitlines()
    assert lines[0] == "<!-- sfcutover:plan:emulated-cutover -->"
    assert f"sfcutover {' '.join(follow_up(result.err))}" in lines
    for phase in PHASES:
        assert f"**{phase}**" in result.out


def test_the_plan_shows_the_digest_that_the_run_waits_for(desk: Desk) -> None:
    digest = desk.run("plan", "--json").json("plan")["digests"]["add-new"][:16]
    text = desk.run("plan", "--format", "markdown").out
    assert f"sfcutover approve --step add-new --expect {digest}\n" in text


def test_the_next_step_after_add_new_is_remove_old(desk: Desk) -> None:
    assert desk.run("deploy", "add-new", "--yes").code == 0
    text = desk.run("plan", "--format", "markdown").out
    assert "#### Next: remove-old\n" in text
    assert "\nsfcutover deploy remove-old\n" in text


def test_a_fork_without_secrets_plans_from_a_committed_list(desk: Desk) -> None:
    path = desk.baseline()
    desk.emulator.stop()
    desk.monkeypatch.delenv("SF_ACCESS_TOKEN")
    result = desk.run("plan", "--baseline", path.name, "--format", "markdown")
    assert result.code == 0
    assert "**Not read: the org.**" in result.out
    assert "--expect" not in result.out
    assert "**remove-old** on `packaging`" in result.out


# A saved plan


@pytest.mark.parametrize("words", [(), ("--format", "markdown"), ("--json",)], ids=" ".join)
def test_a_saved_plan_is_shown_as_it_was_made(desk: Desk, words: tuple[str, ...]) -> None:
    made = desk.run("plan", "--out", "plan.json", *words)
    desk.emulator.stop()
    desk.monkeypatch.delenv("SF_ACCESS_TOKEN")
    shown = desk.run("plan", "--show", "plan.json", *words)
    assert (shown.code, shown.out) == (0, made.out)
    assert "the org was not contacted" in shown.err


def test_a_saved_plan_of_several_targets_is_shown_completely(
    desk: Desk, start_org: StartOrg
) -> None:
    desk.add_target("second", start_org())
    made = desk.run("plan", "--out", "plan.json")
    assert desk.run("plan", "--show", "plan.json").out == made.out


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ('"removed": []', '"removed": [{"range": "192.0.2.1", "description": null}]', 4),
        ("and no new one", "and all new ones", 4),
        ("proxy b", "proxy c", 4),
        ('"00DEm', '"00DEx', 4),
        ("office VPN", "office", 2),
        ('"schema"', '"scheme"', 2),
    ],
)
def test_an_edited_plan_is_refused(desk: Desk, old: str, new: str, code: int) -> None:
    desk.configure(new=[{"range": "127.0.0.21", "description": "proxy b"}])
    assert desk.run("plan", "--out", "plan.json").code == 0
    text = (desk.folder / "plan.json").read_text(encoding="utf-8")
    assert old in text
    desk.write("plan.json", text.replace(old, new, 1))
    desk.run("plan", "--show", "plan.json").refused(code, "plan.json")


def test_a_saved_plan_is_refused_after_a_change_of_cutover_yaml(desk: Desk) -> None:
    desk.run("plan", "--out", "plan.json")
    desk.configure(new=["127.0.0.21"])
    desk.run("plan", "--show", "plan.json").refused(4, "the package of add-new is no longer")


@pytest.mark.parametrize(
    "words", [("--baseline", "x"), ("--out", "x"), ("--target", "packaging")], ids=" ".join
)
def test_show_excludes_the_options_that_make_a_plan(desk: Desk, words: tuple[str, ...]) -> None:
    desk.run("plan", "--show", "plan.json", *words).refused(2, "--show")
