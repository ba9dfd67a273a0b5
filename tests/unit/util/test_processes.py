"""What a process learns from its environment."""

from __future__ import annotations

import pytest

from sfcutover.util.processes import in_ci


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
def test_a_job_of_a_ci_system_is_known(environment: dict[str, str], expected: bool) -> None:
    assert in_ci(environment) == expected
