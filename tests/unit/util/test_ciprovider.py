"""What a process learns about its CI job from the environment."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import sfcutover
from sfcutover.util import ciprovider
from sfcutover.util.ciprovider import (
    AZURE,
    BITBUCKET,
    CIRCLECI,
    GITHUB,
    GITLAB,
    JENKINS,
    MARKS,
    PROVIDERS,
    Provider,
    StepFiles,
    checkout,
    current_actor,
    in_ci,
    provider_of,
)

GITHUB_JOB = {
    "GITHUB_ACTIONS": "true",
    "GITHUB_SERVER_URL": "https://github.com",
    "GITHUB_REPOSITORY": "acme/packaging",
    "GITHUB_RUN_ID": "42",
}


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, False),
        ({"CI": ""}, False),
        ({"CI": "false"}, False),
        ({"CI": "0"}, False),
        ({"CI": "true"}, True),
        ({"CI": "1"}, True),
        ({"TF_BUILD": "True"}, True),
        ({"JENKINS_URL": "https://jenkins.example/"}, True),
    ],
)
def test_a_ci_job_is_recognized(environment: dict[str, str], expected: bool) -> None:
    assert in_ci(environment) == expected


@pytest.mark.parametrize(
    ("environment", "provider"),
    [
        ({}, None),
        ({"CI": "true"}, None),
        ({"GITHUB_ACTIONS": "true"}, GITHUB),
        ({"GITLAB_CI": "true"}, GITLAB),
        ({"BITBUCKET_BUILD_NUMBER": "5"}, BITBUCKET),
        ({"TF_BUILD": "True"}, AZURE),
        ({"CIRCLECI": "true"}, CIRCLECI),
        ({"JENKINS_URL": "https://ci.example/"}, JENKINS),
    ],
)
def test_a_system_is_recognized_by_its_variable(
    environment: dict[str, str], provider: Provider | None
) -> None:
    assert provider_of(environment) is provider


def test_the_user_named_by_the_ci_system_has_precedence() -> None:
    assert current_actor({"GITLAB_USER_LOGIN": " jo \n"}) == "jo (GITLAB_USER_LOGIN)"
    assert current_actor({"GITHUB_ACTOR": "  ", "BUILD_USER_ID": "x"}) == "x (BUILD_USER_ID)"


def test_the_user_who_reran_a_job_has_precedence() -> None:
    both = {"GITHUB_ACTOR": "jo", "GITHUB_TRIGGERING_ACTOR": "sam"}
    assert current_actor(both) == "sam (GITHUB_TRIGGERING_ACTOR)"


def test_outside_ci_the_user_of_this_machine_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGNAME", "sam")
    assert current_actor({}) == "sam"


def test_the_checkout_is_read_from_the_environment() -> None:
    assert checkout({}) is None
    assert checkout({"GITHUB_ACTIONS": "true"}) is None
    assert checkout({"GITHUB_ACTIONS": "true", "GITHUB_WORKSPACE": "/w"}) == Path("/w")
    assert checkout({"TF_BUILD": "True", "BUILD_SOURCESDIRECTORY": "/s"}) == Path("/s")


def test_only_github_has_files_for_a_step() -> None:
    files = {"GITHUB_OUTPUT": "/o", "GITHUB_STEP_SUMMARY": "/s"}
    assert StepFiles.of(files) == StepFiles()
    assert StepFiles.of({"GITHUB_ACTIONS": "true"}) == StepFiles()
    assert StepFiles.of({"GITHUB_ACTIONS": "true", **files}) == StepFiles(Path("/o"), Path("/s"))


def test_no_other_module_reads_such_a_variable() -> None:
    folder = Path(sfcutover.__file__).parent
    names = {*MARKS, *(name for each in PROVIDERS for name in (*each.actors, each.folder))}
    for file in folder.rglob("*.py"):
        if file == Path(ciprovider.__file__):
            continue
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                named = node.value in names - {""} or node.value.startswith("GITHUB_")
                assert not named, f"{file}: {node.value}"
