"""Where the demo runs: an org, an application, and a folder with the cutover's files.

Each customer has an org of its own. The application redeems the customers' refresh tokens. It does
not know of the cutover: it reads which proxy to use before each redemption, and stores the token
that the org returns.
"""

from __future__ import annotations

import os
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import requests
import yaml

from sfcutover.cli.demo.commands import Commands, Display
from sfcutover.cli.demo.prose import folded
from sfcutover.cli.demo.result import Attempt
from sfcutover.cli.emulator import not_started
from sfcutover.config.state import State
from sfcutover.config.values import Text
from sfcutover.emulator import Emulator, Scenario
from sfcutover.emulator.loopback import MissingAddressesError
from sfcutover.runs.database import Database
from sfcutover.runs.event import Event
from sfcutover.runs.store import RunStore
from sfcutover.util.files import write_durably

RATE = 7.0  # redemptions of each customer a second
DEPLOY_SECONDS = 1.0
SWITCH_SECONDS = 0.5
SETTLE_SECONDS = 2.0
WATCH_SECONDS = 4.0
QUIET_SECONDS = 2.0
BASELINE_SECONDS = 3.0
SHORTENED = folded(
    f"Timers are shortened: settle {SETTLE_SECONDS:.0f} s (default 60 s), "
    f"quiet {QUIET_SECONDS:.0f} s (default 2 min), watch {WATCH_SECONDS:.0f} s (default 15 min); "
    f"a deployment takes {DEPLOY_SECONDS:.0f} s."
)
PATIENCE_SECONDS = 300.0  # as long as it is for an org that is not emulated
_REDEEM_SECONDS = 5.0
_EGRESS = "egress"  # the file that says through which proxy traffic leaves: old or new
_SWITCHES = "switches"  # the switch command adds a line each time
_STARTED = "switch-started"  # it makes this file first
_PROXIES = {"old": "SFCUTOVER_OLD_PROXY_URL", "new": "SFCUTOVER_NEW_PROXY_URL"}
# Name, query and condition. The rate has room for a machine that is busy.
_CHECKS = (
    ("customers' redemptions a second", "customer_redemptions_per_second", ">= 0.5 * before"),
    ("customers' redemptions that succeed", "customer_redemption_success_ratio", ">= 0.99"),
)
_PROXY_VARIABLES = ("http_proxy", "https_proxy", "all_proxy")  # the org is on this machine


@dataclass(frozen=True)
class Customer:
    """A customer of the application. token_url: where its refresh token, a secret, is redeemed."""

    name: str
    token_url: str
    token: str = field(repr=False)


def redeem(variables: Mapping[str, str], customer: Customer, proxy: str) -> Customer | None:
    """Redeem the customer's refresh token; return it with the next one, or None if that failed.

    variables: the emulator's environment variables. Each redemption opens a connection, so that
    the addresses of the proxy alternate.
    """
    form = {
        "grant_type": "refresh_token",
        "refresh_token": customer.token,
        "client_id": variables["SF_CLIENT_ID"],
        "client_secret": variables["SF_CLIENT_SECRET"],
    }
    with requests.Session() as session:
        session.trust_env = False
        session.verify = variables["REQUESTS_CA_BUNDLE"]
        session.proxies = {"https": proxy}
        try:
            answer = session.post(customer.token_url, data=form, timeout=_REDEEM_SECONDS)
            renewed = answer.json().get("refresh_token") if answer.ok else None
        except requests.RequestException:
            return None
    return replace(customer, token=renewed) if isinstance(renewed, str) else None


class Application:
    """Serves its customers.

    variables: as for ``redeem``. proxy: returns the URL of the proxy for the next redemption of
    the customer with this name.
    """

    def __init__(
        self,
        customers: Iterable[Customer],
        variables: Mapping[str, str],
        proxy: Callable[[str], str],
    ) -> None:
        self._variables = variables
        self._proxy = proxy
        self._stopping = threading.Event()
        self._attempts: list[Attempt] = []
        self._threads = [
            threading.Thread(target=self._serve, args=(each,), name=each.name, daemon=True)
            for each in customers
        ]

    @contextmanager
    def serving(self) -> Iterator[None]:
        """Serve until the block ends."""
        for thread in self._threads:
            thread.start()
        try:
            yield
        finally:
            self.stop()

    def stop(self) -> None:
        """Start no more redemptions and wait for those in flight; may be called twice."""
        self._stopping.set()
        for thread in self._threads:
            thread.join()

    @property
    def attempts(self) -> tuple[Attempt, ...]:
        """All attempts so far."""
        return tuple(self._attempts)

    def _serve(self, customer: Customer) -> None:
        """A refused token is tried again: a refusal is no reason to send the customer to the
        login page."""
        due = time.monotonic()
        while not self._stopping.wait(max(0.0, due - time.monotonic())):
            renewed = redeem(self._variables, customer, self._proxy(customer.name))
            customer = renewed or customer
            self._attempts.append(Attempt(customer.name, time.time(), renewed is not None))
            due = max(due + 1 / RATE, time.monotonic())  # a late redemption is not made up for


@dataclass(frozen=True)
class Environment:
    """An org in which nothing has changed yet, and live traffic through the old proxy."""

    emulator: Emulator
    folder: Path
    application: Application
    commands: Commands

    @property
    def switch_started(self) -> bool:
        """True once the switch command has started."""
        return (self.folder / _STARTED).exists()

    @property
    def switches(self) -> int:
        """How often the switch command has run."""
        path = self.folder / _SWITCHES
        return len(path.read_text(encoding="utf-8").splitlines()) if path.exists() else 0

    @property
    def journal(self) -> list[Event]:
        """Every event of the run; empty if there was none."""
        path = _state_file(self.folder)
        if not path.exists():
            return []
        database = Database.open(State(url=Text(literal=f"sqlite:///{path}")), create=False)
        try:
            store = RunStore(database)
            return [event for run in store.all() for event in store.journal(run.id).read()]
        finally:
            database.close()

    @property
    def logged_in(self) -> int:
        """How many customers have a grant that is alive."""
        return sum(len(each.tokens) for each in self.emulator.customer_orgs)

    def move_traffic(self) -> None:
        """Do by hand what the switch command does."""
        write_durably(self.folder / _EGRESS, "new")


@dataclass(frozen=True)
class Setting:
    """How an environment differs from others.

    scenario: of the org. patience: verify.patience, in seconds. left_behind: the name of a customer
    whose traffic the switch command does not move.
    """

    scenario: Scenario
    patience: float = PATIENCE_SECONDS
    left_behind: str | None = None


@contextmanager
def open_environment(setting: Setting, display: Display) -> Iterator[Environment]:
    """Start the orgs and an application that serves its customers until the block ends, and
    remove all files then. Raises OSError, and OperationFailedError on a machine without the
    addresses of loopback that traffic leaves by."""
    with (
        tempfile.TemporaryDirectory(prefix="sfcutover-demo-") as name,
        _emulator(setting.scenario) as emulator,
    ):
        folder = Path(name).resolve()
        _write_files(folder, emulator, setting.patience)
        commands = Commands(folder, _variables(folder, emulator), display)
        application = _application(folder, emulator, setting.left_behind)
        with application.serving():
            yield Environment(emulator, folder, application, commands)


def _emulator(scenario: Scenario) -> Emulator:
    try:
        return Emulator(scenario)
    except MissingAddressesError as error:
        raise not_started(error) from error


def _write_files(folder: Path, emulator: Emulator, patience: float) -> None:
    config = yaml.safe_load(emulator.config_text()) | {
        "switch": {"apply": _switch_command("new"), "revert": _switch_command("old")},
        "checks": [_check(emulator, *each) for each in _CHECKS],
        "watch": {"duration": f"{WATCH_SECONDS}s", "interval": "1s", "failures": 2},
        "state": {"url": f"sqlite:///{_state_file(folder)}"},
    }
    config["quiet"][0]["for"] = f"{QUIET_SECONDS}s"
    config["verify"] |= {"settle": f"{SETTLE_SECONDS}s", "patience": f"{patience}s"}
    (folder / "cutover.yaml").write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
    write_durably(folder / "canary.token", emulator.environment["SF_REFRESH_TOKEN"])
    write_durably(folder / _EGRESS, "old")


def _check(emulator: Emulator, name: str, query: str, condition: str) -> dict[str, object]:
    url = f"{emulator.url}/prometheus"
    prometheus = {"url": url, "query": query, "condition": condition}
    return {"name": name, "prometheus": prometheus, "baseline": f"{BASELINE_SECONDS}s"}


def _switch_command(side: str) -> list[str]:
    """Renames a file into place, so that the application never reads half of one."""
    script = (
        f"touch {_STARTED}; sleep {SWITCH_SECONDS}; echo {side} >> {_SWITCHES}; "
        f"printf {side} > {_EGRESS}.{side} && mv {_EGRESS}.{side} {_EGRESS}"
    )
    return ["sh", "-c", script]


def _application(folder: Path, emulator: Emulator, left_behind: str | None) -> Application:
    variables = emulator.environment
    proxies = {side: variables[name] for side, name in _PROXIES.items()}
    egress = folder / _EGRESS

    def proxy(customer: str) -> str:
        side = "old" if customer == left_behind else egress.read_text(encoding="utf-8")
        return proxies[side]

    return Application(_customers(emulator), variables, proxy)


def _customers(emulator: Emulator) -> Iterator[Customer]:
    """One in each customer's org. Every second one redeems where all can, not at its own org."""
    common = emulator.environment["SFCUTOVER_TOKEN_URL"]
    for number, org in enumerate(emulator.customer_orgs, 1):
        name = f"customer-{number}"
        yield Customer(name, org.token_url if number % 2 else common, org.issue_grant(name))


def _state_file(folder: Path) -> Path:
    return folder / "state" / "state.db"


def _variables(folder: Path, emulator: Emulator) -> dict[str, str]:
    """This process's variables without sfcutover's options and proxies, the emulator's, and a
    state folder that is removed with the environment."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("SFCUTOVER_") and name.lower() not in _PROXY_VARIABLES
    }
    return {**kept, **emulator.environment, "XDG_STATE_HOME": str(folder / "xdg")}
