"""switch: of cutover.yaml, which moves traffic between the egresses."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from sfcutover.config.egress import Switch


def test_the_revert_of_a_switch_is_optional() -> None:
    assert Switch.model_validate({"apply": ["a"]}).revert == ()
    assert Switch.model_validate({"apply": ["a"], "revert": ["b"]}).revert == ("b",)
    assert Switch.model_validate({"manual": True}).apply == ()


@pytest.mark.parametrize(
    "data",
    [{}, {"revert": ["b"]}, {"manual": True, "apply": ["a"]}, {"apply": []}, {"apply": [""]}],
)
def test_a_switch_is_either_a_command_or_manual(data: object) -> None:
    with pytest.raises(ValidationError):
        Switch.model_validate(data)
