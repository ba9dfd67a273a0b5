"""The emulator as others use it: start it, point a client at it, look into it, stop it."""

from __future__ import annotations

import tempfile
import threading
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Self

from sfcutover.emulator.admin import Admin
from sfcutover.emulator.certificate import make_tls, untrusted_tls
from sfcutover.emulator.clients import CLI_CLIENT_ID
from sfcutover.emulator.clock import Clock, utc_now
from sfcutover.emulator.egress import Surroundings
from sfcutover.emulator.events import EventLog
from sfcutover.emulator.faults import Fault, FaultBoard
from sfcutover.emulator.network import Network
from sfcutover.emulator.sample_config import write_config
from sfcutover.emulator.scenario import Scenario
from sfcutover.emulator.sessions import make_secret
from sfcutover.emulator.tenants import Tenants
from sfcutover.emulator.traffic import TrafficControl

_ADMIN_TOKEN_LENGTH = 48


class Emulator(TrafficControl):
    """A local org on a loopback socket; also a context manager.

    port: 0 takes a free one. tls: with a certificate for 127.0.0.1 and localhost whose
    authority stands in ``environment["REQUESTS_CA_BUNDLE"]``. clock: the org's time, for
    tests that walk through a deployment without waiting. The address is taken at once;
    requests are answered between start and stop. OSError if the port is in use.

    What is read and changed is that of the org which answers, see use_org.
    """

    def __init__(
        self,
        scenario: Scenario | None = None,
        port: int = 0,
        tls: bool = True,
        clock: Clock = utc_now,
    ) -> None:
        self.scenario = scenario or Scenario()
        self._stopping = threading.Event()
        self._faults = FaultBoard(self.scenario.faults)
        self._folder = tempfile.TemporaryDirectory(prefix="sfcutover-emulator-")
        self._ca_bundle: Path | None = None
        try:
            self._network = self._listen(port, tls)
        except OSError:
            self._folder.cleanup()
            raise
        self.url = self._network.url
        self._tenants = Tenants(self.scenario, clock, self._faults, self.url, self._stopping.wait)
        self._admin_token = make_secret(_ADMIN_TOKEN_LENGTH)

    def _listen(self, port: int, tls: bool) -> Network:
        context = None
        if tls:
            context, self._ca_bundle = make_tls(self._path)
        surroundings = Surroundings(self._faults, self._stopping.wait, untrusted_tls)
        return Network(self.scenario, port, context, surroundings)

    def start(self) -> Self:
        """Answer requests from now on."""
        self._network.start(Admin(self, self._admin_token, self._tenants))
        return self

    def stop(self) -> None:
        """Close all connections and remove the temporary files; may be called twice."""
        self._stopping.set()
        self._network.stop()
        self._folder.cleanup()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def environment(self) -> dict[str, str]:
        """The variables that a client of this org needs; tokens and secrets are among them.

        A refresh token that rotates is the current one at the time of asking.
        """
        values = {
            "SF_INSTANCE_URL": self.url,
            "SF_ACCESS_TOKEN": self._tenants.current.access_token,
            "SF_CLIENT_ID": self._org.credentials.client_id,
            "SF_CLIENT_SECRET": self._org.credentials.client_secret,
            "SF_REFRESH_TOKEN": self._people.canary.refresh_token or "",
            "SF_LEGACY_CLIENT_ID": self._org.legacy_credentials.client_id,
            "SF_LEGACY_CLIENT_SECRET": self._org.legacy_credentials.client_secret,
            "SF_LEGACY_REFRESH_TOKEN": self._people.legacy_canary.refresh_token or "",
            "SFCUTOVER_TOKEN_URL": f"{self.url}/services/oauth2/token",
            "SFCUTOVER_ADMIN_TOKEN": self._admin_token,
            **self._network.environment,
            "SFCUTOVER_OLD_IPS": ",".join(self.scenario.old),
            "SFCUTOVER_NEW_IPS": ",".join(self.scenario.new),
        }
        if self._ca_bundle is not None:
            values["REQUESTS_CA_BUNDLE"] = str(self._ca_bundle)
        return values

    def config_text(self, token_file: str = "canary.token") -> str:  # noqa: S107 - a file's name
        """A commented cutover.yaml that fits the scenario; its secrets are ``{env: NAME}``.

        token_file: where it says that the canary's refresh token is kept.
        """
        return write_config(self.scenario, self.url, self._network.echo_url, token_file)

    @property
    def auth_url(self) -> str:
        """An SFDX auth URL for this org, a secret."""
        host = self.url.partition("://")[2]
        return f"force://{CLI_CLIENT_ID}::{self._people.cli.refresh_token}@{host}"

    @cached_property
    def jwt_private_key_path(self) -> Path:
        """A file with the private key for the JWT bearer flow; gone after stop."""
        path = self._path / "jwt.pem"
        path.touch(mode=0o600)
        path.write_bytes(self._tenants.key.private_pem())
        return path

    @property
    def log(self) -> EventLog:
        """What was asked of the org so far; no secrets in it."""
        return self._tenants.log

    @property
    def faults(self) -> list[Fault]:
        """The faults that may still hit."""
        return self._faults.active()

    def set_fault(self, fault: Fault) -> None:
        """Switch a fault on, behind those that are."""
        self._faults.set(fault)

    def clear_faults(self) -> None:
        """Switch all faults off."""
        self._faults.clear()

    @property
    def org_number(self) -> int:
        """1, or 2 while the second org answers."""
        return self._tenants.number

    def use_org(self, number: int) -> None:
        """Have org 1 or 2 answer at the URL from now on; ValueError for any other number."""
        self._tenants.use(number)

    @property
    def _path(self) -> Path:
        return Path(self._folder.name)
