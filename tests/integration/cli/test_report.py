"""report: of real runs, made from their journal alone."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from sfcutover.emulator.faults import Fault
from sfcutover.emulator.scenario import Scenario
from tests.chaos.world import NEW, OLD, ROOT, Customers, world
from tests.integration.cli.harness import Json, Result

pytestmark = pytest.mark.slow  # a whole run, and each command in a process of its own

NOTE = "CHG-4711: graphs looked at"
SECONDS = 60
SMALL = 34_000  # bytes: less than a report, more than what reading the state writes


@dataclass(frozen=True)
class Reporter:
    """An operator with the state of runs whose org is gone, and without any secret."""

    folder: Path

    def __call__(self, *words: str, before: Callable[[], None] | None = None) -> Result:
        kept = {name: value for name, value in os.environ.items() if name[:3] not in ("SFC", "SF_")}
        own = {
            "STATE_URL": f"sqlite:///{self.folder}/.sfcutover/state.db",
            "XDG_STATE_HOME": str(self.folder / "xdg"),
            "PYTHONPATH": str(ROOT),
        }
        done = subprocess.run(
            [sys.executable, "-m", "sfcutover", *words],
            cwd=self.folder,
            env={**kept, **own},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
            preexec_fn=before,
        )
        return Result(done.returncode, done.stdout, done.stderr)

    def document(self, *words: str) -> Json:
        """The JSON on stdout, which fits its schema."""
        done = self("report", "--json", *words)
        assert done.code == 0, done.err
        return done.json("report")


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Reporter:
    """Reports three runs: canceled, rolled back, and done with an approval, under live traffic."""
    folder = tmp_path_factory.mktemp("reported") / "world"
    lost = Fault(kind="save_drops_address", operation="deploy", count=2, address=NEW[1])
    with world(folder, Scenario(deploy_seconds=0.3)) as here:
        with Customers(here.emulator, folder).at_work():
            here.call("run", "--yes", "--no-stay", "--pause-before", "switch")
            here.call("cancel", "--note", "the wrong window")
            here.call("rollback", "--to", "baseline", "--yes", "--traffic-moved")
            here.emulator.set_fault(lost)
            here.call("run", "--yes")
            process = here.start("run", "--yes", "--stay", "--pause-before", "remove-old")
            here.wait_for("paused", 2)
            here.call("approve", "--note", NOTE)
            out, _ = process.communicate(timeout=SECONDS)
            assert process.returncode == 0, out
        here.end()
    return Reporter(folder)


def test_the_newest_run_is_reported_as_markdown(report: Reporter) -> None:
    done = report("report")
    assert done.code == 0, done.err
    assert done.err == ""
    assert done.out.startswith("# Done: emulated-cutover.3\n")
    for part in (NOTE, "remove-old live", "of 128", "the org's LoginHistory", *OLD, *NEW):
        assert part in done.out


def test_the_report_names_deployments_and_decisions(report: Reporter) -> None:
    found = report.document()
    assert found["verdict"]["state"] == found["run"]["state"] == "done"
    assert [each["phase"] for each in found["phases"] if each["live"]] == ["add-new", "remove-old"]
    ids = [each["id"] for each in found["deployments"]]
    assert [id_ for each in found["phases"] for id_ in each["deployments"]] == ids
    assert all(each["created_by"] for each in found["deployments"])
    (decision,) = found["decisions"]
    assert (decision["decision"], decision["note"]) == ("approved", NOTE)
    assert decision["who"]
    proven = {
        each["address"]
        for proof in found["proofs"]
        for canary in proof["evidence"]["canaries"]
        for each in canary["addresses"]
    }
    assert proven == set(NEW)
    assert [each["old"] for each in found["targets"]] == ["none"]


def test_the_chart_shows_traffic_moving_from_old_to_new_addresses(report: Reporter) -> None:
    found = report.document()
    rows = {each["address"]: each for each in found["traffic"]}
    assert list(rows) == [*OLD, *NEW]
    assert all(each["redeemed"] for each in rows.values())
    refused = sum(each["blocked"] for each in rows.values())
    assert refused == found["canary"]["refused"] == 1  # the control
    removed = next(each["time"] for each in found["boundaries"] if "remove-old" in each["name"])
    assert all(rows[each]["last"] < removed for each in OLD)
    assert all(rows[each]["last"][:19] >= removed[:19] for each in NEW)
    for row in rows.values():
        assert sum(each["redeemed"] for each in row["bins"]) == row["redeemed"]


def test_a_rolled_back_run_is_reported_by_its_id(report: Reporter) -> None:
    done = report("report", "emulated-cutover.2")
    assert done.out.startswith("# Rolled back: emulated-cutover.2\n")
    assert "did not take" in done.out
    assert "### remove-new" in done.out


def test_a_canceled_run_reports_who_canceled_and_the_state_of_the_lists(report: Reporter) -> None:
    found = report.document("emulated-cutover.1")
    assert found["verdict"]["state"] == "canceled"
    assert "old and new addresses are on the allowlist" in found["verdict"]["message"]
    (decision,) = found["decisions"]
    assert (decision["decision"], decision["step"]) == ("canceled", "switch")


@pytest.mark.parametrize("form", ["md", "html", "json"])
def test_a_file_holds_the_whole_report(report: Reporter, form: str, tmp_path: Path) -> None:
    out = tmp_path / f"report.{form}"
    out.write_text("an older one")
    done = report("report", "--format", form, "--out", str(out))
    assert done.code == 0, done.err
    assert done.out == ""
    assert done.err == f"report of emulated-cutover.3 written to {out}\n"
    ends = {"md": "journal of the run.\n", "html": "</html>\n", "json": "\n}\n"}
    assert out.read_text(encoding="utf-8").endswith(ends[form])
    assert out.stat().st_mode & 0o777 == 0o644
    assert list(tmp_path.iterdir()) == [out]


@pytest.mark.parametrize(
    ("name", "words", "start"),
    [
        ("x.HTML", (), "<!DOCTYPE html>"),
        ("x.json", (), "{"),
        ("x", (), "# Done"),
        ("x.html", ("--format", "md"), "# Done"),
        ("x.md", ("--json",), "# Done"),
        ("x.txt", ("--json",), "{"),
    ],
)
def test_the_file_extension_decides_the_format(
    report: Reporter, tmp_path: Path, name: str, words: tuple[str, ...], start: str
) -> None:
    """Unless --format says otherwise."""
    done = report("report", "--out", str(tmp_path / name), *words)
    assert done.code == 0, done.err
    assert (tmp_path / name).read_text(encoding="utf-8").startswith(start)


def test_json_writes_the_file_and_prints_one_document(report: Reporter, tmp_path: Path) -> None:
    out = tmp_path / "report.html"
    done = report("report", "--json", "--format", "html", "--out", str(out))
    assert done.json("report")
    assert out.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    alone = report("report", "--json", "--format", "html")
    assert alone.code == 2
    assert "unless --out names a file" in alone.err


def test_a_full_disk_keeps_the_older_report(report: Reporter, tmp_path: Path) -> None:
    def no_room() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (SMALL, SMALL))

    out = tmp_path / "report.html"
    out.write_text("an older one")
    done = report("report", "--format", "html", "--out", str(out), before=no_room)
    assert done.code == 1
    assert "error: " in done.err
    assert "the report was not written: File too large" in done.err
    assert "impact:" not in done.err
    assert out.read_text() == "an older one"
    assert list(tmp_path.iterdir()) == [out]


def test_a_missing_folder_is_named(report: Reporter, tmp_path: Path) -> None:
    done = report("report", "--out", str(tmp_path / "missing" / "report.md"))
    assert done.code == 1
    assert "missing/report.md: the report was not written: No such file or directory" in done.err


def test_an_unknown_run_is_an_error(report: Reporter) -> None:
    done = report("report", "emulated-cutover.9")
    assert done.code == 2
    assert "there is no run 'emulated-cutover.9'" in done.err


def test_without_any_run_no_state_is_created(report: Reporter, tmp_path: Path) -> None:
    (tmp_path / "cutover.yaml").write_text((report.folder / "cutover.yaml").read_text())
    done = Reporter(tmp_path)("report")
    assert done.code == 2
    assert "there is no run yet" in done.err
    assert not (tmp_path / ".sfcutover").exists()


def test_user_templates_are_used(report: Reporter, tmp_path: Path) -> None:
    (tmp_path / "report.md.j2").write_text("{{ report.run.id }} is {{ report.verdict.state }}\n")
    done = report("report", "--templates", str(tmp_path))
    assert done.out == "emulated-cutover.3 is done\n"
