"""The emulator as others use it: start it, point a client at it, look into it, stop it."""

from __future__ import annotations

import tempfile
import threading
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Self

from sfcutover.emulator.admin import Admin
from sfcutover.emulator.app import App
from sfcutover.emulator.certificate import make_tls, untrusted_tls
from sfcutover.emulator.clients import CLI_CLIENT_ID
from sfcutover.emulator.clock import Clock, utc_now
from sfcutover.emulator.deployment import Deployment
from sfcutover.emulator.egress import Surroundings
from sfcutover.emulator.events import EventLog
from sfcutover.emulator.faults import Fault
from sfcutover.emulator.jwt_bearer import JwtKey
from sfcutover.emulator.network import Network
from sfcutover.emulator.oauth import TokenEndpoint
from sfcutover.emulator.org import Org
from sfcutover.emulator.people import People
from sfcutover.emulator.sample_config import write_config
from sfcutover.emulator.scenario import Scenario
from sfcutover.emulator.traffic import TrafficControl


class Emulator(TrafficControl):
    """A local org on a loopback socket; also a context manager.

    port: 0 takes a free one. tls: with a certificate for 127.0.0.1 and localhost whose
    authority stands in ``environment["REQUESTS_CA_BUNDLE"]``. clock: the org's time, for
    tests that walk through a deployment without waiting. The address is taken at once;
    requests are answered between start and stop. OSError if the port is in use.
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
        self._org = Org(self.scenario, clock)
        self._folder = tempfile.TemporaryDirectory(prefix="sfcutover-emulator-")
        self._ca_bundle: Path | None = None
        try:
            self._network = self._listen(port, tls)
        except OSError:
            self._folder.cleanup()
            raise
        self.url = self._network.url
        self._key = JwtKey()
        self._tokens = TokenEndpoint(self._org, self.url, self._key)
        self._people = People(self._org, self._tokens)
        self._access_token = self._org.sessions.start()

    def _listen(self, port: int, tls: bool) -> Network:
        context = None
        if tls:
            context, self._ca_bundle = make_tls(self._path)
        surroundings = Surroundings(self._org.faults, self._stopping.wait, untrusted_tls)
        return Network(self.scenario, port, context, surroundings)

    def start(self) -> Self:
        """Answer requests from now on."""
        admin = Admin(self._org, self._tokens, self._people)
        self._network.start(App(self._org, self.url, self._tokens, admin, self._stopping.wait))
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
            "SF_ACCESS_TOKEN": self._access_token,
            "SF_CLIENT_ID": self._org.credentials.client_id,
            "SF_CLIENT_SECRET": self._org.credentials.client_secret,
            "SF_REFRESH_TOKEN": self._people.canary.refresh_token or "",
            "SF_LEGACY_CLIENT_ID": self._org.legacy_credentials.client_id,
            "SF_LEGACY_CLIENT_SECRET": self._org.legacy_credentials.client_secret,
            "SF_LEGACY_REFRESH_TOKEN": self._people.legacy_canary.refresh_token or "",
            "SFCUTOVER_TOKEN_URL": f"{self.url}/services/oauth2/token",
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
        path.write_bytes(self._key.private_pem())
        return path

    @property
    def log(self) -> EventLog:
        """What was asked of the org so far; no secrets in it."""
        return self._org.log

    def set_fault(self, fault: Fault) -> None:
        """Switch a fault on, behind those that are."""
        self._org.faults.set(fault)

    def clear_faults(self) -> None:
        """Switch all faults off."""
        self._org.faults.clear()

    def component_xml(self, metadata_type: str, full_name: str) -> bytes:
        """A component's file as the org would give it back now; KeyError without one."""
        with self._org.lock:
            self._org.queue.advance()
            stored = self._org.store.get(metadata_type, full_name)
        if stored is None:
            raise KeyError(f"{metadata_type} {full_name}")
        return stored.xml

    def put_component(self, metadata_type: str, full_name: str, xml: bytes) -> None:
        """Change a component behind the client's back, unchecked."""
        with self._org.lock:
            self._org.queue.advance()
            self._org.store.put(metadata_type, full_name, xml)

    @property
    def deployments(self) -> list[Deployment]:
        """Copies of all deployments as they are now, the oldest first."""
        with self._org.lock:
            self._org.queue.advance()
            return [replace(deployment) for deployment in self._org.queue]

    @property
    def _path(self) -> Path:
        return Path(self._folder.name)
