"""No cassette contains a secret, and the search for secrets finds planted ones."""

from __future__ import annotations

import base64
import io
import json
import zipfile

import pytest
import yaml
from vcr.request import Request  # type: ignore[import-untyped]

from tests.integration.salesforce.conftest import CASSETTES
from tests.integration.salesforce.scrubbing import (
    ORG_URL,
    SCRUBBED,
    find_secrets,
    same_operation,
    scrub_request,
    scrub_response,
    soap_operation,
)
from tests.support import SECURITY_PATH, envelope

SESSION = "00D5g000001AbCd" + "!AQEAQK3x.w7Gm9kZ_example_session_example"  # whole only at run time
REFRESH = "5Aep861" + "TSESvWeug_xvFHRBTTbf_YrTWgEyjBJrhgTHMmPHvBLvB"
JWT = "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiIzTVZHOSIsInN1YiI6ImEifQ.c2lnbmF0dXJl"
URL = "http://127.0.0.1:43210"


def zipped(**files: str) -> str:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, content in files.items():
            archive.writestr(path, content)
    return base64.b64encode(buffer.getvalue()).decode()


def cassette(request: str = "", response: str = "") -> str:
    """A cassette of one exchange, in its file format."""
    return yaml.safe_dump(
        {
            "interactions": [
                {"request": {"body": request}, "response": {"body": {"string": response}}}
            ],
            "version": 1,
        }
    )


def scrubbed_response(body: str, **headers: list[str]) -> str:
    response = {"headers": headers, "status": {"code": 200}, "body": {"string": body.encode()}}
    return str(scrub_response(response)["body"]["string"], "utf-8")


def scrubbed_request(body: str, path: str = "/services/Soap/m/67.0") -> Request:
    headers = {"Authorization": f"Bearer {SESSION}", "Content-Type": "text/xml"}
    return scrub_request(Request("POST", f"{URL}{path}", body.encode(), headers))


@pytest.mark.parametrize("name", sorted(file.name for file in CASSETTES.iterdir()))
def test_no_cassette_contains_a_secret(name: str) -> None:
    text = (CASSETTES / name).read_text(encoding="utf-8")
    assert name.endswith((".yaml", ".md"))
    assert find_secrets(text if name.endswith(".yaml") else cassette(text)) == []


LEAKS = {
    "session id in the header": envelope(f"<sessionId>{SESSION}</sessionId>").decode(),
    "any other session id": "<ns0:sessionId>short-one</ns0:sessionId>",
    "token anywhere": f"Authorization: OAuth {SESSION}",
    "refresh token anywhere": f"please keep {REFRESH}",
    "refresh token in a form": "grant_type=refresh_token&refresh_token=abc.def",
    "refresh token in JSON": json.dumps({"refresh_token": "abc.def"}),
    "access token in JSON": json.dumps({"access_token": "abc.def"}),
    "client secret in a form": "client_id=x&client_secret=1234567890&grant_type=y",
    "JWT as an assertion": f"assertion={JWT}",
    "JWT anywhere": f"<sid>{JWT}</sid>",
    "consumer secret": "<consumerSecret>1234567890ABCDEF</consumerSecret>",
    "deploy zip": f"<ns0:ZipFile>{zipped(a='b')}</ns0:ZipFile>",
    "inside a retrieved zip": f"<zipFile>{zipped(a=f'<x>{REFRESH}</x>')}</zipFile>",
    "consumer secret in a zip": (
        f"<zipFile>{zipped(a='<consumerSecret>12345678</consumerSecret>')}</zipFile>"
    ),
}


@pytest.mark.parametrize("leak", LEAKS.values(), ids=LEAKS)
@pytest.mark.parametrize("side", ["request", "response"])
def test_a_secret_in_a_cassette_is_found(leak: str, side: str) -> None:
    assert find_secrets(cassette(**{side: leak}))
    assert find_secrets(cassette(**{side: "<a>nothing</a>"})) == []


@pytest.mark.parametrize("leak", LEAKS.values(), ids=LEAKS)
def test_scrubbing_leaves_no_secret(leak: str) -> None:
    body = scrubbed_request(leak).body
    assert find_secrets(cassette(request=body.decode())) == []
    assert find_secrets(cassette(response=scrubbed_response(leak))) == []


def test_scrubbing_is_idempotent() -> None:
    body = envelope(
        f"<a><sessionId>{SESSION}</sessionId><ZipFile>{zipped(a='b')}</ZipFile>"
        f"<zipFile>{zipped(**{SECURITY_PATH: '<b/>', 'package.xml': '<c/>'})}</zipFile></a>"
    ).decode()
    once = scrubbed_response(body)
    assert once != body
    assert scrubbed_response(once) == once


def test_a_request_keeps_neither_host_nor_port_nor_authorization() -> None:
    request = scrubbed_request("<a/>", "/services/data/v67.0/query?q=SELECT+Id")
    assert request.uri == f"{ORG_URL}/services/data/v67.0/query?q=SELECT+Id"
    assert {name.lower() for name in request.headers} == {"content-type"}


def test_a_response_keeps_no_cookies_and_no_host() -> None:
    response = {
        "headers": {"Set-Cookie": ["sid=1"], "Content-Type": ["application/json"]},
        "body": {"string": json.dumps({"instance_url": URL, "access_token": SESSION}).encode()},
    }
    scrubbed = scrub_response(response)
    assert scrubbed["headers"] == {"Content-Type": ["application/json"]}
    body = json.loads(scrubbed["body"]["string"])
    assert body == {"instance_url": ORG_URL, "access_token": SCRUBBED}


def test_a_retrieved_zip_stays_readable_without_the_secret_files() -> None:
    secret = "extlClntAppGlobalOauthSets/A.ecaGlblOauth"
    files = {SECURITY_PATH: "<kept/>", "package.xml": "<kept/>", secret: "<lost/>"}
    body = scrubbed_response(envelope(f"<zipFile>{zipped(**files)}</zipFile>").decode())
    encoded = body.partition("<zipFile>")[2].partition("<")[0]
    with zipfile.ZipFile(io.BytesIO(base64.b64decode(encoded))) as archive:
        assert archive.namelist() == [SECURITY_PATH, "package.xml"]
        assert archive.read("package.xml") == b"<kept/>"


def test_requests_to_one_path_are_distinguished_by_their_operation() -> None:
    one = scrubbed_request(envelope("<checkDeployStatus/>").decode())
    other = scrubbed_request(envelope("<deploy/>").decode())
    assert soap_operation(one) == "checkDeployStatus"
    same_operation(one, one)
    with pytest.raises(AssertionError, match="deploy was called"):
        same_operation(other, one)
