"""An emulated org, its proxies and its canary, for the tests of the gates that redeem."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

import requests

from sfcutover.allowlist.ranges import Address, Allowlist, IpRange
from sfcutover.cutover.addressproof import Verification
from sfcutover.emulator.emulator import Emulator
from sfcutover.salesforce.loginhistory import LoginHistory
from sfcutover.salesforce.org import Org
from sfcutover.traffic.egress import Egress
from sfcutover.traffic.proxy import ProxyUrl
from sfcutover.traffic.redemption import Redemption
from sfcutover.traffic.tokenanswer import TokenEndpoint
from sfcutover.util.secrets import Secret
from tests.support import SECURITY, SECURITY_NAME, one_session

API = "67.0"
OLD = ("127.0.0.11", "127.0.0.12")
NEW = ("127.0.0.21", "127.0.0.22")


class ShiftedClock:
    """The present, shifted by what a test adds."""

    def __init__(self) -> None:
        self.shift = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.shift


def ranges(*texts: str) -> tuple[IpRange, ...]:
    return tuple(IpRange.parse(text) for text in texts)


def set_list(emulator: Emulator, *addresses: str) -> None:
    """Change the deployed list directly in the org."""
    xml = emulator.component_xml(SECURITY, SECURITY_NAME)
    start = xml.find(b"<tokenIpRanges>")
    end = xml.rfind(b"</tokenIpRanges>") + len(b"</tokenIpRanges>")
    entries = "".join(
        f"<tokenIpRanges><endIpAddress>{one}</endIpAddress>"
        f"<startIpAddress>{one}</startIpAddress></tokenIpRanges>"
        for one in addresses
    )
    emulator.put_component(SECURITY, SECURITY_NAME, xml[:start] + entries.encode() + xml[end:])


@dataclass
class Canaries:
    """The canary of one org, and its verification; the token is kept in memory."""

    emulator: Emulator
    live: Allowlist = field(default_factory=lambda: Allowlist(ranges(*OLD, *NEW)))
    redeemed: list[Redemption] = field(default_factory=list)

    def __post_init__(self) -> None:
        environment = self.emulator.environment
        self._token = Secret(environment["SF_REFRESH_TOKEN"])
        self._endpoint = TokenEndpoint(
            environment["SFCUTOVER_TOKEN_URL"],
            environment["SF_CLIENT_ID"],
            Secret(environment["SF_CLIENT_SECRET"]),
        )
        self.org = Org(one_session(self.emulator.url, environment["SF_ACCESS_TOKEN"]))

    @property
    def history(self) -> LoginHistory:
        return LoginHistory(self.org, API)

    def egress(self, via: str = "new") -> Egress:
        url = self.emulator.environment[f"SFCUTOVER_{via.upper()}_PROXY_URL"]
        expected = ranges(*(NEW if via == "new" else OLD))
        return Egress(via, ProxyUrl.parse(Secret(url), "here"), expected)

    def per_address(self) -> dict[Address, Egress]:
        return {
            ip_address(one): Egress(
                "new",
                ProxyUrl.parse(Secret(self.emulator.proxy_url_for(one)), "here"),
                ranges(*NEW),
            )
            for one in NEW
        }

    def redeem(self, session: requests.Session) -> Redemption:
        redemption = self._endpoint.redeem(self._token, session)
        self._token = redemption.new_token or self._token
        self.redeemed.append(redemption)
        return redemption

    def redeem_by(self, egress: Egress) -> Redemption:
        with egress.session() as session:
            return self.redeem(session)

    def verification(self, *, single: bool = False, via: str = "new") -> Verification:
        return Verification(
            egress=self.egress(via),
            per_address=self.per_address() if single else {},
            echo_url=self.emulator.environment["SFCUTOVER_ECHO_URL"],
            live=self.live,
            redeem=self.redeem_by,
            now=self.org.now,
            history=self.history,
            history_of=self.emulator.organization_id,
            history_now=self.org.now,
            confidence=0.999999,
        )
