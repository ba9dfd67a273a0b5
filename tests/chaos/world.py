"""An emulated org, a folder with a cutover.yaml, live customers, and runs in processes."""

from __future__ import annotations

import json
import os
import resource
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import requests
import yaml
from sqlalchemy import make_url

from sfcutover.allowlist.ranges import Allowlist, IpRange
from sfcutover.emulator import Emulator, Scenario
from tests.integration.emulator.traffic import redeem
from tests.support import client_credentials

OLD = ("127.0.0.11", "127.0.0.12")
NEW = ("127.0.0.21", "127.0.0.22")
ROOT = Path(__file__).parents[2]
RUN_SECONDS = 180.0
CUSTOMERS = 3
Json = dict[str, object]


def wait_until(holds: Callable[[], bool]) -> None:
    """Return once the condition is true, and fail after the time in which a whole run would have
    ended."""
    deadline = time.monotonic() + RUN_SECONDS
    while not holds():
        assert time.monotonic() < deadline, f"did not hold within {RUN_SECONDS} s"
        time.sleep(0.05)


@dataclass
class Failure:
    """A customer's redemption that failed."""

    time: float
    words: str


@dataclass
class Customers:
    """An application with three customers, whose redemptions use the current egress.

    Each has its own org if the emulator has orgs for them. pause: seconds between two redemptions
    of a customer.
    """

    emulator: Emulator
    folder: Path
    pause: float = 0.15
    redeemed: int = 0
    failures: list[Failure] = field(default_factory=list)
    _ends: threading.Event = field(default_factory=threading.Event)
    _turns: tuple[threading.Lock, ...] = field(
        default_factory=lambda: tuple(threading.Lock() for _ in range(CUSTOMERS))
    )
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        for number, org in enumerate(self.emulator.customer_orgs, 1):
            org.issue_grant(f"customer-{number}")

    @contextmanager
    def at_work(self) -> Iterator[None]:
        threads = [threading.Thread(target=self._serve, args=(each,)) for each in range(CUSTOMERS)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._ends.set()
            for thread in threads:
                thread.join()

    @contextmanager
    def held(self) -> Iterator[None]:
        """Stop all redemptions of customers meanwhile."""
        with ExitStack() as stack:
            for turn in self._turns:
                stack.enter_context(turn)
            yield

    def _serve(self, number: int) -> None:
        while not self._ends.wait(self.pause):
            with self._turns[number]:
                words = self._redeem(number)
            with self._lock:
                self.redeemed += not words
                if words:
                    self.failures.append(Failure(time.time(), words))

    def _redeem(self, number: int) -> str:
        """The error of the redemption, or None."""
        side = (self.folder / "egress").read_text(encoding="utf-8").strip().upper() or "OLD"
        proxy = self.emulator.environment[f"SFCUTOVER_{side}_PROXY_URL"]
        url, token = self._grant(number)
        try:
            answer = redeem(self.emulator, token, proxy, url)
        except requests.RequestException as error:
            return f"{side}: {type(error).__name__}"
        return "" if answer.ok else f"{side}: {answer.text}"

    def _grant(self, number: int) -> tuple[str | None, str]:
        """Where a customer's token is redeemed, and the token. Every second customer with an org
        redeems at the common endpoint."""
        if not self.emulator.customer_orgs:
            return None, self.emulator.customer_tokens[number][1]
        org = self.emulator.customer_orgs[number]
        return (None if number % 2 else org.token_url), org.tokens[0][1]


@dataclass
class World:
    """One org, the folder of its cutover, and the processes of its runs.

    state: the URL of the runs' database.
    """

    folder: Path
    emulator: Emulator
    state: str
    environment: dict[str, str] = field(default_factory=dict)
    _processes: list[subprocess.Popen[str]] = field(default_factory=list)

    @property
    def switches(self) -> list[str]:
        """Every call of the switch command: apply or revert."""
        file = self.folder / "switches"
        return file.read_text(encoding="utf-8").split() if file.exists() else []

    @property
    def side(self) -> str:
        """The egress of the application's traffic: old or new."""
        return (self.folder / "egress").read_text(encoding="utf-8").strip() or "old"

    @property
    def phases(self) -> list[str]:
        """The status of every deployment sent to the org, in order."""
        return [str(one.status.value) for one in self.emulator.deployments]

    @property
    def live(self) -> set[str]:
        """The addresses of this cutover that are on the list now."""
        newest = self.emulator.allowlist_history[-1]
        return {each for each in (*OLD, *NEW) if newest.holds(each)}

    @property
    def lists(self) -> list[Allowlist]:
        return [version.allowlist for version in self.emulator.allowlist_history]

    def start(
        self,
        *words: str,
        point: str | None = None,
        before: Callable[[], None] | None = None,
    ) -> subprocess.Popen[str]:
        """Start a command in its own process, which is killed at the point if one is given.

        before: called in that process, before the command.
        """
        module = ["tests.chaos.killable", point] if point else ["sfcutover"]
        process = subprocess.Popen(
            [sys.executable, "-m", *module, *words],
            cwd=self.folder,
            env=self.environment | {"PYTHONPATH": str(ROOT), "PYTHONFAULTHANDLER": "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            preexec_fn=before,
        )
        self._processes.append(process)
        return process

    def end(self) -> None:
        """End all processes, so that none outlives a test."""
        for process in self._processes:
            if process.poll() is None:
                process.kill()
            if process.stdout is not None and not process.stdout.closed:
                process.communicate()

    def call(self, *words: str, point: str | None = None) -> tuple[int, str]:
        """Run a command to its end; return its exit code and its output."""
        process = self.start(*words, point=point)
        try:
            out, _ = process.communicate(timeout=RUN_SECONDS)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGABRT)  # it prints what each thread is at
            out, _ = process.communicate()
            raise AssertionError(f"{words} hangs:\n{out}") from None
        return process.returncode, out

    def call_with_file_limit(self, size: int, *words: str) -> tuple[int, str]:
        """Run a command that may create no file larger than this many bytes."""

        def limit() -> None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

        process = self.start(*words, before=limit)
        out, _ = process.communicate(timeout=RUN_SECONDS)
        return process.returncode, out

    def wait_for(self, kind: str, count: int = 1) -> None:
        """Wait until the newest run's journal has this many events of a kind."""
        wait_until(lambda: self._count(kind) >= count)

    def _count(self, kind: str) -> int:
        path = make_url(self.state).database or ""
        if not Path(path).exists():
            return 0
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
            query = "SELECT count(*) FROM sfcutover_journal WHERE kind = ?"
            try:
                return int(connection.execute(query, (kind,)).fetchone()[0])
            except sqlite3.OperationalError:
                return 0  # the table does not exist yet

    def runs(self) -> list[Json]:
        """The runs that ``runs --json`` prints."""
        code, out = self.call("runs", "--json", "-q")
        assert code == 0, out
        runs: list[Json] = json.loads(out)["runs"]
        return runs

    def events(self) -> list[Json]:
        """The whole journal of the newest run."""
        _, out = self.call("runs", "--follow", "--json")
        return [json.loads(line) for line in out.splitlines() if line.startswith("{")]

    def store_token(self, name: str, token: str) -> None:
        """Store a canary's token in a file of the folder."""
        path = self.folder / name
        path.touch(0o600)
        path.write_text(token, encoding="utf-8")

    def canary_redeems(self, name: str = "canary.token") -> bool:
        """True if the token on disk is still valid, through an address that the allowlist
        accepts."""
        token = (self.folder / name).read_text(encoding="utf-8").strip()
        honoured = self.emulator.allowlist_history[-1].honoured
        side = "NEW" if honoured.covers([IpRange.parse(each) for each in NEW]) else "OLD"
        proxy = self.emulator.environment[f"SFCUTOVER_{side}_PROXY_URL"]
        return redeem(self.emulator, token, proxy).ok


@contextmanager
def world(
    folder: Path, scenario: Scenario | None = None, state: str = "", **keys: object
) -> Iterator[World]:
    """An org without TLS and a cutover.yaml with short timers; keywords are keys of that file."""
    folder.mkdir(parents=True, exist_ok=True)
    with Emulator(scenario or Scenario(), tls=False) as emulator:
        config = yaml.safe_load(emulator.config_text(str(folder / "canary.token")))
        config["targets"] = [{"name": "packaging", "org": client_credentials(emulator)}]
        config["verify"] |= {"settle": "300ms", "patience": "30s", "login_history_wait": "2s"}
        config["watch"] = {"duration": "900ms", "interval": "300ms", "failures": 2}
        script = (
            'echo "$SFCUTOVER_DIRECTION" >> switches; echo {} > egress.next; mv egress.next egress'
        )
        config["switch"] = {
            "apply": ["sh", "-c", script.format("new")],
            "revert": ["sh", "-c", script.format("old")],
        }
        url = state or f"sqlite:///{folder}/.sfcutover/state.db"
        config["state"] = {"url": {"env": "STATE_URL"}}
        (folder / "cutover.yaml").write_text(yaml.safe_dump(config | keys), encoding="utf-8")
        (folder / "egress").write_text("old", encoding="utf-8")
        opened = World(folder, emulator, url, _environment(emulator, folder, url))
        opened.store_token("canary.token", emulator.environment["SF_REFRESH_TOKEN"])
        try:
            yield opened
        finally:
            opened.end()


@dataclass
class Fleet:
    """A world whose cutover has several orgs, each with its own allowlist and canary.

    The application and the egress are those of the first.
    """

    first: World
    emulators: list[Emulator]

    @property
    def names(self) -> list[str]:
        return [f"org-{number:02}" for number in range(len(self.emulators))]

    def live(self, emulator: Emulator) -> set[str]:
        newest = emulator.allowlist_history[-1]
        return {each for each in (*OLD, *NEW) if newest.holds(each)}


@contextmanager
def fleet(
    folder: Path, size: int, scenario: Scenario | None = None, state: str = "", **keys: object
) -> Iterator[Fleet]:
    """Start this many orgs, the targets of one cutover."""
    with ExitStack() as stack:
        others = [
            stack.enter_context(Emulator(scenario or Scenario(), tls=False))
            for _ in range(size - 1)
        ]
        ports = tuple(urlsplit(emulator.url).port for emulator in others)
        shared = (scenario or Scenario()).model_copy(update={"reachable_ports": ports})
        first = stack.enter_context(world(folder, shared, state, **keys))
        whole = Fleet(first, [first.emulator, *others])
        file = folder / "cutover.yaml"
        config = yaml.safe_load(file.read_text(encoding="utf-8"))
        pairs = list(zip(whole.names, whole.emulators, strict=True))
        config["targets"] = [_target(name, emulator, first) for name, emulator in pairs]
        del config["verify"]["refresh_token"]
        config["verify"]["canaries"] = [_canary(name, emulator, first) for name, emulator in pairs]
        file.write_text(yaml.safe_dump(config), encoding="utf-8")
        yield whole


def _target(name: str, emulator: Emulator, first: World) -> Json:
    """One target and its login. Its secrets have separate variables."""
    prefix = _prefix(name)
    for variable in ("SF_CLIENT_ID", "SF_CLIENT_SECRET"):
        first.environment[f"{prefix}{variable}"] = emulator.environment[variable]
    return {"name": name, "org": client_credentials(emulator, prefix)}


def _prefix(name: str) -> str:
    return name.upper().replace("-", "_") + "_"


def _canary(name: str, emulator: Emulator, first: World) -> Json:
    """The canary that proves a target's allowlist."""
    first.store_token(f"{name}.token", emulator.environment["SF_REFRESH_TOKEN"])
    return {
        "name": name,
        "targets": [name],
        "token_url": emulator.environment["SFCUTOVER_TOKEN_URL"],
        "client_id": {"env": f"{_prefix(name)}SF_CLIENT_ID"},
        "client_secret": {"env": f"{_prefix(name)}SF_CLIENT_SECRET"},
        "refresh_token": {"file": str(first.folder / f"{name}.token")},
    }


def _environment(emulator: Emulator, folder: Path, state: str) -> dict[str, str]:
    kept: Mapping[str, str] = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("SFCUTOVER_", "SF_", "GITHUB_"))
    }
    added = {"XDG_STATE_HOME": str(folder / "xdg"), "STATE_URL": state, "CI": "true"}
    return {**kept, **emulator.environment, **added}
