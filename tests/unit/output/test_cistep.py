"""The outputs and the summary of a step of GitHub Actions."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sfcutover.errors import GateError, LimitError
from sfcutover.output import cistep
from sfcutover.output.cistep import MAX_SUMMARY_BYTES, output_text
from sfcutover.salesforce.results import ResultDocument
from sfcutover.util.secrets import Secret
from tests.integration.ci.compositerunner import parse_outputs


@pytest.fixture(autouse=True)
def no_step_before() -> Iterator[None]:
    cistep.restart()
    yield
    cistep.restart()


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    output, summary = tmp_path / "output", tmp_path / "summary"
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_OUTPUT", str(output))
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    return output, summary


def deployment(**changes: object) -> ResultDocument:
    fields = {
        "id": "0Af000000000001AAA",
        "status": "Succeeded",
        "state": "succeeded",
        "done": True,
        "success": True,
        "check_only": False,
        "components_deployed": 1,
        "components_total": 1,
        "component_errors": 0,
        "created_by": None,
        "created_date": "2026-11-23T12:00:00Z",
        "completed_date": "2026-11-23T12:01:05Z",
        "error_message": None,
        "failures": [],
        "warnings": [],
    }
    return ResultDocument.model_validate(fields | changes)


def test_no_value_can_set_another_output() -> None:
    hostile = {"plan": "a\nexit-code=0\nplan<<EOF", "report": "b=c<<d", "run-id": "e\rf=g"}
    assert parse_outputs(output_text(hostile)) == {
        "plan": "a\nexit-code=0\nplan<<EOF",
        "report": "b=c<<d",
        "run-id": "e\nf=g",  # a carriage return ends a line for the reader, too
    }
    assert output_text(hostile) != output_text(hostile)


def test_a_missing_comparison_is_not_reported(files: tuple[Path, Path]) -> None:
    cistep.write(0)
    outputs = parse_outputs(files[0].read_text(encoding="utf-8"))
    assert outputs["exit-code"] == "0"
    assert [outputs[name] for name in ("changes", "added", "removed")] == ["", "", ""]
    assert not files[1].exists()


def test_a_failure_comes_first_with_its_fix_and_no_secret(files: tuple[Path, Path]) -> None:
    secret = Secret("a-very-secret-token")
    step = cistep.step()
    step.parts.append(lambda: "### the diff\n")
    step.failure = GateError(f"refused ``` {secret.reveal()}", hint="prove it", where="org")
    cistep.write(5)
    text = files[1].read_text(encoding="utf-8")
    assert text.startswith("### Exit 5: a gate failed\n\n````text\nerror: org: refused ``` ***")
    assert text.index("next:   prove it") < text.index("### the diff")
    assert secret.reveal() not in text


def test_deployments_have_ids_and_times(files: tuple[Path, Path]) -> None:
    step = cistep.step()
    step.deployments.append(("eu|<b>", "add-new", deployment()))
    step.deployments.append(("us", "add-new", deployment(completed_date=None)))
    cistep.write(0)
    lines = files[1].read_text(encoding="utf-8").splitlines()
    assert lines[-2].startswith(
        "| `0Af000000000001AAA` | `eu\\|<b>` | add-new | `Succeeded` | 2026-11-23T12:00:00Z |"
    )
    assert lines[-2].endswith("| 1:05 |")
    assert lines[-1].endswith("|  |")


def test_the_size_of_a_summary_is_limited_as_by_github(files: tuple[Path, Path]) -> None:
    cistep.step().parts += [lambda: "x" * (MAX_SUMMARY_BYTES // 2)] * 3
    cistep.write(0)
    text = files[1].read_text(encoding="utf-8")
    assert len(text) <= MAX_SUMMARY_BYTES + 100
    assert text.endswith("… 2 more parts are in the log\n")


def test_a_part_that_does_not_fit_is_stated_and_fails_nothing(files: tuple[Path, Path]) -> None:
    def too_long() -> str:
        raise LimitError("the removals alone need more than 10 characters", hint="fewer targets")

    cistep.step().parts += [too_long, lambda: "### the next part"]
    cistep.write(0)
    text = files[1].read_text(encoding="utf-8")
    assert "need more than 10 characters; the log shows everything" in text
    assert "### the next part" in text


def test_an_unwritable_file_is_a_warning(
    files: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    missing = files[0].parent / "missing" / "output"
    monkeypatch.setenv("GITHUB_OUTPUT", str(missing))
    cistep.write(0)
    assert f"warning: {missing} was not written: No such file" in capsys.readouterr().err


def test_outside_github_nothing_is_written(
    files: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GITHUB_ACTIONS")
    cistep.step().parts.append(lambda: "text")
    cistep.write(0)
    assert not files[0].exists()
    assert not files[1].exists()
