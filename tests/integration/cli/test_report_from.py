"""report --from: the same report from the documents of single steps, without org or state."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.chaos.world import NEW, OLD, world
from tests.integration.cli.harness import Json, Result
from tests.integration.cli.test_report import Reporter

pytestmark = pytest.mark.slow  # a whole cutover, and each command in a process of its own

FILES = ("plan.json", "add.json", "switch.json", "evidence.json", "remove.json")


@pytest.fixture(scope="module")
def steps(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The documents of a cutover that was run step by step; its org and its state are gone."""
    folder = tmp_path_factory.mktemp("steps")
    watch = {"duration": "3s", "interval": "1s", "failures": 2}  # a busy machine redeems slowly
    with world(folder, watch=watch) as here:
        for words in (
            ("plan", "--out", "plan.json"),
            ("deploy", "add-new", "--yes", "--plan", "plan.json", "--out", "add.json"),
            ("switch", "--out", "switch.json"),
            ("verify", "--out", "evidence.json"),
            (
                *("deploy", "remove-old", "--yes", "--traffic-moved", "--watch"),
                *("--evidence", "evidence.json", "--out", "remove.json"),
            ),
        ):
            code, out = here.call(*words)
            assert code == 0, out
    shutil.rmtree(folder / ".sfcutover")
    return folder


@dataclass(frozen=True)
class Steps:
    """A copy of the documents that a test may change."""

    folder: Path

    def report(self, *words: str) -> Result:
        return Reporter(self.folder)("report", *words)

    def document(self, *files: str) -> Json:
        done = self.report("--json", "--from", *files)
        assert done.code == 0, done.err
        return done.json("report")

    def change(self, name: str, change: Callable[[Json], object]) -> None:
        path = self.folder / name
        document = json.loads(path.read_text(encoding="utf-8"))
        change(document)
        path.write_text(json.dumps(document), encoding="utf-8")


@pytest.fixture
def here(steps: Path, tmp_path: Path) -> Steps:
    shutil.copytree(steps, tmp_path / "copy")
    return Steps(tmp_path / "copy")


def test_the_report_covers_the_whole_cutover(here: Steps) -> None:
    report = here.document(*FILES)
    assert report["verdict"]["state"] == "done"
    assert [each["step"] for each in report["steps"]] == [
        *("snapshot", "add-new", "switch", "verify", "remove-old", "watch")
    ]
    assert [(each["phase"], each["found"]) for each in report["phases"]] == [
        ("add-new", False),
        ("remove-old", False),
    ]
    assert len(report["deployments"]) == 2
    assert all(each["done"] for each in report["deployments"])
    (proof,) = report["proofs"]
    assert [each["address"] for each in proof["evidence"]["canaries"][0]["addresses"]] == [*NEW]
    (watch,) = report["watches"]
    assert watch["outcome"] == "passed"
    (target,) = report["targets"]
    assert (target["old"], target["new"]) == ("none", "all")
    assert "phase add-new is not live" in target["before"]
    names = [each["name"] for each in report["boundaries"]]
    assert names == ["add-new live", "switch", "verified", "remove-old live"]
    assert report["sources"] == sorted(FILES)
    assert "The documents of steps hold no approvals" in " ".join(report["unproven"])
    assert "was given" not in " ".join(report["unproven"])
    assert not (here.folder / ".sfcutover").exists()


def test_the_order_of_the_files_does_not_matter(here: Steps) -> None:
    forwards, backwards = here.document(*FILES), here.document(*FILES[::-1])
    assert {**forwards, "made": ""} == {**backwards, "made": ""}


@pytest.mark.parametrize("form", ["md", "html"])
def test_the_report_is_written_as_html_and_markdown(form: str, here: Steps) -> None:
    done = here.report("--from", *FILES, "--out", f"report.{form}")
    assert done.code == 0, done.err
    text = (here.folder / f"report.{form}").read_text(encoding="utf-8")
    assert "the journal of the run" not in text
    assert "from add.json, evidence.json, plan.json, remove.json, switch.json" in text
    assert all(address in text for address in (*OLD, *NEW))
    assert "LoginHistory showed no redemption" not in text, "it was not read"
    assert "Redemptions by source address" not in text


@pytest.mark.parametrize(
    ("left", "sentence"),
    [
        ("plan.json", "No plan was given"),
        ("add.json", "No document of deploy add-new on packaging was given."),
        ("switch.json", "No document of the switch was given"),
        ("evidence.json", "No evidence of verify about packaging was given."),
        ("remove.json", "No document of deploy remove-old on packaging was given."),
    ],
)
def test_uncovered_steps_are_reported(left: str, sentence: str, here: Steps) -> None:
    report = here.document(*(each for each in FILES if each != left))
    assert any(each.startswith(sentence) for each in report["unproven"])


def test_a_report_without_the_removal_is_not_done(here: Steps) -> None:
    report = here.document(*FILES[:-1])
    assert report["verdict"]["title"] == "Not finished according to its documents"
    assert any("No document of a watch" in each for each in report["unproven"])
    assert not any("LoginHistory of" in each for each in report["unproven"])


def test_a_watch_that_rolled_back_decides_the_verdict(here: Steps) -> None:
    def failed(document: Json) -> None:
        document["watch"] |= {"outcome": "rolled-back", "reasons": ["the canary failed"]}

    here.change("remove.json", failed)
    report = here.document(*FILES)
    assert report["verdict"]["state"] == "rolled-back"
    assert "the canary failed" in report["verdict"]["message"]


@pytest.mark.parametrize(
    ("name", "change", "parts"),
    [
        ("add.json", lambda one: one.update(cutover="other"), ("add.json", "cutover other")),
        (
            "evidence.json",
            lambda one: one["targets"][0].update(organization_id="00D000000000009AAA"),
            ("add.json and evidence.json", "the organization"),
        ),
        (
            "plan.json",
            lambda one: one["targets"][0]["baseline"][0].update(id="0xx000000000009AAA"),
            ("add.json and plan.json", "the component"),
        ),
    ],
)
def test_documents_of_different_cutovers_are_refused(
    name: str, change: Callable[[Json], object], parts: tuple[str, ...], here: Steps
) -> None:
    here.change(name, change)
    here.report("--from", *FILES).refused(2, *parts)


def test_a_file_that_is_not_a_step_document_is_refused(here: Steps) -> None:
    (here.folder / "other.json").write_text('{"schema": "sfcutover/runs/1"}', encoding="utf-8")
    here.report("--from", "other.json").refused(2, "no document of a step")
    (here.folder / "other.json").write_text("<html>", encoding="utf-8")
    here.report("--from", "other.json").refused(2, "not a document of this version")
    here.report("--from", "none.json").refused(2, "cannot be read")


def test_several_files_require_from(here: Steps) -> None:
    here.report("plan.json", "add.json").refused(2, "for a report from files, use --from FILE")
