"""Errors that the Salesforce CLI prints, by their name alone."""

from __future__ import annotations

import json

import pytest

from sfcutover.errors import AuthError, NetworkError, SfcutoverError
from sfcutover.salesforce.clioutput import result_of


@pytest.mark.parametrize(
    ("name", "kind", "hint"),
    [
        ("NamedOrgNotFoundError", AuthError, "sf org login web --alias acme"),
        ("ECONNREFUSED", NetworkError, "check the network"),
        ("SELF_SIGNED_CERT_IN_CHAIN", NetworkError, "NODE_EXTRA_CA_CERTS"),
    ],
)
def test_an_error_is_recognized_by_its_name(
    name: str, kind: type[SfcutoverError], hint: str
) -> None:
    printed = json.dumps({"name": name, "message": "sorry", "status": 1}).encode()
    with pytest.raises(kind, match="sorry") as caught:
        result_of(printed, 1, "sf org display", "acme")
    assert hint in caught.value.hint
