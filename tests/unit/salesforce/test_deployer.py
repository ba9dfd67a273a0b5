"""Deployments as an org lists them: which of them have yet to end."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from sfcutover.salesforce.deployer import DeployRequest

ENDED = datetime(2026, 11, 23, 12, 0, 9, tzinfo=UTC)


def test_a_deployment_is_read_by_the_names_of_the_tooling_api() -> None:
    record = {
        **{"Id": "0Af1", "Status": "Succeeded", "CheckOnly": True},
        **{"CompletedDate": "2026-11-23T12:00:09.000+0000", "CreatedBy": {"Name": "Casey"}},
    }
    assert DeployRequest.of(record) == DeployRequest("0Af1", "Succeeded", True, ENDED, "Casey")


@pytest.mark.parametrize(
    "record",
    [{}, dict.fromkeys(("Id", "Status", "CompletedDate", "CreatedBy")), {"CreatedBy": {}}],
)
def test_a_deployment_without_values_is_read(record: dict[str, object]) -> None:
    assert DeployRequest.of(record) == DeployRequest("", "", False, None, "")


@pytest.mark.parametrize(
    ("status", "completed", "is_pending"),
    [
        ("Pending", None, True),
        ("InProgress", None, True),
        ("Canceling", None, True),
        ("SomethingNew", None, True),
        ("", None, True),
        ("InProgress", ENDED, False),
        ("Succeeded", None, False),
        ("SucceededPartial", None, False),
        ("Failed", None, False),
        ("Canceled", None, False),
    ],
)
def test_a_deployment_is_pending_until_it_has_a_final_status_or_an_end(
    status: str, completed: datetime | None, is_pending: bool
) -> None:
    assert DeployRequest("0Af1", status, False, completed, "Casey").is_pending is is_pending
