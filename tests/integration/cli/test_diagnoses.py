"""Diagnoses: each failure has its own cause, message and exit code."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler

import pytest
import requests

from sfcutover.emulator.faults import Fault
from tests.integration.cli.conftest import OpenDesk
from tests.integration.cli.harness import Desk
from tests.integration.cli.traffic import keep_token, verify_with
from tests.support import StartServer, answer

TOO_LARGE = b"<html><body>413 Request Entity Too Large</body></html>"
DEAD_SESSION = b'[{"message":"Session expired or invalid","errorCode":"INVALID_SESSION_ID"}]'


def server_in_front_of(
    desk: Desk,
    start_server: StartServer,
    intercept: Callable[[bytes], tuple[int, bytes, str] | None],
    change: Callable[[bytes], bytes] = lambda body: body,
) -> str:
    """A server between the command and its org.

    intercept: answers a request body itself, or returns None; change: modifies a body that is
    forwarded.
    """

    def handle(request: object) -> None:
        assert isinstance(request, BaseHTTPRequestHandler)
        body: bytes = getattr(request, "body", b"")
        if (own := intercept(body)) is not None:
            status, text, kind = own
            answer(request, text, status, Content_Type=kind)
            return
        given = requests.request(
            request.command,
            f"{desk.emulator.url}{request.path}",
            data=change(body),
            headers={
                name: value
                for name, value in request.headers.items()
                if name in ("Authorization", "Content-Type", "SOAPAction", "Accept")
            },
            timeout=20,
        )
        kind = given.headers.get("Content-Type", "text/plain")
        content = given.content.replace(desk.emulator.url.encode(), url.encode())
        answer(request, content, given.status_code, Content_Type=kind)

    url = start_server(handle)
    desk.configure(
        targets=[
            {
                "name": "packaging",
                "org": {"access_token": {"env": "SF_ACCESS_TOKEN"}, "instance_url": url},
            }
        ]
    )
    return url


# The Salesforce CLI


def test_a_warning_before_the_json_of_the_cli_does_not_hide_the_session(desk: Desk) -> None:
    """With colors in the JSON, too."""
    stand_in = desk.write("bin/sf", STAND_IN.format(python=sys.executable, url=desk.emulator.url))
    stand_in.chmod(0o755)
    desk.monkeypatch.setenv("PATH", str(stand_in.parent))
    desk.monkeypatch.setenv("TOKEN", desk.emulator.environment["SF_ACCESS_TOKEN"])
    desk.configure(targets=[{"name": "packaging", "org": {"alias": "acme"}}], allow_private=True)
    result = desk.run("diff", "add-new")
    assert result.code == 0, result.err
    assert "+ 127.0.0.21" in result.out


STAND_IN = """\
#!{python}
import json, os
print("\\x1b[33mWarning:\\x1b[39m @salesforce/cli update available {{2.0 -> 2.1}}")
result = {{"instanceUrl": "{url}", "accessToken": os.environ["TOKEN"]}}
text = json.dumps({{"status": 0, "result": result}})
print(text.replace('"instanceUrl"', '\\x1b[34m"instanceUrl"\\x1b[39m'))
"""


# The org


def test_a_refused_ip_address_is_reported_as_the_cause(open_desk: OpenDesk) -> None:
    message = "Access from current IP address is not allowed"
    fault = {"kind": "refuse", "code": "INSUFFICIENT_ACCESS", "message": message, "count": None}
    for operation in ("listMetadata", "deploy"):
        desk = open_desk(faults=[{**fault, "operation": operation}])
        result = desk.run("deploy", "add-new", "--yes")
        result.refused(6, message)
        assert "login IP ranges" in result.hint
        assert "Modify Metadata" not in result.err


def test_a_refused_ip_address_reported_by_a_deployment_is_the_cause(desk: Desk) -> None:
    message = "Access from current IP address is not allowed"
    fault = {"kind": "failed", "operation": "deploy", "code": "INSUFFICIENT_ACCESS"}
    desk.emulator.set_fault(Fault.model_validate({**fault, "message": message}))
    result = desk.run("deploy", "add-new", "--yes")
    result.refused(6, message)
    assert "login IP ranges" in result.hint


def test_the_jwt_audience_can_differ_from_the_login_url(desk: Desk) -> None:
    localhost = desk.emulator.url.replace("127.0.0.1", "localhost")
    jwt = {
        "client_id": desk.emulator.environment["SF_CLIENT_ID"],
        "username": desk.emulator.scenario.username,
        "private_key": {"file": str(desk.emulator.jwt_private_key_path)},
        "login_url": localhost,
    }
    desk.configure(targets=[{"name": "packaging", "org": {"jwt": jwt}}])
    refused = desk.run("diff", "add-new")
    refused.refused(6, "invalid_grant: audience is invalid")
    assert "set audience: beside login_url" in refused.hint
    for audience in (desk.emulator.url, "https://login.salesforce.com"):
        org = {"jwt": {**jwt, "audience": audience}}
        desk.configure(targets=[{"name": "packaging", "org": org}])
        result = desk.run("diff", "add-new")
        assert result.code == 0, result.err


def test_a_package_that_is_too_large_is_not_a_lost_answer(
    desk: Desk, start_server: StartServer
) -> None:
    server_in_front_of(
        desk,
        start_server,
        lambda body: (413, TOO_LARGE, "text/html") if b"ZipFile" in body else None,
    )
    result = desk.run("deploy", "add-new", "--yes")
    result.refused(8, "deploy was answered with HTTP 413: the request is too large")
    assert "lost" not in result.err
    assert "nothing was changed in the org" in result.impact


@pytest.mark.parametrize("status", [403, 404, 405])
def test_a_deploy_refused_by_a_proxy_is_not_a_lost_answer(
    desk: Desk, start_server: StartServer, status: int
) -> None:
    server_in_front_of(
        desk,
        start_server,
        lambda body: (status, b"<html>no</html>", "text/html") if b"ZipFile" in body else None,
    )
    result = desk.run("deploy", "add-new", "--yes")
    result.refused(7, f"deploy was answered with HTTP {status}, not by the Metadata API")
    assert "lost" not in result.err


@pytest.mark.slow
def test_a_removal_refused_by_a_proxy_is_not_pending(desk: Desk, start_server: StartServer) -> None:
    """Nothing is restored, and no message reports a removed address."""
    deployed = []

    def second(body: bytes) -> tuple[int, bytes, str] | None:
        deployed.extend([1] if b"ZipFile" in body else [])
        return (
            (403, b"<html>no</html>", "text/html") if b"ZipFile" in body and deployed[1:] else None
        )

    server_in_front_of(desk, start_server, second)
    keep_token(desk)
    desk.configure(quiet=None)
    verify_with(desk, login_history_wait="0s")
    result = desk.call("run", "--yes", "--traffic-moved")
    assert result.code == 69, f"{result.out}{result.err}"
    assert "deploy was answered with HTTP 403, not by the Metadata API" in result.err
    assert "may be off" not in result.err
    assert len(desk.live()) == 5
    assert desk.asked("deploy") == 1


def test_a_json_401_is_an_invalid_session(desk: Desk, start_server: StartServer) -> None:
    server_in_front_of(
        desk,
        start_server,
        lambda body: (401, DEAD_SESSION, "application/json") if b"Envelope" in body else None,
    )
    result = desk.run("diff", "add-new")
    result.refused(6, "the session is expired or invalid (INVALID_SESSION_ID)")


def test_a_json_401_renews_the_session(desk: Desk, start_server: StartServer) -> None:
    """Once; the refused request is sent again."""
    left = [DEAD_SESSION]
    url = server_in_front_of(
        desk,
        start_server,
        lambda body: (
            (401, left.pop(), "application/json") if b"listMetadata" in body and left else None
        ),
    )
    client = {
        "client_id": {"env": "SF_CLIENT_ID"},
        "client_secret": {"env": "SF_CLIENT_SECRET"},
        "login_url": url,
    }
    desk.configure(targets=[{"name": "packaging", "org": {"client_credentials": client}}])
    result = desk.run("diff", "add-new")
    assert result.code == 0, result.err
    assert not left


def test_a_request_limit_reported_as_json_is_a_limit(desk: Desk, start_server: StartServer) -> None:
    limit = b'[{"message":"TotalRequests Limit exceeded.","errorCode":"REQUEST_LIMIT_EXCEEDED"}]'
    server_in_front_of(
        desk,
        start_server,
        lambda body: (403, limit, "application/json") if b"Envelope" in body else None,
    )
    desk.run("diff", "add-new").refused(7, "REQUEST_LIMIT_EXCEEDED: TotalRequests Limit exceeded.")


def test_a_component_that_is_listed_but_not_retrieved_is_reported(
    desk: Desk, start_server: StartServer
) -> None:
    server_in_front_of(
        desk,
        start_server,
        lambda _: None,
        lambda body: re.sub(
            rb"(<(?:\w+:)?members>)Acme_Connector_oauthSecurity<", rb"\1Acme_Hidden<", body
        ),
    )
    result = desk.run("diff", "add-new")
    result.refused(
        1,
        "the org lists ExtlClntAppOauthSecuritySettings Acme_Connector_oauthSecurity, but a "
        "retrieve did not return it",
        "Acme_Hidden",  # in the org's own words
    )
    assert "that API version 67.0 supports all of the component" in result.hint
    assert "did you mean" not in result.err


# The proxy, and the canary


def test_a_401_of_the_proxy_is_not_a_401_of_the_page(desk: Desk, start_server: StartServer) -> None:
    proxy = start_server(lambda request: answer(request, b"", 401, Server="tinyproxy/1.11"))
    place = proxy.partition("://")[2]
    desk.monkeypatch.setenv("PROXY_URL", f"http://user:wrong-password@{place}")
    desk.configure(egress={"new": {"proxy": {"env": "PROXY_URL"}}})
    result = desk.run("probe")
    result.refused(6, f"the proxy {proxy} refused the user or password")
    assert "wrong-password" not in result.err


def test_a_wrong_client_secret_is_not_a_failed_gate(desk: Desk) -> None:
    keep_token(desk)
    assert desk.run("deploy", "add-new", "--yes").code == 0
    desk.monkeypatch.setenv("SF_CLIENT_SECRET", "another-client-s-secret")
    result = desk.run("verify")
    result.refused(6, "client-rejected: invalid_client: invalid client credentials")
    assert "client_secret" in result.hint
    removal = desk.run("deploy", "remove-old", "--yes", "--traffic-moved")
    removal.refused(6, "client-rejected")
    assert len(desk.live()) == 5


def test_an_invalid_canary_token_is_not_a_failed_gate(desk: Desk) -> None:
    keep_token(desk)
    assert desk.run("deploy", "add-new", "--yes").code == 0
    (desk.folder / "canary.token").write_text("5Aep861-of-a-grant-that-was-revoked", "utf-8")
    result = desk.run("verify")
    result.refused(6, "token-dead: invalid_grant: expired access/refresh token")
    assert "Authorize the app again" in result.hint


@pytest.mark.parametrize("kind", ["inactive_user", "inactive_org", "invalid_app_access"])
def test_a_canary_without_the_right_to_redeem_is_not_a_failed_gate(desk: Desk, kind: str) -> None:
    keep_token(desk)
    assert desk.run("deploy", "add-new", "--yes").code == 0
    fault = {"kind": kind, "operation": "redeem", "count": None}
    desk.emulator.set_fault(Fault.model_validate(fault))
    desk.run("verify").refused(6, "a redemption failed")


def test_a_blocked_canary_is_a_failed_gate(desk: Desk) -> None:
    keep_token(desk)
    assert desk.run("deploy", "add-new", "--yes").code == 0
    desk.emulator.set_fault(Fault(kind="ip_restricted", operation="redeem", count=None))
    assert desk.run("verify").code == 5


# TLS


def test_a_proxy_that_intercepts_tls_is_reported_with_the_setting_to_change(
    open_desk: OpenDesk,
) -> None:
    desk = open_desk(tls=True)
    keep_token(desk)
    assert desk.run("deploy", "add-new", "--yes").code == 0
    fault = {"kind": "proxy_breaks_tls", "operation": "new_proxy", "skip": 37, "count": None}
    desk.emulator.set_fault(Fault.model_validate(fault))
    result = desk.run("verify")
    result.refused(7, "certificate could not be verified (")
    assert "REQUESTS_CA_BUNDLE" in result.hint


def test_an_environment_proxy_that_intercepts_tls_is_reported_with_the_setting_to_change(
    open_desk: OpenDesk,
) -> None:
    desk = open_desk(tls=True)
    desk.monkeypatch.setenv("HTTPS_PROXY", desk.emulator.environment["SFCUTOVER_NEW_PROXY_URL"])
    fault = {"kind": "proxy_breaks_tls", "operation": "new_proxy", "count": None}
    desk.emulator.set_fault(Fault.model_validate(fault))
    result = desk.run("diff", "add-new")
    result.refused(7, "certificate could not be verified (")
    assert "REQUESTS_CA_BUNDLE" in result.hint


def test_an_unknown_certificate_authority_is_named(open_desk: OpenDesk) -> None:
    desk = open_desk(tls=True)
    desk.monkeypatch.delenv("REQUESTS_CA_BUNDLE")
    result = desk.run("diff", "add-new")
    result.refused(7, "its TLS certificate could not be verified (")
    assert "REQUESTS_CA_BUNDLE" in result.hint


# cutover.yaml


def test_the_other_spelling_of_a_postgresql_url_is_explained(desk: Desk) -> None:
    """Providers use it in DATABASE_URL."""
    desk.monkeypatch.setenv("DATABASE_URL", "postgres://user:hunter2@db.example/acme")
    desk.configure(state={"url": {"env": "DATABASE_URL"}})
    for words in (("run", "--yes"), ("runs",), ("deploy", "add-new", "--yes")):
        result = desk.run(*words)
        result.refused(2, "state.url starts with postgres://; write postgresql+psy")
        assert "hunter2" not in result.err
    assert "FAILED   state: " in desk.run("doctor").out


def test_all_config_errors_are_listed(desk: Desk) -> None:
    desk.configure(old=["300.1.1.1"], new=["x", "198.51.100.0/33"], wavs=[1], max_rollbacks="many")
    result = desk.run("diff", "add-new")
    result.refused(2, "old[0]: '300.1.1.1' is not an IP address")
    listed = [line.strip() for line in result.err.splitlines() if line.startswith("  also:")]
    assert len(listed) == 4
    for words in ("new[0]: 'x' is", "new[1]: '198.51.100.0/33'", "wavs: unknown key; did you mean"):
        assert any(words in line for line in listed)
    assert all("cutover.yaml:" in line for line in listed)
    document = desk.run("diff", "add-new", "--json").json("error")
    assert len(document["also"]) == 4


# Old and new


def test_swapped_old_and_new_addresses_are_not_reported_as_done(desk: Desk) -> None:
    desk.configure(old=["127.0.0.21", "127.0.0.22"], new=["127.0.0.11", "127.0.0.12"])
    keep_token(desk)
    swapped = (
        "every new address is on the allowlist and no old one: the cutover is done here, or old: "
    )
    for phase in ("add-new", "remove-old"):
        assert swapped in desk.run("diff", phase).out
        result = desk.run("deploy", phase, "--yes")
        assert result.code == 0, result.err
        assert f"done: nothing was deployed to packaging: {swapped}" in result.out
        assert "is live" not in result.out
    assert swapped in desk.run("doctor").out
    assert swapped in desk.run("plan").out
    assert desk.asked("deploy") == 0


def test_a_cutover_in_progress_is_not_reported_as_swapped(desk: Desk) -> None:
    assert desk.run("deploy", "add-new", "--yes").code == 0
    again = desk.run("deploy", "add-new", "--yes")
    assert "done: add-new is already live on packaging; nothing was deployed" in again.out
    assert "swapped" not in again.out
