"""CI systems by the variables that their documentation names; no other module names one.

A variable is easily set, so what is read here proves nothing. Sources: GitHub "Variables
reference", GitLab "Predefined CI/CD variables", Bitbucket "Variables and secrets", Jenkins "Using
environment variables" and its Build User Vars plugin, Azure Pipelines "Use predefined variables",
CircleCI "Project values and variables", Buildkite "Environment variables", TeamCity "Predefined
build parameters".
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_UNSET = ("", "0", "false")
# A line that the runner of GitHub Actions takes for a command, and what it looks for anywhere in a
# line (actions/runner, ActionCommand.TryParseV2 and TryParse).
_GITHUB_COMMANDS = r"(?m)(?:^|(?<=\r))(\s*):(?=:[A-Za-z][\w-]*(?: [^\r\n]*)?::)|#(?=#\[)"
# Anywhere in a line (azure-pipelines-task-lib; "Logging commands", "Formatting commands").
_AZURE_COMMANDS = r"()#(?=#(?:vso)?\[)"


@dataclass(frozen=True)
class Provider:
    """A CI system. mark: what is set in each of its jobs. actors: who started the job, the best
    first. folder: the checkout. commands: the pattern of what it obeys in a log; the character
    after group 1 is what makes it a command. end_seconds: how long a job that is canceled has for
    its last words, before it is killed."""

    name: str
    mark: str
    actors: tuple[str, ...] = ()
    folder: str = ""
    commands: str = ""
    end_seconds: float = math.inf


GITHUB = Provider(
    "GitHub Actions",
    "GITHUB_ACTIONS",
    ("GITHUB_TRIGGERING_ACTOR", "GITHUB_ACTOR"),  # the first one ran the job again
    "GITHUB_WORKSPACE",
    _GITHUB_COMMANDS,
    7.5,  # until SIGTERM; SIGKILL follows 2.5 s later (actions/runner, ProcessInvoker.cs)
)
GITLAB = Provider("GitLab CI/CD", "GITLAB_CI", ("GITLAB_USER_LOGIN",), "CI_PROJECT_DIR")
BITBUCKET = Provider(
    "Bitbucket Pipelines",
    "BITBUCKET_BUILD_NUMBER",
    ("BITBUCKET_STEP_TRIGGERER_UUID",),
    "BITBUCKET_CLONE_DIR",
)
AZURE = Provider(
    "Azure Pipelines",
    "TF_BUILD",
    ("BUILD_REQUESTEDFOR",),
    "BUILD_SOURCESDIRECTORY",
    _AZURE_COMMANDS,
)
CIRCLECI = Provider("CircleCI", "CIRCLECI", ("CIRCLE_USERNAME",), "CIRCLE_WORKING_DIRECTORY")
BUILDKITE = Provider(
    "Buildkite",
    "BUILDKITE",
    ("BUILDKITE_BUILD_CREATOR",),
    "BUILDKITE_BUILD_CHECKOUT_PATH",
)
TEAMCITY = Provider("TeamCity", "TEAMCITY_VERSION")
JENKINS = Provider("Jenkins", "JENKINS_URL", ("BUILD_USER_ID",), "WORKSPACE")

PROVIDERS = (GITHUB, GITLAB, BITBUCKET, AZURE, CIRCLECI, BUILDKITE, TEAMCITY, JENKINS)
_ANY = "CI"  # nearly every CI system sets it, those that are not listed here, too
MARKS = (_ANY, *(each.mark for each in PROVIDERS))


def provider_of(environment: Mapping[str, str] = os.environ) -> Provider | None:
    """The CI system whose job this process is; None outside one, and in one not listed here."""
    return next((each for each in PROVIDERS if _is_set(each.mark, environment)), None)


def in_ci(environment: Mapping[str, str] = os.environ) -> bool:
    """True if this process looks like a job of a CI system."""
    return any(_is_set(name, environment) for name in MARKS)


def current_actor(environment: Mapping[str, str] = os.environ) -> str:
    """Who runs this process, and the variable that says so: ``jo (GITHUB_ACTOR)``."""
    for variable in (name for each in PROVIDERS for name in each.actors):
        name = " ".join(environment.get(variable, "").split())
        if name:
            return f"{name} ({variable})"
    import getpass  # for a job that no variable names, and for a terminal

    try:
        return getpass.getuser()
    except (ImportError, KeyError, OSError):  # a container's user without a name
        return f"user id {os.getuid()}"


def inert(text: str, environment: Mapping[str, str] = os.environ) -> str:
    """The text for a log of this CI system, which obeys nothing in it."""
    provider = provider_of(environment)
    if provider is None or not provider.commands:
        return text
    return re.sub(provider.commands, r"\1·", text)


def end_seconds(environment: Mapping[str, str] = os.environ) -> float:
    """How long a process has between the signal that cancels its job and its end by SIGKILL."""
    provider = provider_of(environment)
    return math.inf if provider is None else provider.end_seconds


def checkout(environment: Mapping[str, str] = os.environ) -> Path | None:
    """The folder of the repository, which paths of annotations are relative to."""
    provider = provider_of(environment)
    folder = environment.get(provider.folder) if provider is not None else None
    return Path(folder) if folder else None


@dataclass(frozen=True)
class StepFiles:
    """The files that a step of GitHub Actions may write: output takes ``name=value``, summary takes
    Markdown. None where the runner names none."""

    output: Path | None = None
    summary: Path | None = None

    @classmethod
    def of(cls, environment: Mapping[str, str] = os.environ) -> StepFiles:
        """None of them outside GitHub Actions."""
        if provider_of(environment) is not GITHUB:
            return cls()
        output, summary = map(environment.get, ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY"))
        return cls(Path(output) if output else None, Path(summary) if summary else None)


def _is_set(name: str, environment: Mapping[str, str]) -> bool:
    return environment.get(name, "").lower() not in _UNSET
