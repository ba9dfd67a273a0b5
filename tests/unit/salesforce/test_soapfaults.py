"""Which error a fault's code means."""

from __future__ import annotations

import pytest

from sfcutover.errors import (
    AuthError,
    ConfigError,
    LimitError,
    NetworkError,
    OperationFailedError,
    SfcutoverError,
)
from sfcutover.salesforce.soapfaults import OrgLockedError, UnknownIdError, fault_error, local_code


@pytest.mark.parametrize(
    "code",
    ["sf:ORG_LOCKED", "fns:ORG_LOCKED", "{urn:fault.soap.sforce.com}ORG_LOCKED", "ORG_LOCKED"],
)
def test_a_prefix_is_no_part_of_the_code(code: str) -> None:
    assert local_code(code) == "ORG_LOCKED"


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("INSUFFICIENT_ACCESS", AuthError),
        ("API_CURRENTLY_DISABLED", AuthError),
        ("REQUEST_LIMIT_EXCEEDED", LimitError),
        ("UNABLE_TO_LOCK_ROW", NetworkError),
        ("UNKNOWN_EXCEPTION", NetworkError),
        ("UNSUPPORTED_API_VERSION", ConfigError),
        ("INVALID_CROSS_REFERENCE_KEY", UnknownIdError),
        ("ORG_LOCKED", OrgLockedError),
        ("SOMETHING_NEW", OperationFailedError),
    ],
)
def test_a_code_has_its_error(code: str, kind: type[SfcutoverError]) -> None:
    error = fault_error(code, f"{code}: so\n it is", "https://acme.example.com deploy")
    assert type(error) is kind
    assert str(error) == f"https://acme.example.com deploy: {code}: so it is"


def test_a_long_text_is_cut() -> None:
    assert len(fault_error("ORG_LOCKED", "x" * 9999, "here").message) < 600


@pytest.mark.parametrize("code", [None, ""])
def test_no_code_is_none(code: str | None) -> None:
    assert local_code(code) == ""
