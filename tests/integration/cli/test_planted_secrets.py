"""Secrets in every place that may hold one, and children that print their input: none leaks."""

from __future__ import annotations

import base64
import json
import re
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from urllib.parse import quote

import pytest
import yaml

from sfcutover.emulator.faults import Fault
from sfcutover.emulator.grants import TOKEN_HEAD
from tests.chaos.world import World, wait_until, world
from tests.integration.cli import chatter
from tests.support import StartServer, answer
from tests.unit.traffic.test_checks import vector

pytestmark = pytest.mark.slow  # every path of a secret through whole runs, and the demo

PASSWORD = "open@sesame:21"  # of the emulator's proxies
CORPORATE = "http://corp:corporate-passw0rd@127.0.0.1:9"
BEARER = "a-bearer-of-prometheus"
ORGS = ("client_credentials", "access_token", "jwt", "auth_url")
NEWEST = "the newest deployment"
CANCEL = ("deployment", "cancel", NEWEST)  # which has ended
STEPS = (
    ("doctor",),
    ("plan", "--out", "plan.json"),
    ("render", "--out", "out"),
    ("diff", "add-new", "--format", "xml"),
    ("probe",),
    ("probe", "--via", "old"),
    ("deploy", "add-new", "--yes", "--plan", "plan.json"),
    ("deployment", "report", NEWEST),
    ("deployment", "wait", NEWEST),
    CANCEL,
    ("switch",),
    ("verify", "--out", "evidence.json"),
    ("deploy", "remove-old", "--yes", "--traffic-moved", "--evidence", "evidence.json"),
    ("watch",),
    ("rollback", "--yes"),
    ("switch", "--revert"),
    ("rollback", "--to", "baseline", "--yes", "--traffic-moved"),
)
RUNS = (
    ("run", "--yes", "--traffic-moved", "--pause-before", "switch"),
    ("runs",),
    ("approve", "--note", "the tests"),
    ("runs", "emulated-cutover.1"),
    ("runs", "emulated-cutover.1", "--follow"),
    ("report",),
    ("report", "--format", "html", "--out", "report.html"),
    ("cancel",),
    ("worker",),
    ("case", "add-new"),
)
INIT = ("init", "--force", "--config", "init.yaml", "--old", "127.0.0.11", "--new", "127.0.0.21")
FAULTS = (
    Fault(kind="expired_session", count=None),
    Fault(kind="ip_restricted", operation="redeem", count=None),
    Fault(kind="proxy_refuses", operation="new_proxy", count=None),
    Fault(kind="proxy_down", operation="old_proxy", count=None),
)


@dataclass
class Planted:
    """A world whose secrets are in a folder, in variables, and behind commands."""

    world: World

    @property
    def secrets(self) -> Path:
        return self.world.folder / "secrets"

    def run(self, *words: str) -> tuple[int, str]:
        """Run a command with -vv; return its output, which contains no secret."""
        deployments = self.world.emulator.deployments
        newest = deployments[-1].id if deployments else "0Af000000000001"
        code, out = self.world.call("-vv", *(newest if each == NEWEST else each for each in words))
        assert self.found_in(out) == [], words
        return code, out

    def found_in(self, text: str) -> list[str]:
        """The secrets in the text, including rotated ones and sessions."""
        sessions = re.findall(r"00D[0-9A-Za-z]{12}![0-9A-Za-z_-]+", text)
        return [value for value in self._values if value in text] + sessions

    @property
    def _values(self) -> set[str]:
        kept = [line for path in self.secrets.iterdir() for line in path.read_text().split("\n")]
        names = ("SF_ACCESS_TOKEN", "SF_CLIENT_SECRET", "SF_REFRESH_TOKEN", "SFCUTOVER_ADMIN_TOKEN")
        variables = [self.world.emulator.environment[name] for name in names]
        auth_url = self.world.environment["SFDX_AUTH_URL"]
        parts = [auth_url.partition("::")[2].partition("@")[0], "corporate-passw0rd"]
        passwords = [PASSWORD, quote(PASSWORD, safe=""), quote(PASSWORD)]
        basic = base64.b64encode(f"acme:{PASSWORD}".encode()).decode()
        long = [line for line in kept if len(line) >= 16]  # of a key, too
        return {*long, *variables, *parts, *passwords, basic}

    def leftovers(self) -> list[str]:
        """The files that contain a secret, except its own; children need HTTPS_PROXY."""
        return [
            str(path.relative_to(self.world.folder))
            for path in self.world.folder.rglob("*")
            if path.is_file() and path.parent != self.secrets
            if self.found_in(path.read_bytes().decode(errors="replace").replace(CORPORATE, ""))
        ]

    def reached_children(self) -> set[str]:
        """The roles of the children that recorded what they received."""
        return {path.name.partition("-")[0] for path in (self.world.folder / "dumps").iterdir()}


@pytest.fixture
def planted(tmp_path: Path, start_server: StartServer) -> Iterator[Callable[[str], Planted]]:
    """Plants secrets wherever a cutover with this kind of ``org:`` has one."""
    with world(tmp_path / "world") as here:

        def plant(org: str) -> Planted:
            one = Planted(here)
            one.secrets.mkdir(mode=0o700)
            _write_secrets(one, org)
            _configure(one, org, start_server(_prometheus))
            return one

        yield plant


def _prometheus(request: BaseHTTPRequestHandler) -> None:
    """A server that repeats the token in a warning."""
    token = request.headers["Authorization"]
    answer(request, json.dumps({**json.loads(vector("1")), "warnings": [token]}).encode())


def _write_secrets(planted: Planted, org: str) -> None:
    """Write secrets to files that cutover.yaml names, and to variables."""
    emulator = planted.world.emulator
    variables = emulator.environment
    of_org = {
        "jwt": {"key": emulator.jwt_private_key_path.read_text()},
        "auth_url": {"auth-url": emulator.auth_url.replace("@", "@http://")},
    }
    files = of_org.get(org, {}) | {
        "new-proxy": variables["SFCUTOVER_NEW_PROXY_URL"],
        "client-secret": variables["SF_CLIENT_SECRET"],
        "canary": variables["SF_REFRESH_TOKEN"],
        "bearer": BEARER,
    }
    for name, text in files.items():
        (planted.secrets / name).touch(mode=0o600)
        (planted.secrets / name).write_text(text)
    for name in ("SFCUTOVER_NEW_PROXY_URL", "SF_CLIENT_SECRET"):
        del planted.world.environment[name]  # cutover.yaml names the file, and the command
    planted.world.environment |= {
        "SFDX_AUTH_URL": emulator.auth_url,
        "HTTPS_PROXY": CORPORATE,
        "PYTHONDONTWRITEBYTECODE": "1",
    }


def _configure(planted: Planted, org: str, prometheus: str) -> None:
    folder, secrets = planted.world.folder, planted.secrets
    (folder / "canary.token").unlink()

    def child(role: str) -> list[str]:
        return [sys.executable, "-IS", chatter.__file__, str(folder), role]

    url, query = planted.world.emulator.url, {"url": prometheus, "condition": "== 1"}
    client_secret = {"command": child("client-secret")}
    client_id = {"env": "SF_CLIENT_ID"}
    ways: dict[str, dict[str, object]] = {
        "client_credentials": {
            "client_credentials": {
                "client_id": client_id,
                "client_secret": client_secret,
                "login_url": url,
            }
        },
        "access_token": {"access_token": {"env": "SF_ACCESS_TOKEN"}, "instance_url": url},
        "jwt": {
            "jwt": {
                "client_id": client_id,
                "username": "release@acme.example",
                "private_key": {"file": str(secrets / "key")},
                "login_url": url,
            }
        },
        "auth_url": {"auth_url": {"file": str(secrets / "auth-url")}},
    }
    file = folder / "cutover.yaml"
    config = yaml.safe_load(file.read_text())
    config["allow_private"] = True  # an auth URL does not show that its org is on this machine
    config["targets"] = [{"name": "packaging", "org": ways[org]}]
    config["egress"]["new"] = {"proxy": {"file": str(secrets / "new-proxy")}}
    config["verify"] |= {
        "client_secret": client_secret,
        "refresh_token": {"get": child("get"), "put": child("put")},
        "confidence": 0.9,
    }
    token = {"token": {"file": str(secrets / "bearer")}}
    config["watch"] = {
        "duration": "6s",
        "interval": "3s",
        "inconclusive": 9,
    }
    config["checks"] = [
        {"prometheus": query | token | {"query": "up"}},
        {"command": child("check"), "timeout": "30s"},
    ]
    config["quiet"] = [{"command": child("check"), "timeout": "30s", "for": "0s"}]
    config["switch"] = {"apply": child("apply"), "revert": child("revert")}
    config["notify"] = [{"command": child("notify")}]
    file.write_text(yaml.safe_dump(config))


@pytest.mark.parametrize("options", [(), ("--json",)], ids=["text", "json"])
def test_no_step_leaks_a_secret(
    planted: Callable[[str], Planted], options: tuple[str, ...]
) -> None:
    here = planted(ORGS[0])
    for words in (*STEPS, INIT):
        code, out = here.run(*words, *options)
        assert code == 0 or words in (INIT, CANCEL), out
    assert here.reached_children() >= {"apply", "revert", "check", "get", "put"}
    assert here.leftovers() == []


@pytest.mark.parametrize("org", ORGS[1:])
def test_no_login_leaks_a_secret(planted: Callable[[str], Planted], org: str) -> None:
    here = planted(org)
    for words in (("doctor",), ("deploy", "add-new", "--yes"), ("switch",)):
        assert here.run(*words, "--json")[0] == 0
    here.world.emulator.set_fault(FAULTS[0])
    for words in (("doctor",), ("deploy", "remove-new", "--yes")):
        assert here.run(*words, "--json")[0] != 0
    assert here.reached_children() >= {"apply", "get"}
    assert here.leftovers() == []


def test_no_failing_step_leaks_a_secret(planted: Callable[[str], Planted]) -> None:
    here = planted(ORGS[0])
    for fault in FAULTS:
        here.world.emulator.set_fault(fault)
    here.world.environment["PATH"] = "/nowhere"  # no switch command, no check
    failed = {words[0] for words in (*STEPS, INIT) if here.run(*words, "--json")[0]}
    assert failed == {words[0] for words in (*STEPS, INIT)}
    assert here.leftovers() == []


def test_no_run_leaks_a_secret(planted: Callable[[str], Planted]) -> None:
    here = planted(ORGS[0])
    codes = {words: here.run(*words, "--json")[0] for words in RUNS}
    assert codes[RUNS[0]] == 75  # it waits for approval
    assert codes[RUNS[2]] == 0
    assert here.reached_children() >= {"apply", "check", "get", "put", "notify"}
    assert here.leftovers() == []


def test_no_failing_run_leaks_a_secret(planted: Callable[[str], Planted]) -> None:
    here = planted(ORGS[0])
    here.run(*RUNS[0])
    for fault in FAULTS:
        here.world.emulator.set_fault(fault)
    for words in RUNS[1:]:
        here.run(*words, "--json")
    assert here.leftovers() == []


def test_no_emulator_leaks_a_secret(planted: Callable[[str], Planted]) -> None:
    here = planted(ORGS[0])
    folder = here.world.folder
    words = ("-vv", "--json", "emulator", "--no-tls", "--env-file", "org.env")
    process = here.world.start(*words, "--config-file", "emulated.yaml")
    wait_until((folder / "emulated.yaml").exists)
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate()
    lines = (folder / "org.env").read_text().splitlines()
    values = dict(line.split("=", 1) for line in lines if not line.startswith("#"))
    assert {"SF_CLIENT_SECRET", "SFCUTOVER_ADMIN_TOKEN"} <= values.keys()
    for name in values:
        if name.endswith(("_SECRET", "_TOKEN", "_PROXY_URL")):
            assert values[name] not in out, name
    assert here.found_in(out) == []


def test_no_demo_leaks_a_secret(planted: Callable[[str], Planted]) -> None:
    here = planted(ORGS[0])
    for fault in ((), ("--fault", "dead-proxy")):
        code, out = here.run("demo", "--json", *fault)
        assert code == 0, out
        assert TOKEN_HEAD not in out
