"""Request bodies that are compressed, as the Java connector sends them by default."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable

import pytest
import requests

from sfcutover.emulator import Emulator
from sfcutover.emulator.bodies import MAX_BODY
from tests.integration.emulator.client import Client

Org = tuple[Emulator, Client]


def post(client: Client, body: bytes, coding: str) -> requests.Response:
    url = f"{client.url}/services/Soap/m/67.0"
    headers = {"Content-Type": "text/xml", "SOAPAction": '""', "Content-Encoding": coding}
    return client.http.post(url, data=body, headers=headers, timeout=30)


@pytest.mark.parametrize(
    ("coding", "compress"),
    [("gzip", gzip.compress), ("deflate", zlib.compress), ("identity", bytes)],
)
def test_a_soap_request_may_be_compressed(
    org: Org, coding: str, compress: Callable[[bytes], bytes]
) -> None:
    _, client = org
    answer = post(client, compress(client.envelope("describeMetadata").encode()), coding)
    assert answer.status_code == 200
    assert b"ConnectedApp" in answer.content


def test_a_form_may_be_compressed(org: Org) -> None:
    emulator, client = org
    variables = emulator.environment
    form = (
        f"grant_type=refresh_token&client_id={variables['SF_CLIENT_ID']}"
        f"&client_secret={variables['SF_CLIENT_SECRET']}"
        f"&refresh_token={variables['SF_REFRESH_TOKEN']}"
    )
    answer = client.http.post(
        variables["SFCUTOVER_TOKEN_URL"],
        data=gzip.compress(form.encode()),
        headers={
            "Content-Type": "application/x-www-form-urlencoded",
            "Content-Encoding": "gzip",
        },
        timeout=10,
    )
    assert "ip restricted" in answer.json()["error_description"]  # it was read: this is 127.0.0.1


@pytest.mark.parametrize(
    ("body", "coding", "status"),
    [
        (lambda: b"plain", "gzip", 400),
        (lambda: gzip.compress(b"whole")[:-4], "gzip", 400),
        (lambda: b"plain", "br", 415),
        (lambda: gzip.compress(bytes(MAX_BODY + 1)), "gzip", 413),
    ],
    ids=["not gzip", "cut off", "unknown coding", "too long"],
)
def test_an_invalid_compressed_body_is_refused(
    org: Org, body: Callable[[], bytes], coding: str, status: int
) -> None:
    _, client = org
    assert post(client, body(), coding).status_code == status
    assert client.get("/services/data").status_code == 200
