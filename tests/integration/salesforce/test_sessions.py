from __future__ import annotations

import errno
import json
import os
import re
import socket
import sys
import time
import traceback
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from urllib.parse import parse_qs

import pytest
import requests
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from jwt import decode

from sfcutover.config.org import OrgConfig
from sfcutover.emulator.emulator import Emulator
from sfcutover.emulator.faults import Fault
from sfcutover.errors import AuthError, ConfigError, ExitCode, NetworkError, SfcutoverError
from sfcutover.salesforce import sessions
from sfcutover.salesforce.sessions import Session, SessionProvider, provider_for
from sfcutover.util.secrets import redact
from tests.support import Request, StartEmulator, StartServer, answer, operations

SECRET = "hunter2-0123456789"


@pytest.fixture(autouse=True)
def variables(monkeypatch: pytest.MonkeyPatch) -> None:
    """Removes the machine's own login from the environment."""
    for name in [name for name in os.environ if name.startswith(("SF_", "SFDX_"))]:
        monkeypatch.delenv(name)


def provider(**org: object) -> SessionProvider:
    return provider_for(OrgConfig.model_validate(org))


def open_session(**org: object) -> Session:
    return provider(**org).open_session()


def refused(kind: type[SfcutoverError], **org: object) -> SfcutoverError:
    """Open a session that cannot be opened; neither the error, its causes nor a warning has a
    secret."""
    with (
        warnings.catch_warnings(record=True, action="always") as warned,
        pytest.raises(kind) as caught,
    ):
        open_session(**org)
    shown = [*(str(each.message) for each in warned), str(caught.value), caught.value.hint]
    assert not [text for text in shown if "hunter2" in text]
    assert len(str(caught.value).splitlines()) == 1
    assert "hunter2" not in redact("".join(traceback.format_exception(caught.value)))
    return caught.value


def is_alive(session: Session) -> bool:
    headers = {"Authorization": f"Bearer {session.access_token.reveal()}"}
    url = f"{session.instance_url}/services/oauth2/userinfo"
    return requests.get(url, headers=headers, timeout=10).status_code == 200


# Access token


def test_an_access_token_is_used_as_it_is(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SF_ACCESS_TOKEN", emulator.environment["SF_ACCESS_TOKEN"])
    org = {"access_token": {"env": "SF_ACCESS_TOKEN"}, "instance_url": f"{emulator.url}/"}
    session = open_session(**org)
    assert session.instance_url == emulator.url
    assert is_alive(session)
    assert not provider(**org).can_renew


def test_a_session_shows_no_token(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("T", SECRET)
    session = open_session(access_token={"env": "T"}, instance_url=emulator.url)
    assert "hunter2" not in f"{session}{session!r}"


@pytest.mark.parametrize(
    "url",
    [
        "http://acme.my.salesforce.com",
        "http://127.0.0.1.example.com",
        "http://127.0.0.1@example.com",
        "ftp://acme.my.salesforce.com",
        "acme.my.salesforce.com",
        "https://",
    ],
)
@pytest.mark.parametrize("way", ["token", "jwt", "client"])
def test_no_secret_is_sent_unencrypted_to_another_machine(
    monkeypatch: pytest.MonkeyPatch, url: str, way: str
) -> None:
    monkeypatch.setenv("S", SECRET)
    login = {"client_id": "i", "login_url": url}
    ways: dict[str, dict[str, object]] = {
        "token": {"access_token": {"env": "S"}, "instance_url": url},
        "jwt": {"jwt": {**login, "username": "u", "private_key": {"env": "S"}}},
        "client": {"client_credentials": {**login, "client_secret": {"env": "S"}}},
    }
    error = refused(ConfigError, **ways[way])
    assert error.exit_code == ExitCode.USAGE
    assert "is not an https URL" in error.message
    assert "plain http is accepted only for an org on this machine" in error.hint


# JWT bearer


def jwt(emulator: Emulator, **keys: object) -> dict[str, object]:
    config = {
        "client_id": emulator.environment["SF_CLIENT_ID"],
        "username": emulator.scenario.username,
        "private_key": {"file": str(emulator.jwt_private_key_path)},
        "login_url": emulator.url,
    }
    return {"jwt": config | keys}


def test_a_signed_assertion_opens_a_session(emulator: Emulator) -> None:
    org = jwt(emulator)
    assert is_alive(open_session(**org))
    assert provider(**org).can_renew


def test_an_assertion_is_valid_for_three_minutes(
    emulator: Emulator, start_server: StartServer
) -> None:
    """Salesforce accepts no longer time (Salesforce Help, OAuth 2.0 JWT Bearer Flow)."""
    bodies: list[bytes] = []

    def handle(request: Request) -> None:
        bodies.append(request.body)
        answer(request, b'{"error": "invalid_grant"}', 400)

    refused(AuthError, **jwt(emulator, login_url=start_server(handle)))
    assertion = parse_qs(bodies[0].decode())["assertion"][0]
    claims = decode(assertion, options={"verify_signature": False})
    assert 120 < claims["exp"] - time.time() <= 180


def test_each_renewal_is_a_new_session(emulator: Emulator) -> None:
    one = provider(**jwt(emulator))
    assert one.open_session() != one.open_session()


def test_a_user_who_did_not_approve_the_app_is_reported(emulator: Emulator) -> None:
    error = refused(AuthError, **jwt(emulator, username="nobody@acme.example"))
    assert "invalid_grant: user hasn't approved this consumer" in error.message
    assert error.exit_code == ExitCode.AUTH


def test_an_unknown_app_is_reported(emulator: Emulator) -> None:
    error = refused(AuthError, **jwt(emulator, client_id="3MVG9nobody"))
    assert "invalid_client_id: client identifier invalid" in error.message


def test_a_wrong_audience_is_reported(emulator: Emulator) -> None:
    url = emulator.url.replace("127.0.0.1", "localhost")
    error = refused(AuthError, **jwt(emulator, login_url=url))
    assert "invalid_grant: audience is invalid" in error.message


def rsa_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


def pem(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey, password: bytes = b"") -> bytes:
    hiding = BestAvailableEncryption(password) if password else NoEncryption()
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, hiding)


def test_a_key_of_another_app_is_refused(emulator: Emulator, tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(pem(rsa_key()))
    org = jwt(emulator, private_key={"file": str(tmp_path / "key")})
    assert "invalid_grant: invalid assertion" in refused(AuthError, **org).message


NOT_KEYS: dict[str, Callable[[], bytes]] = {
    "text": lambda: SECRET.encode(),
    "half": lambda: pem(rsa_key())[:300],
    "locked": lambda: pem(rsa_key(), b"password"),
    "curve": lambda: pem(ec.generate_private_key(ec.SECP256R1())),
    "public": lambda: (
        rsa_key().public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    ),
    "ssh": lambda: rsa_key().public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH),
    "certificate": lambda: b"-----BEGIN CERTIFICATE-----\naGVsbG8=\n-----END CERTIFICATE-----\n",
}


@pytest.mark.parametrize("kind", NOT_KEYS)
def test_an_invalid_private_key_is_refused_before_any_request(
    emulator: Emulator, tmp_path: Path, kind: str
) -> None:
    (tmp_path / "key").write_bytes(NOT_KEYS[kind]())
    error = refused(ConfigError, **jwt(emulator, private_key={"file": str(tmp_path / "key")}))
    assert "the private key cannot sign" in error.message
    assert not operations(emulator, "token")


# Client credentials


def client(
    monkeypatch: pytest.MonkeyPatch, url: str, client_id: str = "id", secret: str = SECRET
) -> dict[str, object]:
    monkeypatch.setenv("SF_CLIENT_SECRET", secret)
    config = {"client_id": client_id, "client_secret": {"env": "SF_CLIENT_SECRET"}}
    return {"client_credentials": {**config, "login_url": url}}


def test_client_credentials_open_a_session(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = emulator.environment
    org = client(monkeypatch, emulator.url, values["SF_CLIENT_ID"], values["SF_CLIENT_SECRET"])
    assert is_alive(open_session(**org))
    assert provider(**org).can_renew


def test_a_wrong_client_secret_is_reported(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    org = client(monkeypatch, emulator.url, emulator.environment["SF_CLIENT_ID"])
    error = refused(AuthError, **org)
    assert error.message == (
        f"{emulator.url} refused the login: invalid_client: invalid client credentials"
    )
    assert error.exit_code == ExitCode.AUTH
    assert "nothing was changed" in error.impact


def test_tls_is_verified_and_a_private_authority_is_accepted(
    start_emulator: StartEmulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    emulator = start_emulator(tls=True)
    values = emulator.environment
    org = client(monkeypatch, emulator.url, values["SF_CLIENT_ID"], values["SF_CLIENT_SECRET"])
    monkeypatch.delenv("REQUESTS_CA_BUNDLE", raising=False)
    assert "TLS certificate could not be verified" in refused(NetworkError, **org).message
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", values["REQUESTS_CA_BUNDLE"])
    assert is_alive(open_session(**org))


# SFDX auth URL


def auth_url(emulator: Emulator) -> str:
    return emulator.auth_url.replace("@", "@http://")


@pytest.fixture
def rotating(start_emulator: StartEmulator) -> Emulator:
    return start_emulator(rotate_auth_url_token=True)


def test_an_auth_url_opens_sessions_while_its_token_is_valid(
    emulator: Emulator, tmp_path: Path
) -> None:
    (tmp_path / "url").write_text(auth_url(emulator) + "\n")
    one = provider(auth_url={"file": str(tmp_path / "url")})
    assert is_alive(one.open_session())
    assert is_alive(one.open_session())
    assert one.can_renew
    assert (tmp_path / "url").read_text() == auth_url(emulator) + "\n"


def test_the_bare_host_of_an_auth_url_is_contacted_over_tls(
    start_emulator: StartEmulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    emulator = start_emulator(tls=True)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", emulator.environment["REQUESTS_CA_BUNDLE"])
    monkeypatch.setenv("SFDX_AUTH_URL", emulator.auth_url)
    session = open_session(auth_url={"env": "SFDX_AUTH_URL"})
    assert session.instance_url == emulator.url
    assert is_alive(session)


def test_a_rotated_token_is_written_back_for_the_next_run(
    rotating: Emulator, tmp_path: Path
) -> None:
    path, used_up = tmp_path / "url", tmp_path / "used-up"
    used_up.write_text(auth_url(rotating))
    path.write_text(auth_url(rotating))
    for _ in range(3):
        assert is_alive(open_session(auth_url={"file": str(path)}))
        assert path.read_text() == auth_url(rotating) + "\n"
    assert path.stat().st_mode & 0o777 == 0o600
    error = refused(AuthError, auth_url={"file": str(used_up)})
    assert "invalid_grant: expired access/refresh token" in error.message


def test_a_provider_continues_with_the_rotated_token(rotating: Emulator, tmp_path: Path) -> None:
    (tmp_path / "url").write_text(auth_url(rotating))
    one = provider(auth_url={"file": str(tmp_path / "url")})
    assert is_alive(one.open_session())
    assert is_alive(one.open_session())
    assert (tmp_path / "url").read_text() == auth_url(rotating) + "\n"


def test_a_rotated_token_is_kept_although_the_answer_is_otherwise_invalid(
    start_server: StartServer, tmp_path: Path
) -> None:
    body = {"refresh_token": "5Aep861new", "instance_url": "x"}
    url = start_server(lambda request: answer(request, json.dumps(body).encode()))
    (tmp_path / "url").write_text(f"force://PlatformCLI:{SECRET}:5Aep861old@{url}")
    refused(AuthError, auth_url={"file": str(tmp_path / "url")})
    assert (tmp_path / "url").read_text() == f"force://PlatformCLI:{SECRET}:5Aep861new@{url}\n"


@pytest.mark.parametrize("place", ["env", "command", "pipe", "folder"])
def test_a_token_that_may_rotate_is_not_redeemed_if_a_new_one_could_not_be_stored(
    rotating: Emulator, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, place: str
) -> None:
    url = auth_url(rotating)
    monkeypatch.setenv("SFDX_AUTH_URL", url)
    (tmp_path / "url").write_text(url)
    readable, writable = os.pipe()
    os.write(writable, url.encode())
    os.close(writable)
    places: dict[str, dict[str, object]] = {
        "env": {"env": "SFDX_AUTH_URL"},
        "command": {"command": ["cat", str(tmp_path / "url")]},
        "pipe": {"file": f"/dev/fd/{readable}"},
        "folder": {"file": str(tmp_path / "missing" / "url")},
    }
    refused(ConfigError, auth_url=places[place])
    os.close(readable)
    assert operations(rotating, "token") == []
    assert auth_url(rotating) == url


def test_an_unwritable_file_keeps_a_token_that_may_rotate(
    rotating: Emulator, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    url = auth_url(rotating)
    (tmp_path / "url").write_text(url)

    def busy(self: Path, target: Path) -> Path:
        raise OSError(errno.EBUSY, os.strerror(errno.EBUSY), str(target))

    monkeypatch.setattr(Path, "replace", busy)
    error = refused(ConfigError, auth_url={"file": str(tmp_path / "url")})
    assert "cannot be replaced: Device or resource busy" in error.message
    assert operations(rotating, "token") == []


@pytest.mark.parametrize("stated", [True, None])
def test_the_app_of_the_cli_is_not_assumed_to_rotate_unless_configured(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch, stated: bool | None
) -> None:
    monkeypatch.setenv("SFDX_AUTH_URL", auth_url(emulator))
    config: dict[str, object] = {"env": "SFDX_AUTH_URL"}
    if stated is None:
        assert is_alive(open_session(auth_url=config))
    else:
        refused(ConfigError, auth_url=config | {"rotation": stated})


def test_an_unexpectedly_rotated_token_is_saved(
    rotating: Emulator, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setenv("SFDX_AUTH_URL", auth_url(rotating))
    config = {"env": "SFDX_AUTH_URL", "rotation": False}
    one = provider(auth_url=config)
    for _ in range(2):
        with pytest.warns(UserWarning, match="the URL is void") as warned:
            assert is_alive(one.open_session())
        assert "5Aep861" not in str(warned[0].message)
    saved = [path.read_text() for path in (tmp_path / "sfcutover").glob("auth-url-*")]
    assert auth_url(rotating) + "\n" in saved
    error = refused(AuthError, auth_url=config)
    assert "expired access/refresh token" in error.message
    assert "replaced at another login" in str(error.advice)


def test_two_processes_do_not_redeem_one_rotating_url(rotating: Emulator, tmp_path: Path) -> None:
    (tmp_path / "url").write_text(auth_url(rotating))
    with ThreadPoolExecutor(4) as pool:
        opened = list(
            pool.map(lambda _: open_session(auth_url={"file": str(tmp_path / "url")}), range(8))
        )
    assert all(map(is_alive, opened))
    assert (tmp_path / "url").read_text() == auth_url(rotating) + "\n"


@pytest.mark.parametrize(
    "text",
    [
        "hunter2",
        "https://acme.my.salesforce.com",
        "force://",
        "force://hunter2@acme.my.salesforce.com",
        "force://PlatformCLI:hunter2@acme.my.salesforce.com",
        "force://PlatformCLI::hunter2",
        "force://PlatformCLI::hunter2@",
        "force://:x:hunter2@acme.my.salesforce.com",
        "force://PlatformCLI::@acme.my.salesforce.com",
        "force://PlatformCLI::hunter2@acme.my.salesforce.com/path",
        "force://PlatformCLI::hunter2@ftp://acme.my.salesforce.com",
        "force://PlatformCLI::hunter2@[",
        '{"result": {"sfdxAuthUrl": "force://PlatformCLI::hunter2@acme.my.salesforce.com"}}',
    ],
)
def test_an_invalid_auth_url_is_refused_without_being_shown(
    monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setenv("SFDX_AUTH_URL", text)
    error = refused(ConfigError, auth_url={"env": "SFDX_AUTH_URL"})
    assert error.message == "this is not an SFDX auth URL"


def test_an_auth_url_is_not_sent_unencrypted_to_another_machine(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SFDX_AUTH_URL", "force://a:hunter2:hunter2@http://example.com")
    error = refused(ConfigError, auth_url={"env": "SFDX_AUTH_URL"})
    assert error.message == "http://example.com is not an https URL"


def test_the_parts_of_an_auth_url_are_decoded(emulator: Emulator, tmp_path: Path) -> None:
    client_id, token = emulator.auth_url.removeprefix("force://").partition("@")[0].split("::")
    encoded = f"{percent_encoded(client_id)}::{percent_encoded(token)}"
    (tmp_path / "url").write_text(f"force://{encoded}@{emulator.url}")
    assert is_alive(open_session(auth_url={"file": str(tmp_path / "url")}))


def percent_encoded(text: str) -> str:
    return "".join(f"%{ord(each):02X}" for each in text)


# Unexpected answers of endpoints


def reply(
    body: object, status: int = 200, **headers: str
) -> Callable[[BaseHTTPRequestHandler], None]:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return lambda request: answer(request, data, status, **headers)


HTML = b"<html><body>Down for maintenance</body></html>"
ENDPOINTS: dict[str, tuple[Callable[[BaseHTTPRequestHandler], None], type[SfcutoverError], str]] = {
    "redirect": (
        reply(b"", 302, Location="http://example.com/"),
        NetworkError,
        "the server answered with a redirect",
    ),
    "no-token": (reply({"instance_url": "x"}), AuthError, "the answer has no access token"),
    "empty-token": (
        reply({"access_token": "", "instance_url": "x"}),
        AuthError,
        "the answer has no access token",
    ),
    "number": (
        reply({"access_token": 5, "instance_url": "x"}),
        AuthError,
        "the answer has no access token",
    ),
    "no-instance": (reply({"access_token": "t"}), AuthError, "the answer has no instance URL"),
    "odd-instance": (
        reply({"access_token": "t", "instance_url": ["x"]}),
        AuthError,
        "the answer has no instance URL",
    ),
    "elsewhere": (
        reply({"access_token": "t", "instance_url": "http://acme.my.salesforce.com"}),
        ConfigError,
        "http://acme.my.salesforce.com is not an https URL",
    ),
    "html": (reply(HTML), NetworkError, "answered HTTP 200 without a JSON object"),
    "html-400": (reply(HTML, 400), NetworkError, "answered HTTP 400 without a JSON object"),
    "html-503": (reply(HTML, 503), NetworkError, "answered HTTP 503 without a JSON object"),
    "json-503": (reply({"error": "x"}, 503), NetworkError, "answered HTTP 503"),
    "nothing": (reply(b""), NetworkError, "answered HTTP 200 without a JSON object"),
    "binary": (reply(b"\xff\xfe\x00"), NetworkError, "answered HTTP 200 without a JSON object"),
    "list": (reply([]), NetworkError, "answered HTTP 200 without a JSON object"),
    "text": (reply("hunter2"), NetworkError, "answered HTTP 200 without a JSON object"),
    "null": (reply(None), NetworkError, "answered HTTP 200 without a JSON object"),
    "list-400": (
        reply([{"error": "x"}], 400),
        NetworkError,
        "answered HTTP 400 without a JSON object",
    ),
    "unexplained": (reply({}, 400), AuthError, "refused the login"),
    "many-lines": (
        reply({"error": "e\nf", "error_description": "g\r\n\th"}, 400),
        AuthError,
        "refused the login: e f: g h",
    ),
    "echo": (
        reply({"error": "invalid_client", "error_description": "x" * 190 + SECRET}, 400),
        AuthError,
        "refused the login: invalid_client: xxx",
    ),
    "hang-up": (
        lambda request: request.connection.shutdown(socket.SHUT_RDWR),
        NetworkError,
        "the connection failed or broke",
    ),
}


@pytest.mark.parametrize("name", ENDPOINTS)
def test_an_unexpected_answer_of_the_endpoint_is_explained(
    start_server: StartServer, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    handle, kind, message = ENDPOINTS[name]
    error = refused(kind, **client(monkeypatch, start_server(handle)))
    assert message in error.message
    assert type(error) is kind
    assert len(error.message) < 400


def test_redirects_receive_no_secret(
    start_server: StartServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def other(request: BaseHTTPRequestHandler) -> None:
        asked.append(request.path)
        answer(request, b"{}")

    elsewhere = start_server(other)
    first = start_server(reply(b"", 307, Location=elsewhere))
    refused(NetworkError, **client(monkeypatch, first))
    assert not asked


@pytest.mark.parametrize("way", ["jwt", "auth_url", "client"])
def test_a_lost_answer_is_no_login_and_nothing_is_sent_twice(
    emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    (tmp_path / "url").write_text(auth_url(emulator))
    ways: dict[str, dict[str, object]] = {
        "jwt": jwt(emulator),
        "auth_url": {"auth_url": {"file": str(tmp_path / "url")}},
        "client": client(monkeypatch, emulator.url),
    }
    emulator.set_fault(Fault(kind="drop_after", operation="token"))
    error = refused(NetworkError, **ways[way])
    assert error.exit_code == ExitCode.NETWORK
    assert len(operations(emulator, "token")) == 1


def test_a_plaintext_instance_url_is_used_over_tls_if_the_login_was(
    start_emulator: StartEmulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    emulator = start_emulator(tls=True)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", emulator.environment["REQUESTS_CA_BUNDLE"])
    assert open_session(**jwt(emulator)).instance_url.startswith("https://127.0.0.1:")


# The Salesforce CLI. The stand-in prints what the real one (2.146) prints.

HIDDEN = "[REDACTED] Use 'sf org auth show-access-token' to view"
NOT_FOUND = {
    "name": "NamedOrgNotFoundError",
    "message": "No authorization information found for acme.",
    "exitCode": 1,
    "context": "OrgDisplayCommand",
    "stack": "NamedOrgNotFoundError: No authorization\n    at AuthInfo.init (authInfo.js:691:24)",
    "status": 1,
    "warnings": [],
}
STAND_IN = """\
#!{python} -ES
import json, os, sys
at = sys.argv.index("--target-org")
words = " ".join(sys.argv[1:at])
with open({log!r}, "a") as log:
    switches = [os.environ.get(f"SF_{{each}}") for each in {switches!r}]
    log.write(json.dumps([sys.argv[1:], *switches]) + "\\n")
code, text = json.load(open({answers!r})).get(words, [127, "unknown command"])
print("Warning: an update is available", file=sys.stderr)
sys.stdout.buffer.write(text.encode("latin-1"))
sys.exit(code)
"""


class Cli:
    """A stand-in for the CLI: a real executable called sf, first in PATH."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "sf"
        self._answers, self._log = folder / "answers.json", folder / "log"
        self._all: dict[str, tuple[int, str]] = {}
        self.path.write_text(
            STAND_IN.format(
                python=sys.executable,
                log=str(self._log),
                answers=str(self._answers),
                switches=("DISABLE_TELEMETRY", "AUTOUPDATE_DISABLE"),
            )
        )
        self.path.chmod(0o755)

    def answers(self, words: str, answer: object, code: int = 0) -> None:
        text = answer if isinstance(answer, str) else json.dumps(answer)
        self._all[words] = (code, text)
        self._answers.write_text(json.dumps(self._all))

    def displays(self, url: str, token: str | None = HIDDEN) -> None:
        result = {
            "id": "00Dxx0000000001AAA",
            "apiVersion": "67.0",
            "accessToken": token,
            "instanceUrl": url,
            "username": "release@acme.example",
            "clientId": "PlatformCLI",
            "connectedStatus": "Connected",
            "alias": "acme",
        }
        if token is None:
            del result["accessToken"]
        hidden = "Secrets are now hidden from 'sf org display' command output."
        self.answers("org display", {"status": 0, "result": result, "warnings": [hidden]})

    def shows(self, token: str) -> None:
        answer = {"status": 0, "result": {"accessToken": token}, "warnings": ["Be careful"]}
        self.answers("org auth show-access-token", answer)

    def wraps(self, around: str, *, colored: bool = False) -> None:
        """Print around each answer's JSON, which may be in colors."""
        for words, (code, text) in list(self._all.items()):
            shown = re.sub(r'("[^"]*")', "\x1b[34m\\1\x1b[39m", text) if colored else text
            # The stand-in writes Latin-1.
            self.answers(words, around.format(shown).encode().decode("latin-1"), code)

    @property
    def calls(self) -> list[list[object]]:
        return [json.loads(line) for line in self._log.read_text().splitlines()]


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cli:
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    return Cli(tmp_path / "bin")


@pytest.mark.parametrize("shown", [HIDDEN, None, ""])
def test_the_token_of_the_cli_comes_from_its_own_command(
    cli: Cli, emulator: Emulator, shown: str | None
) -> None:
    cli.displays(emulator.url, shown)
    cli.shows(emulator.environment["SF_ACCESS_TOKEN"])
    session = open_session(alias="acme")
    assert session.instance_url == emulator.url
    assert is_alive(session)
    assert cli.calls == [
        [["org", "display", "--target-org", "acme", "--json"], "true", "true"],
        [["org", "auth", "show-access-token", "--target-org", "acme", "--json"], "true", "true"],
    ]


def test_the_token_of_an_older_cli_comes_with_the_org(cli: Cli, emulator: Emulator) -> None:
    cli.displays(emulator.url, emulator.environment["SF_ACCESS_TOKEN"])
    assert is_alive(open_session(alias="acme"))
    assert len(cli.calls) == 1


def test_the_cli_is_called_again_for_a_renewal(cli: Cli, emulator: Emulator) -> None:
    one = provider(alias="acme")
    assert one.can_renew
    for token in ("00D!first", "00D!second"):
        cli.displays(emulator.url)
        cli.shows(token)
        assert one.open_session().access_token.reveal() == token


def test_an_unknown_alias_is_reported_in_the_words_of_the_cli(cli: Cli) -> None:
    cli.answers("org display", NOT_FOUND, 1)
    error = refused(AuthError, alias="acme")
    assert error.message == (
        "the Salesforce CLI has no session for 'acme': No authorization information found for acme."
    )
    assert (error.exit_code, error.hint) == (ExitCode.AUTH, "sf org login web --alias acme")


def test_an_expired_alias_is_reported_when_the_token_is_requested(
    cli: Cli, emulator: Emulator
) -> None:
    cli.displays(emulator.url)
    message = "Error authenticating with the refresh token due to:\n expired access/refresh token"
    cli.answers(
        "org auth show-access-token",
        {"name": "RefreshTokenAuthError", "message": message, "exitCode": 1, "status": 1},
        1,
    )
    error = refused(AuthError, alias="acme")
    assert error.message.endswith("refresh token due to: expired access/refresh token")


def test_a_cli_that_hides_the_token_and_cannot_show_it_must_be_updated(
    cli: Cli, emulator: Emulator
) -> None:
    cli.displays(emulator.url)
    cli.shows(HIDDEN)
    error = refused(AuthError, alias="acme")
    assert error.message == "the Salesforce CLI shows no access token for 'acme'"
    assert "npm install -g @salesforce/cli" in error.hint


@pytest.mark.parametrize(
    ("answer_", "code"),
    [
        ("", 0),
        ("", 1),
        ("Error (1): command org:display not found", 127),
        ("hunter2", 0),
        ("\xff\xfe", 0),
        ("[]", 0),
        ("null", 0),
        ('{"status": 0}', 0),
        ('{"status": 0, "result": []}', 0),
        ('{"status": 0, "result": {"instanceUrl": "http://127.0.0.1:1"}}', 1),
        ('{"message": ["a"]}', 1),
        ('{"message": null}', 1),
    ],
)
def test_unusable_output_of_the_cli_is_reported_with_its_command(
    cli: Cli, answer_: str, code: int
) -> None:
    cli.answers("org display", answer_, code)
    error = refused(AuthError, alias="acme")
    assert error.message.startswith("sf org display --target-org acme --json ")
    assert error.hint == "run it by hand: sf org display --target-org acme --json"


AROUND = {
    "warning": "Warning: @salesforce/cli update available from 2.1.0 to 2.2.0.\n{}",
    "warning-in-braces": "(node:1) Warning: {{use}} node 22 {{}}\n{}",
    "same-line": "Warning: the plugin is not signed. {}",
    "byte-order-mark": "\ufeff{}",
    "behind": "{}\nWarning: a new version is available\n",
    "colored-warning": "\x1b[33mWarning:\x1b[39m deprecated\n{}",
}


@pytest.mark.parametrize("around", AROUND)
def test_a_session_is_found_with_any_output_around_it(
    cli: Cli, emulator: Emulator, around: str
) -> None:
    cli.displays(emulator.url, emulator.environment["SF_ACCESS_TOKEN"])
    cli.wraps(AROUND[around])
    assert is_alive(open_session(alias="acme"))


def test_colors_in_the_json_do_not_hide_the_session(cli: Cli, emulator: Emulator) -> None:
    token = emulator.environment["SF_ACCESS_TOKEN"]
    cli.displays(emulator.url, token)
    cli.wraps("{}", colored=True)
    assert open_session(alias="acme").access_token.reveal() == token


@pytest.mark.parametrize("around", AROUND)
def test_an_unknown_alias_is_reported_with_any_output_around_it(cli: Cli, around: str) -> None:
    cli.answers("org display", NOT_FOUND, 1)
    cli.wraps(AROUND[around])
    error = refused(AuthError, alias="acme")
    assert error.message.startswith(
        "the Salesforce CLI has no session for 'acme': No authorization"
    )


@pytest.mark.parametrize(
    ("message", "code", "words", "hint"),
    [
        ("getaddrinfo ENOTFOUND acme.my.salesforce.com", 7, "could not reach the org", "network"),
        ("connect ECONNREFUSED 127.0.0.1:443", 7, "could not reach the org", "network"),
        ("self-signed certificate in certificate chain", 7, "certificate", "NODE_EXTRA_CA_CERTS"),
        ("unable to get local issuer certificate", 7, "certificate", "NODE_EXTRA_CA_CERTS"),
        ("expired access/refresh token", 6, "has no session", "sf org login web"),
        ("Parsing --target-org failed", 6, "failed: Parsing", "run it by hand: sf org display"),
    ],
)
def test_a_failure_of_the_cli_is_reported(
    cli: Cli, message: str, code: int, words: str, hint: str
) -> None:
    cli.answers("org display", {"status": 1, "name": "Error", "message": message}, 1)
    error = refused(SfcutoverError, alias="acme")
    assert error.exit_code == code
    assert words in error.message
    assert hint in error.hint


@pytest.mark.parametrize("url", ["http://acme.my.salesforce.com", "", "acme"])
def test_the_org_of_the_cli_requires_tls(cli: Cli, url: str) -> None:
    cli.displays(url, "00D!token")
    assert "is not an https URL" in refused(ConfigError, alias="acme").message


def test_a_missing_cli_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    error = refused(AuthError, alias="acme")
    assert error.message == "the Salesforce CLI (sf) cannot be run: No such file or directory"
    assert "npm install -g @salesforce/cli" in error.hint


def test_a_cli_that_is_not_executable_is_reported(cli: Cli) -> None:
    cli.path.write_bytes(b"\x7fELF, but no more")
    error = refused(AuthError, alias="acme")
    assert "cannot be run: Exec format error" in error.message


def test_a_cli_that_hangs_is_killed(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    cli.path.write_text(f"#!{sys.executable} -ES\nimport signal\nsignal.pause()\n")
    monkeypatch.setattr(sessions, "CLI_TIMEOUT_SECONDS", 0.2)
    error = refused(NetworkError, alias="acme")
    assert error.message == "sf org display took longer than 0.2 s"
    assert error.exit_code == ExitCode.NETWORK
