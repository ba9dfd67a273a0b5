from __future__ import annotations

import pytest
from pydantic import ValidationError

from sfcutover.config.checks import Check, Watch
from sfcutover.config.egress import Switch
from sfcutover.config.verify import TokenStore, Verify


def test_an_apply_command_may_have_a_revert_or_not() -> None:
    assert Switch.model_validate({"apply": ["a"]}).revert == ()
    assert Switch.model_validate({"apply": ["a"], "revert": ["b"]}).revert == ("b",)
    assert Switch.model_validate({"manual": True}).apply == ()


@pytest.mark.parametrize(
    "data",
    [{}, {"revert": ["b"]}, {"manual": True, "apply": ["a"]}, {"apply": []}, {"apply": [""]}],
)
def test_traffic_moves_by_a_command_or_the_operator(data: object) -> None:
    with pytest.raises(ValidationError):
        Switch.model_validate(data)


@pytest.mark.parametrize(
    "data",
    [{"env": "T"}, {"file": "t"}, {"get": ["g"]}, {"get": ["g"], "put": ["p"]}],
)
def test_a_token_is_kept_in_one_place(data: object) -> None:
    assert TokenStore.model_validate(data) is not None


@pytest.mark.parametrize(
    "data", [{}, {"put": ["p"]}, {"env": "T", "file": "t"}, {"file": "t", "get": ["g"]}, "token"]
)
def test_a_token_is_kept_in_exactly_one_place(data: object) -> None:
    with pytest.raises(ValidationError):
        TokenStore.model_validate(data)


@pytest.mark.parametrize("rotation", [True, False, None])
def test_whether_a_token_is_rotated_may_be_said(rotation: bool | None) -> None:
    assert TokenStore.model_validate({"file": "t"}).rotation is None
    assert TokenStore.model_validate({"env": "T", "rotation": rotation}).rotation is rotation


def test_a_literal_token_is_not_repeated() -> None:
    with pytest.raises(ValidationError) as caught:
        TokenStore.model_validate("hunter2-token")
    assert "hunter2" not in str(caught.value)


def test_what_is_not_said_has_the_safe_default() -> None:
    verify = Verify.model_validate({"client_id": "i", "refresh_token": {"file": "t"}})
    assert (verify.settle, verify.confidence) == (60.0, 0.999999)
    assert verify.token_url.read() == "https://login.salesforce.com/services/oauth2/token"
    watch = Watch()
    assert (watch.duration, watch.interval, watch.failures) == (900.0, 15.0, 2)


@pytest.mark.parametrize(
    "data", [{}, {"command": []}, {"command": ["a"], "prometheus": {"url": "u"}}]
)
def test_a_check_is_exactly_one_thing(data: object) -> None:
    with pytest.raises(ValidationError):
        Check.model_validate(data)
