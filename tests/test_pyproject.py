"""pyproject.toml gives the reason for each dependency, and the Python versions that CI tests."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
PROJECT = tomllib.loads(TEXT)


@pytest.mark.parametrize(
    ("start", "listed"),
    [
        ("dependencies = [", PROJECT["project"]["dependencies"]),
        ("dev = [", PROJECT["dependency-groups"]["dev"]),
        ("docs = [", PROJECT["dependency-groups"]["docs"]),
    ],
)
def test_every_direct_dependency_has_a_reason_and_they_are_sorted(
    start: str, listed: list[str]
) -> None:
    lines = TEXT.split(f"\n{start}\n")[1].split("\n]")[0].splitlines()
    reasons = [re.fullmatch(r'  "([^"]+)",\s+# (.+)', line) for line in lines]
    assert [found[1] for found in reasons if found] == listed
    names = [re.split(r"[<>=\[]", each)[0].lower() for each in listed]
    assert names == sorted(names)


def test_the_declared_python_versions_are_those_that_ci_tests() -> None:
    workflow = (ROOT / ".github" / "workflows" / "check.yml").read_text(encoding="utf-8")
    tested = yaml.safe_load(workflow)["jobs"]["unit"]["strategy"]["matrix"]["python"]
    prefix = "Programming Language :: Python :: "
    claimed = [
        each.removeprefix(prefix)
        for each in PROJECT["project"]["classifiers"]
        if each.startswith(prefix)
    ]
    assert claimed == tested
    assert PROJECT["project"]["requires-python"] == f">={tested[0]}"


def test_actions_are_pinned_to_commits() -> None:
    for path in (ROOT / ".github" / "workflows").iterdir():
        used = re.findall(r"uses: (\S+)(.*)", path.read_text(encoding="utf-8"))
        for action, comment in used:
            assert re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", action), f"{path.name}: {action}"
            assert re.fullmatch(r" # v[0-9.]+", comment), f"{path.name}: {action}{comment}"
