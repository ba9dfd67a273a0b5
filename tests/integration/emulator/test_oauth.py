from __future__ import annotations

import time

import jwt
import pytest
import requests

from sfcutover.emulator import Emulator
from tests.integration.emulator.client import Client
from tests.integration.emulator.conftest import StartOrg

Org = tuple[Emulator, Client]
JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"


def ask(org: Org, **form: str) -> requests.Response:
    emulator, client = org
    url = emulator.environment["SFCUTOVER_TOKEN_URL"]
    return client.http.post(url, data=form, timeout=10)


def works(org: Org, token: str) -> bool:
    _, client = org
    client.token = token
    return client.get("/services/oauth2/userinfo").status_code == 200


def client_form(emulator: Emulator) -> dict[str, str]:
    environment = emulator.environment
    return {
        "client_id": environment["SF_CLIENT_ID"],
        "client_secret": environment["SF_CLIENT_SECRET"],
    }


def assertion(emulator: Emulator, **changes: object) -> str:
    claims = {
        "iss": emulator.environment["SF_CLIENT_ID"],
        "sub": "release@acme.example",
        "aud": "https://login.salesforce.com",
        "exp": int(time.time()) + 120,
    } | changes
    return jwt.encode(claims, emulator.jwt_private_key_path.read_text(), algorithm="RS256")


def test_client_credentials_are_accepted_in_the_body(org: Org) -> None:
    emulator, _ = org
    answer = ask(org, grant_type="client_credentials", **client_form(emulator))
    assert answer.status_code == 200
    body = answer.json()
    assert body["instance_url"] == emulator.url
    assert body["token_type"] == "Bearer"
    assert body["issued_at"].isdecimal()
    assert works(org, body["access_token"])


def test_client_credentials_are_accepted_in_the_header(org: Org) -> None:
    emulator, client = org
    form = client_form(emulator)
    answer = client.http.post(
        emulator.environment["SFCUTOVER_TOKEN_URL"],
        data={"grant_type": "client_credentials"},
        auth=(form["client_id"], form["client_secret"]),
        timeout=10,
    )
    assert works(org, answer.json()["access_token"])


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"client_id": "3MVG9nobody"}, ("invalid_client_id", "client identifier invalid")),
        ({"client_secret": "wrong"}, ("invalid_client", "invalid client credentials")),
        ({"grant_type": "password"}, ("unsupported_grant_type", "grant type not supported")),
        ({"grant_type": ""}, ("unsupported_grant_type", "grant type not supported")),
    ],
)
def test_invalid_clients_are_refused(
    org: Org, change: dict[str, str], error: tuple[str, str]
) -> None:
    emulator, _ = org
    form = {"grant_type": "client_credentials", **client_form(emulator)} | change
    answer = ask(org, **form)
    assert answer.status_code == 400
    assert (answer.json()["error"], answer.json()["error_description"]) == error


def test_a_signed_assertion_logs_in(org: Org) -> None:
    emulator, _ = org
    answer = ask(org, grant_type=JWT_BEARER, assertion=assertion(emulator))
    assert works(org, answer.json()["access_token"])


@pytest.mark.parametrize("audience", ["https://test.salesforce.com", "the org itself"])
def test_other_audiences_are_accepted(org: Org, audience: str) -> None:
    emulator, _ = org
    meant = emulator.url if audience == "the org itself" else audience
    token = assertion(emulator, aud=meant)
    assert ask(org, grant_type=JWT_BEARER, assertion=token).status_code == 200


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"iss": "3MVG9nobody"}, ("invalid_client_id", "client identifier invalid")),
        ({"sub": "nobody@acme.example"}, ("invalid_grant", "user hasn't approved this consumer")),
        ({"aud": "https://elsewhere.example"}, ("invalid_grant", "audience is invalid")),
        ({"exp": int(time.time()) - 3600}, ("invalid_grant", "assertion is expired")),
    ],
)
def test_wrong_claims_are_refused(
    org: Org, change: dict[str, object], error: tuple[str, str]
) -> None:
    emulator, _ = org
    answer = ask(org, grant_type=JWT_BEARER, assertion=assertion(emulator, **change))
    assert answer.status_code == 400
    assert (answer.json()["error"], answer.json()["error_description"]) == error


@pytest.mark.parametrize("forgery", ["", "a.b.c", "unsigned", "other key"])
def test_assertions_without_a_valid_signature_are_refused(org: Org, forgery: str) -> None:
    emulator, _ = org
    text = forgery
    if forgery == "unsigned":
        claims = jwt.decode(assertion(emulator), options={"verify_signature": False})
        text = jwt.encode(claims, "", algorithm="none")
    elif forgery == "other key":
        text = assertion(emulator)[:-8] + "AAAAAAAA"
    answer = ask(org, grant_type=JWT_BEARER, assertion=text)
    assert answer.json()["error_description"] == "invalid assertion"


def refresh(org: Org, url: str) -> requests.Response:
    client_id, _, rest = url.removeprefix("force://").partition(":")
    token = rest.partition(":")[2].partition("@")[0]
    return ask(org, grant_type="refresh_token", client_id=client_id, refresh_token=token)


def test_an_sfdx_auth_url_logs_in_repeatedly(org: Org) -> None:
    emulator, _ = org
    url = emulator.auth_url
    assert url.endswith("@" + emulator.url.removeprefix("http://"))
    for _ in range(2):
        body = refresh(org, url).json()
        assert "refresh_token" not in body
        assert works(org, body["access_token"])


def test_the_token_of_an_auth_url_can_rotate(start_org: StartOrg) -> None:
    org = start_org(rotate_auth_url_token=True)
    before = org[0].auth_url
    body = refresh(org, before).json()
    assert body["refresh_token"] in org[0].auth_url
    answer = refresh(org, before)
    assert answer.json() == {
        "error": "invalid_grant",
        "error_description": "expired access/refresh token",
    }
    assert "expired" in refresh(org, org[0].auth_url).text  # reuse revoked the current one, too


def test_the_grant_of_the_app_requires_its_client(start_org: StartOrg) -> None:
    org = start_org(enforcement="off", rotation=False)
    emulator, _ = org
    token = emulator.environment["SF_REFRESH_TOKEN"]
    form = {"grant_type": "refresh_token", "refresh_token": token}
    assert ask(org, **form, **client_form(emulator)).status_code == 200
    assert ask(org, **form, client_id="PlatformCLI").json()["error"] == "invalid_grant"
    wrong = client_form(emulator) | {"client_secret": "wrong"}
    assert ask(org, **form, **wrong).json()["error"] == "invalid_client"


def test_the_log_contains_no_secret(org: Org) -> None:
    emulator, client = org
    emulator.jwt_private_key_path.read_text()
    issued = ask(org, grant_type="client_credentials", **client_form(emulator)).json()
    refresh(org, emulator.auth_url)
    client.get("/services/oauth2/userinfo")
    client.call("describeMetadata")
    text = repr([emulator.log, *(client.admin(emulator, "GET", view) for view in ("log", "state"))])
    secrets = [issued["access_token"], issued["signature"], *emulator.auth_url.split(":")[3:]]
    environment = emulator.environment
    names = ("SF_ACCESS_TOKEN", "SF_CLIENT_SECRET", "SF_REFRESH_TOKEN")
    assert not [one for one in [*secrets, *(environment[name] for name in names)] if one in text]
    assert len(emulator.log) == 4
