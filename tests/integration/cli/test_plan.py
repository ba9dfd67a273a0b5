"""The plan: every phase for the reviewer, and the file that binds it."""

from __future__ import annotations

import json
from pathlib import Path

from tests.integration.cli.conftest import StartOrg
from tests.integration.cli.harness import Desk
from tests.integration.cli.test_deploy import follow_up

PHASES = ["add-new", "remove-old", "restore-old", "remove-new"]


def test_it_shows_every_phase_and_changes_nothing(desk: Desk) -> None:
    result = desk.run("plan")
    assert (result.code, result.err) == (0, "")
    assert "live now: before add-new" in result.out
    for phase in PHASES:
        assert f"packaging: {phase}\n" in result.out
    assert desk.asked("deploy") == 0


def test_json_is_what_the_file_holds(desk: Desk) -> None:
    printed = desk.run("plan", "--out", "plan.json", "--json").json("plan")
    assert json.loads((desk.folder / "plan.json").read_text()) == printed
    assert [each["phase"] for each in printed["targets"][0]["phases"]] == PHASES


def test_the_command_it_names_deploys_the_plan(desk: Desk) -> None:
    templates = Path(__file__).parents[3] / "templates"
    text = (templates / "package.xml.j2").read_text().replace("<Package", "<!-- x --><Package")
    desk.write("own/package.xml.j2", text)
    desk.config.rename(desk.folder / "other.yaml")
    result = desk.run("--config", "other.yaml", "plan", "--out", "p.json", "--templates", "own")
    assert result.err.startswith(
        "plan written to p.json; next: sfcutover --config other.yaml deploy"
    )
    assert desk.run(*follow_up(result.err), "--yes").code == 0


def test_the_command_it_names_keeps_to_the_targets(desk: Desk, start_org: StartOrg) -> None:
    second = start_org()
    desk.add_target("second", second)
    result = desk.run("plan", "--out", "plan.json", "--target", "second")
    assert desk.run(*follow_up(result.err), "--yes").code == 0
    assert (len(second.deployments), desk.asked("deploy")) == (1, 0)


def test_an_earlier_plan_stays_where_the_new_one_fails(desk: Desk) -> None:
    desk.run("plan", "--out", "plan.json")
    before = (desk.folder / "plan.json").read_bytes()
    desk.configure(old=["127.0.0.99"])
    assert desk.run("plan", "--out", "plan.json").code == 4
    assert (desk.folder / "plan.json").read_bytes() == before


def test_a_place_that_takes_no_file(desk: Desk) -> None:
    desk.run("plan", "--out", "/proc/plan.json").refused(1, "/proc/plan.json: the plan was not")
    desk.run("plan", "--out", ".").refused(2, "'.' is a directory")


def test_two_targets_stand_in_one_plan(desk: Desk, start_org: StartOrg) -> None:
    desk.add_target("second", start_org())
    document = desk.run("plan", "--json").json("plan")
    assert [each["name"] for each in document["targets"]] == ["packaging", "second"]
