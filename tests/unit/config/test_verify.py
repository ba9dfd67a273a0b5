"""verify: of cutover.yaml: defaults, and where a token is kept."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from sfcutover.config.verify import TokenStore, Verify


@pytest.mark.parametrize(
    "data",
    [{"env": "T"}, {"file": "t"}, {"get": ["g"]}, {"get": ["g"], "put": ["p"]}],
)
def test_a_token_store_is_a_variable_a_file_or_commands(data: object) -> None:
    assert TokenStore.model_validate(data) is not None


@pytest.mark.parametrize(
    "data", [{}, {"put": ["p"]}, {"env": "T", "file": "t"}, {"file": "t", "get": ["g"]}, "token"]
)
def test_a_token_store_is_exactly_one_of_them(data: object) -> None:
    with pytest.raises(ValidationError):
        TokenStore.model_validate(data)


@pytest.mark.parametrize("rotation", [True, False, None])
def test_rotation_can_be_configured(rotation: bool | None) -> None:
    assert TokenStore.model_validate({"file": "t"}).rotation is None
    assert TokenStore.model_validate({"env": "T", "rotation": rotation}).rotation is rotation


def test_a_literal_token_is_refused_and_not_repeated() -> None:
    with pytest.raises(ValidationError) as caught:
        TokenStore.model_validate("hunter2-token")
    assert "hunter2" not in str(caught.value)


def test_verify_has_safe_defaults() -> None:
    verify = Verify.model_validate({"client_id": "i", "refresh_token": {"file": "t"}})
    assert (verify.settle, verify.confidence) == (60.0, 0.999999)
    assert verify.token_url.read() == "https://login.salesforce.com/services/oauth2/token"
