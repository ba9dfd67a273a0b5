from __future__ import annotations

import pytest
from pydantic import ValidationError

from sfcutover.emulator.edits import Edit


def edit(**settings: object) -> Edit:
    return Edit.model_validate(settings)


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"of": "lunch"}, "unknown interaction 'lunch'"),
        ({"type": "ExternalClientApplication"}, "contains no allowlist"),
        ({"add": [{"range": "here"}]}, "is not an IP address"),
        ({"remove": ["here"]}, "is not an IP address"),
        ({"seconds": 3}, "must not have seconds"),
        ({"nth": 0}, "greater than or equal to 1"),
    ],
)
def test_an_invalid_edit_is_refused(settings: dict[str, object], problem: str) -> None:
    with pytest.raises(ValidationError, match=problem):
        edit(**settings)
