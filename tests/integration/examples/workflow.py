"""A GitHub workflow and a composite action, as YAML. Unknown keys fail the test."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field


def _listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", populate_by_name=True)


class Step(_Part):
    """A step of a job or of a composite action."""

    name: str = ""
    id: str = ""
    condition: str = Field("", alias="if")
    uses: str = ""
    with_: dict[str, str] = Field({}, alias="with")
    run: str = ""
    shell: str = ""
    env: dict[str, str] = {}
    working_directory: str = Field(".", alias="working-directory")
    continue_on_error: str = Field("", alias="continue-on-error")
    timeout_minutes: str = Field("", alias="timeout-minutes")


class Concurrency(_Part):
    """What runs one at a time."""

    group: str
    cancel_in_progress: str = Field(alias="cancel-in-progress")


class RunDefaults(_Part):
    """How ``run:`` runs."""

    shell: str


class Defaults(_Part):
    """Of all steps."""

    run: RunDefaults


class WorkflowJob(_Part):
    """A job."""

    name: str = ""
    runs_on: str = Field(alias="runs-on")
    timeout_minutes: str = Field(alias="timeout-minutes")
    permissions: dict[str, str]
    needs: Annotated[list[str], BeforeValidator(_listed)] = []
    condition: str = Field("", alias="if")
    environment: str = ""
    concurrency: Concurrency | None = None
    outputs: dict[str, str] = {}
    env: dict[str, str] = {}
    steps: list[Step]


class Input(_Part):
    """A value that the user enters."""

    description: str
    required: str = "false"
    default: str = ""


class Workflow(_Part):
    """A workflow."""

    name: str
    on: dict[str, object]
    permissions: dict[str, str]
    concurrency: Concurrency | None = None
    defaults: Defaults | None = None
    env: dict[str, str] = {}
    jobs: dict[str, WorkflowJob]


class Output(_Part):
    """An output of the action."""

    description: str
    value: str


class Steps(_Part):
    """What a composite action does."""

    using: str
    steps: list[Step]


class Action(BaseModel):
    """The composite action of this repository."""

    inputs: dict[str, Input]
    outputs: dict[str, Output]
    runs: Steps


def read_workflow(path: Path) -> Workflow:
    """The workflow in a file; all its scalars are text, and so is its key ``on``."""
    return Workflow.model_validate(_read(path))


def read_action(path: Path) -> Action:
    """The action in a file."""
    return Action.model_validate(_read(path))


def _read(path: Path) -> object:
    return yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.BaseLoader)
