"""Every YAML block of the README and docs/ is valid for its title: cutover.yaml, a workflow …"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from sfcutover.config.cutover import load_config
from sfcutover.emulator.scenario import Scenario
from tests.docs.blocks import Block, blocks, sfcutover_lines
from tests.docs.test_commands import problem_with

YAML = blocks("yaml")
EXAMPLE = next(each for each in YAML if each.page.name == "cutover-yaml.md" and each.title)


def titled(*titles: str) -> list[Block]:
    return [each for each in YAML if each.title in titles]


def test_every_block_has_a_title_that_a_test_reads() -> None:
    known = {"cutover.yaml", "org:", "scenario", "a step"}
    assert [
        str(each)
        for each in YAML
        if each.title not in known and not each.title.startswith(".github/workflows/")
    ] == []


@pytest.mark.parametrize("block", titled("cutover.yaml"), ids=str)
def test_every_cutover_yaml_loads(block: Block, tmp_path: Path) -> None:
    """A part of one replaces these keys of the example."""
    example, part = yaml.safe_load(EXAMPLE.text), yaml.safe_load(block.text)
    if part.get("carriers") == ["connected-app"]:
        example.pop("policies")
    path = tmp_path / "cutover.yaml"
    path.write_text(yaml.safe_dump({**example, **part}), encoding="utf-8")
    assert load_config(path).app == part.get("app", "Acme_Connector")


@pytest.mark.parametrize("way", [w for each in titled("org:") for w in each.text.splitlines()])
def test_every_login_of_an_org_loads(way: str, tmp_path: Path) -> None:
    head = EXAMPLE.text.split("targets:")[0]
    path = tmp_path / "cutover.yaml"
    path.write_text(f"{head}targets:\n  - name: one\n    org: {way}\n", encoding="utf-8")
    assert load_config(path).targets[0].org is not None


@pytest.mark.parametrize("block", titled("scenario"), ids=str)
def test_every_scenario_loads(block: Block, tmp_path: Path) -> None:
    path = tmp_path / "scenario.yaml"
    path.write_text(block.text, encoding="utf-8")
    assert Scenario.from_file(path) != Scenario()


@pytest.mark.parametrize(
    "block", [each for each in YAML if each.title.startswith(".github/")], ids=str
)
def test_every_workflow_is_valid(block: Block, tmp_path: Path) -> None:
    path = tmp_path / "workflow.yml"
    path.write_text(block.text, encoding="utf-8")
    program = Path(sys.executable).with_name("check-jsonschema")
    command = [str(program), "--builtin-schema", "vendor.github-workflows", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("block", YAML, ids=str)
def test_every_call_in_a_workflow_is_accepted_by_click(block: Block) -> None:
    for line in block.text.splitlines():
        if line.lstrip("- ").startswith("run: "):
            for words in sfcutover_lines(line):
                assert problem_with([w for w in words if w != "$phase"]) is None, words
