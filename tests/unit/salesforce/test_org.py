"""Times as the REST API writes them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from sfcutover.salesforce.org import time_of


def test_a_time_of_the_rest_api_is_read() -> None:
    assert time_of("2026-11-23T12:00:00.250+0000") == datetime(
        2026, 11, 23, 12, 0, 0, 250_000, tzinfo=UTC
    )


@pytest.mark.parametrize("value", [None, "", "yesterday", 5])
def test_another_value_is_no_time(value: object) -> None:
    assert time_of(value) is None
