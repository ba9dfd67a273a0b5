"""The emulator's Python API: start it, connect a client, inspect it, stop it."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Self

from sfcutover.allowlist.ranges import IpRange
from sfcutover.emulator.admin import Admin
from sfcutover.emulator.app import App, Surface
from sfcutover.emulator.components import Stored
from sfcutover.emulator.customers import CustomerOrg
from sfcutover.emulator.deployments import Deployment
from sfcutover.emulator.edits import Edit
from sfcutover.emulator.enforcement import ListVersion
from sfcutover.emulator.faults import Fault, FaultBoard
from sfcutover.emulator.files import sample_config
from sfcutover.emulator.formats import Clock, make_secret, utc_now
from sfcutover.emulator.grants import Redemption
from sfcutover.emulator.log import Event, EventLog
from sfcutover.emulator.metrics import Metrics
from sfcutover.emulator.network import Network, make_tls
from sfcutover.emulator.oauth import JwtKey
from sfcutover.emulator.org import Org, Orgs
from sfcutover.emulator.prometheus import Prometheus
from sfcutover.emulator.scenario import Scenario

_ADMIN_TOKEN_LENGTH = 48


class Emulator:
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
        self._clock = clock
        self._started = clock()
        self._stopping = threading.Event()
        self._faults = FaultBoard(self.scenario.faults)
        self._log = EventLog(clock)
        self._key = JwtKey()
        self._admin_token = make_secret(_ADMIN_TOKEN_LENGTH)
        self._folder = tempfile.TemporaryDirectory(prefix="sfcutover-emulator-")
        self._ca_bundle: Path | None = None
        try:
            self._network = self._listen(port, tls)
        except OSError:
            self._folder.cleanup()
            raise
        self.url = self._network.url
        self._orgs = Orgs(self.scenario, clock, self.url)
        self._customers = [
            self._orgs.current.add_customer_org(url) for url in self._network.customer_urls
        ]

    def _listen(self, port: int, tls: bool) -> Network:
        context = None
        if tls:
            context, self._ca_bundle = make_tls(self._path)
        wait = self._stopping.wait
        return Network(self.scenario, port, context, self._faults, wait, self._clock)

    def start(self) -> Self:
        """Answer requests from now on."""
        surface = Surface(self._faults, self._log, self._key, self._stopping.wait)
        app = App(lambda: self._orgs.current, surface)
        customers = [App(_always(org), surface) for org in self._customers]
        prometheus = Prometheus(self._measure, self._clock, app)
        self._network.start(Admin(self, self._admin_token, prometheus), customers)
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
        org = self._org
        values = {
            "SFCUTOVER_INSTANCE_URL": self.url,
            "SF_ACCESS_TOKEN": org.access_token,
            "SF_CLIENT_ID": org.apps.eca.client_id,
            "SF_CLIENT_SECRET": org.apps.eca.secret or "",
            "SF_REFRESH_TOKEN": org.canary.refresh_token or "",
            "SF_LEGACY_CLIENT_ID": org.apps.legacy.client_id,
            "SF_LEGACY_CLIENT_SECRET": org.apps.legacy.secret or "",
            "SF_LEGACY_REFRESH_TOKEN": org.legacy_canary.refresh_token or "",
            "SFCUTOVER_TOKEN_URL": f"{self.url}/services/oauth2/token",
            "SFCUTOVER_ADMIN_TOKEN": self._admin_token,
            **self._network.environment,
            "SFCUTOVER_OLD_IPS": ",".join(self.scenario.old),
            "SFCUTOVER_NEW_IPS": ",".join(self.scenario.new),
        }
        for customer in self.customer_orgs:
            values |= customer.environment
        if self._ca_bundle is not None:
            values["REQUESTS_CA_BUNDLE"] = str(self._ca_bundle)
        return values

    def config_text(self, token_file: str = "canary.token") -> str:  # noqa: S107 - a file's name
        """A commented cutover.yaml that fits the scenario; its secrets are ``{env: NAME}``.

        token_file: where it says that the canary's refresh token is kept.
        """
        return sample_config(self.scenario, self.url, self._network.echo_url, token_file)

    @property
    def auth_url(self) -> str:
        """An SFDX auth URL for this org, a secret."""
        host = self.url.partition("://")[2]
        client, grant = self._org.apps.cli, self._org.cli_grant
        return f"force://{client.client_id}::{grant.refresh_token}@{host}"

    @cached_property
    def jwt_private_key_path(self) -> Path:
        """A file with the private key for the JWT bearer flow; gone after stop."""
        path = self._path / "jwt.pem"
        path.touch(mode=0o600)
        path.write_bytes(self._key.private_pem())
        return path

    def proxy_url_for(self, address: str) -> str:
        """The URL of a proxy that leaves by this address only, a secret; KeyError if none does.

        It is the new or the old proxy itself, with the address in the user name.
        """
        return self._network.proxy_url_for(address)

    @property
    def log(self) -> list[Event]:
        """What was asked of the orgs so far, as EventLog describes it; no secrets in it."""
        return self._log.events()

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
        return self._orgs.number

    def use_org(self, number: int) -> None:
        """Have org 1 or 2 answer at the URL from now on; ValueError for any other number."""
        self._orgs.use(number)

    @property
    def organization_id(self) -> str:
        return self._org.id

    @property
    def customer_orgs(self) -> tuple[CustomerOrg, ...]:
        """The orgs of the customers of org 1, each at an address of its own."""
        return tuple(CustomerOrg(number, org) for number, org in enumerate(self._customers, 1))

    @property
    def clock_offset(self) -> float:
        """Seconds that the org's clock is ahead of the true time."""
        return self._org.clock.offset_seconds

    def set_clock_offset(self, offset_seconds: float) -> None:
        """Set the org's clock; what has its date keeps it."""
        with self._present() as org:
            org.clock.offset_seconds = offset_seconds

    @property
    def enforcement(self) -> bool:
        """Whether the apps' lists block at all."""
        return self._org.apps.enforcement

    def set_enforcement(self, is_on: bool) -> None:
        """Have the apps' lists block from now on, or let every address in."""
        with self._present() as org:
            org.apps.enforcement = is_on

    @property
    def edits(self) -> list[Edit]:
        """The edits that are still to be made."""
        with self._present() as org:
            return org.edits.waiting()

    def set_edit(self, edit: Edit) -> None:
        """Change a list as another user would, immediately or when its interaction occurs.

        ValueError if there is no such component.
        """
        with self._present() as org:
            org.set_edit(edit)

    @property
    def components(self) -> list[Stored]:
        """All components of the org, with the user and the time of the last change."""
        with self._present() as org:
            return list(org.store)

    def component_xml(self, metadata_type: str, full_name: str) -> bytes:
        """A component's file as the org would give it back now; KeyError without one."""
        with self._present() as org:
            stored = org.store.get(metadata_type, full_name)
        if stored is None:
            raise KeyError(f"{metadata_type} {full_name}")
        return stored.xml

    def put_component(self, metadata_type: str, full_name: str, xml: bytes) -> None:
        """Change a component behind the client's back, unchecked."""
        with self._present() as org:
            org.store.put(metadata_type, full_name, xml)

    def recreate_component(self, metadata_type: str, full_name: str) -> None:
        """Delete a component and create the same again: it has another id. KeyError without one."""
        xml = self.component_xml(metadata_type, full_name)
        with self._present() as org:
            org.store.delete(metadata_type, full_name)
            org.store.put(metadata_type, full_name, xml)

    @property
    def deployments(self) -> list[Deployment]:
        """Copies of all deployments as they are now, the oldest first."""
        with self._present() as org:
            return [replace(deployment) for deployment in org.queue]

    @property
    def allowlist_history(self) -> list[ListVersion]:
        """The deployed list of the app and when it was which, the oldest state first."""
        with self._present() as org:
            return list(org.apps.deployed_list.versions())

    @property
    def legacy_allowlist_history(self) -> list[ListVersion]:
        """The same for the legacy app's list."""
        with self._present() as org:
            return list(org.apps.support_list.versions())

    def support_sets_allowlist(self, ranges: Iterable[str]) -> None:
        """Replace the legacy app's list, as only Salesforce's support can.

        ranges: addresses, CIDR blocks or first-last. Raises RangeError.
        """
        parsed = [IpRange.parse(text) for text in ranges]
        with self._present() as org:
            org.apps.support_list.set(parsed)

    def set_login_ranges(self, name: str, ranges: Iterable[str] | None) -> None:
        """Set the rule of the user behind a grant: the ranges it lets in, None for no rule.

        Raises RangeError.
        """
        with self._present() as org:
            if ranges is None:
                org.login_ranges.pop(name, None)
            else:
                org.login_ranges[name] = tuple(IpRange.parse(text) for text in ranges)

    @property
    def redemptions(self) -> list[Redemption]:
        """Every refresh token that was presented for an app with a list, the oldest first, with
        those of users of customers' orgs."""
        with self._present() as org:
            return list(org.redemptions)

    @property
    def customer_tokens(self) -> list[tuple[str, str]]:
        """Name and current refresh token of every customer's grant that is alive, without those
        of customers who have an org of their own."""
        with self._present() as org:
            return org.customer_tokens

    def issue_grant(self, name: str, *, legacy: bool = False) -> str:
        """A refresh token for a customer's user, of the legacy app if asked."""
        with self._present() as org:
            grant = org.add_customer(name, org.apps.legacy if legacy else org.apps.eca)
            return grant.refresh_token or ""

    def issue_code(self, name: str, *, legacy: bool = False) -> str:
        """An authorization code, as if a customer's user had just approved the app."""
        with self._present() as org:
            client = org.apps.legacy if legacy else org.apps.eca
            return org.grants.issue_code(name, client, rotates=org.scenario.rotation)

    def user_id(self, name: str) -> str:
        """The user whose grant has this name, as in LoginHistory's UserId."""
        with self._present() as org:
            return org.grants.user_id(name)

    def _measure(self) -> Metrics:
        window = self.scenario.metrics_window_seconds
        return Metrics(self.redemptions, self._network.requests, self._started, window)

    @property
    def _org(self) -> Org:
        return self._orgs.current

    @contextmanager
    def _present(self) -> Iterator[Org]:
        """The org that answers, locked, and its deployments as far as they are by now."""
        org = self._org
        with org.lock:
            org.queue.advance()
            yield org

    @property
    def _path(self) -> Path:
        return Path(self._folder.name)


def _always(org: Org) -> Callable[[], Org]:
    return lambda: org
