"""Groups and annotations: what a CI system interprets, and what it does not."""

from __future__ import annotations

from pathlib import Path

import pytest

from sfcutover.errors import ConfigError, ExitCode, WaitingForApprovalError
from sfcutover.output import cilog
from sfcutover.output.cilog import MAX_ANNOTATIONS, Annotation, annotation_line
from sfcutover.output.console import Console, Settings, presentable, show_error, to_stdout
from sfcutover.util.ciprovider import AZURE, GITHUB, GITLAB, JENKINS, MARKS, Provider

HOSTILE = "100%,\r\n::add-mask::x;]"


@pytest.fixture(autouse=True)
def no_ci(monkeypatch: pytest.MonkeyPatch) -> None:
    for mark in MARKS:
        monkeypatch.delenv(mark, raising=False)
    cilog.restart()


def test_an_annotation_of_github_is_one_line_with_any_text() -> None:
    assert annotation_line(GITHUB, Annotation("error", HOSTILE, "a:b,c%\n.yaml", "7")) == (
        "::error file=a%3Ab%2Cc%25%0A.yaml,line=7,title=sfcutover::100%25,%0D%0A::add-mask::x;]"
    )


def test_an_annotation_of_azure_is_one_line_with_any_text() -> None:
    assert annotation_line(AZURE, Annotation("error", HOSTILE, "a;b]", "7")) == (
        "##vso[task.logissue type=error;sourcepath=a%3Bb%5D;linenumber=7;]"
        "100%AZP25,%0D%0A::add-mask::x%3B%5D"
    )


@pytest.mark.parametrize("provider", [GITLAB, JENKINS])
def test_other_systems_have_no_annotations(provider: Provider) -> None:
    assert annotation_line(provider, Annotation("error", "text")) == ""


def test_groups_of_each_system(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    expected = {
        GITHUB: ["::group::a 100%25", "inside", "::endgroup::"],
        AZURE: ["##[group]a 100%", "inside", "##[endgroup]"],
        JENKINS: ["inside"],
    }
    for provider, lines in expected.items():
        with monkeypatch.context() as patch:
            patch.setenv(provider.mark, "true")
            console = Console(Settings())
            with console.group("a\n100%"):
                console.note("inside")
        out, err = capsys.readouterr()
        assert (out, err.splitlines()) == ("", lines)


def test_a_section_of_gitlab_has_a_name_and_timestamps() -> None:
    start = cilog.group_start(GITLAB, "add-new", "sfcutover_1", 12.9)
    assert start == "\x1b[0Ksection_start:12:sfcutover_1\r\x1b[0Kadd-new"
    assert (
        cilog.group_end(GITLAB, "sfcutover_1", 13) == "\x1b[0Ksection_end:13:sfcutover_1\r\x1b[0K"
    )


def test_a_warning_is_never_folded(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    console = Console(Settings())
    with console.group("watch"):
        console.warn("look")
        console.note("more")
    lines = capsys.readouterr().err.splitlines()
    assert lines == ["::group::watch", "::endgroup::", "warning: look", "more"]


def test_quiet_has_no_groups(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    with Console(Settings(quiet=True)).group("watch"):
        pass
    assert capsys.readouterr().err == ""


def test_an_error_is_annotated_at_its_line_in_the_repository(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "cutovers"
    folder.mkdir()
    (folder / "eu.yaml").touch()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_WORKSPACE", str(tmp_path))
    also = ["eu.yaml:9: two", "https://org.example:443: three"]
    show_error(ConfigError("one", where="eu.yaml:7", hint="correct it", also=also), ["plan"])
    lines = capsys.readouterr().err.splitlines()
    assert lines[-3:] == [
        "::error file=cutovers/eu.yaml,line=7,title=sfcutover::one%0Anext: correct it",
        "::error file=cutovers/eu.yaml,line=9,title=sfcutover::two",
        "::error title=sfcutover::https://org.example:443: three",
    ]


def test_there_are_at_most_ten_annotations(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    error = ConfigError("one", hint="correct it", also=["more"] * 7)
    cilog.annotate(error, presentable)
    cilog.annotate(error, presentable)
    assert capsys.readouterr().err.count("::error ") == MAX_ANNOTATIONS == 10


def test_a_paused_run_is_not_annotated_as_an_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    error = WaitingForApprovalError("it waits", hint="approve it")
    assert error.exit_code is ExitCode.WAITING
    cilog.annotate(error, presentable)
    assert capsys.readouterr().err == "::notice title=sfcutover::it waits%0Anext: approve it\n"


@pytest.mark.parametrize(
    ("mark", "text", "shown"),
    [
        ("GITHUB_ACTIONS", "::error::x", "·:error::x"),
        ("GITHUB_ACTIONS", "a\n \u3000::stop-commands::x", "a\n \u3000·:stop-commands::x"),
        ("GITHUB_ACTIONS", "a\n::set-output name=a::x", "a\n·:set-output name=a::x"),
        ("GITHUB_ACTIONS", "an ##[add-mask]x", "an ·#[add-mask]x"),
        ("GITHUB_ACTIONS", "::1, and 2001:db8::1", "::1, and 2001:db8::1"),
        ("TF_BUILD", "an ##vso[task.setvariable]x", "an ·#vso[task.setvariable]x"),
        ("TF_BUILD", "##[error]x", "·#[error]x"),
        ("JENKINS_URL", "::error::x ##[error]x", "::error::x ##[error]x"),
    ],
)
def test_no_text_from_elsewhere_becomes_a_command(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    mark: str,
    text: str,
    shown: str,
) -> None:
    monkeypatch.setenv(mark, "true")
    to_stdout(text)
    assert capsys.readouterr().out == f"{shown}\n"
