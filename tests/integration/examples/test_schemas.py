"""examples/ against the schemas of the CI systems; only a server of Jenkins checks its file."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.examples.machine import EXAMPLES

_FILES = {
    "gitlab/.gitlab-ci.yml": ("vendor.gitlab-ci",),
    "bitbucket/bitbucket-pipelines.yml": ("vendor.bitbucket-pipelines",),
    "azure/azure-pipelines.yml": ("vendor.azure-pipelines", "--data-transform", "azure-pipelines"),
    **{
        f"github/{path.name}": ("vendor.github-workflows",)
        for path in sorted((EXAMPLES / "github").glob("*.yml"))
    },
}


@pytest.mark.parametrize("name", _FILES)
def test_a_file_fits_the_schema_of_its_system(name: str) -> None:
    program = Path(sys.executable).with_name("check-jsonschema")
    command = [str(program), "--builtin-schema", *_FILES[name], str(EXAMPLES / name)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
